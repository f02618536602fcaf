"""Each guard catches its case, and stays silent on a sound one."""

from __future__ import annotations

import json
import math
import os
import time
from dataclasses import replace
from pathlib import Path

import pytest
from guard_cases import (
    BASELINE_CODE,
    METHOD_CODE,
    baselines,
    evidence,
    found,
    numbers,
    outcome,
    sound,
    with_code,
    with_metrics,
    with_run,
)

from orchestrator.evidence.guards import GUARDS, Context, advisor_questions, judge, name_of
from orchestrator.evidence.results import Results
from orchestrator.records import Evidence, Metric, PlannedRun

DOCS = Path(__file__).parents[2] / "docs" / "guards.md"


def test_a_sound_run_gives_no_finding() -> None:
    assert judge(sound()) == []


def test_every_guard_reports_a_pass_when_asked() -> None:
    findings = judge(sound(), passes=True)
    assert [f.guard for f in findings] == [name_of(g) for g in GUARDS]
    assert {f.outcome for f in findings} == {"pass"}


def test_a_context_of_which_nothing_is_known_is_judged_too() -> None:
    assert [f.guard for f in judge(Context(run=Evidence(run="run_1")))] == ["results_missing"]


def test_failures_come_first() -> None:
    context = with_metrics(sound(stderr="Traceback (most recent call last)\nValueError: x"), core__mse=-1.0)
    assert [f.outcome for f in judge(context)][:2] == ["fail", "warn"]


def test_every_guard_is_in_the_docs() -> None:
    text = DOCS.read_text(encoding="utf-8")
    assert [name_of(g) for g in GUARDS if f"`{name_of(g)}`" not in text] == []


