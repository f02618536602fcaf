"""Citations: works found by a source become entries of references.bib, each once, written by orch alone."""

from __future__ import annotations

import re
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from pydantic import BaseModel

from orchestrator.errors import BadInput

if TYPE_CHECKING:
    from bibtexparser.library import Library

STOP = frozenset(
    ["a", "an", "and", "are", "as", "at", "by", "for", "from", "in", "is", "of", "on", "or", "the", "to", "via", "with"]
)


class Work(BaseModel):
    """A published work as a source knows it."""

    title: str
    authors: list[str]
    year: str = ""
    venue: str = ""
    doi: str = ""
    arxiv: str = ""
    url: str = ""
    abstract: str = ""
    entry_type: str = "misc"
    source: str = ""


class Source(Protocol):
    """Where works are looked up."""

    @property
    def name(self) -> str: ...

    def search(self, query: str, limit: int = 5) -> list[Work]: ...


class LocalLibrary:
    """.bib files, searched by title, author and abstract."""

    name = "local"

    def __init__(self, path: Path):
        """A .bib file, or a folder of them. Raises BadInput where one cannot be read."""
        files = sorted(path.glob("**/*.bib")) if path.is_dir() else [path]
        self._works = [_work(fields) for file in files for _, fields in _entries(file)]
        self._words = [Counter(_words(f"{w.title} {w.title} {' '.join(w.authors)} {w.abstract}")) for w in self._works]

    def search(self, query: str, limit: int = 5) -> list[Work]:
        """Works that share the query's words, those that share most of the rarer ones first."""
        wanted = set(_words(query))
        scores = [sum(self._weight(word) for word in wanted if word in words) for words in self._words]
        enough = 0.4 * sum(self._weight(word) for word in wanted)
        ranked = sorted(zip(scores, range(len(scores)), strict=True), key=lambda pair: (-pair[0], pair[1]))
        return [self._works[i] for score, i in ranked[:limit] if score > 0 and score >= enough]

    def _weight(self, word: str) -> float:
        return 1 / (1 + sum(word in words for words in self._words))


def references(path: Path) -> set[str]:
    """Keys of a .bib file; none where there is no such file. Raises BadInput."""
    return {key for key, _ in _entries(path)} if path.is_file() else set()


def add(path: Path, work: Work) -> str:
    """Adds a work to a .bib file and returns its key; a work that is there already keeps its entry. Raises BadInput."""
    existing = _entries(path) if path.is_file() else []
    for key, fields in existing:
        if same(work, _work(fields)):
            return key
    key = _new_key(work, {key for key, _ in existing})
    text = path.read_text(encoding="utf-8").rstrip() + "\n\n" if path.is_file() else ""
    path.write_text(text.lstrip() + _entry(key, work), encoding="utf-8")
    return key


def same(one: Work, other: Work) -> bool:
    """Whether two records are of one work: the same DOI, arXiv number or title."""
    if one.doi and one.doi.lower() == other.doi.lower():
        return True
    if one.arxiv and _arxiv(one.arxiv) == _arxiv(other.arxiv):
        return True
    return plain_title(one.title) == plain_title(other.title)


def plain_title(title: str) -> str:
    return re.sub(r"[^a-z0-9]+", " ", re.sub(r"\\[a-zA-Z]+|[{}$]", "", title).lower()).strip()


def _arxiv(number: str) -> str:
    return re.sub(r"v\d+$", "", number.lower().removeprefix("arxiv:").strip())


def _words(text: str) -> list[str]:
    words = re.findall(r"[a-z0-9]+", text.lower())
    kept = [word for word in words if word not in STOP and len(word) > 1]
    return [re.sub(r"(ies|s)$", lambda m: "y" if m[1] == "ies" else "", word) for word in kept]


def _entries(path: Path) -> list[tuple[str, dict[str, str]]]:
    library = _parse(path)
    return [(e.key, {f.key.lower(): str(f.value) for f in e.fields} | {"type": e.entry_type}) for e in library.entries]


def _parse(path: Path) -> Library:
    from bibtexparser.entrypoint import parse_string

    try:
        library = parse_string(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError) as error:
        raise BadInput(f"{path}: cannot be read ({error})") from None
    if library.failed_blocks:
        block = library.failed_blocks[0]
        raise BadInput(f"{path}:{(block.start_line or 0) + 1}: this entry cannot be read; mend it or take it out")
    return library


def _work(fields: dict[str, str]) -> Work:
    names = re.split(r"\s+and\s+", fields.get("author", ""))
    return Work(
        title=fields.get("title", "").strip("{}"),
        authors=[name.strip() for name in names if name.strip()],
        year=fields.get("year", ""),
        venue=fields.get("journal") or fields.get("booktitle") or fields.get("howpublished", ""),
        doi=fields.get("doi", ""),
        arxiv=fields.get("eprint", ""),
        url=fields.get("url", ""),
        abstract=fields.get("abstract", ""),
        entry_type=fields["type"],
        source="local",
    )


def _new_key(work: Work, taken: set[str]) -> str:
    """`gao2024scaling`, with a letter where that is taken."""
    first = work.authors[0] if work.authors else "anonymous"
    family = first.split(",")[0] if "," in first else first.split()[-1]
    word = next((w for w in re.findall(r"[a-z0-9]+", work.title.lower()) if w not in STOP), "work")
    stem = re.sub(r"[^a-z]", "", family.lower()) + work.year + word
    return next(key for key in [stem, *(stem + letter for letter in "abcdefghijklmnopqrstuvwxyz")] if key not in taken)


def _entry(key: str, work: Work) -> str:
    venue = {"article": "journal", "inproceedings": "booktitle"}.get(work.entry_type, "howpublished")
    fields = {
        "title": f"{{{work.title}}}", "author": " and ".join(work.authors), "year": work.year, venue: work.venue,
        "doi": work.doi, "eprint": work.arxiv, "archiveprefix": "arXiv" if work.arxiv else "", "url": work.url,
    }  # fmt: skip
    lines = [f"  {name} = {{{value}}}," for name, value in fields.items() if value]
    return "\n".join([f"@{work.entry_type}{{{key},", *lines, "}\n"])
