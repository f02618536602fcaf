"""Evidence of an execution that ended well: what it is bound to, and what the guards say."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from orchestrator.evidence.guards import Context, judge
from orchestrator.evidence.provenance import artefacts, fingerprint, hashes
from orchestrator.records import Evidence, PlannedRun
from orchestrator.session import protected_files
from orchestrator.steps.context import Work
from orchestrator.steps.measure import Measured, Target, read_measured

END = 20_000
"""Characters of a log that guards look at."""


def judge_run(
    work: Work,
    target: Target,
    evidence: Evidence,
    *,
    diff: str | None = None,
    ran: dict[str, list[int]] | None = None,
    planned: PlannedRun | None = None,
) -> Evidence:
    """`evidence` filled in: metrics, settings, provenance, findings, and sound or not."""
    measured = read_measured(work, target)
    _fill(work, target, evidence, measured)
    context = replace(_context(work, target, evidence, measured), diff=diff, executed=_frozen(ran), step=planned)
    evidence.findings = judge(context)
    failures = [f for f in evidence.findings if f.outcome == "fail"]
    if failures:
        evidence.status = "failed"
        evidence.reason = "; ".join(f"{f.guard}: {f.sentence}" for f in failures)
    return evidence


def _fill(work: Work, target: Target, evidence: Evidence, measured: Measured) -> None:
    headline = measured.claimed if measured.evaluated is None else measured.evaluated
    evidence.metrics = headline.metrics
    evidence.claimed = {} if measured.evaluated is None else measured.claimed.metrics
    evidence.settings = {**headline.settings, **measured.claimed.settings}
    argv = work.experiment.argv(work.experiment.command, target.out_dir)
    evidence.provenance = fingerprint(
        session=work.folder,
        run_folder=target.out,
        command=argv,
        commit=evidence.provenance.commit,
        protected=protected_files(work.folder, work.experiment),
        python=argv[0],
        started=measured.job.started,
        wall_seconds=measured.job.wall_seconds,
        exit_code=measured.job.exit_code,
        sandboxed=work.settings.sandbox,
        data=headline.texts.get("data.fingerprint") or headline.texts.get("data"),
    )


def _context(work: Work, target: Target, evidence: Evidence, measured: Measured) -> Context:
    earlier = tuple(e for e in work.evidence if (e.run, e.seed) != (evidence.run, evidence.seed))
    experiment = work.experiment
    return Context(
        run=evidence,
        earlier=earlier,
        metrics=tuple(experiment.metrics),
        primary=experiment.primary,
        comparable=tuple(experiment.comparable),
        results=measured.claimed,
        evaluated=measured.evaluated,
        results_file=experiment.results,
        protected_expected=hashes(
            work.session.protected_copy, protected_files(work.session.protected_copy, experiment)
        ),
        protected_now=hashes(work.folder, protected_files(work.folder, experiment)),
        artefacts_then={e.folder: e.provenance.artefacts for e in earlier if e.provenance.artefacts},
        artefacts_now={e.folder: artefacts(work.folder / e.folder) for e in earlier if e.provenance.artefacts},
        code=_code(work, evidence.provenance.commit),
        parent_code=_parent_code(work, evidence, earlier),
        baseline_code=_code(work, _root(work)),
        evaluator_code=_texts(work.session.protected_copy),
        session_files=_session_files(work.folder),
        original_files=tuple(work.session.repo.git.ls_tree("-r", "--name-only", _root(work)).splitlines()),
        stdout=_end(target.out / "stdout.log"),
        stderr=_end(target.out / "stderr.log"),
        expected_seconds=_usual_seconds(earlier),
        curve=_end(target.out / "metrics.jsonl", 5_000_000),
        folder=target.out,
        session=work.folder,
    )


def _frozen(ran: dict[str, list[int]] | None) -> dict[str, frozenset[int]] | None:
    return None if ran is None else {name: frozenset(lines) for name, lines in ran.items()}


def _root(work: Work) -> str:
    return str(next(work.session.repo.iter_commits(max_parents=0)).hexsha)


def _code(work: Work, commit: str | None) -> dict[str, str]:
    """The editable Python files at a commit."""
    if commit is None:
        return {}
    git = work.session.repo.git
    return {name: str(git.show(f"{commit}:{name}")) for name in work.experiment.editable if name.endswith(".py")}


def _parent_code(work: Work, evidence: Evidence, earlier: tuple[Evidence, ...]) -> dict[str, str] | None:
    if evidence.is_baseline or evidence.seed != 0:
        return None
    parents = [e for e in earlier if e.run == evidence.parent and e.seed == 0]
    return _code(work, parents[0].provenance.commit) if parents else None


def _texts(folder: Path) -> dict[str, str]:
    found = sorted(folder.rglob("*.py"))
    return {p.relative_to(folder).as_posix(): p.read_text(encoding="utf-8", errors="replace") for p in found}


def _session_files(folder: Path) -> tuple[str, ...]:
    found = []
    for path in folder.rglob("*"):
        first = path.relative_to(folder).parts[0]
        if not (first in (".git", ".orch") or first.startswith("run_")) and path.is_file():
            found.append(path.relative_to(folder).as_posix())
    return tuple(sorted(found))


def _end(path: Path, size: int = END) -> str:
    if not path.is_file():
        return ""
    with path.open("rb") as file:
        file.seek(max(0, path.stat().st_size - size))
        return file.read().decode("utf-8", errors="replace")


def _usual_seconds(earlier: tuple[Evidence, ...]) -> float | None:
    times = sorted(e.provenance.wall_seconds for e in earlier if e.provenance.wall_seconds and e.status == "sound")
    return times[len(times) // 2] if times else None