class TestNumbers:
    def test_no_results_file(self) -> None:
        context = with_run(sound(evaluated=None), metrics={}, claimed={})
        context = replace(context, results=Results(problems=["final_info.json was not written."]))
        assert found(context)["results_missing"].sentence == "There are no results: final_info.json was not written."

    def test_primary_metric_missing_fails_and_another_warns(self) -> None:
        metrics = dict(sound().run.metrics)
        del metrics["core.l0"]
        assert outcome(with_run(sound(), metrics=metrics), "results_missing") == "warn"
        del metrics["core.explained_variance"]
        assert outcome(with_run(sound(), metrics=metrics), "results_missing") == "fail"

    def test_nan_in_a_declared_metric_fails_and_elsewhere_warns(self) -> None:
        assert outcome(with_metrics(sound(), core__mse=math.nan), "not_finite") == "fail"
        assert outcome(with_metrics(sound(), core__other=math.inf), "not_finite") == "warn"

    def test_where_nothing_is_declared_every_nan_fails(self) -> None:
        assert outcome(with_metrics(sound(metrics=()), core__other=math.nan), "not_finite") == "fail"

    @pytest.mark.parametrize("value", [1.2, 1.001])
    def test_above_the_highest_possible_value(self, value: float) -> None:
        finding = found(with_metrics(sound(), core__explained_variance=value))["out_of_range"]
        assert finding.outcome == "fail"
        assert f"core.explained_variance = {value:.4g} is above 1" in finding.sentence

    def test_rounding_at_the_limit_is_no_finding(self) -> None:
        assert outcome(with_metrics(sound(), core__explained_variance=1 + 1e-8), "out_of_range") == "silent"

    def test_undeclared_score_above_one_is_a_warning(self) -> None:
        assert outcome(with_metrics(sound(), core__cossim=1.4), "out_of_range") == "warn"

    @pytest.mark.parametrize(("value", "expected"), [(-3087.47, "fail"), (-0.2, "fail"), (-0.01, "warn")])
    def test_worse_than_predicting_the_mean(self, value: float, expected: str) -> None:
        assert outcome(with_metrics(sound(), core__explained_variance=value), "diverged") == expected

    def test_error_above_that_of_a_zero_predictor(self) -> None:
        assert outcome(with_metrics(sound(), core__mse=3.0, core__mse_zero=2.0), "diverged") == "fail"
        assert outcome(with_metrics(sound(), core__mse=1.1, core__mse_zero=2.0), "diverged") == "silent"

    def test_nan_to_num_in_the_change(self) -> None:
        hiding = METHOD_CODE.replace("    return loss\n", "    return torch.nan_to_num(loss)\n")
        assert outcome(with_code(sound(), hiding), "nan_replaced") == "warn"

    def test_a_metric_that_was_nan_in_training_and_is_reported_as_zero(self) -> None:
        context = with_metrics(sound(curve='{"step": 9, "mse": NaN}\n'), core__mse=0.0)
        assert outcome(context, "nan_replaced") == "warn"
        own = replace(context, evaluated=None)
        assert "ends with mse = NaN, but the result says core.mse = 0." in found(own)["nan_replaced"].sentence
        assert outcome(own, "nan_replaced") == "fail"

    def test_a_loss_beside_its_mean_over_seeds_is_no_divergence(self) -> None:
        assert outcome(with_metrics(sound(), loss=0.9, loss_mean=0.5), "diverged") == "silent"

    @pytest.mark.parametrize(("said", "expected"), [(0.99, "fail"), (0.80, "warn"), (0.761, "silent")])
    def test_claimed_differs_from_evaluated(self, said: float, expected: str) -> None:
        run = sound().run
        metrics = {**run.metrics, "core.explained_variance": 0.76}
        claimed = {**run.claimed, "core.explained_variance": said if expected != "fail" else 1.9}
        assert outcome(with_run(sound(), metrics=metrics, claimed=claimed), "claimed_not_evaluated") == expected

    def test_a_small_share_of_dead_features_may_differ(self) -> None:
        metric = Metric(name="core.frac_dead", direction="min", low=0.0, high=1.0)
        context = replace(sound(), metrics=(*sound().metrics, metric))
        context = with_metrics(context, core__frac_dead=0.0)
        claimed = {**context.run.claimed, "core.frac_dead": 0.0009}
        assert outcome(with_run(context, claimed=claimed), "claimed_not_evaluated") == "silent"

    def test_a_result_typed_into_the_code(self) -> None:
        typed = METHOD_CODE + '\nresults = {"core": {"explained_variance": 0.9374}}\n'
        context = replace(with_metrics(with_code(sound(), typed), core__explained_variance=0.9374), evaluated=None)
        assert "is typed into experiment.py, line 4" in found(context)["typed_in"].sentence
        assert outcome(context, "typed_in") == "fail"

    def test_a_setting_that_equals_a_metric_is_not_typed_in(self) -> None:
        code = METHOD_CODE + "\ndropout = 0.125\nconfig = dict(rate=0.125)\n"
        context = replace(with_metrics(with_code(sound(), code), core__mse=0.125), evaluated=None)
        assert outcome(context, "typed_in") == "silent"


