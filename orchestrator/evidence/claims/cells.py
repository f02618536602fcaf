"""Numbers in tables: the row and the column say run and metric."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import TYPE_CHECKING

from orchestrator.evidence.claims.changes import Change, fits
from orchestrator.evidence.claims.lexicon import Mention
from orchestrator.evidence.claims.numbers import Number, find_numbers
from orchestrator.evidence.claims.plain import setting_fits
from orchestrator.evidence.claims.records import Block, Cell, Claim, Table
from orchestrator.evidence.claims.sentences import Sentence, make_sentence
from orchestrator.evidence.claims.values import half_problem

if TYPE_CHECKING:
    from orchestrator.evidence.claims.checker import Checker, Judged

_DERIVED = (
    ("relative change", re.compile(r"Δ\s*\(?%|%\s*(?:change|improvement|reduction|gain)|relative|(?:change|improvement|reduction|gain|diff\w*)[^a-z]*%", re.I)),
    ("ratio", re.compile(r"\bratio\b|speed-?up|×|\bfactor\b", re.I)),
    ("difference", re.compile(r"Δ|\bDelta\b|\bdiff\w*|\bgap\b|\bchange\b|\bgain\b|\bimprovement\b", re.I)),
)  # fmt: skip
_NO_RESULT = re.compile(r"\b(?:seeds?|n|runs?|#|no\.|attempts?|commit|year|reference)\b\.?$", re.I)


def claims_of_table(checker: Checker, table: Table) -> Iterator[Claim]:
    """Every number in a table's body."""
    for cell in table.cells:
        if not cell.text.chars.strip():
            continue
        block = Block(cell.text, table.section, "caption")
        sentence = make_sentence(cell.text, block, checker.lexicon, checker.ledger)
        shown = f"{cell.row} | {cell.column} | {cell.text.chars.strip()}"
        for use in sentence.uses:
            yield checker.claim(sentence, use.at, use.at + 1, "macro", checker.macro(use, sentence), shown)
        if cell.heads:
            continue
        for number in _numbers(sentence):
            judged = _judge(checker, number, sentence, cell, table)
            if judged is not None:
                yield checker.claim(sentence, number.start, number.end, "number", judged, shown)


def _numbers(sentence: Sentence) -> list[Number]:
    return sentence.numbers


def _judge(checker: Checker, number: Number, sentence: Sentence, cell: Cell, table: Table) -> Judged | None:
    from orchestrator.evidence.claims.checker import Judged

    found = {side: checker.lexicon.find(text) for side, text in (("row", cell.row), ("column", cell.column), ("caption", table.caption), ("cell", sentence.text))}
    failed = [m for side in ("row", "column") for m in found[side] if m.kind == "failed"]
    if failed:
        return Judged("", f"{failed[0].targets[0]} failed, and a failed run's numbers are never quoted")
    metrics, settings = _quantity(found, cell)
    runs = _runs(checker, found, cell)
    if settings and not metrics:
        said, right = checker.plain.setting(number, settings, runs)
        return Judged(said) if right else Judged("", f"the settings in force are {said}" if said else "no run has this setting")
    if not metrics:
        return _without_metric(checker, number, sentence, cell, table)
    derived = _derived(checker, number, cell, metrics, runs)
    if derived is not None:
        return derived
    if not runs:
        return Judged("", "no run is named in this row or column", checker.near(number, metrics))
    return _value(checker, number, metrics, runs, f"{cell.column} {cell.row} {table.caption}")


