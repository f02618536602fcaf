"""The plain data that everything else passes around: metrics, findings, evidence, plans.

Nothing here does anything but hold, read and write; every part of orch may import it.
"""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field

Outcome = Literal["pass", "warn", "fail"]
Status = Literal["sound", "failed"]
Scalar = bool | int | float | str | None

EVIDENCE_FILE = "evidence.json"


class Metric(BaseModel):
    """A named number, as `experiment.toml` declares it under `[[metrics]]`."""

    model_config = ConfigDict(extra="forbid")

    name: str
    """Its flattened key, e.g. `core.explained_variance`."""
    direction: Literal["min", "max"] | None = None
    """Which way is better; None where neither is."""
    target: float | None = None
    unit: str = ""
    reading: str = ""
    """One sentence on how to read it."""
    low: float | None = None
    """The lowest value that is possible at all."""
    high: float | None = None
    """The highest value that is possible at all."""

    def better(self, new: float, old: float) -> bool | None:
        """Whether `new` is better than `old`; None where the metric has no direction or they are equal."""
        if self.direction is None or new == old or math.isnan(new) or math.isnan(old):
            return None
        return (new > old) == (self.direction == "max")


class Finding(BaseModel):
    """What one guard said about one run."""

    guard: str
    outcome: Outcome
    sentence: str


class Provenance(BaseModel):
    """What a run's metrics are bound to. `None` or empty: not known, never assumed."""

    commit: str | None = None
    protected: dict[str, str] = Field(default_factory=dict)
    """Protected file (relative to the session) to sha256."""
    artefacts: dict[str, str] = Field(default_factory=dict)
    """Every file the evaluator could read in the run's folder, relative to it, to sha256."""
    data: str | None = None
    """Fingerprint of the data, as the experiment's evaluator reports it."""
    python: str | None = None
    packages: dict[str, str] = Field(default_factory=dict)
    hardware: dict[str, Scalar] = Field(default_factory=dict)
    command: list[str] = Field(default_factory=list)
    sandboxed: bool | None = None
    started: float | None = None
    """Seconds since the epoch."""
    wall_seconds: float | None = None
    exit_code: int | None = None


class Evidence(BaseModel):
    """Everything recorded about one execution of one run: `run_i/evidence.json`."""

    model_config = ConfigDict(ser_json_inf_nan="strings")

    format: Literal["orch-evidence/1"] = "orch-evidence/1"
    run: str
    """`run_3`, or for one of several baselines `run_0/topk`."""
    seed: int = 0
    """`ORCH_SEED` of this execution; the first is 0, replicates count up."""
    parent: str | None = None
    """The run whose code this run's code was made from."""
    title: str = ""
    """What the plan calls the run."""
    status: Status = "sound"
    reason: str = ""
    """Why it failed, in one sentence; empty for a sound run."""
    attempts: int = 1
    """How often it was tried, failures included."""
    metrics: dict[str, float] = Field(default_factory=dict)
    """Headline metrics: the evaluator's where there is one. Flattened keys."""
    claimed: dict[str, float] = Field(default_factory=dict)
    """Numbers the run's own code wrote of itself."""
    settings: dict[str, Scalar] = Field(default_factory=dict)
    """Flattened settings, keys starting with `config.`."""
    findings: list[Finding] = Field(default_factory=list)
    provenance: Provenance = Field(default_factory=Provenance)

    @property
    def is_baseline(self) -> bool:
        return self.run == "run_0" or self.run.startswith("run_0/")

    @property
    def folder(self) -> str:
        """Where its files lie, relative to the session: `run_3`, replicates in `run_3/seed_1`."""
        return self.run if self.seed == 0 else f"{self.run}/seed_{self.seed}"

    def write(self, session: Path) -> Path:
        path = session / self.folder / EVIDENCE_FILE
        path.write_text(self.model_dump_json(indent=1) + "\n", encoding="utf-8")
        return path


def run_number(run: str) -> int:
    """3 for `run_3`, 0 for `run_0/topk`."""
    return int(run.removeprefix("run_").split("/")[0])


def load_evidence(session: Path) -> list[Evidence]:
    """All evidence in a session's folder, baselines first, then by run number and seed."""
    paths = session.glob(f"run_*/**/{EVIDENCE_FILE}")
    found = [Evidence.model_validate_json(p.read_text(encoding="utf-8")) for p in paths if ".failed-" not in str(p)]
    return sorted(found, key=lambda e: (run_number(e.run), e.run, e.seed))


class PlannedRun(BaseModel):
    """One line of the plan."""

    run: int
    title: str
    change: str
    expected: str


class Exchange(BaseModel):
    """One reply of a model, as it is journalled."""

    role: str
    model: str
    text: str
    finish_reason: str = "stop"
    tokens_sent: int = 0
    tokens_received: int = 0
    cost_usd: float | None = None
    """None: the price is not known."""


class Spent(BaseModel):
    """What a session has used so far."""

    exchanges: int = 0
    tokens_sent: int = 0
    tokens_received: int = 0
    cost_usd: float = 0.0
    unpriced: int = 0
    """Exchanges whose price is not known."""
    gpu_hours: float = 0.0
    job_hours: float = 0.0
    by_step: dict[str, float] = Field(default_factory=dict)


def to_json_data(value: Any) -> Any:
    """`value` with every non-finite float as a string, so that it is JSON everywhere."""
    if isinstance(value, float) and not math.isfinite(value):
        return str(value)
    if isinstance(value, dict):
        return {str(k): to_json_data(v) for k, v in value.items()}
    if isinstance(value, list | tuple):
        return [to_json_data(v) for v in value]
    return value
