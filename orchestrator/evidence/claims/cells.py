"""Numbers in tables: the row and the column say run and metric."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from orchestrator.evidence.claims.changes import Change, ChangeKind, fits
from orchestrator.evidence.claims.headings import metrics_of_heading
from orchestrator.evidence.claims.lexicon import Mention
from orchestrator.evidence.claims.numbers import Number, find_numbers
from orchestrator.evidence.claims.plain import setting_fits
from orchestrator.evidence.claims.records import Block, Cell, Claim, Judged, Table
from orchestrator.evidence.claims.sentences import make_sentence
from orchestrator.evidence.claims.uses import judge_use

if TYPE_CHECKING:
    from orchestrator.evidence.claims.checker import Checker

_DERIVED: tuple[tuple[ChangeKind, re.Pattern[str]], ...] = (
    (
        "relative change",
        re.compile(
            r"(?:Δ|Delta)\s*\(?%|%\s*(?:change|improvement|reduction|gain)|\brelative\b"
            r"|\b(?:change|improvement|reduction|gain|diff(?:erence)?s?)[^a-z]*%",
            re.I,
        ),
    ),
    ("ratio", re.compile(r"\bratio\b|speed-?up|×|\bfactor\b", re.I)),
    ("difference", re.compile(r"Δ|\bDelta\b|\bdiff(?:erence)?s?\b|\bgap\b|\bchange\b|\bgain\b|\bimprovement\b", re.I)),
)  # fmt: skip
_COUNTS = re.compile(r"(?:^|\b)(?:seeds?|n|runs?|#\s*\w+|no\.|attempts?|trials?|repeats?)\b\.?$", re.I)

Found = dict[str, list[Mention]]
"""What is mentioned in the cell, its row's and column's headings, the corner and the caption."""


@dataclass(frozen=True)
class _Spoken:
    """What the headings of a cell speak of."""

    metrics: tuple[str, ...]
    settings: tuple[str, ...]
    runs: tuple[str, ...]
    failed: str
    text: str
    bare: str
    """The headings of row and column without what they name."""


def claims_of_table(checker: Checker, table: Table) -> Iterator[Claim]:
    """Every number and macro in a table."""
    for cell in table.cells:
        if not cell.text.chars.strip():
            continue
        sentence = make_sentence(cell.text, Block(cell.text, table.section, "caption"), checker.lexicon, checker.ledger)
        shown = f"{cell.row} | {cell.column} | {cell.text.chars.strip()}"
        for use in sentence.uses:
            yield checker.claim(sentence, use.at, use.at + 1, "macro", judge_use(use, sentence, checker.facts), shown)
        if cell.heads:
            continue
        spoken = _spoken(checker, cell, table)
        for number in find_numbers(sentence.text):
            yield checker.claim(
                sentence, number.start, number.end, "number", _judge(checker, number, spoken, cell, table), shown
            )


def _spoken(checker: Checker, cell: Cell, table: Table) -> _Spoken:
    texts = {"cell": cell.text.chars, "column": cell.column, "row": cell.row, "caption": table.caption}
    found = {side: checker.lexicon.find(text) for side, text in (texts | {"corner": cell.corner}).items()}
    metrics, settings = _quantity(checker, found, cell, table)
    facets = [m for side in ("cell", "column", "row", "caption") for m in found[side] if m.kind == "facet"]
    for facet in facets:
        if len(metrics) > 1:
            metrics = checker.lexicon.having(metrics, facet.targets) or metrics
    failed = next(
        (m.targets[0] for side in ("row", "column") for m in found[side] if m.kind == "failed" and not m.weak), ""
    )
    text = f"{cell.column} {cell.row} {cell.corner} {table.caption}"
    bare = " | ".join(_without(getattr(cell, side), found[side]) for side in ("column", "row"))
    return _Spoken(metrics, settings, _runs(checker, found, cell), failed, text, bare)


def _without(text: str, mentions: Sequence[Mention]) -> str:
    for mention in reversed([m for m in mentions if m.kind in ("run", "metric")]):
        text = text[: mention.start] + " " + text[mention.end :]
    return text


def _quantity(checker: Checker, found: Found, cell: Cell, table: Table) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Metrics or settings that the headings name: in full, by a data set's column, by their words, in part, in the caption."""
    strong = _named(found, ("cell", "column", "row"), weak=False)
    if strong:
        return strong, ()
    setting = [m for m in found["column"] if m.kind == "setting" and not m.weak]
    if setting and not metrics_of_heading(cell.column, checker.ledger, least=1.5):
        return (), setting[-1].targets
    metrics = _of_data_set(checker, found) or metrics_of_heading(cell.column, checker.ledger)
    metrics = (
        metrics or metrics_of_heading(cell.row, checker.ledger) or _named(found, ("cell", "column", "row"), weak=True)
    )
    if metrics:
        return metrics, ()
    settings = [m for side in ("column", "row") for m in found[side] if m.kind == "setting" and m.end - m.start > 1]
    if settings and not _named(found, ("caption",), weak=True):
        return (), settings[-1].targets
    above = [m for side in ("corner", "caption") for m in found[side] if m.kind == "metric"]
    return tuple(dict.fromkeys(t for m in above for t in m.targets)) or metrics_of_heading(
        table.caption, checker.ledger
    ), ()


