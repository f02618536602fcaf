"""Whether the evidence supports what a paper says: every number typed by hand, every macro, comparison and name."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from orchestrator.evidence.claims.records import Claim
from orchestrator.evidence.claims.report import claims_json, mark_unsupported, repair_lines
from orchestrator.records import Evidence, Metric

__all__ = ["Claim", "check", "claims_json", "mark_unsupported", "repair_lines"]


def check(
    tex: str, evidence: Iterable[Evidence], metrics: Iterable[Metric], *, settings_texts: Sequence[str] = (),
    labels: Mapping[str, str] | None = None, file: str = "template.tex",
) -> list[Claim]:  # fmt: skip
    """Every claim of a paper, in the order of the source. What cannot be read is an unsupported claim of kind "tex".

    `settings_texts`: code and other texts whose numbers count as settings in method and set-up.
    `labels`: what the paper calls the runs.
    """
    from orchestrator.evidence.claims.checker import Checker

    return Checker(tex, evidence, metrics, settings_texts, labels or {}, file).claims()
