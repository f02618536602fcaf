"""Metrics from the few and shortened words of a table's heading: "Corr. error", "Inference (ms)", "s/epoch"."""

from __future__ import annotations

import re

from orchestrator.evidence.claims.spelling import alike
from orchestrator.evidence.claims.units import UNITS
from orchestrator.evidence.claims.values import unit_of
from orchestrator.evidence.ledger import Ledger, humanised

_WORD = re.compile(r"[^\W_]+")
_SKIPPED = {"the", "of", "in", "at", "on", "per", "and", "mean", "value", "test", "avg", "average", "rate", "score"}


def metrics_of_heading(heading: str, ledger: Ledger, least: float = 1.0) -> tuple[str, ...]:
    """The declared metrics whose names share the most words with a heading; none where none shares any."""
    words = [w.lower() for w in _WORD.findall(re.sub(r"[↑↓]", " ", heading))]
    if not words:
        return ()
    scores = {m: _score(heading, words, m, ledger) for m in ledger.declared or ledger.metric_names[:300]}
    best = max(scores.values(), default=0.0)
    return tuple(metric for metric, score in scores.items() if score == best) if best >= least else ()


def _score(heading: str, words: list[str], metric: str, ledger: Ledger) -> float:
    names = [w.lower() for w in _WORD.findall(f"{metric.replace('_', ' ')} {humanised(metric)}")]
    wanted = [name for name in names if name not in _SKIPPED]
    shared = {w for w in words if w not in _SKIPPED and any(alike(w, name) for name in wanted)}
    in_unit = _names_unit(heading, words, unit_of(ledger, metric))
    return len(shared) + (0.0 if not in_unit else 0.5 if shared else 1.0)


def _names_unit(heading: str, words: list[str], unit: str) -> bool:
    if not unit:
        return False
    same = any(UNITS.get(word, ("", 0)) == UNITS.get(unit, ("-", 0)) for word in words)
    return same or (unit.lower() in heading.lower() if len(unit) > 2 else unit.lower() in words)
