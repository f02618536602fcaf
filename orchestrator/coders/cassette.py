"""Cassettes: recordings of exchanges as JSON lines, and a model that answers from one.

The first line is the header; then one line an exchange. A cassette answers by the key of the step; where the
prompt differs from the recorded one, that is counted, and a strict cassette stops.
"""

from __future__ import annotations

import difflib
import hashlib
import json
import re
from collections.abc import Iterable
from itertools import zip_longest
from pathlib import Path
from typing import Literal, TypeVar

from pydantic import BaseModel, ConfigDict, ValidationError

from orchestrator.budget import Most
from orchestrator.coders.seams import Message
from orchestrator.errors import BadInput, Failed
from orchestrator.records import Exchange

FORMAT = "orch-cassette/1"
Drift = Literal["identical", "numbers", "text"]
T = TypeVar("T", bound=BaseModel)
_NUMBER = re.compile(r"[-+−]?(?:\d[\d,]*\.?\d*|\.\d+)(?:[eE][-+]?\d+)?|\b(?:nan|inf|infinity)\b", re.IGNORECASE)
_SPACE = re.compile(r"[ \t|-]*#[ \t|-]*")


class Header(BaseModel):
    model_config = ConfigDict(extra="ignore")

    format: Literal["orch-cassette/1"]
    priced: bool = False
    """Whether a replay costs what the entries say; else it costs nothing."""


class Entry(BaseModel):
    """One exchange of a cassette."""

    key: str
    role: str
    model: str
    prompt: str
    """The last message of the user alone; the rest of the context is in the hashes."""
    context_sha256: str = ""
    """Of all messages."""
    shape_sha256: str = ""
    """Of all messages with their numbers taken out."""
    reply: str
    finish_reason: str = "stop"
    tokens_sent: int = 0
    tokens_received: int = 0
    cost_usd: float | None = None


class Replayed(Exchange):
    """A reply from a recording."""

    drift: Drift | None = None
    """How the prompt differs from the recorded one; None where that is not known."""


def without_numbers(text: str) -> str:
    """`text` with each number, and the padding around it, replaced by one sign."""
    return _SPACE.sub("#", _NUMBER.sub("#", text.replace("#", "")))


def context_sha256(messages: list[Message]) -> str:
    return _sha256(_flat(messages))


def shape_sha256(messages: list[Message]) -> str:
    """The same for two lists of messages that differ in numbers only."""
    return _sha256(without_numbers(_flat(messages)))


def _flat(messages: list[Message]) -> str:
    return json.dumps([[m["role"], m["content"]] for m in messages], ensure_ascii=False)


def _sha256(text: str) -> str:
    return hashlib.sha256(text.encode("utf-8", errors="surrogatepass")).hexdigest()


def last_prompt(messages: list[Message]) -> str:
    """The last message of the user."""
    return next((m["content"] for m in reversed(messages) if m["role"] == "user"), "")


def read_cassette(path: Path) -> tuple[Header, list[Entry]]:
    """Raises BadInput with the number of the line that cannot be read."""
    try:
        lines = path.read_text(encoding="utf-8").split("\n")
    except (OSError, UnicodeDecodeError) as error:
        raise BadInput(f"{path}: cannot read this cassette ({error})") from None
    header = _read_line(path, 1, lines[0], Header)
    entries: dict[str, Entry] = {}
    for number, line in enumerate(lines[1:], start=2):
        if line.strip():
            entry = _read_line(path, number, line, Entry)
            if entry.key in entries:
                raise BadInput(f"{path}, line {number}: {entry.key} is there twice; keep one of them")
            entries[entry.key] = entry
    return header, list(entries.values())


def _read_line(path: Path, number: int, line: str, shape: type[T]) -> T:
    try:
        return shape.model_validate_json(line)
    except ValidationError as error:
        first = error.errors()[0]
        field = ".".join(map(str, first["loc"]))
        where = f"{field}: " if field else ""
        raise BadInput(f"{path}, line {number}: not a line of a cassette ({where}{first['msg']})") from None


def cassette_text(entries: Iterable[Entry]) -> str:
    header = json.dumps({"format": FORMAT})
    return "".join(f"{line}\n" for line in [header, *(entry.model_dump_json() for entry in entries)])


def write_text(path: Path, text: str) -> None:
    """Writes the whole file; a reader sees the old one or the new one."""
    draft = path.with_name(f".{path.name}.new")
    draft.write_text(text, encoding="utf-8")
    draft.replace(path)


def append_entry(path: Path, entry: Entry) -> None:
    with path.open("a", encoding="utf-8") as file:
        file.write(entry.model_dump_json() + "\n")


class CassetteModel:
    """Answers by key from a recording. A replay costs nothing unless the header says `priced`."""

    def __init__(self, path: Path, *, strict: bool = False):
        """Raises BadInput where the file is no cassette."""
        self.name = f"cassette:{path.name}"
        self.strict = strict
        self._header, entries = read_cassette(path)
        self._entries = {entry.key: entry for entry in entries}

    def most(self, key: str, messages: list[Message]) -> Most:
        entry = self._entries.get(key)
        if entry is None or not self._header.priced:
            return Most()
        return Most(entry.tokens_sent + entry.tokens_received, entry.cost_usd)

    def ask(self, key: str, messages: list[Message]) -> Replayed:
        """Raises Failed where the cassette has no such step, or is strict and the prompt differs in its text."""
        entry = self._entries.get(key)
        if entry is None:
            raise Failed(self._missing(key))
        drift = drift_of(entry, messages)
        if self.strict and drift == "text":
            raise Failed(
                f"{self.name}: the prompt of {key} is not the recorded one: {first_difference(entry, messages)}"
            )
        exchange = Replayed(
            role=entry.role,
            model=entry.model,
            text=entry.reply,
            finish_reason=entry.finish_reason,
            cost_usd=0.0,
            drift=drift,
        )
        if self._header.priced:
            exchange.tokens_sent, exchange.tokens_received = entry.tokens_sent, entry.tokens_received
            exchange.cost_usd = entry.cost_usd
        return exchange

    def _missing(self, key: str) -> str:
        near = difflib.get_close_matches(key, self._entries, n=3, cutoff=0.5)
        has = f"the nearest it has: {', '.join(near)}" if near else f"it has {len(self._entries)} replies, none near"
        return (
            f"{self.name}: no reply for the step {key} ({has})\nrecord one with a live model, or take another cassette"
        )


def drift_of(entry: Entry, messages: list[Message]) -> Drift:
    """How the messages differ from those that the entry answered."""
    if entry.context_sha256 == context_sha256(messages):
        return "identical"
    return "numbers" if entry.shape_sha256 == shape_sha256(messages) else "text"


def first_difference(entry: Entry, messages: list[Message]) -> str:
    """The first line of the prompt that differs in more than numbers."""
    pairs = zip_longest(entry.prompt.splitlines(), last_prompt(messages).splitlines(), fillvalue="(no such line)")
    for number, (recorded, now) in enumerate(pairs, start=1):
        if without_numbers(recorded) != without_numbers(now):
            return f"line {number} was {recorded[:200]!r}, is {now[:200]!r}"
    return "the messages before the prompt differ"
