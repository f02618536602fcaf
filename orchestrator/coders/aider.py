"""The coder: aider in a worker process of its own, each of its exchanges passing the gate.

The worker sees a copy of the files of one edit. What it made of them is brought over when the edit is done:
whole, file by file, and only the files that the step allows. So an edit that is cut off changes nothing.
"""

from __future__ import annotations

import contextlib
import json
import os
import select
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Callable
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

from orchestrator.coders.blocks import commands_in
from orchestrator.coders.gate import Gate
from orchestrator.coders.seams import EditResult, Message
from orchestrator.errors import Failed

SILENCE = 180.0
"""Seconds that the worker may take between two lines before it counts as hung."""
_KEPT = ("PATH", "LANG", "LC_ALL", "TMPDIR", "LD_LIBRARY_PATH")
_PLANNER = (
    "You plan a change to the files of a research project; someone else makes the edits from your plan alone. Say for "
    "each file exactly which lines change and to what, as whole code: no pseudo-code, no bodies left out. Plan nothing "
    "in files that you are not given."
)


class WorkerDied(Exception):
    """The worker ended, or hung, in the middle of an edit."""


class AiderCoder:
    """Edits files of a session through aider.

    `root`: the session's folder. `editable`: patterns of the files that any step may edit. `editor`: whether
    the model of the role `coder` plans and that of the role `editor` edits; else `coder` does both. `wrap`
    turns the worker's command into one that runs it in a sandbox; it needs to read Python's environment and
    to write `folder`, no network.
    """

    def __init__(
        self,
        root: Path,
        gate: Gate,
        *,
        editable: list[str],
        editor: bool = False,
        wrap: Callable[[list[str]], list[str]] | None = None,
    ):
        self.root = root.resolve()
        self.folder = self.root / ".orch" / "aider"
        self._gate = gate
        self._editable = editable
        self._editor = editor
        self._wrap = wrap
        self._worker: _Worker | None = None

    def edit(self, key: str, message: str, files: list[str], read_only: list[str] | None = None) -> EditResult:
        """One change, in a context of its own. Exchanges are `key/1`, `key/2`, …; a planner's is `key/plan`.

        Raises what the gate raises, with no file changed; Failed where the worker died twice.
        """
        outside = [name for name in files if not any(fnmatchcase(name, pattern) for pattern in self._editable)]
        if outside:
            raise Failed(
                f"{key}: {', '.join(outside)} may not be edited; the editable files are {', '.join(self._editable)}"
            )
        strange = [name for name in files if not _is_plain(self.root, name)]
        allowed = [name for name in files if name not in strange]
        shown = [name for name in read_only or [] if _is_plain(self.root, name) and (self.root / name).is_file()]
        plan = self._plan(key, message, allowed, shown) if self._editor else ""
        task = f"Carry out this plan with edits:\n\n{plan}" if plan else message
        done = self._twice(key, task, allowed, shown)
        return self._result(
            done, allowed, [f"{name}: it is a link, or leads out of the session" for name in strange], plan
        )

    def close(self) -> None:
        """Ends the worker."""
        if self._worker is not None:
            self._worker.stop()
            self._worker = None

    def _plan(self, key: str, message: str, files: list[str], read_only: list[str]) -> str:
        texts = "".join(self._quoted(name) for name in [*files, *read_only] if (self.root / name).is_file())
        heading = f"The files that may be edited: {', '.join(files)}. Their text, and what else is to be read:"
        prompt = f"{message}\n\n{heading}\n{texts}"
        messages = [Message(role="system", content=_PLANNER), Message(role="user", content=prompt)]
        return self._gate.ask(f"{key}/plan", "coder", messages).text

    def _quoted(self, name: str) -> str:
        text = (self.root / name).read_text(encoding="utf-8", errors="replace")
        return f"\n{name}\n```\n{text.rstrip()}\n```\n"

    def _twice(self, key: str, message: str, files: list[str], read_only: list[str]) -> dict[str, Any]:
        """The edit; with a new worker from the start where the first died. Replies that came are not asked
        for again.
        """
        for _ in range(2):
            try:
                return self._converse(key, message, files, read_only)
            except WorkerDied:
                self.close()
            except BaseException:
                self.close()
                raise
        raise Failed(
            f"{key}: the process that aider runs in died twice; its last words are in {self.folder / 'worker.log'}"
        )

    def _converse(self, key: str, message: str, files: list[str], read_only: list[str]) -> dict[str, Any]:
        if self._worker is None:
            self._worker = _Worker(self.folder, self._wrap)
        work = self._copies(files, read_only)
        request = {
            "root": str(work),
            "message": self._gate.mask(message),
            "files": files,
            "read_only": read_only,
        }
        self._worker.send(request)
        role = "editor" if self._editor else "coder"
        number = 0
        while True:
            said = self._worker.receive()
            if "done" in said:
                done: dict[str, Any] = said["done"]
                return done
            number += 1
            reply = self._gate.ask(f"{key}/{number}", role, said["ask"])
            self._worker.send({"reply": reply.text})

    def _copies(self, files: list[str], read_only: list[str]) -> Path:
        work = self.folder / "work"
        shutil.rmtree(work, ignore_errors=True)
        work.mkdir(parents=True)
        for name in [*files, *read_only]:
            if (self.root / name).is_file():
                (work / name).parent.mkdir(parents=True, exist_ok=True)
                shutil.copyfile(self.root / name, work / name)
        return work

    def _result(self, done: dict[str, Any], files: list[str], strange: list[str], plan: str) -> EditResult:
        edited = [name for name in files if self._bring_over(name)]
        said = str(done["reply"]).strip()
        return EditResult(
            reply=f"{plan.strip()}\n\n{said}".strip(),
            edited=edited,
            failed_blocks=done["failed_blocks"],
            refused=[*strange, *done["refused"]],
            error="" if said else f"aider gave no reply; see {self.folder.relative_to(self.root) / 'worker.log'}",
            shell=commands_in(f"{plan}\n{said}"),
            lint=done["lint"],
        )

    def _bring_over(self, name: str) -> bool:
        """Puts the worker's version of a file in its place, unless it is the same, byte for byte."""
        made, target = self.folder / "work" / name, self.root / name
        if not _is_plain(self.folder / "work", name) or not made.is_file():
            return False
        new = made.read_bytes()
        if target.is_file() and target.read_bytes() == new:
            return False
        _replace(target, new)
        return True


