"""One run: edit, preflight, job, evaluation, guards, record; mended and tried again up to a limit."""

from __future__ import annotations

from pydantic import BaseModel

from orchestrator.prompts import render
from orchestrator.records import Evidence, PlannedRun
from orchestrator.steps import editing
from orchestrator.steps.context import Work
from orchestrator.steps.judging import judge_run
from orchestrator.steps.measure import Target, executed_lines, measure, smoke
from orchestrator.steps.planning import command, table

ATTEMPTS = 4


class Attempt(BaseModel):
    """How one attempt at a run went."""

    where: str = ""
    failure: str | None = None
    """What the coder is told; None where it ended well."""
    ran: dict[str, list[int]] | None = None
    """File to the lines that ran in the smoke test, where that is known."""
    final: bool = False
    """Whether trying again is pointless."""


def work_run(work: Work, plan: list[PlannedRun], planned: PlannedRun) -> Evidence:
    """A run of the plan from edit to record, whatever came of it. Its evidence is sound or says why not."""
    run = f"run_{planned.run}"
    if not work.journal.finished(f"run/{planned.run}/record"):
        work.progress.say(f"{run}: {planned.title}")
        number, attempt = _try(work, plan, planned)
        _record(work, planned, number, attempt)
    return next(e for e in work.evidence if e.run == run and e.seed == 0)


def _try(work: Work, plan: list[PlannedRun], planned: PlannedRun) -> tuple[int, Attempt]:
    """Attempts until one ends well or there is no point in more; with the number of the last."""
    attempt = Attempt()
    for number in range(1, ATTEMPTS + 1):
        key = f"run/{planned.run}/attempt-{number}"
        before = attempt
        data = work.journal.step(key, lambda: _attempt(work, plan, planned, number, before).model_dump())
        attempt = Attempt.model_validate(data)
        if attempt.failure is None:
            break
        work.progress.say(
            f"run_{planned.run}: attempt {number} failed in {attempt.where}: {_last_line(attempt.failure)}"
        )
        _set_aside(work, f"run_{planned.run}", number)
        if attempt.final:
            break
    return number, attempt


def parent_of(work: Work, number: int) -> Evidence | None:
    """The last sound run before `number`, whose code this run starts from; the baselines' where there is none."""
    earlier = [e for e in work.sound if not e.is_baseline and e.seed == 0 and int(e.run.removeprefix("run_")) < number]
    return earlier[-1] if earlier else None


def code_commit(work: Work, evidence: Evidence | None) -> str:
    """The commit of the code that ran; of the experiment's own code before any run."""
    if evidence is not None and evidence.provenance.commit:
        return evidence.provenance.commit
    return next(work.session.repo.iter_commits(max_parents=0)).hexsha


def diff_of(work: Work, evidence: Evidence) -> str:
    """What changed in the coder's code from the run's parent to the run."""
    number = int(evidence.run.removeprefix("run_").split("/")[0])
    return _diff(work, code_commit(work, parent_of(work, number)), code_commit(work, evidence))


def _diff(work: Work, old: str, new: str) -> str:
    return str(work.session.repo.git.diff(old, new, "--", *_code_files(work)))


def _code_files(work: Work) -> list[str]:
    """Files that make a run what it is: all that the coder may edit but the plotting."""
    return [name for name in work.experiment.editable if name != "plot.py"]


def _attempt(work: Work, plan: list[PlannedRun], planned: PlannedRun, number: int, before: Attempt) -> Attempt:
    problem = _edit(work, plan, planned, number, before)
    if problem is not None:
        return Attempt(where="the edit", failure=problem, final=number == 1)
    problem = _lint(work, planned, number)
    if problem is not None:
        return Attempt(where="lint", failure=problem)
    target = _target(work, planned, number)
    problem = smoke(work, target)
    ran = work.journal.step(target.step("ran"), lambda: executed_lines(target))
    if problem is not None:
        return Attempt(where="the smoke test", failure=problem)
    return Attempt(where="the run", failure=measure(work, target), ran=ran)


