"""The plain data of the checker: what was read, and what was claimed."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

from pydantic import BaseModel

Kind = Literal["number", "macro", "comparison", "name", "tex"]
STRICT = ("title", "abstract", "introduction", "results", "conclusion", "other")
"""Sections in which every number is a claim unless it is shown to be none."""

MACRO, CITE, REF = "\ue000", "\ue001", "\ue002"
"""Characters that stand in flattened text for a macro of evidence, a citation and a reference."""


class Claim(BaseModel):
    """A number, comparison or name in the paper, and whether the evidence supports it."""

    file: str
    line: int
    text: str
    """The sentence or the table's cell with its headers."""
    written: str
    """The number, comparison or name as it stands in the source."""
    kind: Kind
    supported: bool
    support: str = ""
    """By what: run, metric, aggregation, commit."""
    problem: str = ""
    nearest: list[str] = []
    """The evidence that was nearest, and the macro to use."""
    start: int = 0
    """Where it stands in the source, in characters; `start` to `end`."""
    end: int = 0


@dataclass(frozen=True)
class Judged:
    """What came of one number: by what it is supported, or what is wrong with it. Both empty: it claims nothing."""

    support: str = ""
    problem: str = ""
    nearest: tuple[str, ...] = ()


@dataclass(frozen=True)
class Atom:
    """A macro of evidence in the text."""

    name: str
    arguments: tuple[str, ...]
    digits: int | None
    start: int
    end: int


@dataclass
class Text:
    """Flattened text; `at[i]` is where character `i` begins in the source, `ends[i]` where it ends."""

    chars: str = ""
    at: list[int] = field(default_factory=list)
    ends: list[int] = field(default_factory=list)
    atoms: dict[int, Atom] = field(default_factory=dict)
    """Index of a MACRO character to what stands there."""

    def add(self, chars: str, start: int, end: int, spread: bool = False) -> None:
        """Appends; with `spread` each character is one of the source, else all of them stand for start to end."""
        self.chars += chars
        count = len(chars)
        self.at += [start + i for i in range(count)] if spread else [start] * count
        self.ends += [start + i + 1 for i in range(count)] if spread else [end] * count

    def slice(self, start: int, end: int) -> Text:
        atoms = {i - start: a for i, a in self.atoms.items() if start <= i < end}
        return Text(self.chars[start:end], self.at[start:end], self.ends[start:end], atoms)


@dataclass
class Block:
    """A paragraph, list item, caption or footnote."""

    text: Text
    section: str
    kind: Literal["prose", "item", "caption", "heading"] = "prose"
    heading: str = ""
    """The nearest (sub)section's or paragraph's heading."""
    lead: str = ""
    """For an item: the sentence that leads into its list."""


@dataclass
class Cell:
    text: Text
    row: str
    """The row's headings, joined."""
    column: str
    """The column's headings, joined."""
    corner: str = ""
    """What stands above the row headings: the name of what varies by row."""
    heads: bool = False
    """Whether this is itself a heading."""


@dataclass
class Table:
    cells: list[Cell]
    section: str
    caption: str = ""
    start: int = 0
    end: int = 0


@dataclass
class Document:
    blocks: list[Block]
    tables: list[Table]
    problems: list[tuple[int, str]]
    """Position and what could not be read there."""
