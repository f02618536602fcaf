"""What SEARCH/REPLACE blocks may do: which files, at which place. Plain functions, known to parent and worker."""

from __future__ import annotations

import difflib
import re
from collections.abc import Collection
from pathlib import PurePosixPath

_CONTEXT = 2
_INSTALL = re.compile(
    r"^\s*[$!%>]?\s*((?:sudo\s+|python3?\s+-m\s+|uv\s+)?(?:pip3?|conda|mamba|apt|apt-get)\s+install\s.+?)\s*$"
)
_SHELL_BLOCK = re.compile(r"^```(?:bash|sh|shell|zsh|console)[ \t]*\n(.*?)^```", re.MULTILINE | re.DOTALL)


def file_of(name: str, allowed: Collection[str]) -> str | None:
    """The allowed file that a block's heading names: by its path, or by its last part where only one has it."""
    words = name.split() or [""]
    path = words[-1].strip("`*'\":").removeprefix("./")
    for exact in (name.strip(), path):
        if exact in allowed:
            return exact
    same_name = [file for file in allowed if PurePosixPath(file).name == path]
    return same_name[0] if len(same_name) == 1 else None


def why_not(name: str) -> str:
    """Why a file that is not among the allowed ones may not be edited."""
    path = PurePosixPath(name)
    if path.is_absolute() or name.startswith("~"):
        return "it lies outside the session"
    if ".." in path.parts:
        return "it leads out of the session"
    if {".git", ".orch"} & set(path.parts):
        return "it belongs to the session's own records"
    return "it is not among the files of this step"


def places(content: str, search: str) -> list[int]:
    """The lines (from 1) at which `search` fits: exactly, or where it nowhere does, but for indentation."""
    lines, wanted = content.splitlines(), search.splitlines()
    exact = _fits(lines, wanted)
    return exact or _fits([line.strip() for line in lines], [line.strip() for line in wanted])


def _fits(lines: list[str], wanted: list[str]) -> list[int]:
    if not wanted:
        return []
    size = len(wanted)
    return [i + 1 for i in range(len(lines) - size + 1) if lines[i : i + size] == wanted]


def shown(content: str, line: int, size: int) -> str:
    """`size` lines from `line` on, with a few around, numbered."""
    lines = content.splitlines()
    first, last = max(1, line - _CONTEXT), min(len(lines), line + size - 1 + _CONTEXT)
    return "\n".join(f"{number:5d} | {lines[number - 1]}" for number in range(first, last + 1))


def nearest(content: str, search: str) -> str:
    """The part of `content` most like `search`, numbered; empty where nothing is like it."""
    lines, wanted = content.splitlines(), [line.strip() for line in search.splitlines()]
    size = max(1, len(wanted))
    best, best_ratio = 0, 0.3
    for i in range(max(1, len(lines) - size + 1)):
        ratio = _likeness([line.strip() for line in lines[i : i + size]], wanted)
        if ratio > best_ratio:
            best, best_ratio = i + 1, ratio
    return shown(content, best, size) if best else ""


def _likeness(chunk: list[str], wanted: list[str]) -> float:
    """The mean likeness of lines that face one another."""
    pairs = zip(chunk, wanted, strict=False)
    return sum(a == b or _alike(a, b) for a, b in pairs) / max(1, len(wanted))


def _alike(a: str, b: str) -> float:
    matcher = difflib.SequenceMatcher(None, a, b, autojunk=False)
    return matcher.ratio() if matcher.real_quick_ratio() > 0.5 and matcher.quick_ratio() > 0.5 else 0.0


def commands_in(reply: str) -> list[str]:
    """Commands that a reply wants run: shell blocks, and installs anywhere. They are reported, never executed."""
    blocks = [line.strip() for body in _SHELL_BLOCK.findall(reply) for line in body.splitlines()]
    installs = [match.group(1) for line in reply.splitlines() if (match := _INSTALL.match(line))]
    found = [line.lstrip("$ ").strip() for line in [*blocks, *installs] if line and not line.startswith("#")]
    return list(dict.fromkeys(found))