def _is_plain(root: Path, name: str) -> bool:
    """Whether `name` is a path inside `root` that passes no link and none of the session's own folders."""
    parts = Path(name).parts
    if Path(name).is_absolute() or ".." in parts or {".git", ".orch"} & set(parts):
        return False
    steps = [root.joinpath(*parts[: i + 1]) for i in range(len(parts))]
    return not any(step.is_symlink() for step in steps)


def _replace(target: Path, content: bytes) -> None:
    """A new file in the old one's place: a hard link to the old one elsewhere stays what it was."""
    target.parent.mkdir(parents=True, exist_ok=True)
    mode = target.stat().st_mode & 0o777 if target.exists() else 0o644
    with tempfile.NamedTemporaryFile(dir=target.parent, prefix=f".{target.name}.", delete=False) as draft:
        draft.write(content)
    Path(draft.name).chmod(mode)
    Path(draft.name).replace(target)


class _Worker:
    """The running process and the pipes to it."""

    def __init__(self, folder: Path, wrap: Callable[[list[str]], list[str]] | None):
        home = folder / "home"
        home.mkdir(parents=True, exist_ok=True)
        command = [sys.executable, "-P", "-m", "orchestrator.coders.aider_worker"]
        with (folder / "worker.log").open("ab") as log:
            self._process = subprocess.Popen(
                wrap(command) if wrap else command,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=log,
                cwd=home,
                env=_environment(home),
                start_new_session=True,
            )
        self._unread = b""

    def send(self, data: dict[str, Any]) -> None:
        assert self._process.stdin is not None
        try:
            self._process.stdin.write(json.dumps(data).encode() + b"\n")
            self._process.stdin.flush()
        except OSError:
            raise WorkerDied from None

    def receive(self) -> dict[str, Any]:
        assert self._process.stdout is not None
        descriptor = self._process.stdout.fileno()
        while b"\n" not in self._unread:
            ready, _, _ = select.select([descriptor], [], [], SILENCE)
            more = os.read(descriptor, 1 << 16) if ready else b""
            if not more:
                raise WorkerDied
            self._unread += more
        line, self._unread = self._unread.split(b"\n", 1)
        data: dict[str, Any] = json.loads(line)
        return data

    def stop(self) -> None:
        """Ends the process and all that it started."""
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait()
        for pipe in (self._process.stdin, self._process.stdout):
            if pipe is not None:
                with contextlib.suppress(OSError):
                    pipe.close()


def _environment(home: Path) -> dict[str, str]:
    """No key, no proxy, nothing of the user's: only what Python needs to start."""
    kept = {name: os.environ[name] for name in _KEPT if name in os.environ}
    package = Path(__file__).resolve().parents[2]
    return {
        **kept,
        "HOME": str(home),
        "PYTHONPATH": str(package),
        "PYTHONSAFEPATH": "1",
        "PYTHONNOUSERSITE": "1",
        "PYTHONUTF8": "1",
        "LITELLM_LOCAL_MODEL_COST_MAP": "True",
        "AIDER_ANALYTICS_DISABLE": "true",
        "AIDER_CHECK_UPDATE": "false",
        "TERM": "dumb",
    }
