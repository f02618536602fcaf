"""Guards on the numbers themselves."""

from __future__ import annotations

import ast
import math
import re

from orchestrator.evidence.changes import parse
from orchestrator.evidence.guards.context import Context, fail, last, listed, trained, warn
from orchestrator.evidence.guards.training import last_values
from orchestrator.evidence.results import show
from orchestrator.records import Finding

CLAIM_WARN, CLAIM_FAIL = 0.02, 0.25
"""Relative difference between what a run says and what the evaluator finds."""
_EXPLAINED = {
    "explained_variance",
    "fraction_variance_explained",
    "variance_explained",
    "frac_variance_explained",
}
_AGAINST_NOTHING = {
    *_EXPLAINED,
    "ce_loss_score",
    "kl_div_score",
    "loss_recovered",
    "r2",
    "r_squared",
    "r2_score",
}
_AT_MOST_ONE = {*_AGAINST_NOTHING, "cossim", "cosine_similarity", "frac_alive"}
_ROUNDING = 0.01
_NAN_TO_NUMBER = re.compile(r"nan_to_num|isnan|isfinite|nanmean|nansum")


def results_missing(context: Context) -> Finding | None:
    """Results that are missing, unreadable or empty."""
    name = "results_missing"
    read = context.evaluated if context.evaluated is not None else context.results
    if read is not None and read.problems and not read.metrics:
        return fail(name, f"There are no results: {read.problems[0]}")
    if not context.run.metrics:
        return fail(name, f"There are no results: {context.results_file} gave no number.")
    absent = [m.name for m in context.metrics if m.name not in context.run.metrics]
    if context.primary is not None and context.primary not in context.run.metrics:
        return fail(name, f"The primary metric {context.primary} was not measured.")
    if absent and len(absent) == len(context.metrics):
        return fail(name, f"None of the declared metrics was measured: {listed(absent)}.")
    if absent:
        return warn(name, f"Declared but not measured: {listed(absent)}.")
    own = [p for p in (context.results.problems if context.results else []) if "stated twice" not in p]
    return warn(name, own[0]) if own else None


def not_finite(context: Context) -> Finding | None:
    """NaN or infinity among the metrics."""
    bad = {key: value for key, value in context.measured.items() if not math.isfinite(value)}
    if not bad:
        return None
    shown = listed([f"{key} = {value}" for key, value in bad.items()])
    headline = [key for key in bad if key in context.declared]
    if headline:
        return fail("not_finite", f"{len(headline)} metric(s) are no numbers: {shown}.")
    return warn("not_finite", f"Among the numbers that are not declared as metrics: {shown}.")


def out_of_range(context: Context) -> Finding | None:
    """A metric outside the values that are possible at all."""
    name = "out_of_range"
    for metric in context.metrics:
        value = context.run.metrics.get(metric.name, math.nan)
        slack = 1e-6 * max(abs(metric.low or 0), abs(metric.high or 0), 1.0)
        if metric.low is not None and value < metric.low - slack:
            return fail(name, f"{metric.name} = {show(value)} is below {show(metric.low)}, its lowest possible value.")
        if metric.high is not None and value > metric.high + slack:
            return fail(
                name,
                f"{metric.name} = {show(value)} is above {show(metric.high)}, its highest possible value.",
            )
    stated = {m.name for m in context.metrics if m.high is not None}
    over = [k for k, v in context.measured.items() if k not in stated and last(k) in _AT_MOST_ONE and v > 1 + _ROUNDING]
    if over:
        return warn(name, f"{over[0]} = {show(context.measured[over[0]])}, where 1 is the most there can be.")
    return None


def diverged(context: Context) -> Finding | None:
    """Worse than doing nothing: below what a zero or mean predictor reaches."""
    below = {k: v for k, v in context.measured.items() if last(k) in _AGAINST_NOTHING and v < 0}
    if not below:
        return _against_stated_zero(context)
    key = min(below, key=below.__getitem__)
    nothing = "predicting the mean" if last(key) in {*_EXPLAINED, "r2", "r_squared", "r2_score"} else "a zero vector"
    sentence = f"{key} = {show(below[key])}: worse than {nothing}, which gives 0."
    clearly = key in context.run.metrics and below[key] < (-1 if last(key).startswith("r") else -0.05)
    return fail("diverged", f"The run diverged. {sentence}") if clearly else warn("diverged", sentence)


