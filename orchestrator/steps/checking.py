"""The check of a paper: structure by program, every claim against the evidence."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from orchestrator.errors import BadInput
from orchestrator.evidence.claims import Claim, check, repair_lines
from orchestrator.experiment import Experiment
from orchestrator.paper import document
from orchestrator.paper.check import problems
from orchestrator.paper.citations import references
from orchestrator.records import load_evidence
from orchestrator.session import Session
from orchestrator.steps.context import Work
from orchestrator.steps.plotting import read_labels


@dataclass(frozen=True)
class Found:
    """What a check of a paper came to."""

    claims: list[Claim]
    problems: list[str]
    """What is wrong with the structure: `line 12: …`."""

    @property
    def unsupported(self) -> list[Claim]:
        return [claim for claim in self.claims if not claim.supported]

    def data(self) -> dict[str, Any]:
        return {
            "claims": len(self.claims),
            "unsupported": [claim.model_dump() for claim in self.unsupported],
            "problems": self.problems,
        }

    def lines(self) -> list[str]:
        told = repair_lines(self.claims) + self.problems
        return [
            *told,
            f"{len(self.claims)} claims, {len(self.unsupported)} unsupported; {len(self.problems)} other problems",
        ]


def check_paper(folder: Path, experiment: Experiment) -> Found:
    """Checks `latex/template.tex` of a session against its evidence. Raises BadInput where there is no paper."""
    path = folder / "latex" / "template.tex"
    if not path.is_file():
        raise BadInput(f"{path}: no paper there yet; `orch paper build` writes it")
    tex = path.read_text(encoding="utf-8", errors="replace")
    evidence = load_evidence(folder)
    named = read_labels(folder / "plot.py") or {}
    labels = {e.run: named.get(e.run) or e.title or e.run for e in evidence if e.seed == 0}
    code = [(folder / name).read_text(encoding="utf-8") for name in experiment.editable if (folder / name).is_file()]
    claims = check(tex, evidence, experiment.metrics, settings_texts=code, labels=labels)
    figures = {p.name for p in (folder / "figures").glob("*.pdf")}
    wrong = problems(tex, figures, references(folder / "latex" / "references.bib"))
    return Found(claims, [f"template.tex:{p.line}: {p.sentence}" for p in wrong])


def check_session(folder: Path) -> Found:
    """`orch paper check`: the paper as it stands; writes claims.json."""
    session = Session(folder)
    try:
        found = check_paper(session.folder, session.experiment)
        write_claims(session.folder, found.claims)
        return found
    finally:
        session.close()


def write_claims(folder: Path, claims: list[Claim]) -> None:
    data = [claim.model_dump() for claim in claims]
    (folder / "claims.json").write_text(json.dumps(data, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")


def findings_in(work: Work, tex: str, parts: tuple[str, ...]) -> list[str]:
    """What the check says about some parts of the paper alone."""
    spans = [span for name, span in document.sections(tex).items() if name in parts]
    lines = {n for s in spans for n in range(tex.count("\n", 0, s.start) + 1, tex.count("\n", 0, s.end) + 2)}
    found = check_paper(work.folder, work.experiment)
    return repair_lines([claim for claim in found.claims if claim.line in lines])