class TestTraining:
    def test_zero_steps_and_a_loss_of_none(self) -> None:
        context = with_metrics(sound(), training__steps=0.0)
        context = replace(context, results=Results(nulls=["training.final_loss"]))
        sentence = found(context)["no_training"].sentence
        assert sentence == "No training happened: training.steps = 0 and training.final_loss is null."

    def test_weights_equal_to_their_start(self) -> None:
        assert outcome(sound(weights_end="w0"), "no_training") == "fail"

    def test_loss_of_none_after_steps_is_a_warning(self) -> None:
        assert outcome(sound(results=Results(nulls=["training.final_loss"])), "no_training") == "warn"

    def test_steps_asked_for_are_not_steps_taken(self) -> None:
        context = with_run(sound(), settings={**sound().run.settings, "config.warmup_steps": 0})
        assert outcome(context, "no_training") == "silent"

    def test_training_that_ended_in_nan_whatever_is_reported(self) -> None:
        curve = '{"step": 1, "loss": 0.5}\n{"step": 2, "loss": NaN}\n{"step": 3, "loss": null}\n'
        context = with_metrics(sound(curve=curve), core__mse=0.0)
        assert "record 2 of 3" in found(context)["training_nan"].sentence
        assert outcome(context, "training_nan") == "fail"

    def test_a_nan_that_passed_is_a_warning(self) -> None:
        curve = '{"loss": 0.5}\n{"loss": "NaN"}\n{"loss": 0.4}\n'
        assert outcome(sound(curve=curve), "training_nan") == "warn"

    def test_a_loss_that_never_moves(self) -> None:
        still = "".join(json.dumps({"step": i, "loss": 0.7}) + "\n" for i in range(12))
        falling = "".join(json.dumps({"step": i, "loss": 0.7 - i / 100}) + "\n" for i in range(12))
        assert outcome(sound(curve=still), "loss_stood_still") == "fail"
        assert outcome(sound(curve=falling), "loss_stood_still") == "silent"

    def test_a_loss_that_rose(self) -> None:
        rising = "".join(json.dumps({"loss": 10.0**i}) + "\n" for i in range(6))
        assert outcome(sound(curve=rising), "loss_rose") == "warn"

    def test_fewer_steps_in_the_curve_than_claimed(self) -> None:
        curve = "".join(json.dumps({"step": i, "loss": 1 / (i + 1)}) + "\n" for i in range(40))
        assert "ends at step 39" in found(sound(curve=curve))["fewer_steps_than_claimed"].sentence

    def test_fewer_steps_than_the_settings_ask_for(self) -> None:
        context = with_metrics(sound(), training__steps=488.0)
        assert "ask for 2000 steps; 488 were taken" in found(context)["fewer_steps_than_claimed"].sentence

    def test_a_curve_logged_now_and_then_and_cut_off_is_no_finding(self) -> None:
        curve = "".join(json.dumps({"step": i, "loss": 1 / i}) + "\n" for i in range(100, 2000, 300)) + '{"step": 20'
        assert judge(sound(curve=curve)) == []

    def test_a_crash_that_was_caught(self) -> None:
        log = "step 3\nTraceback (most recent call last):\n  File x\nRuntimeError: shapes differ\n"
        assert "RuntimeError: shapes differ" in found(sound(stdout=log))["crash_hidden"].sentence

    @pytest.mark.parametrize("seconds", [2.0, 5000.0])
    def test_implausible_times(self, seconds: float) -> None:
        run = sound().run
        provenance = run.provenance.model_copy(update={"wall_seconds": seconds})
        assert outcome(with_run(sound(), provenance=provenance), "implausible_time") == "warn"


