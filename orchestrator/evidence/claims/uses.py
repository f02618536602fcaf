"""Macros of evidence in a text: their names must be known, and be of what the words beside them name."""

from __future__ import annotations

import re

from orchestrator.evidence.claims.facts import Facts
from orchestrator.evidence.claims.holders import references
from orchestrator.evidence.claims.records import Judged
from orchestrator.evidence.claims.sentences import Sentence, Use
from orchestrator.evidence.claims.values import unit_of

_BESIDE = re.compile(r"\s*(?:of|is|was|=|:|reaches|score of|value of)?\s*(?:the |a |about )?")
_HAS = re.compile(
    r"\s*(?:reaches|has|obtains|achieves|attains|gets|yields|scores|shows|with|at|of|is|:|an?|the|its|\s)*\s*"
)


def judge_use(use: Use, sentence: Sentence, facts: Facts) -> Judged:
    """One macro: known, of the unit that is written after it, of the metric and run that the text names beside it."""
    meaning = use.meaning
    if meaning.problem:
        return Judged("", _why_unknown(use, facts), meaning.nearest)
    if meaning.metric and meaning.kind in ("value", "mean"):
        problem = _unit(use, sentence, facts) or _metric(use, sentence) or _run(use, sentence)
        if problem:
            return Judged("", problem)
    where = ", ".join(facts.at(run) for run in meaning.runs)
    return Judged(f"{meaning.kind} {meaning.metric} {where}".strip())


def _why_unknown(use: Use, facts: Facts) -> str:
    failed = [r for r in facts.ledger.failed if any(a == r or a.startswith(f"{r}/") for a in use.atom.arguments)]
    return f"{failed[0]} failed, and a failed run is never quoted" if failed else use.meaning.problem


def _unit(use: Use, sentence: Sentence, facts: Facts) -> str:
    percent = re.match(r"\s?%", sentence.text[use.at + 1 :])
    wrong = percent and unit_of(facts.ledger, use.meaning.metric) != "%"
    return f"{use.meaning.metric} is not in percent" if wrong else ""


def _metric(use: Use, sentence: Sentence) -> str:
    named = [m for m in sentence.of("metric") if m.end <= use.at and not m.weak and m.end - m.start > 1]
    if not named or not _BESIDE.fullmatch(sentence.text[named[-1].end : use.at]):
        return ""
    if use.meaning.metric in named[-1].targets:
        return ""
    return f"the text says {sentence.text[named[-1].start : named[-1].end]!r}, the macro is of {use.meaning.metric}"


def _run(use: Use, sentence: Sentence) -> str:
    """Only where the text's run, its verb and the macro follow one another: "TopK reaches an MSE of \\res{…}"."""
    start, _ = sentence.clause(use.at)
    written = [m for m in sentence.of("run") if start <= m.start and m.end <= use.at and m.end - m.start > 1]
    if not written or written[-1].weak or written[-1] in references(sentence, sentence.of("run")):
        return ""
    between = sentence.without(written[-1].end, use.at, "metric", "setting", "facet")
    if not _HAS.fullmatch(between) or use.meaning.runs[0] in written[-1].targets:
        return ""
    return (
        f"the text says {sentence.text[written[-1].start : written[-1].end]!r}, the macro is of {use.meaning.runs[0]}"
    )
