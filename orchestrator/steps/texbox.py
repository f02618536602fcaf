"""TeX in the sandbox: nothing but the build folder can be written, nothing outside it and TeX's own files read."""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from pathlib import Path

from orchestrator.executors import Box, Job
from orchestrator.paper.latex import BuildResult, build
from orchestrator.steps.context import Work

MEMORY = 2_000_000_000
DISK = 500_000_000


@dataclass(frozen=True)
class Done:
    returncode: int
    stdout: str


def build_in_box(work: Work, folder: Path) -> BuildResult:
    """Builds `folder/template.tex`, boxed unless the session goes without a sandbox."""

    def run(command: list[str], cwd: Path, env: dict[str, str], timeout: float) -> Done:
        return _run(work, _job(work, command, cwd, env, timeout))

    # A build that an orch before this one began may still be writing into the folder.
    work.executor.stop(_job(work, [], folder, {}, 0.0))
    return build(folder, run=run)


def _job(work: Work, command: list[str], cwd: Path, env: dict[str, str], timeout: float) -> Job:
    box = Box(read=(cwd,), write=(cwd,), memory_bytes=MEMORY, processes=64, disk_bytes=DISK, log_bytes=10_000_000)
    return Job(
        name="tex", command=tuple(command), cwd=cwd, env=env, stdout=cwd / "stdout.log", stderr=cwd / "stderr.log",
        state=work.folder / ".orch" / "jobs" / "tex", timeout=timeout, box=box if work.settings.sandbox else None,
    )  # fmt: skip


def _run(work: Work, job: Job) -> Done:
    shutil.rmtree(job.state, ignore_errors=True)
    with work.progress.long("TeX") as tick:
        result = work.executor.run(job, tick)
    code = result.exit_code if result.exit_code is not None else 1
    return Done(code, job.stdout.read_text(encoding="utf-8", errors="replace"))