def _named(found: Found, sides: Sequence[str], weak: bool) -> tuple[str, ...]:
    """The metric that the first of these sides to name one names last."""
    for side in sides:
        named = [m for m in found[side] if m.kind == "metric" and (weak or not m.weak)]
        if named:
            return named[-1].targets
    return ()


def _of_data_set(checker: Checker, found: Found) -> tuple[str, ...]:
    """The metric of corner or caption where the column or row names one of its data sets."""
    facets = [m for side in ("column", "row") for m in found[side] if m.kind == "facet"]
    for side in ("corner", "caption"):
        named = {m.targets for m in found[side] if m.kind == "metric" and not m.weak}
        if facets and len(named) == 1 and checker.lexicon.having(next(iter(named)), facets[0].targets):
            return next(iter(named))
    return ()


def _runs(checker: Checker, found: Found, cell: Cell) -> tuple[str, ...]:
    """The run that row or column names; settings in their headings narrow several down."""
    for side in ("cell", "row", "column", "caption"):
        mentions = [m for m in found[side] if m.kind == "run"]
        chosen = [m for m in mentions if not m.weak] or mentions
        if chosen and (side != "caption" or len({m.targets for m in chosen}) == 1):
            added = side == "row" and "+" in cell.row
            mention = chosen[-1] if added else max(chosen, key=lambda m: m.end - m.start)
            return _by_settings(checker, checker.binder.heroic(mention).targets, cell)
    return _by_settings(checker, (), cell)


def _by_settings(checker: Checker, runs: tuple[str, ...], cell: Cell) -> tuple[str, ...]:
    """ "k = 64" in a heading, or 64 in a row under a corner that says k, picks the runs with that setting."""
    wanted = runs or tuple(checker.ledger.runs)
    if len(wanted) < 2:
        return wanted
    for heading, name in ((cell.row, f"{cell.corner} {cell.row}"), (cell.column, cell.column)):
        keys = [t for m in checker.lexicon.find(name) if m.kind == "setting" for t in m.targets]
        for number in find_numbers(heading):
            for key in keys:
                fitting = tuple(
                    r for r in wanted if (v := checker.plain.value_of(r, key)) is not None and setting_fits(number, v)
                )
                if fitting and len(fitting) < len(wanted):
                    wanted = fitting
    return wanted if runs or len(wanted) < len(checker.ledger.runs) else ()


def _judge(checker: Checker, number: Number, spoken: _Spoken, cell: Cell, table: Table) -> Judged:
    if spoken.failed:
        return Judged("", f"{spoken.failed} failed, and a failed run's numbers are never quoted")
    if spoken.settings:
        said, right = checker.plain.setting(number, spoken.settings, spoken.runs)
        return (
            Judged(said)
            if right
            else Judged("", f"the settings in force are {said}" if said else "no run has this setting")
        )
    if not spoken.metrics:
        return _without_metric(checker, number, cell, table)
    kind = next((k for k, pattern in _DERIVED if pattern.search(spoken.bare)), None)
    if kind is not None:
        return _derived(checker, number, kind, spoken)
    if not spoken.runs:
        return Judged("", "no run is named in this row or column", checker.facts.near(number, spoken.metrics))
    return checker.facts.value(number, spoken.metrics, spoken.runs, spoken.text)


def _without_metric(checker: Checker, number: Number, cell: Cell, table: Table) -> Judged:
    if _COUNTS.search(cell.column.strip()) or _COUNTS.search(cell.row.strip()):
        replicates = {len(checker.ledger.executions(run)) for run in checker.ledger.runs}
        return (
            Judged("a count of seeds or runs")
            if number.value in replicates
            else Judged("", "no run was repeated so often")
        )
    setting = checker.plain.some_setting(number)
    if setting or (table.section in ("setup", "method", "background") and checker.plain.in_texts(number)):
        return Judged(setting or "the code")
    return Judged("", "neither row nor column names a metric or a setting", checker.facts.near(number))


def _derived(checker: Checker, number: Number, kind: ChangeKind, spoken: _Spoken) -> Judged:
    change = Change(kind, "up" if kind == "ratio" else "")
    for metric in spoken.metrics:
        for run in spoken.runs:
            for base in checker.ledger.baselines:
                how = fits(number, change, run, base, metric, checker.ledger) if run != base else ""
                if how:
                    return Judged(how)
    return Judged("", f"it is no {kind} against a baseline")
