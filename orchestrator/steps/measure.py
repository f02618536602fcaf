"""Measuring one run: the job, then the evaluator, then what is read from both."""

from __future__ import annotations

import shutil
from dataclasses import dataclass, field
from pathlib import Path

from orchestrator.evidence.results import Results, read_results
from orchestrator.executors import JobResult
from orchestrator.steps.context import Work
from orchestrator.steps.failure import explain
from orchestrator.steps.jobs import Program, run_program

EVALUATION = "evaluation.json"


@dataclass(frozen=True)
class Target:
    """One execution of one run."""

    run: str
    """`run_3`, `run_0/topk`."""
    seed: int
    key: str
    """Key of its steps in the journal: `run/3`, `run/0/topk/seed-1`."""
    folder: Path
    """Where its code lies: the session, or a clean checkout."""
    title: str
    attempt: int = 1
    env: dict[str, str] = field(default_factory=dict)

    @property
    def out_dir(self) -> str:
        """Relative to `folder`."""
        return self.run if self.seed == 0 else f"{self.run}/seed_{self.seed}"

    @property
    def out(self) -> Path:
        return self.folder / self.out_dir

    def step(self, name: str) -> str:
        return f"{self.key}/{name}-{self.attempt}"


@dataclass(frozen=True)
class Measured:
    """What an execution that ended well left behind."""

    job: JobResult
    claimed: Results
    """What the run's own code wrote of itself."""
    evaluated: Results | None
    """What the evaluator computed; None where the experiment has none."""


def measure(work: Work, target: Target) -> str | None:
    """The job, then the evaluator. What went wrong, for the coder; None where both ended well."""
    job = _train(work, target)
    if job.reason != "done":
        return explain(job, target.folder, target.out_dir, work.experiment.timeout)
    return _evaluate(work, target) if work.experiment.evaluate else None


def read_measured(work: Work, target: Target) -> Measured:
    """The files a finished execution left."""
    job = JobResult.model_validate(work.journal.outcome(target.step("job"))["result"])
    claimed = read_results(target.out / work.experiment.results)
    evaluated = read_results(target.out / EVALUATION) if work.experiment.evaluate else None
    return Measured(job, claimed, evaluated)


def smoke(work: Work, target: Target) -> str | None:
    """The whole script, tiny, evaluator included. What went wrong, for the coder; None where nothing did."""
    if work.experiment.smoke is None:
        return None
    limit = work.experiment.smoke.timeout
    command = covered(
        work.experiment.argv(work.experiment.command, target.out_dir), target.out_dir, work.experiment.editable
    )
    env = {**_run_env(work, target), **work.experiment.smoke.env}
    program = Program(
        target.step("smoke"), f"{target.run}: smoke test", command, target.folder, target.out_dir, limit, env,
        writes=(_checkpoints(work, target),), hides=evaluation_data(work),
    )  # fmt: skip
    result = run_program(work, program)
    shutil.rmtree(_checkpoints(work, target), ignore_errors=True)
    if result.reason != "done":
        return explain(result, target.folder, target.out_dir, limit)
    if not work.experiment.evaluate:
        return None
    checked = _evaluator(work, target, "smoke-evaluate", limit, env)
    result = run_program(work, checked)
    return (
        None
        if result.reason == "done"
        else "The evaluator: " + explain(result, target.folder, target.out_dir, limit, checked.log)
    )


def covered(command: list[str], out_dir: str, files: list[str]) -> list[str]:
    """`command` under coverage, so that it is known which changed lines ran, where orch's own Python runs it."""
    import sys

    if command[0] != sys.executable or not command[1].endswith(".py"):
        return command
    python = ",".join(name for name in files if name.endswith(".py"))
    options = [f"--data-file={out_dir}/.coverage", f"--include={python}"]
    return [command[0], "-m", "coverage", "run", *options, *command[1:]]


def executed_lines(target: Target) -> dict[str, list[int]] | None:
    """File to the lines that ran in the smoke test just done; None where that is not known."""
    path = target.out / ".coverage"
    if not path.is_file():
        return None
    from coverage import CoverageData

    data = CoverageData(str(path))
    data.read()
    inside = [p for p in data.measured_files() if Path(p).is_relative_to(target.folder)]
    return {Path(p).relative_to(target.folder).as_posix(): sorted(data.lines(p) or []) for p in inside}


def evaluation_data(work: Work) -> tuple[Path, ...]:
    """Folders of data that only the evaluator may read."""
    found = (work.cache.glob(pattern) for pattern in work.experiment.evaluation_data)
    return tuple(path for paths in found for path in sorted(paths))


def _run_env(work: Work, target: Target) -> dict[str, str]:
    return {
        **target.env,
        "ORCH_SEED": str(target.seed),
        "ORCH_CHECKPOINT_DIR": str(_checkpoints(work, target)),
    }


def _checkpoints(work: Work, target: Target) -> Path:
    """Where a job may keep what it needs to go on after the machine died; outside the folder that is cleaned then."""
    folder = work.folder / ".orch" / "checkpoints" / target.step("job").replace("/", "_")
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def _train(work: Work, target: Target) -> JobResult:
    command = work.experiment.argv(work.experiment.command, target.out_dir)
    program = Program(
        target.step("job"), f"{target.run}: {target.title}", command, target.folder, target.out_dir,
        work.experiment.timeout, _run_env(work, target), writes=(_checkpoints(work, target),),
        hides=evaluation_data(work), expected=_expected(work),
    )  # fmt: skip
    result = run_program(work, program)
    shutil.rmtree(_checkpoints(work, target), ignore_errors=True)
    return result


def _expected(work: Work) -> float | None:
    """Seconds the last sound run took."""
    times = [e.provenance.wall_seconds for e in work.sound if e.provenance.wall_seconds]
    return times[-1] if times else None


def _evaluate(work: Work, target: Target) -> str | None:
    program = _evaluator(work, target, "evaluate", work.experiment.timeout, _run_env(work, target))
    result = run_program(work, program)
    return (
        None
        if result.reason == "done"
        else "The evaluator: " + explain(result, target.folder, target.out_dir, work.experiment.timeout, program.log)
    )


def _evaluator(work: Work, target: Target, name: str, limit: float, env: dict[str, str]) -> Program:
    """The evaluator, from the protected copy: nothing that the coder can write is on its path."""
    words = work.experiment.argv(work.experiment.evaluate or "", target.out_dir)
    kept = work.session.protected_copy
    command = [str(kept / word) if (kept / word).is_file() else word for word in words]
    return Program(
        target.step(name), f"{target.run}: evaluation", command, target.folder, target.out_dir, limit, env,
        log="evaluate-", keep=True, makes=EVALUATION,
    )  # fmt: skip
