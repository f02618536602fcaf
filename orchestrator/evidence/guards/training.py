"""Guards on whether training happened, and how it ended."""

from __future__ import annotations

import json
import math
import re
from typing import Any

from orchestrator.evidence.guards.context import Context, fail, last, listed, warn
from orchestrator.evidence.results import Results, show
from orchestrator.records import Finding

_STEPS = {"steps", "training_steps", "train_steps", "num_steps", "n_steps", "steps_done", "steps_trained"}
_STEPS |= {"global_step", "total_steps", "optimizer_steps"}
_LOSSES = {"final_loss", "final_train_loss", "final_training_loss", "train_loss", "training_loss"}
_CURVES = {"loss", "train_loss", "training_loss", "total_loss", "train/loss", "loss/train"}
"""Columns of metrics.jsonl that hold the loss itself. Its parts may well be 0, its scale constant, a test loss rare."""
_ERROR = re.compile(r"^(\w+(?:\.\w+)*(?:Error|Exception|Interrupt|Exit)\b.*)$", re.MULTILINE)
TRACEBACK = "Traceback (most recent call last)"
FAST, SLOW = 0.1, 10.0
"""Share of the expected wall time below or above which a run is worth a second look."""


def no_training(context: Context) -> Finding | None:
    """No training happened: 0 steps, no loss, or weights equal to their start."""
    name = "no_training"
    steps = _steps(context)
    none = [key for key, count in steps.items() if count <= 0]
    losses = [k for k in (context.results or Results()).nulls if last(k) in _LOSSES]
    if none:
        also = f" and {losses[0]} is null" if losses else ""
        return fail(name, f"No training happened: {none[0]} = {show(steps[none[0]])}{also}.")
    if context.weights_start is not None and context.weights_start == context.weights_end:
        return fail(name, "No training happened: the weights after the last step are those before the first.")
    if losses and not steps:
        return fail(name, f"No training is shown: {losses[0]} is null and no number of steps is given.")
    return warn(name, f"{losses[0]} is null, so how training ended is not known.") if losses else None


def _steps(context: Context) -> dict[str, float]:
    """Steps taken, by key; those that settings ask for do not count."""
    return {key: value for key, value in context.measured.items() if last(key) in _STEPS}


def loss_stood_still(context: Context) -> Finding | None:
    """A loss that has one value from beginning to end."""
    for key, values in _losses(context).items():
        if len(values) >= 10 and len(set(values)) == 1 and math.isfinite(values[0]) and values[0] != 0:
            sentence = f"{key} is {show(values[0])} in all {len(values)} records of metrics.jsonl: nothing was learned."
            return fail("loss_stood_still", sentence)
    return None


def training_nan(context: Context) -> Finding | None:
    """A loss that became NaN or infinite, whatever the final numbers say."""
    for key, values in _losses(context).items():
        bad = [i for i, value in enumerate(values) if not math.isfinite(value)]
        if bad and bad[-1] == len(values) - 1:
            reported = [f"{k} = {show(v)}" for k, v in context.declared.items() if math.isfinite(v)]
            despite = f"; in spite of it the run reports {listed(reported, 2)}" if reported else ""
            where = f"record {bad[0] + 1} of {len(values)}"
            return fail("training_nan", f"{key} was {values[-1]} when training ended (first at {where}){despite}.")
        if bad:
            return warn("training_nan", f"{key} was no finite number in {len(bad)} of {len(values)} records.")
    return None


def loss_rose(context: Context) -> Finding | None:
    """A loss that ended far above where it began."""
    for key, values in _losses(context).items():
        if len(values) >= 5 and all(map(math.isfinite, values)) and values[0] > 0 and values[-1] > 3 * values[0]:
            sentence = f"{key} rose from {show(values[0])} to {show(values[-1])} in training."
            return warn("loss_rose", sentence)
    return None


def fewer_steps_than_claimed(context: Context) -> Finding | None:
    """Steps claimed that the training curve does not show, or that the settings asked for and did not get."""
    name = "fewer_steps_than_claimed"
    steps = _steps(context)
    if not steps:
        return None
    key, claimed = next(iter(steps.items()))
    logged = [r["step"] for r in records(context.curve) if _is_number(r.get("step"))]
    if len(logged) >= 3 and max(logged) < 0.5 * claimed:
        return warn(name, f"{key} = {show(claimed)}, but metrics.jsonl ends at step {show(max(logged))}.")
    asked = [v for k, v in context.run.settings.items() if last(k) in _STEPS and _is_number(v)]
    if asked and isinstance(asked[0], int | float) and claimed < 0.9 * asked[0]:
        return warn(name, f"The settings ask for {asked[0]} steps; {show(claimed)} were taken ({key}).")
    return None


def crash_hidden(context: Context) -> Finding | None:
    """A crash in the log of a run that ended as if all were well."""
    if context.run.provenance.exit_code not in (0, None):
        return None
    text = context.stderr if TRACEBACK in context.stderr else context.stdout
    if TRACEBACK not in text:
        return None
    errors = _ERROR.findall(text[text.rindex(TRACEBACK) :])
    what = f" ({errors[0][:120]})" if errors else ""
    return warn("crash_hidden", f"The log holds a crash{what} although the run ended normally: look what it skipped.")


def implausible_time(context: Context) -> Finding | None:
    """Much faster or slower than runs like it."""
    took, expected = context.run.provenance.wall_seconds, context.expected_seconds
    if took is None or not expected or expected < 10:
        return None
    if took < FAST * expected:
        return warn("implausible_time", f"It took {took:.0f} s, where earlier runs took {expected:.0f} s.")
    if took > SLOW * expected:
        return warn("implausible_time", f"It took {took:.0f} s, {took / expected:.0f} times as long as earlier runs.")
    return None


def records(curve: str) -> list[dict[str, Any]]:
    """The objects of metrics.jsonl; lines that are none (the last may be cut off) are left out."""
    found = []
    for line in curve.splitlines():
        try:
            record = json.loads(line)
        except (ValueError, RecursionError):
            continue
        if isinstance(record, dict):
            found.append(record)
    return found


def last_values(curve: str) -> dict[str, float]:
    """The last number of each column of metrics.jsonl; null is none: not every column is measured at every step."""
    final: dict[str, float] = {}
    for record in records(curve):
        final |= {k: _as_number(v) for k, v in record.items() if isinstance(v, float | int | str)}
    return final


def _losses(context: Context) -> dict[str, list[float]]:
    """Each loss of the training curve in order; `"NaN"` written as a word is read as one, null as NaN."""
    curves: dict[str, list[float]] = {}
    for record in records(context.curve):
        for key, value in record.items():
            if key.lower() in _CURVES:
                curves.setdefault(key, []).append(_as_number(value))
    return curves


def _as_number(value: object) -> float:
    try:
        return float(value)  # type: ignore[arg-type]
    except (TypeError, ValueError, OverflowError):
        return math.nan


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)
