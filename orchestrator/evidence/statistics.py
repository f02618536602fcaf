"""Means with intervals, differences with p-values, and how much of a difference is noise.

Every distribution comes from scipy, imported where it is used.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

Direction = Literal["min", "max"] | None
Verdict = Literal["better", "worse", "different", "within noise", "unknown"]
BOOTSTRAP_FROM = 10
"""Fewer values than this give no bootstrap interval worth the name."""


@dataclass(frozen=True)
class Interval:
    """A mean with its confidence interval; `low`, `high` and `half` are None where one value gives none."""

    mean: float
    n: int
    low: float | None
    high: float | None
    half: float | None
    """Half of the interval's width, in the unit of the values."""
    method: Literal["none", "student t", "bootstrap"]


@dataclass(frozen=True)
class Difference:
    """How one set of values differs from another."""

    verdict: Verdict
    delta: float
    """Mean of the first less mean of the second."""
    p: float | None
    """Two-sided; None where there is no spread to judge by."""
    method: Literal["welch", "prediction interval", "none"]


def interval(
    values: Sequence[float], level: float = 0.95, method: Literal["student t", "bootstrap"] = "student t"
) -> Interval:
    """Mean and confidence interval: Student's t, or the BCa bootstrap. Raises ValueError for bad or too few values."""
    numbers = _finite(values)
    n, mean = len(numbers), math.fsum(numbers) / len(numbers)
    if n == 1:
        return Interval(mean, 1, None, None, None, "none")
    if method == "bootstrap":
        low, high = _bootstrap(numbers, level)
        return Interval(mean, n, low, high, (high - low) / 2, "bootstrap")
    from scipy import stats

    half = float(stats.t.ppf((1 + level) / 2, n - 1)) * _deviation(numbers) / math.sqrt(n)
    return Interval(mean, n, mean - half, mean + half, half, "student t")


def welch(a: Sequence[float], b: Sequence[float]) -> float | None:
    """Two-sided p of Welch's t-test; None where either side has fewer than two values."""
    first, second = _finite(a), _finite(b)
    if min(len(first), len(second)) < 2:
        return None
    if _deviation(first) == _deviation(second) == 0:
        return 1.0 if first[0] == second[0] else 0.0
    from scipy import stats

    found = stats.ttest_ind_from_stats(*_summary(first), *_summary(second), equal_var=False)
    return float(found.pvalue)


def noise_floor(values: Sequence[float], level: float = 0.95) -> float | None:
    """How far from the mean of `values` one more value falls by chance; None where one value tells no spread.

    Half the prediction interval of a normal sample: t(n-1) · s · √(1 + 1/n).
    """
    numbers = _finite(values)
    if len(numbers) < 2:
        return None
    from scipy import stats

    n = len(numbers)
    return float(stats.t.ppf((1 + level) / 2, n - 1)) * _deviation(numbers) * math.sqrt(1 + 1 / n)


def difference(
    run: Sequence[float], baseline: Sequence[float], direction: Direction = None, level: float = 0.95
) -> Difference:
    """Whether `run` differs from `baseline` beyond the noise, and which way.

    Welch's test where both have several values. Where one side has a single value, the other's spread says how far
    a single value falls by chance. Where neither has a spread the verdict is "unknown".
    """
    a, b = _finite(run), _finite(baseline)
    delta = math.fsum(a) / len(a) - math.fsum(b) / len(b)
    if len(a) == 1 and len(b) == 1:
        return Difference("unknown", delta, None, "none")
    p = welch(a, b)
    method: Literal["welch", "prediction interval"] = "welch"
    if p is None:
        several = a if len(a) > 1 else b
        p, method = _prediction_p(delta, several), "prediction interval"
    return Difference(_verdict(delta, p, direction, level), delta, p, method)


def holm(pvalues: Sequence[float]) -> list[float]:
    """p-values corrected for their number, in the order given (Holm 1979). Raises ValueError outside [0, 1]."""
    if any(not 0 <= p <= 1 for p in pvalues):
        raise ValueError("a p-value lies between 0 and 1")
    adjusted, largest = [0.0] * len(pvalues), 0.0
    for rank, index in enumerate(sorted(range(len(pvalues)), key=pvalues.__getitem__)):
        largest = max(largest, min(1.0, (len(pvalues) - rank) * pvalues[index]))
        adjusted[index] = largest
    return adjusted


def _finite(values: Sequence[float]) -> list[float]:
    numbers = [float(v) for v in values]
    if not numbers:
        raise ValueError("there are no values")
    if not all(map(math.isfinite, numbers)):
        raise ValueError("a value is not finite")
    return numbers


def _summary(numbers: Sequence[float]) -> tuple[float, float, int]:
    return math.fsum(numbers) / len(numbers), _deviation(numbers), len(numbers)


def _deviation(numbers: Sequence[float]) -> float:
    """Sample standard deviation; exactly 0 for equal values, whatever their mean rounds to."""
    if len(set(numbers)) == 1:
        return 0.0
    mean = math.fsum(numbers) / len(numbers)
    return math.sqrt(math.fsum((v - mean) ** 2 for v in numbers) / (len(numbers) - 1))


def _bootstrap(numbers: list[float], level: float) -> tuple[float, float]:
    if len(numbers) < BOOTSTRAP_FROM:
        raise ValueError(f"a bootstrap needs {BOOTSTRAP_FROM} values, not {len(numbers)}")
    if _deviation(numbers) == 0:
        return numbers[0], numbers[0]
    import numpy
    from scipy import stats

    found = stats.bootstrap(
        (numbers,), numpy.mean, confidence_level=level, method="BCa", random_state=numpy.random.default_rng(0)
    )
    return float(found.confidence_interval.low), float(found.confidence_interval.high)


def _prediction_p(delta: float, several: Sequence[float]) -> float:
    spread = _deviation(several) * math.sqrt(1 + 1 / len(several))
    if spread == 0:
        return 1.0 if delta == 0 else 0.0
    from scipy import stats

    return 2 * float(stats.t.sf(abs(delta) / spread, len(several) - 1))


def _verdict(delta: float, p: float, direction: Direction, level: float) -> Verdict:
    if p >= 1 - level or delta == 0:
        return "within noise"
    if direction is None:
        return "different"
    return "better" if (delta > 0) == (direction == "max") else "worse"
