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
        return _run(work, command, cwd, env, timeout)

    return build(folder, run=run)


def _run(work: Work, command: list[str], cwd: Path, env: dict[str, str], timeout: float) -> Done:
    state = work.folder / ".orch" / "jobs" / "tex"
    shutil.rmtree(state, ignore_errors=True)
    box = Box(read=(cwd,), write=(cwd,), memory_bytes=MEMORY, processes=64, disk_bytes=DISK, log_bytes=10_000_000)
    job = Job(
        name="tex", command=tuple(command), cwd=cwd, env=env, stdout=cwd / "stdout.log", stderr=cwd / "stderr.log",
        state=state, timeout=timeout, box=box if work.settings.sandbox else None, stall=None, gpus=(),
    )  # fmt: skip
    with work.progress.long("TeX") as tick:
        result = work.executor.run(job, tick)
    code = result.exit_code if result.exit_code is not None else 1
    return Done(code, (cwd / "stdout.log").read_text(encoding="utf-8", errors="replace"))