class TestCode:
    def test_unchanged_code(self) -> None:
        assert outcome(with_code(sound(), BASELINE_CODE), "code_unchanged") == "fail"

    def test_comments_docstrings_and_plots_are_no_change(self) -> None:
        code = BASELINE_CODE.replace('"""Trains a', '"""Now trains a').replace("K = 32", "K = 32  # better")
        context = replace(with_code(sound(), code), code={"experiment.py": code, "plot.py": "x = 1"})
        assert "comments and spacing only" in found(context)["code_unchanged"].sentence

    def test_a_diff_alone_is_enough(self) -> None:
        unknown = replace(sound(), parent_code=None, baseline_code=None)
        assert outcome(replace(unknown, diff=""), "code_unchanged") == "fail"
        comment = "--- a/experiment.py\n+++ b/experiment.py\n@@ -1 +1 @@\n-x = 1\n+x = 2\n"
        assert outcome(replace(unknown, diff=comment), "code_unchanged") == "silent"
        comment = "--- a/experiment.py\n+++ b/experiment.py\n@@ -1,0 +2 @@\n+# a note\n"
        assert outcome(replace(unknown, diff=comment), "code_unchanged") == "fail"

    def test_a_replicate_needs_no_change(self) -> None:
        assert outcome(with_run(with_code(sound(), BASELINE_CODE), seed=1), "code_unchanged") == "silent"

    def test_only_the_seed(self) -> None:
        context = with_code(sound(), BASELINE_CODE.replace("SEED = 0", "SEED = 7"))
        assert found(context)["only_seed_changed"].sentence.startswith("Only the seed was changed (from 0 to 7)")

    def test_a_constant_under_the_name_of_a_method(self) -> None:
        context = with_code(sound(), BASELINE_CODE.replace("STEPS = 2000", "STEPS = 5000"))
        finding = found(context)["only_settings_changed"]
        assert finding.outcome == "fail"
        assert "STEPS: 2000 → 5000" in finding.sentence
        assert "orthogonality penalty" in finding.sentence

    @pytest.mark.parametrize(
        "change", ["learning rate 3e-3", "Set LR to 0.003", "try a larger lr", "Sweep of hyperparameters"]
    )
    def test_a_planned_change_of_a_setting_is_only_told(self, change: str) -> None:
        step = PlannedRun(run=1, title="Settings", change=change, expected="")
        context = with_code(sound(step=step), BASELINE_CODE.replace("LR = 1e-3", "LR = 3e-3"))
        context = with_run(context, settings={**context.run.settings, "config.lr": 3e-3})
        assert [(f.guard, f.outcome) for f in judge(context)] == [("only_settings_changed", "warn")]

    @pytest.mark.parametrize(
        ("old", "new", "change"),
        [
            ('variant = "topk"', 'variant = "batchtopk"', "Switch to Batch-TopK"),
            ("sparsity_weight = 1.0", "sparsity_weight = 1.5", "A stronger sparsity penalty"),
            ("warmup = 0.1", "warmup = 0.3", "a longer warm-up"),
        ],
    )
    def test_a_step_may_name_a_setting_in_its_own_way(self, old: str, new: str, change: str) -> None:
        step = PlannedRun(run=1, title="", change=change, expected="")
        context = with_code(sound(step=step), f"{BASELINE_CODE}\n{new}\n", parent=f"{BASELINE_CODE}\n{old}\n")
        context = replace(context, baseline_code=context.parent_code)
        assert outcome(context, "only_settings_changed") == "warn"

    def test_a_function_that_nobody_calls_never_runs(self) -> None:
        code = BASELINE_CODE.replace("def main", "def penalty(f):\n    g = f * 2\n    return g\n\n\ndef main")
        ran = frozenset(
            n for n, line in enumerate(code.splitlines(), 1) if line.strip() not in ("g = f * 2", "return g")
        )
        context = with_code(sound(executed={"experiment.py": ran}), code)
        assert outcome(context, "change_never_ran") == "fail"

    def test_a_branch_that_is_never_taken(self) -> None:
        code = BASELINE_CODE.replace(
            "    return loss\n", "    if USE_EXTRA:\n        loss = loss * 2\n    return loss\n"
        )
        ran = frozenset(n for n, line in enumerate(code.splitlines(), 1) if "loss * 2" not in line)
        context = with_code(sound(executed={"experiment.py": ran}), code)
        assert outcome(context, "change_never_ran") == "warn"

    def test_what_happens_every_500_steps_need_not_run_in_the_smoke_run(self) -> None:
        code = BASELINE_CODE.replace("    model.reset()\n", "    model.reset_dead()\n")
        ran = frozenset(
            n for n, line in enumerate(code.splitlines(), 1) if "reset" not in line and "resample(m" not in line
        )
        context = with_code(sound(executed={"experiment.py": ran}), code)
        assert outcome(context, "change_never_ran") == "warn"

    def test_a_change_that_ran(self) -> None:
        assert judge(sound(executed={"experiment.py": frozenset(range(1, 100))})) == []

    def test_a_change_in_forward_alone_is_not_evaluated(self) -> None:
        code = BASELINE_CODE.replace("return self.decode(self.encode(x))", "return self.decode(self.encode(x) * 2)")
        assert outcome(with_code(sound(), code), "change_not_evaluated") == "warn"

    def test_a_changed_measurement_without_an_evaluator(self) -> None:
        code = METHOD_CODE.replace("def main", "def evaluate(model):\n    return 1\n\n\ndef main")
        context = with_code(sound(evaluated=None), code)
        assert outcome(context, "evaluation_edited") == "warn"

    def test_a_body_of_dots(self) -> None:
        code = METHOD_CODE.replace("def main", "def orthogonality(f):\n    ...\n\n\ndef main")
        assert outcome(with_code(sound(), code), "placeholder_left") == "warn"

    def test_clipping_before_backward(self) -> None:
        clip = "        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)\n"
        before = METHOD_CODE.replace("        loss.backward()\n", clip + "        loss.backward()\n")
        after = METHOD_CODE.replace("        loss.backward()\n", "        loss.backward()\n" + clip)
        assert outcome(with_code(sound(), before), "clip_before_backward") == "warn"
        assert outcome(with_code(sound(), after), "clip_before_backward") == "silent"

    def test_state_updated_in_encode(self) -> None:
        body = "        return x.relu()\n"
        bad = METHOD_CODE.replace(body, "        self.mean = x.mean()\n" + body)
        good = METHOD_CODE.replace(body, "        if self.training:\n            self.mean = x.mean()\n" + body)
        assert outcome(with_code(sound(), bad), "state_in_encode") == "warn"
        assert outcome(with_code(sound(), good), "state_in_encode") == "silent"


