"""Citations: the model says what is missing, a source is asked, orch writes the entry and puts the key in the text."""

from __future__ import annotations

import re
from typing import Any

from pydantic import BaseModel

from orchestrator import shipped
from orchestrator.paper.citations import LocalLibrary, add
from orchestrator.paper.citations import Work as Published
from orchestrator.prompts import read_json
from orchestrator.steps.context import Work
from orchestrator.steps.writing import draft_of, keys, save

ROUNDS = 20
FRUITLESS = 3
"""Rounds in a row without a new entry after which it is enough."""


class Wish(BaseModel):
    """What the model wants in one round: one of the works found for its last query, and the next query."""

    choice: int | None = None
    line: str | None = None
    why: str | None = None
    query: str | None = None


def cite(work: Work) -> None:
    """Up to `ROUNDS` rounds; each chooses from what the query before found, and asks for the next."""
    source = LocalLibrary(shipped.folder("latex") / "library.bib")
    query, fruitless = "", 0
    for number in range(1, ROUNDS + 1):
        found = source.search(query) if query else []
        outcome = work.session.step(
            f"cite/{number}", f"Citations, round {number}", lambda: _round(work, number, query, found)
        )
        fruitless = 0 if outcome["key"] else fruitless + 1
        query = outcome["query"]
        if not query or fruitless > FRUITLESS:
            break


def _round(work: Work, number: int, query: str, found: list[Published]) -> dict[str, Any]:
    def read(reply: str) -> Wish:
        wish = read_json(reply, Wish.model_validate)
        _check(wish, found, draft_of(work))
        return wish

    offered = "\n".join(f"{i}. {_offer(w)}" for i, w in enumerate(found, start=1))
    wish = work.ask_for(
        f"cite/{number}", "coder", "08_cite", read, query=query, offered=offered, draft=draft_of(work),
        keys=keys(work), round=number, rounds=ROUNDS,
    )  # fmt: skip
    key = ""
    if wish.choice is not None and wish.line:
        key = add(work.folder / "latex" / "references.bib", found[wish.choice - 1])
        work.progress.say(f"cited: {found[wish.choice - 1].title}")
        save(work, with_citation(draft_of(work), wish.line, key))
    return {"key": key, "query": wish.query or ""}


def _check(wish: Wish, found: list[Published], tex: str) -> None:
    """Raises ValueError where the choice is none of those offered, or its line is not in the paper."""
    if wish.choice is None:
        return
    if not 1 <= wish.choice <= len(found):
        raise ValueError(f"choice {wish.choice} is none of the {len(found)} works that were offered")
    if not wish.line or _bare(wish.line) not in map(_bare, tex.splitlines()):
        raise ValueError("line is not a whole line of the paper, copied exactly")
    if not wish.why:
        raise ValueError("why the work belongs there is missing")


def with_citation(tex: str, line: str, key: str) -> str:
    """`tex` with `\\citep{key}` before the line's full stop, or `key` in the citation that stands there; once is enough."""
    lines = tex.splitlines()
    at = next(i for i, text in enumerate(lines) if _bare(text) == _bare(line))
    if key in lines[at]:
        return tex
    text = lines[at].rstrip()
    end = len(text) - 1 if text.endswith((".", ",", ";", ":")) else len(text)
    if re.search(r"\\citep\{[^{}]*\}$", text[:end]):
        lines[at] = f"{text[: end - 1]},{key}}}{text[end:]}"
    else:
        lines[at] = f"{text[:end]}~\\citep{{{key}}}{text[end:]}"
    return "\n".join(lines) + "\n"


def _bare(line: str) -> str:
    """A line without its citations: a model may quote it as it was before the last round."""
    return re.sub(r"~?\\cite[a-z]*\{[^{}]*\}", "", line).strip()


def _offer(work: Published) -> str:
    names = work.authors[0] + (" et al." if len(work.authors) > 1 else "") if work.authors else "unknown"
    return f"{names} ({work.year}): {work.title}. {work.abstract[:400]}"
