"""Sentences with what they hold: numbers, macros and mentions, and the clauses they are made of."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from itertools import pairwise

from orchestrator.evidence.claims.lexicon import Lexicon, Mention
from orchestrator.evidence.claims.numbers import Number, find_numbers
from orchestrator.evidence.claims.records import Atom, Block, Text
from orchestrator.evidence.ledger import Ledger
from orchestrator.evidence.macros import Meaning, meaning

_END = re.compile(r"[.!?][)\"'”]*(?=\s+[\[(\"“]?[A-Z\ue000-\ue002]|\s*$)|\n\s*\n")
_ABBREVIATION = re.compile(
    r"(?:\b(?:e\.g|i\.e|Fig|Figs|Sec|Tab|Eq|Eqs|vs|al|cf|approx|resp|w\.r\.t|No|Dr|Prof|Ref|Refs|App|Alg|Ch|ca|St)|\b[A-Z])\.$"
)
_CLAUSE = re.compile(
    r";|—|(?:,\s*)?\b(?:while|whereas|but|although|though|yet|however|where)\b|,\s*(?:and|with|where"
    r"|which|whose|reaching|achieving|obtaining|yielding|attaining|giving)\b|:\s"
)


@dataclass(frozen=True)
class Use:
    """A macro of evidence in a sentence."""

    at: int
    atom: Atom
    meaning: Meaning


@dataclass
class Sentence:
    text: str
    source: Text
    block: Block
    numbers: list[Number]
    mentions: list[Mention]
    uses: list[Use]
    before: list[Sentence] = field(default_factory=list)
    """The sentences before it in its paragraph, nearest last."""
    clauses: list[tuple[int, int]] = field(default_factory=list)
    parameters: list[Number] = field(default_factory=list)
    """Numbers that tell runs apart by their settings, and so name runs."""

    def of(self, *kinds: str) -> list[Mention]:
        return [m for m in self.mentions if m.kind in kinds]

    def clause(self, at: int) -> tuple[int, int]:
        return next(((a, b) for a, b in self.clauses if a <= at < b), (0, len(self.text)))

    def parenthesis(self, at: int) -> tuple[int, int] | None:
        """The innermost parentheses around a place: from after the opening to before the closing one."""
        stack: list[int] = []
        for i, c in enumerate(self.text):
            if i >= at and stack and c in ")]":
                return stack[-1] + 1, i
            if c in "([":
                stack.append(i) if i < at else None
            elif c in ")]" and stack and i < at:
                stack.pop()
        return None

    def without(self, start: int, end: int, *kinds: str, fill: str = " ") -> str:
        """The text from start to end without what mentions of these kinds cover."""
        chars = list(self.text[start:end])
        for m in self.mentions:
            if m.kind in kinds and m.start < end and start < m.end:
                for i in range(max(m.start, start), min(m.end, end)):
                    chars[i - start] = fill
        return "".join(chars)

    def masked(self, *kinds: str, until: int | None = None, fill: str = " ") -> str:
        """The text up to a place with the mentions of these kinds blanked, so that places stay."""
        return self.without(0, len(self.text) if until is None else until, *kinds, fill=fill)


def sentences(block: Block, lexicon: Lexicon, ledger: Ledger) -> list[Sentence]:
    found: list[Sentence] = []
    for start, end in _spans(block.text.chars):
        sentence = make_sentence(block.text.slice(start, end), block, lexicon, ledger)
        sentence.before = found[-3:]
        found.append(sentence)
    return found


def make_sentence(source: Text, block: Block, lexicon: Lexicon, ledger: Ledger) -> Sentence:
    text = re.sub(r"[\n\t\u00a0]", " ", source.chars)
    mentions = lexicon.find(text)
    uses = [
        Use(i, atom, meaning(atom.name, list(atom.arguments), ledger, atom.digits)) for i, atom in source.atoms.items()
    ]
    mentions += [m for use in uses for m in _mentions_of(use)]
    inside = [(m.start, m.end) for m in mentions if m.kind != "setting" or m.end - m.start > 3]
    settings = [m.start for m in mentions if m.kind == "setting"]
    numbers = [_without_setting(n, settings) for n in find_numbers(text)]
    numbers = [n for n in numbers if not any(a <= n.start and n.end <= b for a, b in inside)]
    mentions = [
        m for m in mentions if not any(n.start < m.end and m.start < n.end and m.kind != "metric" for n in numbers)
    ]
    return Sentence(text, source, block, numbers, sorted(mentions, key=lambda m: m.start), uses, clauses=_clauses(text))


def _without_setting(number: Number, settings: list[int]) -> Number:
    """The number without a unit that is the name of a setting: the "bits" of "4 bits"."""
    start = next((s for s in settings if number.unit and number.start < s < number.end), 0)
    written = number.written[: start - number.start].rstrip()
    return replace(number, unit="", written=written, end=number.start + len(written)) if start else number


def _mentions_of(use: Use) -> Iterator[Mention]:
    if use.meaning.metric and use.meaning.kind != "setting":
        yield Mention("metric", (use.meaning.metric,), use.at, use.at + 1)
    if use.meaning.runs:
        yield Mention("run", (use.meaning.runs[0],), use.at, use.at + 1)


def _spans(text: str) -> Iterator[tuple[int, int]]:
    start = 0
    for end in _END.finditer(text):
        if _ABBREVIATION.search(text[max(0, end.start() - 8) : end.start() + 1]):
            continue
        yield start, end.end()
        start = end.end()
    if text[start:].strip():
        yield start, len(text)


def _clauses(text: str) -> list[tuple[int, int]]:
    cuts = [0, *(m.start() for m in _CLAUSE.finditer(text) if _outside(text, m.start())), len(text)]
    return [(a, b) for a, b in pairwise(cuts) if b > a]


def _outside(text: str, at: int) -> bool:
    """Whether a place is in no parentheses."""
    before = text[:at]
    return before.count("(") <= before.count(")")