class TestSettings:
    def test_a_default_that_every_call_overrides(self) -> None:
        context = with_code(sound(), BASELINE_CODE.replace("n=256, k=32", "n=256, k=320"))
        finding = found(context)["default_overridden"]
        assert finding.outcome == "fail"
        assert "The default of k in SAE was changed from 32 to 320" in finding.sentence

    def test_a_default_that_a_call_uses(self) -> None:
        context = with_code(sound(), BASELINE_CODE.replace("d=64", "d=96"))
        assert outcome(context, "default_overridden") == "silent"

    def test_settings_that_the_evaluator_finds_otherwise(self) -> None:
        context = sound(evaluated=Results(metrics=dict(sound().run.metrics), settings={"config.lm_name": "gemma-2-2b"}))
        assert "says config.lm_name = pythia-70m" in found(context)["settings_disagree"].sentence

    def test_one_setting_with_two_values(self) -> None:
        context = with_metrics(sound(), final_info__learning_rate=0.0003)
        sentence = found(context)["settings_contradict"].sentence
        assert "config.lr = 0.001, final_info.learning_rate = 0.0003" in sentence

    def test_a_topk_with_another_l0_than_its_k(self) -> None:
        assert outcome(with_metrics(sound(), core__l0=320.0), "settings_contradict") == "warn"

    def test_a_setting_that_the_code_sets_otherwise(self) -> None:
        context = with_run(sound(), settings={**sound().run.settings, "config.lr": 0.01})
        assert "but the code sets lr = 0.001" in found(context)["settings_not_in_code"].sentence

    def test_settings_filled_in_from_the_environment_are_let_be(self) -> None:
        code = METHOD_CODE + "\nimport os\nLR = float(os.environ['LR'])\n"
        context = with_code(sound(), code)
        context = with_run(context, settings={**context.run.settings, "config.lr": 0.01})
        assert outcome(context, "settings_not_in_code") == "silent"

    @pytest.mark.parametrize("value", ["gemma-2-2b", None])
    def test_another_model_than_the_baseline(self, value: str | None) -> None:
        settings = {**sound().run.settings, "config.lm_name": value}
        if value is None:
            del settings["config.lm_name"]
        assert outcome(with_run(sound(), settings=settings), "not_comparable") == "fail"

    def test_where_nothing_is_declared_comparable_the_usual_names_count(self) -> None:
        free = sound(comparable=())
        steps = with_metrics(with_run(free, settings={**free.run.settings, "config.steps": 488}), training__steps=488)
        assert outcome(steps, "not_comparable") == "fail"
        longer = with_metrics(
            with_run(free, settings={**free.run.settings, "config.steps": 3000}), training__steps=3000
        )
        assert outcome(longer, "not_comparable") == "warn"
        other = with_run(free, settings={**free.run.settings, "config.lm_name": "gemma-2-2b"})
        assert outcome(other, "not_comparable") == "fail"

    def test_a_baseline_with_no_such_setting_is_told(self) -> None:
        assert outcome(sound(comparable=("config.context_length",)), "not_comparable") == "warn"

    def test_other_data(self) -> None:
        provenance = sound().run.provenance.model_copy(update={"data": "e" * 64})
        assert outcome(with_run(sound(), provenance=provenance), "data_changed") == "fail"

    def test_fewer_tokens_in_the_evaluation(self) -> None:
        base = tuple(b.model_copy(update={"metrics": {**b.metrics, "n_eval_tokens": 4096.0}}) for b in baselines())
        assert outcome(with_metrics(sound(earlier=base), n_eval_tokens=512.0), "data_changed") == "warn"

    def test_the_baselines_own_classes_with_no_code_to_show(self) -> None:
        named = {**sound().run.settings, "config.trainer_class": "TrainerTopK"}
        base = tuple(b.model_copy(update={"settings": named}) for b in baselines())
        context = sound(earlier=base, code={}, parent_code=None, baseline_code=None, diff=None)
        assert outcome(with_run(context, settings=named), "baselines_method") == "warn"


