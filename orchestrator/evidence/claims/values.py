"""Whether a number as written is a value as measured: digits, units, bounds, intervals."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator
from dataclasses import dataclass

from orchestrator.evidence.claims.numbers import Number
from orchestrator.evidence.claims.units import UNITS, measure
from orchestrator.evidence.ledger import Ledger

_MEAN = re.compile(r"\b(?:mean|means|averages?|averaged|across|±|seeds)\b|±", re.I)
_RANGE = re.compile(
    r"\b(?:rang(?:e|es|ed|ing)|between|seeds? var|min(?:imum)?|max(?:imum)?|best seed|worst seed|individual seeds)\b",
    re.I,
)
_DEVIATION = re.compile(r"standard deviation|\bstd\b|\bs\.?d\.?\b|\bdeviation", re.I)
_ERROR = re.compile(r"standard error|\bs\.?e\.?m?\.?\b", re.I)
_INTERVAL = re.compile(r"interval|\bCI\b|confidence|half-width", re.I)
_PERCENT = re.compile(r"%|\bper ?cent\b")
_MULTIPLES = {"k": 1e3, "M": 1e6, "B": 1e9, "G": 1e9}
_NAME_UNITS = {unit: unit for unit in ("ms", "s", "min", "h")} | {
    "sec": "s",
    "secs": "s",
    "seconds": "s",
    "minutes": "min",
}
_NAME_UNITS |= {"hours": "h", "pct": "%", "percent": "%", "gb": "GB", "mb": "MB", "kb": "KB", "db": "dB"}
"""Units that end a metric's name."""


@dataclass(frozen=True)
class Reading:
    """A value that a number may be: what it is called and how large it is, in the metric's unit."""

    value: float
    aggregation: str


def unit_of(ledger: Ledger, metric: str) -> str:
    """The metric's unit, declared or at the end of its name."""
    declared = ledger.metric(metric).unit.strip()
    return declared or _NAME_UNITS.get(re.split(r"[._]", metric)[-1].lower(), "")


def rounds_to(number: Number, value: float, scale: float = 1.0) -> bool:
    """Whether `value` rounds to the number at the digits written; the number counts `scale` of the value's unit."""
    written, step, coarse = number.value * scale, abs(number.step * scale), abs(number.coarse * scale)
    slack = 1e-9 * max(1.0, abs(written)) * min(1.0, step) + 1e-15
    if number.bound == "over":
        return abs(written) - slack <= abs(value) < abs(written) + max(coarse, step)
    if number.bound == "under":
        return abs(written) - max(coarse, step) < abs(value) <= abs(written) + slack
    width = max(step, coarse) if number.bound == "about" else step
    return abs(value - written) <= width / 2 + slack


def is_value(number: Number, value: float, ledger: Ledger, metric: str, context: str = "") -> bool:
    """Whether the number, with its unit, is this value of the metric."""
    return any(rounds_to(number, value, scale) for scale in scales(number, ledger, metric, context))


def scales(number: Number, ledger: Ledger, metric: str, context: str = "") -> list[float]:
    """By what the number may be multiplied to be in the metric's unit; none where the units disagree."""
    unit = unit_of(ledger, metric)
    share = not measure(unit) and is_fraction(ledger, metric)
    if number.unit:
        return _scales_of_unit(number.unit, unit, share)
    if unit in _MULTIPLES:
        return [1 / _MULTIPLES[unit]] if abs(number.value) >= 0.01 * _MULTIPLES[unit] else [1.0]
    if measure(unit) == "share" and abs(number.value) <= 1 and number.step < 0.1:
        return [1.0, 100.0]
    return [1.0, 0.01] if share and number.value > 1 and _PERCENT.search(context) else [1.0]


def _scales_of_unit(written: str, own: str, share: bool) -> list[float]:
    """The same for a number with a unit; `share`: the metric has none and is a share of one."""
    kind, size = UNITS.get(written, ("", 1.0))
    own_kind, own_size = UNITS.get(own, ("", 1.0))
    if kind == "share":
        return [1.0] if own_kind == "share" else [0.01] if share else []
    if not kind:
        return [1.0] if not own or _letters(written) == _letters(own) else []
    if kind == own_kind:
        return [size / own_size]
    return [1.0] if not own and kind != "points" else []


def _letters(unit: str) -> str:
    return re.sub(r"\s", "", unit).lower()


def is_fraction(ledger: Ledger, metric: str) -> bool:
    """Whether a metric without a unit is a share of one."""
    declared = ledger.metric(metric)
    if ledger.declared.get(metric) and declared.high is not None:
        return declared.high <= 1 and not declared.unit
    values = [v for run in ledger.runs for v in ledger.values(run, metric)]
    return bool(values) and all(-1 <= v <= 1 for v in values) and not unit_of(ledger, metric)


def readings(ledger: Ledger, run: str, metric: str, text: str) -> Iterator[Reading]:
    """The values of a metric in a run that a text may give."""
    values = ledger.values(run, metric)
    if not values:
        return
    seed = re.search(r"\bseed\s+(\d+)", text)
    by_seed = {
        e.seed: e.metrics[metric] for e in ledger.executions(run) if math.isfinite(e.metrics.get(metric, math.nan))
    }
    if seed and int(seed[1]) in by_seed:
        yield Reading(by_seed[int(seed[1])], f"seed {seed[1]}")
        return
    mean = math.fsum(values) / len(values)
    if len(values) > 1:
        yield Reading(mean, f"mean of n = {len(values)}")
    if len(values) == 1:
        yield Reading(values[0], "value, n = 1")
    if len(values) > 1 and _RANGE.search(text):
        yield Reading(min(values), "lowest of the seeds")
        yield Reading(max(values), "highest of the seeds")
    interval = ledger.interval(run, metric)
    if interval and interval.low is not None and interval.high is not None and _INTERVAL.search(text):
        yield Reading(interval.low, "lower end of the 95 % interval")
        yield Reading(interval.high, "upper end of the 95 % interval")
    if len(values) > 1 and _DEVIATION.search(text):
        yield Reading(deviation(values), "standard deviation")


def half_problem(number: Number, ledger: Ledger, run: str, metric: str, text: str) -> str:
    """What is wrong with what stands after ±; empty where it is right or nothing stands there."""
    if number.half is None:
        return ""
    values = ledger.values(run, metric)
    if len(values) < 2:
        return f"{run} ran once, so there is no interval to put after ±"
    found = ledger.interval(run, metric)
    spread = deviation(values)
    known = {"95 % half-width": found.half if found and found.half is not None else math.nan,
             "standard deviation": spread, "standard error": spread / math.sqrt(len(values))}  # fmt: skip
    if _DEVIATION.search(text):
        known = {"standard deviation": spread, "sd": _population(values)}
    elif _ERROR.search(text):
        known = {"standard error": known["standard error"]}
    elif _INTERVAL.search(text):
        known = {"95 % half-width": known["95 % half-width"]}
    else:
        known.pop("standard error")
    half = number.half
    if any(
        rounds_to(half, value / scale)
        for value in known.values()
        for scale in scales(number, ledger, metric, text) or [1.0]
    ):
        return ""
    said = ", ".join(f"{name} {value:.3g}" for name, value in known.items())
    return f"the number after ± is none of {run}'s: {said}"


def deviation(values: list[float]) -> float:
    """Sample standard deviation."""
    mean = math.fsum(values) / len(values)
    return math.sqrt(math.fsum((v - mean) ** 2 for v in values) / (len(values) - 1))


def _population(values: list[float]) -> float:
    return deviation(values) * math.sqrt((len(values) - 1) / len(values))
