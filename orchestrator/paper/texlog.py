"""What pdfTeX and BibTeX say in their logs: the first real error, and what a reader of the PDF would trip over."""

from __future__ import annotations

import re

from pydantic import BaseModel, Field


class FirstError(BaseModel):
    """The first error that stopped the build; those after it are mostly its echoes."""

    file: str
    line: int | None
    """1-based; None where TeX does not say."""
    message: str
    context: str = ""
    """The lines of the source around it, numbered."""

    def sentence(self) -> str:
        place = f"{self.file}:{self.line}" if self.line else self.file
        return f"{place}: {self.message}"


class Overfull(BaseModel):
    """A box that sticks out of its measure."""

    points: float
    line: int | None


class Warnings(BaseModel):
    """What the last pass of TeX complained of."""

    undefined_references: list[str] = Field(default_factory=list)
    undefined_citations: list[str] = Field(default_factory=list)
    duplicate_labels: list[str] = Field(default_factory=list)
    missing_figures: list[str] = Field(default_factory=list)
    missing_characters: list[str] = Field(default_factory=list)
    overfull: list[Overfull] = Field(default_factory=list)
    bibtex: list[str] = Field(default_factory=list)

    def clean(self, points: float = 10.0) -> bool:
        """Whether nothing is undefined, missing or over `points` pt too wide."""
        lists = [v for name, v in self if name not in ("overfull", "bibtex")]
        return not any(lists) and all(box.points <= points for box in self.overfull)


_AT_LINE = re.compile(r"^(?:\./)?(?P<file>[^:\n]+\.[A-Za-z]+):(?P<line>\d+): (?P<message>.*)")
_BANG = re.compile(r"^! (?P<message>.*)")
_SOURCE_LINE = re.compile(r"^l\.(\d+) ?(.*)")


def first_error(log: str) -> FirstError | None:
    """The first error of a TeX log written with -file-line-error; None where there is none."""
    lines = log.splitlines()
    for number, line in enumerate(lines):
        match = _AT_LINE.match(line) or _BANG.match(line)
        if match is None or match["message"].lstrip().startswith("==> Fatal"):
            continue
        return _read_error(match, lines, number)
    return None


def _read_error(match: re.Match[str], lines: list[str], number: int) -> FirstError:
    groups = match.groupdict()
    after = lines[number + 1 : number + 25]
    message = [groups["message"].strip()]
    at = int(groups["line"]) if groups.get("line") else None
    for line in after:
        source = _SOURCE_LINE.match(line)
        if source:
            at = at or int(source.group(1))
            message.append(f"at: {source.group(2).strip()[-120:]}")
            break
        if line.strip() and not line.startswith(("Type ", "See the ", "Your command", "...", " ...")):
            message.append(line.strip())
    before = [line.strip() for line in lines[max(0, number - 3) : number] if line.startswith("Runaway argument")]
    return FirstError(
        file=groups.get("file") or "template.tex", line=at, message=" ".join(before + _fold(message))[:600]
    )


def _fold(message: list[str]) -> list[str]:
    """At most the first three lines and the last, which names the source."""
    return message if len(message) <= 4 else [*message[:3], message[-1]]


def with_context(error: FirstError, source: str, around: int = 3) -> FirstError:
    """The error with the numbered lines of `source` around it, its own marked."""
    lines = source.splitlines()
    at = min(error.line or len(lines), len(lines))
    numbered = [
        f"{'>' if n == at else ' '} {n:4d}  {lines[n - 1]}"
        for n in range(max(1, at - around), min(len(lines), at + around) + 1)
    ]
    return error.model_copy(update={"context": "\n".join(numbered)})


def warnings(log: str, blg: str = "") -> Warnings:
    """What the log of the last pass, written with long lines (max_print_line), warns of."""
    return Warnings(
        undefined_references=_unique(r"Reference `([^']*)' on page \S+ undefined", log),
        undefined_citations=_unique(r"Citation [`']([^']*)' on page \S+ undefined", log),
        duplicate_labels=_unique(r"Label `([^']*)' multiply defined", log),
        missing_figures=_unique(
            r"File `([^']*)' not found: using draft|[Cc]annot find (?:image|file) `?([^'\s]+)", log
        ),
        missing_characters=_unique(r"Missing character: There is no (.+?) in font", log),
        overfull=_overfull(log),
        bibtex=[line.strip() for line in blg.splitlines() if line.startswith("Warning--") or "---line " in line],
    )


def _unique(pattern: str, log: str) -> list[str]:
    found = (next(g for g in m.groups() if g is not None) for m in re.finditer(pattern, log))
    return list(dict.fromkeys(found))


def _overfull(log: str) -> list[Overfull]:
    pattern = r"Overfull \\[hv]box \((\d+(?:\.\d+)?)pt too (?:wide|high)\)(?:[^\n]*? at lines? (\d+))?"
    return [
        Overfull(points=float(points), line=int(line) if line else None) for points, line in re.findall(pattern, log)
    ]


def pages(log: str) -> int:
    match = re.search(r"Output written on \S+ \((\d+) pages?", log)
    return int(match.group(1)) if match else 0


def bibtex_error(blg: str) -> FirstError | None:
    """The first error of a BibTeX log; a paper without citations is none."""
    for match in re.finditer(r"^(.*?)---line (\d+) of file (\S+)(.*)", blg, flags=re.MULTILINE):
        if not match.group(1).startswith("Warning"):
            return FirstError(file=match.group(3), line=int(match.group(2)), message=f"BibTeX: {match.group(1)}")
    missing = re.search(r"I couldn't open (\S+ file) (\S+)", blg)
    if missing:
        return FirstError(file=missing.group(2), line=None, message=f"BibTeX: no such {missing.group(1)}")
    return None
