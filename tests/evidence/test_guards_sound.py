"""Twenty sound runs of different kinds: no guard fails, and what is warned of is true."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from guard_cases import (
    BASELINE_CODE,
    METHOD_CODE,
    SETTINGS,
    baselines,
    evidence,
    numbers,
    sound,
    with_code,
    with_metrics,
    with_run,
)

from orchestrator.evidence.guards import Context, judge
from orchestrator.evidence.results import Results, read_results
from orchestrator.records import Evidence, Metric, PlannedRun


def a_new_loss_term() -> Context:
    return sound()


def a_baseline() -> Context:
    return sound(run=evidence("run_0", number_seed=100), earlier=(), diff=None, parent_code=None, baseline_code=None)


def a_second_seed_of_the_baseline() -> Context:
    return sound(run=baselines()[1], earlier=baselines()[:1], diff=None, parent_code=None, baseline_code=None)


def a_replicate_that_confirms() -> Context:
    first = evidence("run_1", number_seed=7, parent="run_0")
    run = evidence("run_1", seed=1, number_seed=8, parent="run_0")
    return with_code(sound(run=run, earlier=(*baselines(), first)), METHOD_CODE, parent=METHOD_CODE)


def a_planned_learning_rate() -> Context:
    step = PlannedRun(run=2, title="Learning rate", change="learning rate 3e-3", expected="faster")
    context = with_code(sound(step=step), METHOD_CODE.replace("LR = 1e-3", "LR = 3e-3"), parent=METHOD_CODE)
    return with_run(context, settings={**SETTINGS, "config.lr": 3e-3})


def a_longer_run() -> Context:
    step = PlannedRun(run=2, title="Longer", change="STEPS to 4000", expected="")
    context = with_code(sound(step=step), METHOD_CODE.replace("STEPS = 2000", "STEPS = 4000"), parent=METHOD_CODE)
    context = with_metrics(with_run(context, settings={**SETTINGS, "config.steps": 4000}), training__steps=4000.0)
    return replace(context, expected_seconds=60.0)


def a_sparser_dictionary() -> Context:
    step = PlannedRun(run=2, title="Sparser", change="k = 16", expected="lower L0")
    context = with_code(sound(step=step), BASELINE_CODE.replace("K = 32", "K = 16"))
    context = with_run(context, settings={**SETTINGS, "config.k": 16})
    return with_metrics(context, core__l0=16.0)


def an_l0_that_equals_k_everywhere() -> Context:
    return with_metrics(sound(), core__l0=32.0, core__frac_alive=1.0)


def a_worse_result() -> Context:
    return with_metrics(sound(), core__explained_variance=0.4312345, core__mse=1.5123456)


def a_result_within_the_noise() -> Context:
    return with_metrics(sound(), core__explained_variance=0.7012345)


def rounded_metrics_in_half_precision() -> Context:
    coarse = {"core.explained_variance": 0.609375, "core.mse": 2.484375, "core.l0": 40.0}
    other = evidence("run_1", metrics=dict(coarse), claimed=dict(coarse))
    run = evidence("run_2", parent="run_1", metrics=dict(coarse), claimed=dict(coarse))
    return with_run(sound(run=run, earlier=(other,)), settings={"config.variant": "gated"})


def a_classifier_with_accuracy_in_steps_of_a_thousandth() -> Context:
    metrics = (Metric(name="accuracy", direction="max", low=0.0, high=1.0),)
    others = tuple(Evidence(run=f"run_{i}", metrics={"accuracy": 0.873}, claimed={"accuracy": 0.873}) for i in range(3))
    run = Evidence(run="run_3", metrics={"accuracy": 0.873}, claimed={"accuracy": 0.873}, parent="run_2")
    return Context(run=run, earlier=others, metrics=metrics, primary="accuracy", diff="+++ b/experiment.py\n+x = 1\n")


def a_template_with_means_and_nothing_declared() -> Context:
    path_like = {"circle": {"means": {"loss": 0.43123456, "time": 31.2123}, "stderrs": {"loss": 0.0, "time": 0.1}}}
    metrics = {"circle.means.loss": 0.43123456, "circle.means.time": 31.2123, "circle.stderrs.loss": 0.0}
    base = Evidence(run="run_0", metrics={k: v * 1.1 for k, v in metrics.items()})
    run = Evidence(run="run_1", parent="run_0", metrics=metrics)
    assert path_like
    return Context(run=run, earlier=(base,), evaluated=None, results=Results(metrics=metrics))


def a_reinforcement_learner_with_negative_returns() -> Context:
    metrics = (Metric(name="mean_return", direction="max"),)
    base = Evidence(run="run_0", metrics={"mean_return": -210.512345}, claimed={"mean_return": -210.512345})
    run = Evidence(run="run_1", parent="run_0", metrics={"mean_return": -151.212345})
    curve = "".join(json.dumps({"step": i, "policy_loss": (-1) ** i * 0.3, "reward": -i}) + "\n" for i in range(30))
    return Context(run=run, earlier=(base,), metrics=metrics, primary="mean_return", curve=curve)


def a_penalty_that_is_warmed_up() -> Context:
    rows = [{"step": i, "loss": 1.0 + i / 50, "l1_loss": i / 50} for i in range(1, 2000, 50)]
    return sound(curve="".join(json.dumps(row) + "\n" for row in rows))


def a_curve_with_idle_parts_and_rare_tests() -> Context:
    idle = {"aux_loss": 0.0, "loss_scale": 65536.0}
    rows = [
        {"step": i, "loss": 1 / i, "val_loss": 0.3 if i % 5 == 1 else None, "mse": None, **idle} for i in range(1, 31)
    ]
    return sound(curve="".join(json.dumps({**row, "step": row["step"] * 66}) + "\n" for row in rows))


def dead_features_revived_every_500_steps() -> Context:
    code = METHOD_CODE.replace("    model.reset()\n", "    model.reset_the_dead()\n")
    skipped = ("model.reset_the_dead()", "resample(model)")
    ran = frozenset(n for n, line in enumerate(code.splitlines(), 1) if line.strip() not in skipped)
    return with_code(sound(executed={"experiment.py": ran}), code, parent=METHOD_CODE)


def a_new_module_beside_the_experiment() -> Context:
    context = sound(session_files=("experiment.py", "evaluate.py", "layers.py"))
    return replace(context, code={**context.code, "layers.py": "x = 1\n"}, diff=None)


def a_checkpoint_folder_with_links_in_it(tmp_path: Path) -> Context:
    folder = tmp_path / "run_1"
    (folder / "step_10").mkdir(parents=True)
    (folder / "latest").symlink_to("step_10")
    (folder / "final_info.json").write_text(json.dumps({"core": {"mse": 0.5}}))
    assert read_results(folder / "final_info.json").problems == []
    return sound(folder=folder, session=tmp_path)


def a_warning_in_the_log_and_a_faster_machine() -> Context:
    provenance = sound().run.provenance.model_copy(update={"wall_seconds": 31.0})
    return with_run(sound(stderr="UserWarning: You're using a fast tokenizer\n"), provenance=provenance)


def a_run_after_a_failed_one() -> Context:
    failed = evidence("run_1", number_seed=3, status="failed", metrics={}, claimed={})
    run = evidence("run_2", number_seed=7, parent="run_0")
    return sound(run=run, earlier=(*baselines(), failed))


def an_own_estimate_one_per_cent_off() -> Context:
    run = sound().run
    claimed = {k: v * 1.01 for k, v in run.claimed.items()}
    return with_run(sound(), claimed={**claimed, "training.steps": 2000.0})


def several_baselines() -> Context:
    named = [evidence("run_0/topk", number_seed=1), evidence("run_0/standard", number_seed=2)]
    named[1] = named[1].model_copy(update={"settings": {**SETTINGS, "config.variant": "standard"}})
    return sound(earlier=tuple(named))


SOUND: list[tuple[Callable[..., Context], set[str]]] = [
    (a_new_loss_term, set()),
    (a_baseline, set()),
    (a_second_seed_of_the_baseline, set()),
    (a_replicate_that_confirms, set()),
    (a_planned_learning_rate, set()),
    (a_longer_run, set()),
    (a_sparser_dictionary, {"only_settings_changed"}),
    (an_l0_that_equals_k_everywhere, set()),
    (a_worse_result, set()),
    (a_result_within_the_noise, {"within_noise"}),
    (rounded_metrics_in_half_precision, set()),
    (a_classifier_with_accuracy_in_steps_of_a_thousandth, set()),
    (a_template_with_means_and_nothing_declared, set()),
    (a_reinforcement_learner_with_negative_returns, set()),
    (a_penalty_that_is_warmed_up, {"loss_rose"}),
    (a_curve_with_idle_parts_and_rare_tests, set()),
    (dead_features_revived_every_500_steps, {"change_never_ran"}),
    (a_new_module_beside_the_experiment, set()),
    (a_warning_in_the_log_and_a_faster_machine, set()),
    (a_run_after_a_failed_one, set()),
    (an_own_estimate_one_per_cent_off, set()),
    (several_baselines, set()),
]


@pytest.mark.parametrize(("make", "warned"), SOUND, ids=[m.__name__ for m, _ in SOUND])
def test_a_sound_run_never_fails(make: Callable[[], Context], warned: set[str]) -> None:
    findings = judge(make())
    assert [f.sentence for f in findings if f.outcome == "fail"] == []
    assert {f.guard for f in findings} == warned


def test_links_inside_a_checkpoint_folder_are_sound(tmp_path: Path) -> None:
    assert judge(a_checkpoint_folder_with_links_in_it(tmp_path)) == []


def test_numbers_of_seeds_differ() -> None:
    assert numbers(1) != numbers(2)
