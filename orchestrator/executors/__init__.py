"""Executors: where jobs run, and what a job may see and use there.

`local` runs them on this machine, each under a supervisor that outlives orch; `sandbox` is the box around them.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal, Protocol

from pydantic import BaseModel

Reason = Literal["done", "error", "timeout", "stalled", "out_of_memory", "disk_full", "stopped", "lost"]
JobStatus = Literal["absent", "running", "finished", "lost"]


@dataclass(frozen=True)
class Box:
    """What a job may see and use. Everything that is not named is not there."""

    read: tuple[Path, ...] = ()
    """Files and folders it may read, besides the system's programs and the Python it runs on."""
    write: tuple[Path, ...] = ()
    """Folders it may write."""
    hide: tuple[Path, ...] = ()
    """Files and folders inside `read` that are masked; what `read` names inside a masked folder is seen all the same."""
    network: bool = False
    gpus: tuple[int, ...] = ()
    memory_bytes: int | None = None
    processes: int | None = None
    disk_bytes: int | None = None
    """All that a job may write together; also the largest size of one file."""
    log_bytes: int = 50_000_000
    """The most that is kept of stdout, and of stderr; the middle of more is left out."""


@dataclass(frozen=True)
class Job:
    """One command to be run once."""

    name: str
    command: tuple[str, ...]
    cwd: Path
    env: dict[str, str]
    """The whole environment."""
    stdout: Path
    stderr: Path
    state: Path
    """Folder of the executor's own records of this job."""
    timeout: float
    """Seconds."""
    box: Box | None = None
    """None: no sandbox, no limits but time."""
    stall: float | None = None
    """Seconds without output or a change of file after which it counts as hung."""
    gpus: tuple[int, ...] = field(default=())


class JobResult(BaseModel):
    exit_code: int | None = None
    signal: int | None = None
    reason: Reason
    started: float
    """Seconds since the epoch."""
    wall_seconds: float


class Executor(Protocol):
    def status(self, job: Job) -> JobStatus: ...

    def run(self, job: Job, tick: Callable[[float], None]) -> JobResult:
        """Starts the job, attaches to it where it is running, or returns its result where it has ended.

        `tick` is told the seconds since the start, about twice a second; what it raises is passed on, the job goes on.
        """
        ...

    def stop(self, job: Job) -> None:
        """Ends the job and everything it started."""
        ...
