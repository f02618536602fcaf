"""Intervals, tests and corrections against values worked out by hand or known from tables."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestrator.evidence.statistics import difference, holm, interval, noise_floor, welch

finite = st.floats(-1e6, 1e6)


def test_student_interval_of_three_values() -> None:
    found = interval([1.0, 2.0, 3.0])
    assert (found.mean, found.n, found.method) == (2.0, 3, "student t")
    assert found.half == pytest.approx(4.302653 / math.sqrt(3), rel=1e-6)
    assert (found.low, found.high) == pytest.approx((2 - found.half, 2 + found.half))


def test_one_value_gives_no_interval() -> None:
    found = interval([0.5])
    assert (found.mean, found.low, found.high, found.half, found.method) == (0.5, None, None, None, "none")


def test_equal_values_have_no_width_whatever_their_mean_rounds_to() -> None:
    assert interval([0.1, 0.1, 0.1]).half == 0
    assert interval([0.1] * 12, method="bootstrap").half == 0


def test_bootstrap_is_repeatable_and_near_student() -> None:
    values = [math.sin(i) for i in range(40)]
    first, second = interval(values, method="bootstrap"), interval(values, method="bootstrap")
    assert first == second
    assert first.half == pytest.approx(interval(values).half, rel=0.2)


@pytest.mark.parametrize("values", [[], [math.nan, 1.0], [math.inf]])
def test_no_values_and_non_finite_values_are_refused(values: list[float]) -> None:
    with pytest.raises(ValueError, match="value"):
        interval(values)


def test_a_bootstrap_of_few_values_is_refused() -> None:
    with pytest.raises(ValueError, match="needs 10 values, not 3"):
        interval([1.0, 2.0, 3.0], method="bootstrap")


def test_welch_by_hand() -> None:
    from scipy import stats

    a, b = [27.5, 21.0, 19.0, 23.6], [27.1, 22.0, 20.8, 23.4, 25.0]
    assert welch(a, b) == pytest.approx(stats.ttest_ind(a, b, equal_var=False).pvalue)
    assert welch(a, [1.0]) is None
    assert welch([1.0, 1.0], [1.0, 1.0]) == 1.0
    assert welch([1.0, 1.0], [2.0, 2.0]) == 0.0


def test_noise_floor_is_half_the_prediction_interval() -> None:
    assert noise_floor([1.0, 2.0, 3.0]) == pytest.approx(4.302653 * math.sqrt(4 / 3), rel=1e-6)
    assert noise_floor([1.0]) is None


@pytest.mark.parametrize(
    ("run", "baseline", "direction", "verdict", "method"),
    [
        ([0.9, 0.91, 0.92], [0.7, 0.71, 0.72], "max", "better", "welch"),
        ([0.9, 0.91, 0.92], [0.7, 0.71, 0.72], "min", "worse", "welch"),
        ([0.9, 0.91, 0.92], [0.7, 0.71, 0.72], None, "different", "welch"),
        ([0.72], [0.70, 0.71, 0.73], "max", "within noise", "prediction interval"),
        ([0.95], [0.70, 0.71, 0.72], "max", "better", "prediction interval"),
        ([0.9, 0.91, 0.92], [0.7], "max", "better", "prediction interval"),
        ([0.9], [0.7], "max", "unknown", "none"),
        ([0.7, 0.7], [0.7, 0.7], "max", "within noise", "welch"),
    ],
)
def test_difference(run: list[float], baseline: list[float], direction: object, verdict: str, method: str) -> None:
    found = difference(run, baseline, direction)  # type: ignore[arg-type]
    assert (found.verdict, found.method) == (verdict, method)


@given(st.lists(finite, min_size=2, max_size=6), st.lists(finite, min_size=2, max_size=6))
def test_a_difference_turns_round_with_its_sides(a: list[float], b: list[float]) -> None:
    turned = {"better": "worse", "worse": "better", "within noise": "within noise"}
    assert difference(b, a, "max").verdict == turned[difference(a, b, "max").verdict]


@given(st.floats(-1e3, 1e3), st.lists(st.floats(-1e3, 1e3), min_size=3, max_size=6, unique=True))
def test_a_single_value_is_noise_when_it_lies_within_the_noise_floor(value: float, baseline: list[float]) -> None:
    floor = noise_floor(baseline) or 0.0
    delta = abs(value - math.fsum(baseline) / len(baseline))
    if abs(delta - floor) > 1e-6 * (1 + floor):
        assert (difference([value], baseline, "max").verdict == "within noise") == (delta < floor)


def test_holm_by_hand() -> None:
    assert holm([0.01, 0.04, 0.03]) == pytest.approx([0.03, 0.06, 0.06])
    assert holm([]) == []
    assert holm([0.9, 0.9]) == [1.0, 1.0]
    with pytest.raises(ValueError, match="between 0 and 1"):
        holm([math.nan])


@given(st.lists(st.floats(0, 1), max_size=8))
def test_holm_keeps_the_order_and_never_lowers_a_p_value(pvalues: list[float]) -> None:
    adjusted = holm(pvalues)
    assert all(p <= q <= 1 for p, q in zip(pvalues, adjusted, strict=True))
    order = sorted(range(len(pvalues)), key=pvalues.__getitem__)
    assert [adjusted[i] for i in order] == sorted(adjusted)
