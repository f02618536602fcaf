"""The process between orch and a job: starts it, bounds it, ends its whole tree, and leaves a result file.

    python supervisor.py STATE_FOLDER

Standard library only, and nothing of orch: it must start at once and live on when orch dies. Its lock says that the job
runs; the result is renamed into place, so that it is there whole or not at all.
"""

from __future__ import annotations

import ctypes
import fcntl
import json
import os
import resource
import signal
import subprocess
import sys
import threading
import time
from collections import deque
from contextlib import suppress
from pathlib import Path
from typing import IO, Any

SPEC, RESULT, LOCK, PID, STOP = "spec.json", "result.json", "lock", "pid", "stop"
GRACE = 5.0
"""Seconds between asking a job to end and ending it."""
POLL = 0.1
DISK_POLL = 1.0
TAIL = 1_000_000
_PR_SET_PDEATHSIG, _PR_SET_CHILD_SUBREAPER = 1, 36
_OUT_OF_SPACE = (b"No space left on device", b"Disk quota exceeded", b"File too large")


class Pump(threading.Thread):
    """Copies a pipe into a file up to a cap; of more, the end is kept and the middle left out."""

    def __init__(self, source: IO[bytes], target: Path, cap: int):
        super().__init__(daemon=True)
        self._source, self._target, self._cap = source, target, cap
        self.total = 0
        self.tail: deque[bytes] = deque()
        self._held = 0

    def run(self) -> None:
        with self._target.open("wb") as file:
            while piece := self._source.read1(65536):  # type: ignore[attr-defined]
                room = max(0, self._cap - self.total)
                self.total += len(piece)
                with suppress(OSError):
                    file.write(piece[:room])
                    file.flush()
                self._hold(piece)
            if self.total > self._cap:
                left_out = max(0, self.total - self._cap - self._held)
                with suppress(OSError):
                    file.write(f"\n[{left_out} bytes left out]\n".encode() + b"".join(self.tail))

    def _hold(self, piece: bytes) -> None:
        self.tail.append(piece)
        self._held += len(piece)
        while self._held - len(self.tail[0]) > TAIL:
            self._held -= len(self.tail.popleft())


class Cgroup:
    """Memory and process limits by a control group where one can be made; `path` is None where not."""

    def __init__(self, name: str, memory: int | None, processes: int | None):
        self.folders: list[Path] = []
        root = Path("/sys/fs/cgroup")
        try:
            if (root / "cgroup.controllers").is_file():
                swap = 0 if memory else None
                self._make(root / name, {"memory.max": memory, "memory.swap.max": swap, "pids.max": processes})
            else:
                self._make(root / "memory" / name, {"memory.limit_in_bytes": memory})
                self._make(root / "pids" / name, {"pids.max": processes})
        except OSError:
            self.remove()

    def _make(self, folder: Path, limits: dict[str, int | None]) -> None:
        wanted = {key: value for key, value in limits.items() if value is not None}
        if not wanted:
            return
        folder.mkdir()
        self.folders.append(folder)
        for key, value in wanted.items():
            if (folder / key).exists():
                (folder / key).write_text(str(value))

    @property
    def works(self) -> bool:
        return bool(self.folders)

    def enter(self) -> None:
        for folder in self.folders:
            (folder / "cgroup.procs").write_text(str(os.getpid()))

    def ran_out(self) -> bool:
        for folder in self.folders:
            for name in ("memory.events", "memory.oom_control"):
                path = folder / name
                counts = dict(line.split() for line in path.read_text().splitlines()) if path.exists() else {}
                if int(counts.get("oom_kill", 0)):
                    return True
        return False

    def remove(self) -> None:
        for folder in self.folders:
            for _ in range(20):
                try:
                    folder.rmdir()
                    break
                except OSError:
                    time.sleep(0.05)
        self.folders = []


def main(state: Path) -> None:
    lock = (state / LOCK).open("w")
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return
    if (state / RESULT).exists():
        return
    ctypes.CDLL(None).prctl(_PR_SET_CHILD_SUBREAPER, 1)
    (state / PID).write_text(str(os.getpid()))
    spec = json.loads((state / SPEC).read_text(encoding="utf-8"))
    result = supervise(spec, state)
    draft = state / "result.new"
    with draft.open("w", encoding="utf-8") as file:
        json.dump(result, file)
        file.flush()
        os.fsync(file.fileno())
    draft.replace(state / RESULT)


def supervise(spec: dict[str, Any], state: Path) -> dict[str, Any]:
    """Runs the job to its end, whatever that is."""
    group = Cgroup(f"orch-{os.getpid()}", spec["memory_bytes"], spec["processes"])
    started, clock = time.time(), time.monotonic()
    process = start(spec, group)
    pumps = [Pump(process.stdout, Path(spec["stdout"]), spec["log_bytes"]),  # type: ignore[arg-type]
             Pump(process.stderr, Path(spec["stderr"]), spec["log_bytes"])]  # type: ignore[arg-type]  # fmt: skip
    for pump in pumps:
        pump.start()
    cause = watch(process, spec, state, pumps, clock)
    wall = time.monotonic() - clock
    end_tree(process)
    for pump in pumps:
        pump.join(timeout=5)
    code = process.returncode
    reason = cause or judge(code, spec, pumps[1], group)
    group.remove()
    return {
        "exit_code": code if code >= 0 else None,
        "signal": -code if code < 0 else None,
        "reason": reason,
        "started": started,
        "wall_seconds": wall,
    }


