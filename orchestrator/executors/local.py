"""Jobs on this machine, each under a supervisor of its own that outlives orch."""

from __future__ import annotations

import fcntl
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

from orchestrator.errors import Failed
from orchestrator.executors import Job, JobResult, JobStatus, supervisor
from orchestrator.executors.sandbox import enclose

POLL = 0.1
START = 20.0
"""Seconds a supervisor may take to begin."""


class LocalExecutor:
    """Processes of this machine. A job is known by its state folder: the supervisor's lock says that it runs, its
    result file, which is renamed into place, that it has ended."""

    def status(self, job: Job) -> JobStatus:
        if (job.state / supervisor.RESULT).is_file():
            return "finished"
        if not (job.state / supervisor.SPEC).is_file():
            return "absent"
        return "running" if _is_locked(job.state / supervisor.LOCK) else "lost"

    def run(self, job: Job, tick: Callable[[float], None]) -> JobResult:
        status = self.status(job)
        if status in ("absent", "lost"):
            self._start(job)
        began = _begun(job)
        last = 0.0
        while self.status(job) == "running":
            if time.time() - last >= 0.5:
                last = time.time()
                tick(max(0.0, last - began))
            time.sleep(POLL)
        return self._result(job, began)

    def stop(self, job: Job) -> None:
        if self.status(job) != "running":
            return
        (job.state / supervisor.STOP).touch()
        deadline = time.monotonic() + supervisor.GRACE + 10
        while self.status(job) == "running" and time.monotonic() < deadline:
            time.sleep(POLL)
        if self.status(job) == "running":
            os.killpg(int((job.state / supervisor.PID).read_text()), signal.SIGKILL)

    def _start(self, job: Job) -> None:
        """Writes what is to be run, starts the supervisor, and waits until it holds its lock."""
        job.state.mkdir(parents=True, exist_ok=True)
        (job.state / supervisor.STOP).unlink(missing_ok=True)
        draft = job.state / "spec.new"
        draft.write_text(json.dumps(_spec(job)), encoding="utf-8")
        draft.replace(job.state / supervisor.SPEC)
        process = subprocess.Popen(
            [sys.executable, "-I", "-S", supervisor.__file__, str(job.state)],
            stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=(job.state / "supervisor.log").open("ab"),
            start_new_session=True, env={"PATH": os.environ.get("PATH", os.defpath)},
        )  # fmt: skip
        deadline = time.monotonic() + START
        while self.status(job) == "lost":
            if process.poll() is not None and self.status(job) == "lost":
                said = (job.state / "supervisor.log").read_text(encoding="utf-8", errors="replace").strip()
                why = said.splitlines()[-1] if said else "no reason given"
                raise Failed(f"{job.name}: could not be started: {why}")
            if time.monotonic() > deadline:
                process.kill()
                raise Failed(f"{job.name}: its supervisor did not begin within {START:.0f} s")
            time.sleep(0.005)

    def _result(self, job: Job, began: float) -> JobResult:
        path = job.state / supervisor.RESULT
        if not path.is_file():
            return JobResult(reason="lost", started=began, wall_seconds=max(0.0, time.time() - began))
        return JobResult.model_validate_json(path.read_text(encoding="utf-8"))


def _spec(job: Job) -> dict[str, object]:
    box = job.box
    env = {**job.env, "CUDA_VISIBLE_DEVICES": ",".join(map(str, job.gpus))}
    command = list(job.command) if box is None else enclose(job.command, box, job.cwd, job.state)
    return {
        "command": command,
        "cwd": str(job.cwd),
        "env": env,
        "stdout": str(job.stdout),
        "stderr": str(job.stderr),
        "timeout": job.timeout,
        "stall": job.stall,
        "watch": [str(path) for path in (box.write if box else (job.stdout.parent,))],
        "memory_bytes": box.memory_bytes if box else None,
        "processes": box.processes if box else None,
        "disk_bytes": box.disk_bytes if box else None,
        "log_bytes": box.log_bytes if box else 50_000_000,
    }


def _begun(job: Job) -> float:
    path = job.state / supervisor.PID
    return path.stat().st_mtime if path.exists() else time.time()


def _is_locked(path: Path) -> bool:
    """Whether a living supervisor holds the lock."""
    if not path.exists():
        return False
    with path.open("rb") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            return True
        fcntl.flock(file, fcntl.LOCK_UN)
        return False
