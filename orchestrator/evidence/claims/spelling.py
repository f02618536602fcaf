"""The ways a metric, a setting or a run may be written."""

from __future__ import annotations

import re
from collections.abc import Iterable
from itertools import permutations

from orchestrator.evidence.claims.vocabulary import DROPPABLE, GENERIC, STOP, SYNONYMS, UNIT_WORDS

WORD = re.compile(r"[^\W_]+")
IDLE = DROPPABLE | UNIT_WORDS | {"frac", "per", "second", "the"}
"""Words of a metric's name that need not be said."""
_MOST_WAYS = 60
_SAYS_NOTHING = GENERIC | DROPPABLE | UNIT_WORDS | {"error", "tokens", "second", "score", "total"}


def split_name(name: str) -> list[str]:
    """`explainedVariance`, `explained_variance` as words."""
    spaced = re.sub(r"(?<=[a-z])(?=[A-Z])", " ", name)
    return [word.lower() for word in WORD.findall(spaced)]


def name_words(name: str) -> list[str]:
    """The words of the last part of a flattened key."""
    return split_name(name.rsplit(".", 1)[-1])


def name_spellings(name: str, idle: set[str]) -> list[list[str]]:
    """The words of each way to write the last part of a key, idle words left out."""
    return [[w for w in phrase.split() if w not in idle] for phrase in spellings(name_words(name))]


def alike(word: str, name: str) -> bool:
    """Whether one is the other, its plural or its beginning, or a way to write it."""
    a, b = word.removesuffix("s"), name.removesuffix("s")
    short, long = sorted((a, b), key=len)
    return (
        a == b
        or (len(short) >= 3 and long.startswith(short))
        or word in SYNONYMS.get(name, ())
        or name in SYNONYMS.get(word, ())
    )


def akin(word: str, name: str) -> bool:
    """Alike, or of one stem: collides and collision, dropped and drops."""
    common = next((i for i, (a, b) in enumerate(zip(word, name, strict=False)) if a != b), min(len(word), len(name)))
    return alike(word, name) or (common >= 4 and common * 2 >= max(len(word), len(name)))


def spellings(words: list[str]) -> list[str]:
    """The ways a name is written: each part of up to three words by its synonyms."""
    ways: list[tuple[int, str]] = [(0, "")]
    for _ in words:
        whole = [(i, text) for i, text in ways if i >= len(words)]
        longer = [(i + n, f"{text} {way}") for i, text in ways if i < len(words) for n, way in _next(words, i)]
        ways = longer[:_MOST_WAYS] + whole
    found = [" ".join(words), *(text.strip() for i, text in ways if i >= len(words))]
    return [phrase for phrase in dict.fromkeys(found) if phrase]


def _next(words: list[str], i: int) -> Iterable[tuple[int, str]]:
    yield 1, words[i]
    for count in (3, 2, 1):
        part = " ".join(words[i : i + count])
        if i + count <= len(words):
            for synonym in SYNONYMS.get(part, ()):
                yield count, synonym


def shortened(words: list[str], droppable: set[str]) -> list[list[str]]:
    """The name without words that are often left out."""
    if len(words) < 2:
        return []
    kept = [word for word in words if word not in droppable]
    ways = [kept, *([words[1:]] if words[0] in droppable else []), *([words[:-1]] if words[-1] in droppable else [])]
    return [way for way in ways if way and way != words]


def reordered(words: list[str]) -> list[list[str]]:
    """The words of a short name in other orders, singular, without "at": MAE energy, energy MAE, NDCG@10."""
    kept = [word for word in words if word not in UNIT_WORDS or len(words) == 1]
    bare = [word for word in kept if word != "at"]
    single = [word.removesuffix("s") if len(word) > 4 else word for word in bare]
    ways = [bare, single]
    if len(bare) in (2, 3) and not any(word.isdigit() for word in bare):
        ways += [list(way) for base in (bare, single) for way in permutations(base)]
    return [way for way in ways if way and way != words]


def sub_phrases(words: list[str]) -> set[str]:
    """Stretches of two words and more, by their synonyms, and long single words that say something."""
    found: set[str] = set()
    for n in range(2, len(words) + 1):
        for i in range(len(words) - n + 1):
            part = words[i : i + n]
            if part[0] not in STOP and part[-1] not in STOP and not set(part) <= GENERIC | DROPPABLE:
                found |= set(spellings(part))
    single = {w for w in words if len(w) >= 4 and w not in _SAYS_NOTHING}
    return found | single | {f"{w[:-1]}ies" for w in single if w.endswith("y")}


def title_parts(title: str) -> list[str]:
    """Pairs of words of a title, and single words that say something."""
    words = WORD.findall(title.lower())
    found = [words[i : i + n] for n in (4, 3, 2) for i in range(len(words) - n + 1)]
    phrases = [
        " ".join(part) for part in found if part[0] not in STOP and part[-1] not in STOP and not set(part) <= GENERIC
    ]
    return phrases + [w for w in words if w not in GENERIC and len(w) >= 4 and not w.isdigit()]


def reading_names(reading: str) -> list[str]:
    """Names a reading gives to its metric: two or three words at its beginning that say something."""
    first = re.split(r"[;:.,(]", reading)[0].lower()
    if 1 < len(WORD.findall(first)) <= 4:
        return [first]
    words = [
        w for w in WORD.findall(first) if w not in ("the", "a", "an", "mean", "average", "share", "fraction", "number")
    ]
    runs = [w for w in words if w not in GENERIC]
    return [" ".join(runs[:n]) for n in (2, 3) if len(runs) >= n]
