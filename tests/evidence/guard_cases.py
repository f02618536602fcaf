"""A sound run and its surroundings, to be altered by the tests of the guards."""

from __future__ import annotations

import hashlib
import random
import zlib
from dataclasses import replace
from typing import Any

from orchestrator.evidence.changes import unified_diff
from orchestrator.evidence.guards import Context, judge
from orchestrator.evidence.results import Results
from orchestrator.records import Evidence, Finding, Metric, PlannedRun, Provenance

METRICS = (
    Metric(name="core.explained_variance", direction="max", high=1.0, target=0.75),
    Metric(name="core.mse", direction="min", low=0.0),
    Metric(name="core.l0", direction="min", low=0.0),
)

BASELINE_CODE = '''"""Trains a sparse autoencoder."""
import torch

K = 32
LR = 1e-3
STEPS = 2000
SEED = 0
USE_EXTRA = False


class SAE(torch.nn.Module):
    def __init__(self, d=64, n=256, k=32):
        super().__init__()
        self.k = k

    def encode(self, x):
        return x.relu()

    def decode(self, f):
        return f

    def forward(self, x):
        return self.decode(self.encode(x))


def resample(model):
    model.reset()


def train(model, steps):
    for step in range(steps):
        loss = (model(step) - step).pow(2).mean()
        loss.backward()
        if step % 500 == 499:
            resample(model)
    return loss


def main():
    model = SAE(k=K)
    train(model, STEPS)


main()
'''

METHOD_CODE = BASELINE_CODE.replace(
    "        loss.backward()\n",
    "        loss = loss + 0.1 * model.orthogonality()\n        loss.backward()\n",
)

EVALUATOR = "import json\nimport model_io\nfrom safetensors import torch\nsae.encode(x)\nsae.decode(f)\n"


def numbers(seed: int, ev: float = 0.76, spread: float = 0.004) -> dict[str, float]:
    """Metrics as a trained model gives them: full of digits, near one another from seed to seed."""
    chance = random.Random(seed)
    return {
        "core.explained_variance": ev + chance.gauss(0, spread),
        "core.mse": 1.9 - ev + chance.gauss(0, spread),
        "core.l0": 32.0,
        "core.ce_loss_without_sae": 4.008762836456299,
        "training.steps": 2000.0,
        "training.final_loss": 0.31 + chance.gauss(0, 0.01),
    }


SETTINGS: dict[str, Any] = {
    "config.lm_name": "pythia-70m",
    "config.layer": 3,
    "config.dataset": "docs",
    "config.k": 32,
    "config.lr": 1e-3,
    "config.steps": 2000,
    "config.variant": "topk",
}


def evidence(run: str, seed: int = 0, number_seed: int | None = None, **changes: Any) -> Evidence:
    own = zlib.crc32(f"{run}/{seed}".encode())
    measured = numbers(own if number_seed is None else number_seed)
    weights = hashlib.sha256(f"{run}/{seed}".encode()).hexdigest()
    base = Evidence(
        run=run,
        seed=seed,
        metrics=measured,
        claimed=dict(measured),
        settings=dict(SETTINGS),
        provenance=Provenance(
            commit="a" * 40,
            artefacts={"weights.safetensors": weights},
            data="d" * 64,
            started=1000.0,
            wall_seconds=120.0,
            exit_code=0,
        ),
    )
    return base.model_copy(update=changes)


def baselines(ev: float = 0.70) -> tuple[Evidence, ...]:
    found = []
    for seed in range(3):
        measured = numbers(100 + seed, ev)
        found.append(evidence("run_0", seed, metrics=measured, claimed=dict(measured)))
    return tuple(found)


def results(run: Evidence) -> Results:
    return Results(metrics=dict(run.claimed), settings=dict(run.settings))


def sound(run: Evidence | None = None, **changes: Any) -> Context:
    """A run that is what it claims to be: a real change of the method, trained, evaluated, better than the baseline."""
    run = run or evidence("run_1", number_seed=7, parent="run_0")
    context = Context(
        run=run,
        earlier=baselines(),
        metrics=METRICS,
        primary="core.explained_variance",
        comparable=("config.lm_name", "config.layer", "config.dataset"),
        results=results(run),
        evaluated=Results(metrics=dict(run.metrics), settings={"config.layer": 3}),
        protected_expected={"evaluate.py": "e1", "data/eval.npz": "d1"},
        protected_now={"evaluate.py": "e1", "data/eval.npz": "d1"},
        diff=unified_diff({"experiment.py": BASELINE_CODE}, {"experiment.py": METHOD_CODE}),
        code={"experiment.py": METHOD_CODE},
        parent_code={"experiment.py": BASELINE_CODE},
        baseline_code={"experiment.py": BASELINE_CODE},
        evaluator_code={"evaluate.py": EVALUATOR},
        session_files=("experiment.py", "evaluate.py", "plot.py", "notes.txt"),
        original_files=("experiment.py", "evaluate.py", "plot.py", "notes.txt"),
        expected_seconds=118.0,
        weights_start="w0",
        weights_end="w1",
        step=PlannedRun(run=1, title="Orthogonality", change="Add an orthogonality penalty", expected="higher EV"),
    )
    return replace(context, **changes)


def with_run(context: Context, **changes: Any) -> Context:
    """`context` with fields of its run altered; its results file follows."""
    run = context.run.model_copy(update=changes)
    return replace(context, run=run, results=results(run))


def with_metrics(context: Context, **values: float) -> Context:
    """`context` with metrics altered, both measured and claimed; `core__mse` is `core.mse`."""
    named = {key.replace("__", "."): value for key, value in values.items()}
    metrics = {**context.run.metrics, **named}
    changed = with_run(context, metrics=metrics, claimed=dict(metrics))
    return replace(changed, evaluated=Results(metrics=dict(metrics)))


def with_code(context: Context, code: str, parent: str = BASELINE_CODE, **changes: Any) -> Context:
    old, new = {"experiment.py": parent}, {"experiment.py": code}
    return replace(context, code=new, parent_code=old, diff=unified_diff(old, new), **changes)


def found(context: Context) -> dict[str, Finding]:
    return {f.guard: f for f in judge(context)}


def outcome(context: Context, guard: str) -> str:
    finding = found(context).get(guard)
    return finding.outcome if finding else "silent"
