"""The baselines, and every execution on a further seed: the same code again, in a clean place."""

from __future__ import annotations

import shutil
from pathlib import Path

from orchestrator.errors import Failed
from orchestrator.experiment import Baseline
from orchestrator.records import Evidence
from orchestrator.steps.context import Work
from orchestrator.steps.failure import explain
from orchestrator.steps.jobs import Program, run_program
from orchestrator.steps.judging import judge_run
from orchestrator.steps.measure import Target, measure


def prepare(work: Work) -> None:
    """The experiment's caches, filled once and shared by all runs. Raises Failed."""
    if work.experiment.prepare is None:
        return
    work.cache.mkdir(parents=True, exist_ok=True)
    program = Program(
        "prepare", "preparing the experiment's model and data", work.experiment.argv(work.experiment.prepare),
        work.folder, ".orch/prepare", work.experiment.timeout, writes=(work.cache,),
    )  # fmt: skip
    result = run_program(work, program)
    if result.reason != "done":
        said = explain(result, work.folder, program.out_dir, program.timeout)
        raise Failed(
            f"the experiment could not be prepared: {said.splitlines()[-1]}; its output is in {program.out_dir}"
        )


def measure_baselines(work: Work) -> None:
    """Every baseline on every seed; the spread over seeds is the noise floor. Raises Failed where one fails."""
    for baseline in work.experiment.baselines:
        for seed in range(work.settings.seeds):
            _measure_baseline(work, baseline, seed)


def _measure_baseline(work: Work, baseline: Baseline, seed: int) -> None:
    title = baseline.title or baseline.name or "baseline"
    key = f"run/0/{baseline.name or 'baseline'}/seed-{seed}"
    target = Target(baseline.run, seed, key, work.folder, title, env=baseline.env)
    evidence = repeat(work, target, Evidence(run=baseline.run, seed=seed, title=title), str(_first_commit(work)))
    if evidence.status == "failed":
        raise Failed(
            f"the baseline {target.out_dir} failed: {evidence.reason}\n"
            f"its output is in {work.folder / target.out_dir}; mend the experiment and begin again"
        )


def repeat(work: Work, target: Target, evidence: Evidence, commit: str) -> Evidence:
    """One execution of code that is not edited, recorded in the session under the target's own folder."""
    failure = work.journal.step(target.step("measure"), lambda: measure(work, target))

    def record() -> str:
        evidence.provenance.commit = commit
        judged = evidence
        if failure is not None:
            evidence.status, evidence.reason = "failed", failure.splitlines()[-1][:300]
        else:
            judged = judge_run(work, target, evidence)
        _bring_home(work, target)
        judged.write(work.folder)
        return judged.status

    work.session.step(f"{target.key}/record", f"{target.out_dir}: results", record)
    return next(e for e in work.evidence if e.run == target.run and e.seed == target.seed)


def checkout(work: Work, commit: str, folder: Path) -> Path:
    """A clean checkout of a commit in `folder`: nothing but what git holds. Done again where it was cut off."""
    if not (folder / ".git").exists():
        from git import Repo

        shutil.rmtree(folder, ignore_errors=True)
        draft = folder.with_name(folder.name + ".new")
        shutil.rmtree(draft, ignore_errors=True)
        repo = Repo.clone_from(str(work.folder), str(draft), no_checkout=True)
        repo.git.checkout("-q", commit)
        repo.close()
        for old in draft.glob("run_*"):
            shutil.rmtree(old)
        draft.rename(folder)
    return folder


def _bring_home(work: Work, target: Target) -> None:
    home = work.folder / target.out_dir
    if target.folder != work.folder and target.out.is_dir():
        shutil.rmtree(home, ignore_errors=True)
        home.parent.mkdir(parents=True, exist_ok=True)
        shutil.copytree(target.out, home)


def _first_commit(work: Work) -> str:
    return str(next(work.session.repo.iter_commits(max_parents=0)).hexsha)