def _target(work: Work, planned: PlannedRun, attempt: int) -> Target:
    return Target(f"run_{planned.run}", 0, f"run/{planned.run}", work.folder, planned.title, attempt)


def _edit(work: Work, plan: list[PlannedRun], planned: PlannedRun, number: int, before: Attempt) -> str | None:
    files = _code_files(work)
    again = {"planned": planned}
    if number > 1:
        message = render(
            "02_repair", planned=planned, where=before.where, attempt=number - 1, attempts=ATTEMPTS,
            failure=before.failure, files=files,
        )  # fmt: skip
        key = f"run/{planned.run}/repair-{number - 1}"
        return editing.edit(work, key, f"run_{planned.run}: repair {number - 1}", message, files, **again)
    parent = parent_of(work, planned.run)
    reverted = _revert_failed(work, planned, parent)
    message = render(
        "02_edit", idea=work.idea, experiment=work.experiment, plan=plan, planned=planned, table=table(work),
        reverted=reverted, parent=parent.run if parent else "the baseline", files=files,
        command=command(work, f"run_{planned.run}"),
    )  # fmt: skip
    return editing.edit(work, f"run/{planned.run}/edit", f"run_{planned.run}: {planned.title}", message, files, **again)


def _revert_failed(work: Work, planned: PlannedRun, parent: Evidence | None) -> str:
    """Takes back the code of a failed run before the next is made. Returns which run that was."""
    failed = [e.run for e in work.evidence if e.status == "failed" and e.run == f"run_{planned.run - 1}"]
    if not failed:
        return ""

    def put_back() -> str:
        work.session.put_back(code_commit(work, parent), _code_files(work))
        return failed[0]

    return str(work.session.step(f"run/{planned.run}/revert", f"Take back the code of {failed[0]}", put_back))


def _lint(work: Work, planned: PlannedRun, number: int) -> str | None:
    """Lint with one repair turn of its own, before anything runs."""
    files = _code_files(work)
    key = f"run/{planned.run}/lint-{number}"
    problem = work.journal.step(f"{key}/check", lambda: editing.lint(work, files))
    if problem is None:
        return None
    message = render("02_repair", planned=planned, where="lint", attempt=number, attempts=ATTEMPTS,
                     failure=problem, files=files)  # fmt: skip
    editing.edit(work, key, f"run_{planned.run}: mend what lint found", message, files, planned=planned)
    return editing.lint(work, files)


def _set_aside(work: Work, run: str, number: int) -> None:
    """A failed attempt's folder is kept under a name of its own."""

    def move() -> str:
        source, target = work.folder / run, work.folder / f"{run}.failed-{number}"
        if source.is_dir() and not target.exists():
            source.rename(target)
        return target.name

    work.session.step(f"run/{run.removeprefix('run_')}/set-aside-{number}", f"{run}: set attempt {number} aside", move)


def _record(work: Work, planned: PlannedRun, attempts: int, attempt: Attempt) -> None:
    run = f"run_{planned.run}"
    parent = parent_of(work, planned.run)

    def record() -> str:
        (work.folder / run).mkdir(exist_ok=True)
        evidence = Evidence(run=run, title=planned.title, attempts=attempts)
        evidence.parent = parent.run if parent else _first_baseline(work)
        evidence.provenance.commit = str(work.session.repo.head.commit.hexsha)
        if attempt.failure is None:
            target = _target(work, planned, attempts)
            diff = _diff(work, code_commit(work, parent), evidence.provenance.commit)
            evidence = judge_run(work, target, evidence, diff=diff, ran=attempt.ran, planned=planned)
        else:
            evidence.status = "failed"
            evidence.reason = f"{attempt.where} failed in attempt {attempts}: {_last_line(attempt.failure)}"
        evidence.write(work.folder)
        return evidence.status

    work.session.step(f"run/{planned.run}/record", f"{run}: results", record)


def _first_baseline(work: Work) -> str:
    return work.experiment.baselines[0].run


def _last_line(text: str) -> str:
    lines = [line for line in text.splitlines() if line.strip()]
    return lines[-1].strip()[:300] if lines else ""