def start(spec: dict[str, Any], group: Cgroup) -> subprocess.Popen[bytes]:
    def prepare() -> None:
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
        group.enter()
        limit(spec, group)

    try:
        return subprocess.Popen(
            spec["command"], cwd=spec["cwd"], env=spec["env"], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
            stderr=subprocess.PIPE, start_new_session=True, preexec_fn=prepare,  # noqa: PLW1509
        )  # fmt: skip
    except OSError as error:
        say = ["/bin/sh", "-c", 'echo "$0" >&2; exit 127', f"cannot be started: {error}"]
        return subprocess.Popen(say, stdout=subprocess.PIPE, stderr=subprocess.PIPE)


def limit(spec: dict[str, Any], group: Cgroup) -> None:
    """What resource limits can do; memory and processes only where there is no control group."""
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    files = min(4096, resource.getrlimit(resource.RLIMIT_NOFILE)[1])
    resource.setrlimit(resource.RLIMIT_NOFILE, (files, files))
    if spec["disk_bytes"]:
        resource.setrlimit(resource.RLIMIT_FSIZE, (spec["disk_bytes"], spec["disk_bytes"]))
    if spec["memory_bytes"] and not group.works:
        resource.setrlimit(resource.RLIMIT_DATA, (spec["memory_bytes"], spec["memory_bytes"]))
    if spec["processes"] and not group.works and os.getuid() != 0:
        resource.setrlimit(resource.RLIMIT_NPROC, (spec["processes"] + 500, spec["processes"] + 500))


def watch(
    process: subprocess.Popen[bytes], spec: dict[str, Any], state: Path, pumps: list[Pump], clock: float
) -> str | None:
    """Waits for the job's end. Returns why it is to be ended; None where it ended by itself."""
    last_look, last_change, seen = clock, clock, (-1, -1.0)
    while process.poll() is None:
        now = time.monotonic()
        if (state / STOP).exists():
            return "stopped"
        if now - clock > spec["timeout"]:
            return "timeout"
        if now - last_look >= DISK_POLL:
            last_look = now
            size, newest = measure(spec["watch"])
            if spec["disk_bytes"] and size > spec["disk_bytes"]:
                return "disk_full"
            signs = (sum(p.total for p in pumps) + size, newest)
            if signs != seen:
                seen, last_change = signs, now
            if spec["stall"] and now - last_change > spec["stall"]:
                return "stalled"
        time.sleep(POLL)
    return None


def measure(folders: list[str]) -> tuple[int, float]:
    """Bytes below the folders, and the time of the newest file."""
    size, newest = 0, 0.0
    for folder in folders:
        for parent, _, names in os.walk(folder):
            for name in names:
                try:
                    found = Path(parent, name).lstat()
                except OSError:
                    continue
                size += found.st_blocks * 512
                newest = max(newest, found.st_mtime)
    return size, newest


def end_tree(process: subprocess.Popen[bytes]) -> None:
    """Ends the job and everything it started, daemons included: asked first where it still runs, then killed."""
    if process.poll() is None:
        for pid in descendants():
            send(pid, signal.SIGTERM, spare="bwrap")
        deadline = time.monotonic() + GRACE
        while process.poll() is None and time.monotonic() < deadline:
            time.sleep(POLL)
    for _ in range(100):
        left = descendants()
        if not left:
            break
        for pid in left:
            send(pid, signal.SIGKILL)
        process.poll()
        time.sleep(0.02)
    process.wait()


def descendants() -> list[int]:
    """All processes below this one; those whose parents died are ours too, for this process adopts them."""
    parents: dict[int, int] = {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                fields = (entry / "stat").read_text().rpartition(")")[2].split()
            except OSError:
                continue
            if fields[0] != "Z":
                parents[int(entry.name)] = int(fields[1])
    found, front = [], [os.getpid()]
    while front:
        front = [pid for pid, parent in parents.items() if parent in front]
        found += front
    return found


def send(pid: int, number: int, spare: str = "") -> None:
    with suppress(OSError):
        if not spare or Path(f"/proc/{pid}/comm").read_text().strip() != spare:
            os.kill(pid, number)


def judge(code: int, spec: dict[str, Any], stderr: Pump, group: Cgroup) -> str:
    if code == 0:
        return "done"
    said = b"".join(stderr.tail)[-20_000:]
    if group.ran_out() or (spec["memory_bytes"] and b"MemoryError" in said):
        return "out_of_memory"
    if any(words in said for words in _OUT_OF_SPACE) or code in (-signal.SIGXFSZ, 128 + signal.SIGXFSZ):
        return "disk_full"
    return "error"


if __name__ == "__main__":
    main(Path(sys.argv[1]))
