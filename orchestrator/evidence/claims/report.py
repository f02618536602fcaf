"""What is made of claims: claims.json, the draft with red, the lines for the coder."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from orchestrator.evidence.claims.records import Claim

_RED = r"{\color{red}"


def claims_json(claims: Sequence[Claim]) -> str:
    """The text of `claims.json`: every claim with its support, and how many there are of each."""
    unsupported = [c for c in claims if not c.supported]
    document: dict[str, Any] = {
        "format": "orch-claims/1",
        "claims": len(claims),
        "unsupported": len(unsupported),
        "list": [c.model_dump() for c in claims],
    }
    return json.dumps(document, indent=1, ensure_ascii=False) + "\n"


def mark_unsupported(tex: str, claims: Sequence[Claim]) -> str:
    """The same paper with every unsupported claim in red."""
    found = (_place(tex, c) for c in claims if not c.supported and c.end > c.start)
    spans = sorted({span for span in found if span is not None}, reverse=True)
    last = len(tex) + 1
    marked = 0
    for start, end in spans:
        if end <= last and _can_wrap(tex, start, end):
            tex = f"{tex[:start]}{_RED}{tex[start:end]}}}{tex[end:]}"
            last = start
            marked += 1
    return _with_xcolor(tex) if marked else tex


def _place(tex: str, claim: Claim) -> tuple[int, int] | None:
    """Where the claim stands; where the paper changed a little since it was read, the same words nearest to that place."""
    if tex[claim.start : claim.end] == claim.written:
        return claim.start, claim.end
    before, after = tex.rfind(claim.written, 0, claim.end), tex.find(claim.written, claim.start)
    places = [place for place in (before, after) if place >= 0]
    if not places:
        return None
    start = min(places, key=lambda place: abs(place - claim.start))
    return start, start + len(claim.written)


def _can_wrap(tex: str, start: int, end: int) -> bool:
    """Whether a group may stand around this stretch: its braces and dollars are balanced, no cell or line ends in it."""
    part = tex[start:end]
    level = 0
    for i, c in enumerate(part):
        escaped = i > 0 and part[i - 1] == "\\"
        level += 0 if escaped else {"{": 1, "}": -1}.get(c, 0)
        if level < 0 or (c == "&" and not escaped):
            return False
    inside_name = start > 0 and (tex[start - 1] == "\\" or _ends_a_name(tex, start) or tex[start - 1] in "^_")
    return level == 0 and part.replace(r"\$", "").count("$") % 2 == 0 and not inside_name and r"\\" not in part


def _ends_a_name(tex: str, start: int) -> bool:
    """Whether a control word runs up to here, so that a brace would become its argument."""
    i = start
    while i > 0 and tex[i - 1].isalpha():
        i -= 1
    return i < start and i > 0 and tex[i - 1] == "\\" and tex[start : start + 1].isalpha()


def _with_xcolor(tex: str) -> str:
    at = tex.find(r"\begin{document}")
    if at < 0 or "xcolor" in tex[:at]:
        return tex
    return tex[:at] + "\\usepackage{xcolor}\n" + tex[at:]


def repair_lines(claims: Sequence[Claim]) -> list[str]:
    """One line for each unsupported claim, for the coder: where, what, why, what to write."""
    lines = []
    for claim in claims:
        if claim.supported:
            continue
        nearest = f" Nearest evidence: {', '.join(f'`{n}`' for n in claim.nearest)}." if claim.nearest else ""
        what = {"number": "the number", "macro": "the macro", "comparison": "the comparison", "name": "the name"}.get(
            claim.kind, ""
        )
        said = f"{what} `{claim.written}`: " if what else ""
        lines.append(f"{claim.file}:{claim.line}: {said}{claim.problem}.{nearest} In: {claim.text}")
    return lines
