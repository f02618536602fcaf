"""Starting the experiment's programs: what they may see, where their output goes, once in the life of a session."""

from __future__ import annotations

import os
import shutil
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from orchestrator.errors import Interrupted
from orchestrator.executors import Box, Job, JobResult
from orchestrator.executors.sandbox import clean_environment
from orchestrator.steps.context import Work

LOG_BYTES = 50_000_000


@dataclass(frozen=True)
class Program:
    """One program of the experiment, to be run once under a key."""

    key: str
    """`run/3/job-1`."""
    title: str
    """What the user reads while it runs."""
    command: list[str]
    folder: Path
    """Working folder: the session, or a clean checkout."""
    out_dir: str
    """Folder the program may write, relative to `folder`; its output is kept there too."""
    timeout: float
    """Seconds."""
    env: dict[str, str] = field(default_factory=dict)
    writes: tuple[Path, ...] = ()
    hides: tuple[Path, ...] = ()
    log: str = ""
    """Put before `stdout.log` and `stderr.log`."""
    expected: float | None = None
    """Seconds it took before."""
    keep: bool = False
    """Whether what lies in `out_dir` already is this program's input."""
    makes: str = ""
    """A file of `out_dir` that must come from this program alone; an older one is removed before it starts."""


def run_program(work: Work, program: Program) -> JobResult:
    """Runs it, or takes the result of the time it ran. Raises Interrupted after stopping it for the user."""
    data = work.journal.step(program.key, lambda: _execute(work, program))
    return JobResult.model_validate(data["result"])


def _execute(work: Work, program: Program) -> dict[str, Any]:
    job = describe(work, program)
    if not _attachable(work, job):
        work.gate.check_run(program.timeout, len(job.gpus))
        shutil.rmtree(job.state, ignore_errors=True)
        _clean(program)
    with work.progress.long(program.title, program.expected) as tick:
        try:
            result = work.executor.run(job, tick)
        except KeyboardInterrupt:
            work.executor.stop(job)
            raise Interrupted(f"stopped during {program.title}; go on with `orch resume {work.folder}`") from None
    return {"result": result.model_dump(), "wall_seconds": result.wall_seconds, "gpus": len(job.gpus)}


def _attachable(work: Work, job: Job) -> bool:
    """Whether the job of an earlier orch is still running, or ended by itself."""
    status = work.executor.status(job)
    if status == "finished":
        return work.executor.run(job, lambda elapsed: None).reason not in ("stopped", "lost")
    return status == "running"


def _clean(program: Program) -> None:
    out = program.folder / program.out_dir
    if not program.keep:
        shutil.rmtree(out, ignore_errors=True)
    out.mkdir(parents=True, exist_ok=True)
    if program.makes:
        (out / program.makes).unlink(missing_ok=True)


def describe(work: Work, program: Program) -> Job:
    """The job an executor is given."""
    out = program.folder / program.out_dir
    return Job(
        name=program.key,
        command=tuple(program.command),
        cwd=program.folder,
        env=_environment(work, program),
        stdout=out / f"{program.log}stdout.log",
        stderr=out / f"{program.log}stderr.log",
        state=work.folder / ".orch" / "jobs" / program.key.replace("/", "_"),
        timeout=program.timeout,
        box=_box(work, program, out) if work.settings.sandbox else None,
        stall=work.experiment.stall,
        gpus=tuple(work.settings.gpus[: work.experiment.resources.gpus]),
    )


def _environment(work: Work, program: Program) -> dict[str, str]:
    known = {"ORCH_CACHE": str(work.cache), "PYTHONUNBUFFERED": "1", "PYTHONNOUSERSITE": "1"}
    # Threads that spin while they wait slow a job down many times over as soon as the machine has other work.
    known["OMP_WAIT_POLICY"] = "PASSIVE"
    if not work.settings.network:
        known["HF_HUB_OFFLINE"] = "1"
    return clean_environment({**known, **program.env})


def _box(work: Work, program: Program, out: Path) -> Box:
    session = work.folder
    resources = work.experiment.resources
    read = [session, program.folder, work.session.protected_copy, work.cache]
    if work.experiment.python != "python":
        read.append(Path(work.experiment.python).expanduser().absolute().parent.parent)
    return Box(
        read=tuple(dict.fromkeys(read)),
        write=(out, *program.writes),
        hide=(session / ".git", session / ".orch", *program.hides),
        network=work.settings.network or resources.network,
        gpus=tuple(work.settings.gpus[: resources.gpus]),
        memory_bytes=resources.memory,
        processes=resources.processes,
        disk_bytes=resources.disk,
        log_bytes=LOG_BYTES,
    )


def default_cache() -> Path:
    """`ORCH_CACHE`, or `orch` in the user's cache folder."""
    chosen = os.environ.get("ORCH_CACHE")
    return Path(chosen) if chosen else Path(os.environ.get("XDG_CACHE_HOME", Path.home() / ".cache")) / "orch"