def _quantity(found: dict[str, list[Mention]], cell: Cell) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Metrics and settings that column and row name, the column first; the caption where they name none."""
    for side in ("cell", "column", "row", "caption"):
        metrics = [m for m in found[side] if m.kind == "metric"]
        if metrics:
            best = [m for m in metrics if not m.weak] or metrics
            return best[-1].targets if side != "caption" else _one(best), ()
        settings = [m for m in found[side] if m.kind == "setting" and m.end - m.start > 1]
        if settings and side in ("column", "row") and not any(m.kind == "metric" for s in ("row", "column") for m in found[s]):
            return (), settings[-1].targets
    return (), ()


def _one(mentions: list[Mention]) -> tuple[str, ...]:
    return mentions[0].targets if len({m.targets for m in mentions}) == 1 else ()


def _runs(checker: Checker, found: dict[str, list[Mention]], cell: Cell) -> tuple[str, ...]:
    """The run that row or column names; settings in the row's or column's heading narrow several down."""
    chosen: tuple[str, ...] = ()
    for side in ("cell", "row", "column", "caption"):
        mentions = [m for m in found[side] if m.kind == "run"]
        strong = [m for m in mentions if not m.weak] or mentions
        if strong:
            chosen = strong[0].targets if len({m.targets for m in strong}) == 1 or side != "caption" else ()
            if chosen:
                break
    return _by_settings(checker, chosen, cell)


def _by_settings(checker: Checker, runs: tuple[str, ...], cell: Cell) -> tuple[str, ...]:
    """"k = 64" in a heading, or 64 in a row under a corner that says k, picks the runs with that setting."""
    wanted = runs or tuple(checker.ledger.runs)
    if len(wanted) < 2:
        return wanted
    for heading, name in ((cell.row, f"{cell.corner} {cell.row}"), (cell.column, cell.column)):
        keys = [t for m in checker.lexicon.find(name) if m.kind == "setting" for t in m.targets]
        for number in find_numbers(heading):
            for key in keys:
                fitting = tuple(r for r in wanted if (v := checker.plain._value(r, key)) is not None and setting_fits(number, v))
                if fitting and len(fitting) < len(wanted):
                    wanted = fitting
    return wanted if runs or len(wanted) < len(checker.ledger.runs) else ()


def _without_metric(checker: Checker, number: Number, sentence: Sentence, cell: Cell, table: Table) -> Judged:
    from orchestrator.evidence.claims.checker import Judged

    if _NO_RESULT.search(cell.column.strip()) or _NO_RESULT.search(cell.row.strip()):
        replicates = {len(checker.ledger.executions(run)) for run in checker.ledger.runs}
        return Judged("a count of seeds or runs") if number.value in replicates else Judged("", "no run was repeated so often")
    setting = checker.plain.some_setting(number)
    if setting or (table.section not in ("results", "abstract", "conclusion", "introduction", "other") and checker.plain.in_texts(number)):
        return Judged(setting or "the code")
    return Judged("", "neither row nor column names a metric or a setting", checker.near(number))


def _derived(checker: Checker, number: Number, cell: Cell, metrics: tuple[str, ...], runs: tuple[str, ...]) -> Judged | None:
    from orchestrator.evidence.claims.checker import Judged

    kind = next((k for k, pattern in _DERIVED if pattern.search(cell.column) or pattern.search(cell.row)), None)
    if kind is None:
        return None
    change = Change(kind, "up" if kind == "ratio" else "")  # type: ignore[arg-type]
    pairs = [(a, b, m) for a in runs for b in checker.ledger.baselines for m in metrics if a != b]
    for a, b, m in pairs:
        how = fits(number, change, a, b, m, checker.ledger)
        if how:
            return Judged(how)
    return Judged("", f"it is no {kind} against a baseline")


def _value(checker: Checker, number: Number, metrics: tuple[str, ...], runs: tuple[str, ...], context: str) -> Judged:
    from orchestrator.evidence.claims.checker import Judged

    pairs = [(m, r) for m in metrics for r in runs if checker.ledger.values(r, m)]
    if not pairs:
        return Judged("", "this run has no value of this metric", checker.near(number, metrics))
    right = [(m, r, a) for m, r in pairs if (a := checker.reading(number, m, r, context))]
    if not right:
        return Judged("", checker._wrong(number, pairs, context), checker.near(number, metrics, runs))
    if len(right) < len(pairs):
        return Judged("", "row and column leave open which run or metric is meant", tuple(rf"\res{{{r}/{m}}}" for m, r, _ in right[:3]))
    metric, run, aggregation = right[0]
    bad = half_problem(number, checker.ledger, run, metric, context)
    return Judged("", bad, (rf"\resci{{{run}/{metric}}}",)) if bad else Judged(f"{aggregation} of {metric} in {checker._at(run)}")
