"""Looking at LaTeX that may be broken: masks of the same length, braces, environments, commands with arguments.

A draft under repair does not parse, so structure is read from a mask: the text with everything that TeX would
not read as text (comments, verbatim) blanked. Positions in the mask are positions in the text.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

VERBATIM = (
    "verbatim",
    "verbatim*",
    "lstlisting",
    "minted",
    "filecontents",
    "filecontents*",
    "comment",
    "Verbatim",
)
MATH = (
    "equation", "align", "gather", "multline", "eqnarray", "flalign", "alignat", "displaymath", "math", "dmath", "split",
    "aligned", "gathered", "cases", "array", "matrix", "pmatrix", "bmatrix", "vmatrix", "Vmatrix", "subequations",
)  # fmt: skip
TABULAR = ("tabular", "tabular*", "tabularx", "longtable", "tabu")

_TOKEN = re.compile(
    r"\\begin\{(?P<environment>" + "|".join(re.escape(v) for v in VERBATIM) + r")\}"
    r"|\\(?:verb\*?|lstinline)(?P<mark>[^\sA-Za-z*{])"
    r"|(?P<comment>%[^\n]*)"
    r"|\\[\s\S]"
)
_BEGIN_END = re.compile(r"\\(begin|end)[ \t]*\{([^{}\n]*)\}")


@dataclass(frozen=True)
class Stretch:
    kind: str
    """`comment`: from the `%` to the end of its line. `verbatim`: the body."""
    start: int
    end: int


@dataclass(frozen=True)
class Command:
    """A command and its arguments: `text[start:end]` is all of it, `text[inner:end - 1]` the last argument."""

    name: str
    start: int
    end: int
    inner: int
    argument: str


@dataclass(frozen=True)
class Delimiter:
    """One `\\begin{…}` or `\\end{…}`."""

    kind: str
    environment: str
    start: int
    end: int


def opaque(tex: str) -> list[Stretch]:
    """The comments and the verbatim text, in order."""
    found: list[Stretch] = []
    position = 0
    while (match := _TOKEN.search(tex, position)) is not None:
        position = match.end()
        if match.group("comment"):
            found.append(Stretch("comment", match.start(), match.end()))
        elif match.group("environment") or match.group("mark"):
            end = _verbatim_end(tex, match)
            if end is not None:
                found.append(Stretch("verbatim", match.end(), end))
                position = end
    return found


def _verbatim_end(tex: str, match: re.Match[str]) -> int | None:
    """Where the body of verbatim text ends; None where it never does, so that it is read as text."""
    if match.group("mark"):
        line_end = (tex + "\n").index("\n", match.end())
        stop = tex.find(match.group("mark"), match.end(), line_end)
        return None if stop == -1 else stop + 1
    stop = tex.find(f"\\end{{{match.group('environment')}}}", match.end())
    return None if stop == -1 else stop


def blank(text: str) -> str:
    """Spaces of the same length, line ends kept."""
    return re.sub(r"[^\n]", " ", text)


def mask(tex: str) -> str:
    """`tex` with comments and verbatim text blanked; the same length, the same lines."""
    return cover(tex, opaque(tex))


def cover(tex: str, stretches: list[Stretch]) -> str:
    """`tex` with the stretches (in order, disjoint) blanked."""
    out, position = [], 0
    for each in stretches:
        out += [tex[position : each.start], blank(tex[each.start : each.end])]
        position = each.end
    return "".join([*out, tex[position:]])


def closing_brace(masked: str, opening: int) -> int | None:
    """Index of the brace that closes the one at `opening`; None where it is never closed."""
    depth, position = 0, opening
    while position < len(masked):
        char = masked[position]
        if char == "\\":
            position += 2
            continue
        depth += {"{": 1, "}": -1}.get(char, 0)
        if depth == 0:
            return position
        position += 1
    return None


def commands(masked: str, names: str) -> Iterator[Command]:
    """Each command whose name matches the pattern `names` and that has a braced argument; optional ones are skipped."""
    pattern = re.compile(r"\\(" + names + r")\*?(?![A-Za-z@])((?:\s*\[[^\]]*\])*)\s*\{")
    for match in pattern.finditer(masked):
        if match.start() and masked[match.start() - 1] == "\\" and _odd_backslashes(masked, match.start()):
            continue
        closing = closing_brace(masked, match.end() - 1)
        if closing is not None:
            yield Command(match.group(1), match.start(), closing + 1, match.end(), masked[match.end() : closing])


def _odd_backslashes(masked: str, at: int) -> bool:
    before = masked[:at]
    return (len(before) - len(before.rstrip("\\"))) % 2 == 1


def delimiters(masked: str) -> list[Delimiter]:
    """Every `\\begin` and `\\end`, in order."""
    return [Delimiter(m.group(1), m.group(2), m.start(), m.end()) for m in _BEGIN_END.finditer(masked)]


def environments(masked: str, names: str) -> Iterator[tuple[str, int, int]]:
    """(name, start, end) of each balanced environment whose name matches the pattern `names`, `\\begin` to `\\end`."""
    stack: list[Delimiter] = []
    for each in delimiters(masked):
        if each.kind == "begin":
            stack.append(each)
        elif stack and stack[-1].environment == each.environment:
            opened = stack.pop()
            if re.fullmatch(names, each.environment):
                yield each.environment, opened.start, each.end


def line_of(text: str, position: int) -> int:
    """The 1-based line of a position."""
    return text.count("\n", 0, position) + 1
