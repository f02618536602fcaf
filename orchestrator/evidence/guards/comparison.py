"""Guards that hold a run against the others: equal where it should differ, different where it should be equal."""

from __future__ import annotations

import math
import re

from orchestrator.evidence.changes import same_code
from orchestrator.evidence.guards.context import Context, equal, fail, last, listed, telling, trained, warn
from orchestrator.evidence.results import show, values_of
from orchestrator.evidence.statistics import difference
from orchestrator.records import Evidence, Finding, Metric

_LOSSES = {"final_loss", "final_train_loss", "train_loss", "training_loss", "final_training_loss"}
_OF_THE_DATA = re.compile(r"data|corpus|reference|baseline|system|hardware", re.IGNORECASE)
MOST_OF = 0.8
"""Share of the telling numbers from which two runs count as one."""


def identical(context: Context) -> Finding | None:
    """Equal to another run to the last digit although the code changed."""
    if context.is_baseline or context.is_replicate or _known_unchanged(context):
        return None
    findings = [f for other in context.others if (f := _likeness(context, other)) is not None]
    return min(findings, key=lambda f: f.outcome, default=None)


def _likeness(context: Context, other: Evidence) -> Finding | None:
    same, apart = _compared(context, other)
    losses = [k for k in same if last(k) in _LOSSES]
    measured = [k for k in same if k not in losses and (not context.directed or k in context.directed)]
    nearly_all = bool(measured) and len(same) >= MOST_OF * (len(same) + len(apart))
    if not nearly_all and not (losses and len(measured) >= (1 if context.directed else 2)):
        return warn("identical", _same_training(context, other, losses[0])) if losses else None
    key = (losses or measured)[0]
    sentence = (
        f"{context.run.run} equals {other.run} to the last digit in {len(same)} measured number(s)"
        f" ({key} = {context.measured[key]!r}){_although(context)}"
    )
    new = [k for k in context.declared if k not in other.metrics]
    if new and other.run == context.run.parent:
        return warn("identical", f"{sentence} New is only what is measured: {listed(new)}.")
    return fail("identical", sentence)


def _although(context: Context) -> str:
    if context.parent_code is None and context.diff is None:
        return ": the two were told as different runs."
    return " although the code changed: the change has no effect."


def _same_training(context: Context, other: Evidence, key: str) -> str:
    loss = f"{key} = {context.measured[key]!r}"
    return f"Training went as in {other.run} to the last digit ({loss}): the change acts after it, if at all."


def _known_unchanged(context: Context) -> bool:
    if context.parent_code is not None:
        return same_code(trained(context.parent_code), trained(context.code))
    return context.diff is not None and not context.diff.strip()


def _compared(context: Context, other: Evidence) -> tuple[list[str], list[str]]:
    """The telling numbers in which two runs are equal, and those in which they are not.

    A number that a third run shares, though that run is not like `other`, is a property of the data (the model's own
    loss, a norm of the inputs) and is in neither.
    """
    theirs = context.numbers_of(other)
    common = [k for k, v in context.measured.items() if k in theirs and telling(k, v)]
    same = [k for k in common if equal(context.measured[k], theirs[k])]
    unlike = [context.numbers_of(e) for e in context.others if same and e is not other and _differ(context, e, other)]
    own = [k for k in same if not any(equal(n.get(k, math.nan), context.measured[k]) for n in unlike)]
    return own, [k for k in common if not equal(context.measured[k], theirs[k])]


def _differ(context: Context, a: Evidence, b: Evidence) -> bool:
    first, second = context.numbers_of(a), context.numbers_of(b)
    return any(k in second and telling(k, v) and not equal(v, second[k]) for k, v in first.items())


def number_shared(context: Context) -> Finding | None:
    """One headline number that another run has to the last digit, while the rest differs: a stale cache."""
    if context.is_replicate:
        return None
    for other in [e for e in context.earlier if e.run != context.run.run]:
        same = [m.name for m in context.metrics if m.direction and _shares(context, other, m.name)]
        differing = [k for k in context.measured if telling(k, context.measured[k]) and not _equals(context, other, k)]
        if same and differing:
            value = context.run.metrics[same[0]]
            sentence = f"{listed(same)} equals that of {other.run} to the last digit ({value!r}), while others differ"
            make = fail if _other_weights(context, other) and len(same) == len(context.declared) else warn
            return make("number_shared", f"{sentence}: a number kept from an earlier evaluation?")
        if groups := _shared_groups(context, other):
            sentence = f"All numbers of {groups[0]!r} equal those of {other.run} to the last digit, while others differ"
            return warn("number_shared", f"{sentence}: an evaluation kept from an earlier run?")
    return None


