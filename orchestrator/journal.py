"""The journal of a session: an append-only table of events with named keys, in SQLite.

A step is an intent (`started`), then an outcome (`finished` or `failed`). State is a fold over the events: a step with
an outcome is never done again, so a session goes on by running its program from the top and reading what is
already known.
"""

from __future__ import annotations

import json
import sqlite3
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from orchestrator.errors import BadInput, Failed

State = Literal["started", "finished", "failed", "noted"]
SCHEMA = 1


@dataclass(frozen=True)
class Event:
    number: int
    time: float
    """Seconds since the epoch."""
    key: str
    state: State
    data: Any


class Journal:
    """Append-only events. One writer a session (see `session.lock`); any number of readers."""

    def __init__(self, path: Path, *, read_only: bool = False):
        """Opens or creates. Raises BadInput where the file is no journal of ours."""
        self.path = path
        try:
            self._db = self._connect(path, read_only)
            self._outcomes = {e.key: e for e in self.events() if e.state == "finished"}
        except sqlite3.DatabaseError as error:
            raise BadInput(
                f"{path}: not a readable journal ({error}); try `orch doctor {path.parent.parent}`"
            ) from None

    @staticmethod
    def _connect(path: Path, read_only: bool) -> sqlite3.Connection:
        if read_only:
            return sqlite3.connect(f"file:{path}?mode=ro", uri=True)
        path.parent.mkdir(parents=True, exist_ok=True)
        db = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
        db.execute("pragma journal_mode=wal")
        db.execute("pragma synchronous=full")
        if db.execute("pragma user_version").fetchone()[0] == 0:
            db.execute(
                "create table if not exists events (number integer primary key, time real not null,"
                " key text not null, state text not null, data text not null)"
            )
            db.execute(f"pragma user_version={SCHEMA}")
        return db

    def append(self, key: str, state: State, data: Any = None) -> Event:
        now, text = time.time(), json.dumps(data)
        try:
            cursor = self._db.execute(
                "insert into events (time, key, state, data) values (?, ?, ?, ?)", (now, key, state, text)
            )
        except sqlite3.OperationalError as error:
            raise Failed(f"{self.path}: cannot write ({error}); free space, then `orch resume`") from None
        event = Event(cursor.lastrowid or 0, now, key, state, json.loads(text))
        if state == "finished":
            self._outcomes[key] = event
        return event

    def note(self, key: str, data: Any = None) -> None:
        """An event that is neither an intent nor an outcome: progress, a warning, a count."""
        self.append(key, "noted", data)

    def events(self, prefix: str = "") -> Iterator[Event]:
        """All events in order, or those whose key starts with `prefix`."""
        rows = self._db.execute(
            "select number, time, key, state, data from events where substr(key, 1, ?) = ? order by number",
            (len(prefix), prefix),
        )
        for number, at, key, state, data in rows:
            yield Event(number, at, key, state, json.loads(data))

    def finished(self, key: str) -> bool:
        return key in self._outcomes

    def outcome(self, key: str) -> Any:
        """What `key` ended with. Raises KeyError where it has not."""
        return self._outcomes[key].data

    def step(self, key: str, work: Callable[[], Any]) -> Any:
        """Does `work` once in the life of the session: its JSON-able outcome is returned ever after."""
        if self.finished(key):
            return self.outcome(key)
        self.append(key, "started")
        try:
            outcome = work()
        except Exception as error:
            self.append(key, "failed", {"error": type(error).__name__, "message": str(error)[:2000]})
            raise
        return self.append(key, "finished", outcome).data

    def close(self) -> None:
        self._db.close()
