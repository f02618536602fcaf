"""Guards: checks that a run is what it claims to be. `docs/guards.md` lists them.

A guard is a function of a `Context`; it returns a finding, or None where there is nothing to say.
"""

from __future__ import annotations

from collections.abc import Callable

from orchestrator.evidence.guards import code, comparison, defaults, files, numbers, settings, training
from orchestrator.evidence.guards.context import Context
from orchestrator.evidence.guards.questions import advisor_questions
from orchestrator.records import Finding

Guard = Callable[[Context], Finding | None]

GUARDS: list[Guard] = [
    numbers.results_missing,
    numbers.not_finite,
    numbers.out_of_range,
    numbers.diverged,
    numbers.nan_replaced,
    numbers.typed_in,
    numbers.claimed_not_evaluated,
    training.no_training,
    training.training_nan,
    training.loss_stood_still,
    training.loss_rose,
    training.fewer_steps_than_claimed,
    training.crash_hidden,
    training.implausible_time,
    code.code_unchanged,
    code.only_seed_changed,
    code.only_settings_changed,
    code.change_never_ran,
    code.change_not_evaluated,
    code.evaluation_edited,
    code.placeholder_left,
    code.clip_before_backward,
    code.state_in_encode,
    defaults.default_overridden,
    settings.settings_disagree,
    settings.settings_contradict,
    defaults.settings_not_in_code,
    settings.not_comparable,
    settings.data_changed,
    settings.baselines_method,
    comparison.identical,
    comparison.stale_evaluation,
    comparison.number_shared,
    comparison.seed_ignored,
    comparison.unequal_metrics,
    comparison.within_noise,
    files.protected_changed,
    files.earlier_run_changed,
    files.evaluator_shadowed,
    files.evaluator_imports_editable,
    files.link_out_of_run,
    files.left_over,
    files.artefacts_copied,
]


def name_of(guard: Guard) -> str:
    return guard.__name__


def judge(context: Context, passes: bool = False) -> list[Finding]:
    """What the guards find, failures first. With `passes`, also a `pass` for each guard that found nothing."""
    found = []
    for guard in GUARDS:
        finding = guard(context)
        if finding is not None:
            found.append(finding)
        elif passes:
            sentence = f"Nothing found of: {(guard.__doc__ or '').strip().splitlines()[0]}"
            found.append(Finding(guard=name_of(guard), outcome="pass", sentence=sentence))
    return sorted(found, key=lambda f: ("fail", "warn", "pass").index(f.outcome))


def failed(findings: list[Finding]) -> bool:
    return any(f.outcome == "fail" for f in findings)


__all__ = ["GUARDS", "Context", "Guard", "advisor_questions", "failed", "judge", "name_of"]
