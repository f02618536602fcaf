"""Tables as cells that know their row's and column's headings."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from orchestrator.evidence.claims.records import MACRO, Cell, Table, Text

_RULES = {"midrule", "hline", "toprule", "bottomrule", "specialrule"}
_HEADING_WORD = re.compile(r"[A-Za-z]{2,}|[A-Za-z][0-9_^]|[\u03b1-\u03c9]")


@dataclass
class _Slot:
    """A cell as typed: its nodes and how many columns and rows it spans."""

    text: Text
    span: int = 1
    rows: int = 1


def read_table(node: Any, section: str, flatten: Callable[[list[Any]], Text]) -> Table:
    """A tabular environment as a table."""
    rows, rules = _rows(node.nodelist or [], flatten)
    cells = _with_headings(_grid(rows), rules)
    return Table(cells, section, start=node.pos, end=node.pos + node.len)


def _rows(nodes: list[Any], flatten: Callable[[list[Any]], Text]) -> tuple[list[list[_Slot]], list[int]]:
    """The rows, and before which of them a rule stands."""
    rows: list[list[_Slot]] = []
    rules: list[int] = []
    row: list[_Slot] = []
    open_nodes: list[Any] = []
    for node in nodes:
        name = getattr(node, "macroname", "")
        if name in _RULES:
            rules.append(len(rows))
        elif getattr(node, "specials_chars", "") == "&":
            row.append(_slot(open_nodes, flatten))
            open_nodes = []
        elif name in ("\\", "tabularnewline"):
            rows.append([*row, _slot(open_nodes, flatten)])
            row, open_nodes = [], []
        else:
            open_nodes.append(node)
    last = _slot(open_nodes, flatten)
    if row or last.text.chars.strip():
        rows.append([*row, last])
    return rows, rules


def _slot(nodes: list[Any], flatten: Callable[[list[Any]], Text]) -> _Slot:
    text = flatten(nodes)
    spans = {"multicolumn": 1, "multirow": 1}
    for node in nodes:
        name = getattr(node, "macroname", "")
        if name in spans:
            given = [a for a in node.nodeargd.argnlist if a is not None and getattr(a, "delimiters", ("{",))[0] != "["]
            count = flatten(given[:1]).chars.strip() if given else ""
            spans[name] = max(1, min(int(count), 50)) if count.isdigit() else 1
    return _Slot(text, spans["multicolumn"], spans["multirow"])


def _grid(rows: list[list[_Slot]]) -> list[list[tuple[Text, str]]]:
    """Each row by columns: a cell's own text (empty under a span) and what it says, spans filled in."""
    grid: list[list[tuple[Text, str]]] = []
    pending: dict[int, tuple[int, str]] = {}
    for row in rows:
        line: list[tuple[Text, str]] = []
        for slot in row:
            column, said = len(line), slot.text.chars.strip()
            left, above = pending.get(column, (0, ""))
            if left and not said:
                said, pending[column] = above, (left - 1, above)
            elif slot.rows > 1:
                pending[column] = (slot.rows - 1, said)
            line.append((slot.text, said))
            line += [(Text(), said)] * (slot.span - 1)
        grid.append(line)
    return grid


def _with_headings(grid: list[list[tuple[Text, str]]], rules: list[int]) -> list[Cell]:
    top = _header_rows(grid, rules)
    width = max((len(row) for row in grid), default=0)
    left = _header_columns(grid[top:], width)
    columns = [
        " ".join(dict.fromkeys(row[c][1] for row in grid[:top] if c < len(row) and row[c][1])) for c in range(width)
    ]
    cells = [Cell(text, "", columns[c], heads=True) for row in grid[:top] for c, (text, _) in enumerate(row)]
    group = stem = ""
    for row in grid[top:]:
        said = list(dict.fromkeys(s for _, s in row if s))
        if (
            len(said) == 1
            and len(row) > 1
            and not _is_value(said[0])
            and not any(s for _, s in row[left:] if s != said[0])
        ):
            group = said[0]
            cells += [Cell(text, "", "", heads=True) for text, _ in row]
            continue
        heading = " ".join([s for _, s in row[:left] if s])
        if heading.lstrip().startswith("+"):
            heading = f"{stem} {heading.lstrip()}"
        else:
            stem = heading
        for c, (text, _) in enumerate(row):
            cells.append(Cell(text, f"{heading} {group}".strip(), columns[c], " ".join(columns[:left]), heads=c < left))
    return cells


def _header_rows(grid: list[list[tuple[Text, str]]], rules: list[int]) -> int:
    """How many rows are headings: those above the first rule that has rows above it, unless they hold results."""
    first = next((r for r in rules if 0 < r < len(grid)), 0)
    if first and first <= 4:
        return first
    has_words = grid and any(_HEADING_WORD.search(said) and not _is_value(said) for _, said in grid[0])
    return 1 if len(grid) > 1 and has_words and not any(_is_value(said) for _, said in grid[0][1:]) else 0


def _header_columns(rows: list[list[tuple[Text, str]]], width: int) -> int:
    """How many columns on the left are headings: as long as they hold words; at least the first."""
    left = 0
    rows = [row for row in rows if len({said for _, said in row if said}) > 1]
    while left < width - 1:
        said = [row[left][1] for row in rows if left < len(row) and row[left][1]]
        if said and sum(1 for s in said if not _is_value(s)) * 2 < len(said):
            break
        left += 1
    return max(left, 1) if width > 1 else 0


def _is_value(text: str) -> bool:
    """Whether a cell holds a result and no words."""
    bare = re.sub(r"[×x%±~≈≤≥<>+\-–—−*†‡,.\s()\[\]\u2009]|e-?\d+|10\^", "", text)
    return MACRO in text or (bool(bare) and bare.isdigit())