class TestComparison:
    def test_equal_to_the_parent_although_the_code_changed(self) -> None:
        same = numbers(101, 0.70)
        context = with_run(sound(), metrics=same, claimed=dict(same))
        context = replace(context, earlier=(evidence("run_0", metrics=same, claimed=dict(same)),))
        assert "equals run_0 to the last digit" in found(context)["identical"].sentence

    def test_an_equal_loss_and_metric_though_a_noisy_evaluation_differs(self) -> None:
        parent = evidence("run_2", number_seed=5)
        kept = {k: parent.metrics[k] for k in ("training.final_loss", "core.mse")}
        metrics = {**numbers(6), **{f"probe.{i}": 0.123456 + i for i in range(40)}, **kept}
        parent.metrics.update({f"probe.{i}": 0.223456 + i for i in range(40)})
        context = with_run(sound(earlier=(*baselines(), parent)), metrics=metrics, claimed=dict(metrics))
        assert outcome(context, "identical") == "fail"

    def test_a_change_that_acts_after_training_may_leave_its_loss(self) -> None:
        parent = evidence("run_2", number_seed=5)
        metrics = {**numbers(6), "training.final_loss": parent.metrics["training.final_loss"]}
        context = with_run(sound(earlier=(*baselines(), parent)), metrics=metrics, claimed=dict(metrics))
        assert "Training went as in run_2 to the last digit" in found(context)["identical"].sentence
        assert outcome(context, "identical") == "warn"

    def test_ten_thousand_metrics_and_thirty_runs_take_no_time(self) -> None:
        many = {f"letter.{i}": 0.1234567 + i for i in range(10_000)}
        earlier = tuple(evidence(f"run_{n}", metrics={k: v + n for k, v in many.items()}) for n in range(2, 32))
        started = time.monotonic()
        judge(with_run(sound(earlier=(*baselines(), *earlier)), metrics=dict(many), claimed=dict(many)))
        assert time.monotonic() - started < 10

    def test_a_run_that_only_measures_more_is_told(self) -> None:
        parent = evidence("run_2", number_seed=5)
        del parent.metrics["core.mse"], parent.claimed["core.mse"]
        context = with_run(
            sound(earlier=(*baselines(), parent)), metrics=numbers(5), claimed=numbers(5), parent="run_2"
        )
        assert outcome(context, "identical") == "warn"

    def test_saturated_and_rounded_metrics_may_agree(self) -> None:
        coarse = {"core.explained_variance": 0.609375, "core.mse": 2.484375, "core.l0": 40.0}
        other = evidence("run_2", metrics=coarse, claimed=dict(coarse))
        context = with_run(sound(earlier=(other,)), metrics=dict(coarse), claimed=dict(coarse))
        assert outcome(context, "identical") == "silent"

    def test_properties_of_the_data_may_agree(self) -> None:
        shared = {"core.ce_loss_without_sae": 4.008762836456299, "core.l2_norm_in": 15.54741382598877}
        other = evidence("run_2", metrics=dict(shared), claimed={})
        context = with_run(sound(earlier=(other,)), metrics={**shared, "core.mse": 0.5}, claimed={})
        assert outcome(context, "identical") == "silent"

    def test_the_same_evaluation_of_other_weights(self) -> None:
        other = evidence("run_2", number_seed=5)
        context = with_run(sound(earlier=(*baselines(), other)), metrics=dict(other.metrics))
        assert outcome(context, "stale_evaluation") == "fail"

    def test_one_headline_number_kept_from_another_run(self) -> None:
        stale = baselines()[0].metrics["core.mse"]
        assert outcome(with_metrics(sound(), core__mse=stale), "number_shared") == "warn"

    def test_a_clock_makes_no_difference(self) -> None:
        other = evidence("run_2", metrics={"loss": 0.4312345, "train_time": 31.21234}, claimed={})
        context = with_run(
            sound(earlier=(other,), metrics=()), metrics={"loss": 0.4312345, "train_time": 30.9123}, claimed={}
        )
        assert outcome(context, "identical") == "fail"

    def test_a_whole_evaluation_kept_from_another_run(self) -> None:
        kept = {f"absorption.letter_{i}": 0.0123456 * (i + 1) for i in range(26)}
        base = tuple(b.model_copy(update={"metrics": {**b.metrics, **kept}}) for b in baselines())
        context = with_run(sound(earlier=base), metrics={**sound().run.metrics, **kept})
        assert "All numbers of 'absorption' equal those of run_0" in found(context)["number_shared"].sentence

    def test_seeds_without_effect(self) -> None:
        first = evidence("run_1", number_seed=7)
        context = with_run(sound(earlier=(*baselines(), first)), seed=1)
        assert outcome(context, "seed_ignored") == "warn"

    def test_a_baseline_measured_with_other_metrics(self) -> None:
        base = tuple(b.model_copy(update={"metrics": {"core.mse": 1.0 + b.seed}}) for b in baselines())
        finding = found(sound(earlier=base))["unequal_metrics"]
        assert "No baseline has core.explained_variance, core.l0" in finding.sentence

    def test_within_the_noise_of_the_seeds(self) -> None:
        mean = sum(b.metrics["core.explained_variance"] for b in baselines()) / 3
        assert outcome(with_metrics(sound(), core__explained_variance=mean + 1e-3), "within_noise") == "warn"