def _against_stated_zero(context: Context) -> Finding | None:
    """Where the results state what a zero or mean predictor reaches (`mse_zero`), the error must be below it."""
    for key, value in context.measured.items():
        for trivial in (f"{key}_zero", f"{key}_zero_predictor", f"{key}_mean_predictor"):
            reference = context.measured.get(trivial, math.nan)
            if last(key) in {"mse", "loss"} and value > 1.05 * reference:
                sentence = f"{key} = {show(value)} is above {trivial} = {show(reference)}"
                return fail("diverged", f"The run diverged: {sentence}, so doing nothing is better.")
    return None


def nan_replaced(context: Context) -> Finding | None:
    """A NaN made into a number, so that it does not show."""
    final = last_values(context.curve)
    for key, value in context.declared.items():
        logged = final.get(key, final.get(last(key), 0.0))
        if math.isfinite(value) and math.isnan(logged):
            sentence = f"metrics.jsonl ends with {last(key)} = NaN, but the result says {key} = {show(value)}."
            return (warn if context.evaluated is not None else fail)("nan_replaced", sentence)
    changed = context.changed
    for file, text in trained(context.code).items():
        lines = text.splitlines()
        hit = [n for n in sorted(changed.get(file, ())) if n <= len(lines) and _NAN_TO_NUMBER.search(lines[n - 1])]
        if hit:
            shown = lines[hit[0] - 1].strip()
            return warn("nan_replaced", f"The change may hide a NaN: {file}, line {hit[0]}: {shown}")
    return None


def claimed_not_evaluated(context: Context) -> Finding | None:
    """What the run's code says of itself differs from what the evaluator measured."""
    if context.evaluated is None:
        return None
    worst, key = 0.0, ""
    for name in set(context.run.claimed) & set(context.declared):
        apart = _relative(context, name)
        if apart > worst:
            worst, key = apart, name
    if worst <= CLAIM_WARN:
        return None
    said, found = context.run.claimed[key], context.run.metrics[key]
    sentence = (
        f"{context.results_file} claims {key} = {show(said)}, the evaluator measured {show(found)}"
        f" ({100 * worst:.0f} % apart; up to {100 * CLAIM_WARN:.0f} % is let pass)."
    )
    small = abs(said - found) <= 1e-3
    make = fail if worst > CLAIM_FAIL and not small else warn
    return make("claimed_not_evaluated", sentence)


def _relative(context: Context, name: str) -> float:
    said, found = context.run.claimed[name], context.run.metrics[name]
    if not (math.isfinite(said) and math.isfinite(found)):
        return 0.0 if math.isnan(said) and math.isnan(found) else 1.0
    metric = next((m for m in context.metrics if m.name == name), None)
    span = 0.0
    if metric is not None and metric.low is not None and metric.high is not None:
        span = 0.05 * (metric.high - metric.low)
    scale = max(abs(said), abs(found), span)
    return abs(said - found) / scale if scale else 0.0


def typed_in(context: Context) -> Finding | None:
    """A result that stands in the code as a number. What an evaluator measured cannot be."""
    settings = {v for v in context.run.settings.values() if isinstance(v, int | float)}
    own = context.run.claimed if context.evaluated is not None else context.measured
    for file, text in trained(context.code).items():
        typed = _literals(text)
        for key, value in own.items():
            line = typed.get((value, "")) or typed.get((value, last(key)))
            if line is not None and value not in settings and _three_digits(value):
                sentence = f"{key} = {value} is typed into {file}, line {line}: it was not measured."
                headline = key in context.declared and context.evaluated is None
                return fail("typed_in", sentence) if headline else warn("typed_in", sentence)
    return None


def _literals(code: str) -> dict[tuple[float, str], int]:
    """Typed numbers that may be results, to their lines: in a dict under any name, else with the variable's name."""
    tree = parse(code)
    found: dict[tuple[float, str], int] = {}
    for node in ast.walk(tree) if tree else ():
        if isinstance(node, ast.Dict):
            pairs = [("", value) for value in node.values]
        elif isinstance(node, ast.Assign):
            target = node.targets[0]
            pairs = [(target.id.lower() if isinstance(target, ast.Name) else "", node.value)]
        else:
            continue
        for name, value in pairs:
            if isinstance(value, ast.Constant) and isinstance(value.value, float):
                found.setdefault((value.value, name), value.lineno)
    return found


def _three_digits(value: float) -> bool:
    return len(f"{abs(value):.15g}".replace(".", "").strip("0")) >= 3 and value != int(value)
