"""What a person sees while orch works: one line a step on stderr, and a live line while something long runs."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import Protocol

QUIET_SECONDS = 60.0
"""How often a line is written about a long step where stderr is no terminal."""


class Progress(Protocol):
    def say(self, text: str) -> None: ...

    def long(self, text: str, expected: float | None = None) -> AbstractContextManager[Callable[[float], None]]: ...


def clock(seconds: float) -> str:
    """`95` as `1m35s`."""
    minutes, rest = divmod(int(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    if hours:
        return f"{hours}h{minutes:02d}m"
    return f"{minutes}m{rest:02d}s" if minutes else f"{rest}s"


class Lines:
    """Plain lines with the time since the start; a live line only on a terminal."""

    def __init__(self) -> None:
        self._start = time.monotonic()
        self._live = sys.stderr.isatty()

    def say(self, text: str) -> None:
        print(f"[{clock(time.monotonic() - self._start):>6}] {text}", file=sys.stderr, flush=True)

    @contextmanager
    def long(self, text: str, expected: float | None = None) -> Iterator[Callable[[float], None]]:
        """Announces something long; the callable is told the seconds it has been running."""
        about = f" (about {clock(expected)})" if expected else ""
        self.say(f"{text} …{about}")
        last = 0.0

        def tick(elapsed: float) -> None:
            nonlocal last
            if self._live:
                print(f"\r         {text}: {clock(elapsed)}{about}\033[K", end="", file=sys.stderr, flush=True)
            elif elapsed - last >= QUIET_SECONDS:
                last = elapsed
                self.say(f"{text}: {clock(elapsed)} so far{about}")

        try:
            yield tick
        finally:
            if self._live:
                print("\r\033[K", end="", file=sys.stderr, flush=True)


class Silent:
    """Says nothing."""

    def say(self, text: str) -> None:
        pass

    @contextmanager
    def long(self, text: str, expected: float | None = None) -> Iterator[Callable[[float], None]]:
        yield lambda elapsed: None
