"""The process that aider runs in: `python -m orchestrator.coders.aider_worker`.

It reads requests and replies as JSON lines on its standard input, and writes questions and results as JSON
lines to its standard output. It holds no key and needs no network: what it wants to know from a model, it
asks its parent. All else that is printed here goes to standard error.
"""

from __future__ import annotations

import ctypes
import json
import os
import signal
import sys
from pathlib import Path
from typing import Any

_PR_SET_PDEATHSIG = 1


class Pipe:
    """The way to the parent, on descriptors of its own, so that nothing printed can get between."""

    def __init__(self) -> None:
        self._in = os.fdopen(os.dup(0), encoding="utf-8")
        self._out = os.fdopen(os.dup(1), "w", encoding="utf-8")
        nowhere = os.open(os.devnull, os.O_RDONLY)
        os.dup2(nowhere, 0)
        os.dup2(2, 1)

    def receive(self) -> dict[str, Any]:
        """The parent's next line. Ends the process where there will be none."""
        line = self._in.readline()
        if not line.endswith("\n"):
            os._exit(0)
        data: dict[str, Any] = json.loads(line)
        return data

    def send(self, data: dict[str, Any]) -> None:
        try:
            self._out.write(json.dumps(data) + "\n")
            self._out.flush()
        except OSError:
            os._exit(0)

    def ask(self, messages: list[dict[str, str]]) -> str:
        self.send({"ask": messages})
        return str(self.receive()["reply"])


def _die_with_parent() -> None:
    """On Linux: no worker outlives an orch that was killed."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)


def main() -> None:
    _die_with_parent()
    pipe = Pipe()
    from orchestrator.coders.aider_chat import edit

    while True:
        request = pipe.receive()
        pipe.send(
            {
                "done": edit(
                    pipe.ask,
                    Path(request["root"]),
                    request["message"],
                    request["files"],
                    request["read_only"],
                )
            }
        )


if __name__ == "__main__":
    main()
