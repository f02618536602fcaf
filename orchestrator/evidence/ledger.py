"""Evidence as something to look numbers up in: what each sound run measured, over its seeds, and how far apart runs are.

The macros, the results table and the checker of claims all read the evidence through here, so that they agree.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Mapping
from functools import cached_property, lru_cache

from orchestrator.evidence.statistics import Difference, Interval, difference, interval, noise_floor
from orchestrator.records import Evidence, Metric, Scalar, run_number

ACRONYMS = {
    "acc": "accuracy", "auc": "AUC", "bleu": "BLEU", "ce": "CE", "cossim": "cosine similarity", "f1": "F1",
    "fid": "FID", "fps": "FPS", "fvu": "FVU", "iou": "IoU", "kl": "KL", "l0": "L0", "l1": "L1", "l2": "L2",
    "lm": "LM", "mae": "MAE", "map": "mAP", "mse": "MSE", "nll": "NLL", "nmse": "NMSE", "psnr": "PSNR",
    "r2": "R2", "rmse": "RMSE",
    "rouge": "ROUGE", "sae": "SAE", "scr": "SCR", "ssim": "SSIM", "tpp": "TPP", "wer": "WER",
}  # fmt: skip
"""How short names of metrics are written."""
CATEGORIES = ("means", "core", "final_info", "results", "metrics")
"""Levels of a results file that say nothing of the metric."""


class Ledger:
    """What was measured. `labels` maps a run to the name the paper calls it by."""

    def __init__(
        self,
        evidence: Iterable[Evidence],
        metrics: Iterable[Metric] = (),
        labels: Mapping[str, str] | None = None,
    ) -> None:
        self.evidence = sorted(evidence, key=_order)
        self.declared = {m.name: m for m in metrics}
        self.labels = dict(labels or {})

    @cached_property
    def _sound(self) -> dict[str, list[Evidence]]:
        """Run to its sound executions; a run whose first execution failed is failed as a whole."""
        failed = {e.run for e in self.evidence if e.status == "failed" and e.seed == self._first_seed(e.run)}
        found: dict[str, list[Evidence]] = {}
        for e in self.evidence:
            if e.status == "sound" and e.run not in failed:
                found.setdefault(e.run, []).append(e)
        return found

    def _first_seed(self, run: str) -> int:
        return min(e.seed for e in self.evidence if e.run == run)

    @property
    def runs(self) -> list[str]:
        """Every sound run, baselines first."""
        return list(self._sound)

    @property
    def baselines(self) -> list[str]:
        return [run for run in self.runs if run_number(run) == 0]

    @property
    def failed(self) -> list[str]:
        return sorted({e.run for e in self.evidence} - set(self.runs), key=lambda r: (run_number(r), r))

    @property
    def attempts(self) -> int:
        """How many jobs were started for results: every try of every run, failed ones and replicates included."""
        return sum(e.attempts for e in self.evidence)

    @cached_property
    def metric_names(self) -> list[str]:
        """Declared metrics first, then every other that a sound run has."""
        others = {name for es in self._sound.values() for e in es for name in e.metrics}
        return [*self.declared, *sorted(others - set(self.declared))]

    def executions(self, run: str) -> list[Evidence]:
        return self._sound.get(run, [])

    def values(self, run: str, metric: str) -> list[float]:
        """The metric in every sound execution of the run that has it, by seed; finite values only."""
        found = (e.metrics.get(metric, math.nan) for e in self.executions(run))
        return [value for value in found if math.isfinite(value)]

    def value(self, run: str, metric: str) -> float | None:
        """The metric in the run's first execution."""
        first = self.executions(run)[:1]
        value = first[0].metrics.get(metric, math.nan) if first else math.nan
        return value if math.isfinite(value) else None

    def mean(self, run: str, metric: str) -> float | None:
        values = self.values(run, metric)
        return math.fsum(values) / len(values) if values else None

    def interval(self, run: str, metric: str) -> Interval | None:
        values = self.values(run, metric)
        return interval(values) if values else None

    def setting(self, run: str, key: str) -> Scalar:
        """A setting in force in the run's first execution; None where it has none of that name."""
        first = self.executions(run)[:1]
        return first[0].settings.get(key) if first else None

    def commit(self, run: str) -> str:
        first = self.executions(run)[:1]
        return (first[0].provenance.commit or "") if first else ""

    def metric(self, name: str) -> Metric:
        return self.declared.get(name, Metric(name=name))

    def title(self, run: str) -> str:
        """What the run is called: by the paper, by the plan, or by its id."""
        planned = next((e.title for e in self.executions(run) if e.title), "")
        return self.labels.get(run) or planned or run

    def difference(self, a: str, b: str, metric: str) -> Difference | None:
        """How `a` differs from `b`. Where both ran once, the widest spread of a baseline says what is noise."""
        first, second = self.values(a, metric), self.values(b, metric)
        if not first or not second:
            return None
        found = difference(first, second, self.metric(metric).direction)
        floor = self._floor(metric)
        if found.verdict != "unknown" or floor is None:
            return found
        if abs(found.delta) <= floor:
            return Difference("within noise", found.delta, None, "none")
        better = self.metric(metric).better(first[0], second[0])
        return Difference("different" if better is None else "better" if better else "worse", found.delta, None, "none")

    def _floor(self, metric: str) -> float | None:
        floors = [noise_floor(self.values(run, metric)) for run in self.baselines if self.values(run, metric)]
        return max((f for f in floors if f is not None), default=None)

    def best(self, metric: str) -> str | None:
        """The run that is better than every other beyond the noise; None where there is none."""
        direction = self.metric(metric).direction
        means = {run: mean for run in self.runs if (mean := self.mean(run, metric)) is not None}
        if direction is None or len(means) < 2:
            return None
        first = (max if direction == "max" else min)(means, key=means.__getitem__)
        others = (self.difference(first, run, metric) for run in means if run != first)
        return first if all(d is not None and d.verdict == "better" for d in others) else None


@lru_cache(maxsize=20_000)
def humanised(metric: str) -> str:
    """`core.explained_variance` as `explained variance`, `core.l0` as `L0`."""
    last = metric.rsplit(".", 1)[-1] or metric
    return " ".join(ACRONYMS.get(word.lower(), word) for word in re.split(r"[_\s]+", last) if word) or metric


def headings(metrics: Iterable[str]) -> dict[str, str]:
    """A heading for each metric; where two would be the same, with the levels above that tell them apart."""
    names = list(metrics)
    short = {name: _capital(humanised(name)) for name in names}
    twice = {text for text in short.values() if list(short.values()).count(text) > 1}
    return {name: _qualified(name) if short[name] in twice else short[name] for name in names}


def _qualified(name: str) -> str:
    levels = [level for level in name.split(".") if level not in CATEGORIES]
    return _capital(" ".join(humanised(level) for level in levels))


def _capital(text: str) -> str:
    return text[:1].upper() + text[1:]


def _order(evidence: Evidence) -> tuple[int, str, int]:
    return run_number(evidence.run), evidence.run, evidence.seed
