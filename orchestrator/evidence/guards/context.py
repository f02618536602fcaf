"""What a guard may look at."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

from orchestrator.evidence.changes import changed_lines, unified_diff
from orchestrator.evidence.results import Results
from orchestrator.records import Evidence, Finding, Metric, PlannedRun

_CLOCK = re.compile(r"time|date|millis|second|duration|elapsed|memory|throughput|per_sec|speed", re.IGNORECASE)
Lines = Mapping[str, frozenset[int]]


@dataclass(frozen=True)
class Context:
    """All that is known of a run when it is judged. None: not known, and the guards that need it stay silent."""

    run: Evidence
    """What has been recorded of the run so far; its `findings` are not read."""
    earlier: tuple[Evidence, ...] = ()
    """Every execution recorded before, failed ones included."""
    metrics: tuple[Metric, ...] = ()
    """As declared in experiment.toml; none for an experiment that declares none."""
    primary: str | None = None
    comparable: tuple[str, ...] = ()
    results: Results | None = None
    """The results file that the run's own code wrote."""
    evaluated: Results | None = None
    """`evaluation.json`; None where the experiment has no evaluator."""
    results_file: str = "final_info.json"
    protected_expected: Mapping[str, str] = field(default_factory=dict)
    """Protected file to the sha256 it had when the session began."""
    protected_now: Mapping[str, str] = field(default_factory=dict)
    artefacts_then: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    """Folder of each earlier run to the sha256 of its files when it ended."""
    artefacts_now: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    """The same now. A folder that is not in it was not looked at."""
    diff: str | None = None
    """Unified diff of the code since the parent's commit; empty where nothing changed."""
    code: Mapping[str, str] = field(default_factory=dict)
    """The editable Python files that ran, name to text."""
    parent_code: Mapping[str, str] | None = None
    baseline_code: Mapping[str, str] | None = None
    evaluator_code: Mapping[str, str] = field(default_factory=dict)
    """The evaluator's Python files, relative to the session."""
    session_files: tuple[str, ...] = ()
    """All files of the session now, relative to it, run folders and .git aside."""
    original_files: tuple[str, ...] | None = None
    """The same when the session began."""
    executed: Lines | None = None
    """Lines of each file that ran in the smoke run."""
    stdout: str = ""
    stderr: str = ""
    """Their ends."""
    expected_seconds: float | None = None
    """Wall time by earlier runs, usually their median."""
    weights_start: str | None = None
    """Hash of the weights before the first step; `weights_end` after the last."""
    weights_end: str | None = None
    curve: str = ""
    """The text of metrics.jsonl: one JSON object a line."""
    folder: Path | None = None
    """The run's output folder; `session` is the folder above all runs."""
    session: Path | None = None
    step: PlannedRun | None = None

    @property
    def is_baseline(self) -> bool:
        return self.run.is_baseline

    @property
    def is_replicate(self) -> bool:
        """Another seed of a run that has been judged: its code is that run's."""
        return self.run.seed != 0

    @cached_property
    def baselines(self) -> list[Evidence]:
        """Sound executions of the baselines."""
        return [e for e in self.earlier if e.is_baseline and e.status == "sound"]

    @cached_property
    def others(self) -> list[Evidence]:
        """Earlier executions, other seeds of this run aside; of each run the first seed."""
        return [e for e in self.earlier if e.run != self.run.run and e.seed == 0]

    @property
    def parent(self) -> Evidence | None:
        return next((e for e in self.others if e.run == self.run.parent), None)

    @cached_property
    def diff_text(self) -> str | None:
        """`diff`, or the diff made from the files where only they are given."""
        if self.diff is not None or self.parent_code is None:
            return self.diff
        return unified_diff(trained(self.parent_code), trained(self.code))

    @cached_property
    def changed(self) -> dict[str, set[int]]:
        lines = changed_lines(self.diff_text or "")
        return {file: numbers for file, numbers in lines.items() if _trains(file)}

    @cached_property
    def measured(self) -> dict[str, float]:
        """The headline metrics and, of the run's own numbers, those that they lack."""
        return {**self.run.claimed, **self.run.metrics}

    @cached_property
    def directed(self) -> set[str]:
        """The declared metrics of which one direction is better."""
        return {m.name for m in self.metrics if m.direction is not None}

    def numbers_of(self, other: Evidence) -> dict[str, float]:
        """What `measured` is for this run, for an earlier one."""
        return self._numbers[id(other)]

    @cached_property
    def _numbers(self) -> dict[int, dict[str, float]]:
        return {id(e): {**e.claimed, **e.metrics} for e in self.earlier}

    @cached_property
    def declared(self) -> dict[str, float]:
        """The declared metrics that were measured; where none is declared, all that were."""
        if not self.metrics:
            return dict(self.run.metrics)
        return {m.name: self.run.metrics[m.name] for m in self.metrics if m.name in self.run.metrics}


def trained(code: Mapping[str, str]) -> dict[str, str]:
    """The files that can alter a measurement: Python files, plot.py aside."""
    return {name: text for name, text in code.items() if _trains(name)}


def _trains(name: str) -> bool:
    return name.endswith(".py") and Path(name).name != "plot.py"


def fail(guard: str, sentence: str) -> Finding:
    return Finding(guard=guard, outcome="fail", sentence=sentence)


def warn(guard: str, sentence: str) -> Finding:
    return Finding(guard=guard, outcome="warn", sentence=sentence)


def last(key: str) -> str:
    """`mse` for `core.mse`, in lower case."""
    return key.rsplit(".", 1)[-1].lower()


def listed(names: list[str], most: int = 4) -> str:
    """`a, b, c and 7 more`."""
    shown = ", ".join(names[:most])
    return f"{shown} and {len(names) - most} more" if len(names) > most else shown


def equal(a: float, b: float) -> bool:
    return a == b or (math.isnan(a) and math.isnan(b))


def telling(key: str, value: float) -> bool:
    """Whether two independent measurements would hardly agree on this number: five digits or more, and finer than bf16
    or a small fraction can state. What a clock or a memory meter shows is no measurement of the model."""
    if not math.isfinite(value) or value == 0 or _CLOCK.search(key.rsplit(".", 1)[-1]):
        return False
    mantissa, _ = math.frexp(value)
    in_half_precision = (mantissa * 2**12).is_integer()
    return not in_half_precision and len(f"{value:.17g}".replace("-", "").replace(".", "").strip("0")) >= 5