def _shared_groups(context: Context, other: Evidence) -> list[str]:
    """Parts of the results in which two runs share every telling number, five at least, where they differ in others."""
    theirs, alike = context.numbers_of(other), dict[str, list[bool]]()
    for key, value in context.measured.items():
        if key in theirs and telling(key, value):
            alike.setdefault(key.split(".")[0], []).append(equal(value, theirs[key]))
    if all(all(group) for group in alike.values()):
        return []
    return [g for g, same in alike.items() if len(same) >= 5 and all(same) and not _OF_THE_DATA.search(g)]


def _shares(context: Context, other: Evidence, key: str) -> bool:
    return key in context.run.metrics and telling(key, context.run.metrics[key]) and _equals(context, other, key)


def _equals(context: Context, other: Evidence, key: str) -> bool:
    theirs = context.numbers_of(other)
    return key in theirs and equal(context.measured[key], theirs[key])


def stale_evaluation(context: Context) -> Finding | None:
    """The same output of the evaluator for different artefacts."""
    if context.evaluated is None or context.is_replicate:
        return None
    ours = {k: v for k, v in context.run.metrics.items() if telling(k, v)}
    for other in context.others:
        same = ours and all(k in other.metrics and equal(v, other.metrics[k]) for k, v in ours.items())
        if same and _other_weights(context, other):
            sentence = f"The evaluator gave exactly the numbers of {other.run}, though the files it read are others"
            return fail("stale_evaluation", f"{sentence}: it did not measure this run.")
    return None


def _other_weights(context: Context, other: Evidence) -> bool:
    ours, theirs = context.run.provenance.artefacts, other.provenance.artefacts
    return bool(ours) and bool(theirs) and not set(ours.values()) & set(theirs.values())


def seed_ignored(context: Context) -> Finding | None:
    """Replicates on different seeds that are equal to the last digit."""
    for other in context.earlier:
        if other.run != context.run.run or other.seed == context.run.seed:
            continue
        telling_ones = [k for k, v in context.measured.items() if telling(k, v)]
        if telling_ones and all(_equals(context, other, k) for k in telling_ones):
            sentence = f"Seeds {other.seed} and {context.run.seed} of {context.run.run} gave the same numbers"
            return warn("seed_ignored", f"{sentence}: the script ignores ORCH_SEED, so the noise is not known.")
    return None


def unequal_metrics(context: Context) -> Finding | None:
    """A metric measured in the baseline and not in the run, or the other way round."""
    if context.is_baseline or not context.baselines or not context.metrics:
        return None
    theirs = {k for b in context.baselines for k in b.metrics}
    names = [m.name for m in context.metrics]
    lacking = [n for n in names if n in theirs and n not in context.run.metrics]
    alone = [n for n in names if n in context.run.metrics and n not in theirs]
    if lacking:
        return warn("unequal_metrics", f"The baseline has {listed(lacking)}, the run has not: no comparison of these.")
    if alone:
        return warn("unequal_metrics", f"No baseline has {listed(alone)}: no comparison of these.")
    return None


def within_noise(context: Context) -> Finding | None:
    """A primary metric that differs from the baseline's by no more than its seeds do."""
    metric = next((m for m in context.metrics if m.name == context.primary), None)
    if metric is None or context.is_baseline or metric.name not in context.run.metrics:
        return None
    ours = values_of([*context.earlier, context.run], context.run.run, metric.name)
    for run in sorted({b.run for b in context.baselines}):
        theirs = values_of(context.baselines, run, metric.name)
        if ours and theirs and _is_noise(ours, theirs, metric):
            apart = sum(ours) / len(ours) - sum(theirs) / len(theirs)
            sentence = f"{metric.name} differs from {run} by {show(apart)}, which is within the noise of its seeds"
            return warn("within_noise", f"{sentence} ({listed([show(v) for v in theirs])}): no difference is shown.")
    return None


def _is_noise(ours: list[float], theirs: list[float], metric: Metric) -> bool:
    return difference(ours, theirs, metric.direction).verdict == "within noise"