class TestFiles:
    def test_an_edited_evaluator(self) -> None:
        sentence = found(sound(protected_now={"evaluate.py": "other"}))["protected_changed"].sentence
        assert sentence == "Protected files are not what they were; changed: evaluate.py; removed: data/eval.npz."

    def test_writing_into_an_earlier_run(self) -> None:
        then = {"run_0": {"final_info.json": "a", "weights.safetensors": "b"}}
        context = sound(artefacts_then=then, artefacts_now={"run_0": {"final_info.json": "x"}})
        assert "run_0 changed after it had ended: final_info.json" in found(context)["earlier_run_changed"].sentence

    def test_weights_that_were_deleted_and_evidence_that_was_added_are_let_be(self) -> None:
        then = {"run_0": {"final_info.json": "a", "weights.safetensors": "b"}}
        now = {"run_0": {"final_info.json": "a", "evidence.json": "c"}}
        assert judge(sound(artefacts_then=then, artefacts_now=now)) == []

    @pytest.mark.parametrize(
        "name",
        [
            "model_io.py",
            "safetensors/__init__.py",
            "sitecustomize.py",
            "usercustomize.py",
            "x.pth",
            "json.py",
        ],
    )
    def test_a_new_file_that_the_evaluator_would_import(self, name: str) -> None:
        assert outcome(sound(session_files=("experiment.py", name)), "evaluator_shadowed") == "fail"

    def test_a_saved_model_is_no_start_up_file(self, tmp_path: Path) -> None:
        (tmp_path / "best.pth").write_bytes(b"PK\x03\x04")
        context = sound(session=tmp_path, session_files=("experiment.py", "best.pth"))
        assert outcome(context, "evaluator_shadowed") == "silent"
        (tmp_path / "best.pth").write_text("import evil\n")
        assert outcome(context, "evaluator_shadowed") == "fail"

    def test_other_new_files(self) -> None:
        assert judge(sound(session_files=("experiment.py", "helpers.py", "figures/a.png"))) == []
        assert outcome(sound(session_files=("experiment.py", "random.py")), "evaluator_shadowed") == "warn"

    def test_an_evaluator_that_imports_what_the_coder_edits(self) -> None:
        context = sound(evaluator_code={"evaluate.py": "from experiment import SAE\n"})
        assert outcome(context, "evaluator_imports_editable") == "warn"

    def test_a_link_to_another_run(self, tmp_path: Path) -> None:
        context = in_folder(tmp_path)
        (tmp_path / "run_0").mkdir()
        (tmp_path / "run_0" / "weights.pt").write_text("w")
        (tmp_path / "run_1" / "weights.pt").symlink_to("../run_0/weights.pt")
        assert "run_1/weights.pt is a link to run_0/weights.pt" in found(context)["link_out_of_run"].sentence

    def test_links_within_the_run(self, tmp_path: Path) -> None:
        context = in_folder(tmp_path)
        (tmp_path / "run_1" / "step_10").mkdir()
        (tmp_path / "run_1" / "latest").symlink_to("step_10")
        (tmp_path / "run_1" / "loop").symlink_to("loop")
        assert outcome(context, "link_out_of_run") != "fail"

    def test_a_link_out_of_the_session_is_told(self, tmp_path: Path) -> None:
        context = in_folder(tmp_path / "session")
        (tmp_path / "cache").write_text("x")
        (tmp_path / "session" / "run_1" / "cache").symlink_to(tmp_path / "cache")
        assert outcome(context, "link_out_of_run") == "warn"

    def test_results_from_before_the_run(self, tmp_path: Path) -> None:
        context = in_folder(tmp_path)
        (tmp_path / "run_1" / "final_info.json").write_text("{}")
        os.utime(tmp_path / "run_1" / "final_info.json", (900, 900))
        assert "was written 100 s before the run began" in found(context)["left_over"].sentence

    def test_a_data_file_copied_with_its_time(self, tmp_path: Path) -> None:
        context = in_folder(tmp_path)
        (tmp_path / "run_1" / "vocabulary.txt").write_text("a")
        os.utime(tmp_path / "run_1" / "vocabulary.txt", (900, 900))
        assert judge(context) == []

    def test_weights_of_another_run(self) -> None:
        other = evidence("run_0").provenance.artefacts
        provenance = sound().run.provenance.model_copy(update={"artefacts": other})
        assert outcome(with_run(sound(), provenance=provenance), "artefacts_copied") == "fail"

    def test_equal_initial_weights(self) -> None:
        shared = {"init.safetensors": "s" * 64}
        run = sound().run
        provenance = run.provenance.model_copy(update={"artefacts": {**run.provenance.artefacts, **shared}})
        base = tuple(
            b.model_copy(
                update={
                    "provenance": b.provenance.model_copy(update={"artefacts": {**b.provenance.artefacts, **shared}})
                }
            )
            for b in baselines()
        )
        assert judge(with_run(sound(earlier=base), provenance=provenance)) == []


def in_folder(session: Path) -> Context:
    folder = session / "run_1"
    folder.mkdir(parents=True)
    (folder / "weights.safetensors").write_text("w")
    return sound(folder=folder, session=session)


class TestQuestions:
    def test_the_step_and_the_suspicious_lines_are_put_to_the_advisor(self) -> None:
        code = METHOD_CODE.replace(
            "    return loss\n", "    loss = loss + self.prev_acts.detach().mean()\n    return loss\n"
        )
        questions = advisor_questions(with_code(sound(), code))
        assert "Orthogonality: Add an orthogonality penalty" in questions[0]
        assert any("tensors with gradients" in q and "self.prev_acts.detach()" in q for q in questions)
        assert any("unrelated batches" in q for q in questions)

    def test_without_a_change_there_is_nothing_to_ask(self) -> None:
        assert advisor_questions(sound(diff="")) == []
        assert advisor_questions(sound(diff=None, parent_code=None)) == []
