"""Confirmation: the best run again, from a clean checkout of its commit, on fresh seeds."""

from __future__ import annotations

from orchestrator.records import Evidence, Metric
from orchestrator.steps.baselines import checkout, repeat
from orchestrator.steps.context import Work
from orchestrator.steps.measure import Target


def best_run(work: Work) -> Evidence | None:
    """The sound run with the best primary metric; the last sound run where there is no primary metric."""
    runs = [e for e in work.sound if not e.is_baseline and e.seed == 0]
    metric = _primary(work)
    if metric is None:
        return runs[-1] if runs else None
    scored = [e for e in runs if metric.name in e.metrics]
    sign = -1.0 if metric.direction == "min" else 1.0
    return max(scored, key=lambda e: sign * e.metrics[metric.name], default=None)


def confirm(work: Work, best: Evidence) -> None:
    """The best run on as many seeds as the baselines had. Its own result is reproduced from nothing but its commit."""
    commit = best.provenance.commit or ""
    for seed in range(1, work.settings.seeds):
        key = f"confirm/{best.run}/seed-{seed}"
        folder = work.folder / ".orch" / "checkouts" / f"{best.run}-seed-{seed}"
        if not work.journal.finished(f"{key}/record"):
            checkout(work, commit, folder)
        target = Target(best.run, seed, key, folder, f"{best.title}, confirmed on seed {seed}")
        repeat(work, target, Evidence(run=best.run, seed=seed, title=best.title, parent=best.parent), commit)


def _primary(work: Work) -> Metric | None:
    found = [m for m in work.experiment.metrics if m.name == work.experiment.primary]
    return found[0] if found else None
