"""The runs of the two recorded sessions, rebuilt from their logs, and the faults that recordings hide."""

from __future__ import annotations

import json
import math
from dataclasses import replace
from typing import ClassVar

import pytest
from guard_cases import (
    BASELINE_CODE,
    METHOD_CODE,
    baselines,
    evidence,
    found,
    outcome,
    sound,
    with_code,
    with_metrics,
    with_run,
)

from orchestrator.evidence.guards import Context, advisor_questions, judge
from orchestrator.evidence.results import Results
from orchestrator.records import Evidence, Metric, PlannedRun

RECORDED = (
    Metric(name="core.explained_variance", direction="max", target=0.75),
    Metric(name="core.kl_div_score", direction="max"),
    Metric(name="core.ce_loss_score", direction="max"),
    Metric(name="core.mse", direction="min"),
    Metric(name="absorption.mean_absorption_score", direction="min", target=0.01),
)


def recorded(run: str, parent: str | None, settings: dict[str, object], **metrics: float) -> Evidence:
    named = {key.replace("__", "."): value for key, value in metrics.items()}
    flat = {f"config.{key}": value for key, value in settings.items()}
    return Evidence.model_validate(
        {"run": run, "parent": parent, "settings": flat, "metrics": named, "claimed": dict(named)}
    )


def judged(run: Evidence, earlier: list[Evidence], **changes: object) -> Context:
    context = Context(
        run=run,
        earlier=tuple(earlier),
        metrics=RECORDED,
        primary="core.explained_variance",
        comparable=("config.lm_name", "config.layer", "config.activation_dim"),
        results=Results(metrics=dict(run.claimed), settings=dict(run.settings)),
    )
    return replace(context, **changes)  # type: ignore[arg-type]


class TestTemporalSession:
    """A 70 M model against a baseline of a 2 B one; four runs, all diverged, the last equal to the third."""

    gemma: ClassVar = {
        "lm_name": "google/gemma-2-2b",
        "layer": 12,
        "activation_dim": 2304,
        "dict_size": 65536,
        "lr": 1e-4,
    }
    pythia: ClassVar = {"lm_name": "EleutherAI/pythia-70m-deduped", "layer": 3, "activation_dim": 512, "lr": 5e-4}
    shared: ClassVar = {"core__ce_loss_without_sae": 4.008762836456299, "core__kl_div_score": math.nan}

    def baselines(self) -> list[Evidence]:
        same = {"absorption__mean_absorption_score": 0.009173980180944308, "final_info__training_steps": 4882}
        ev = {"core__explained_variance": 0.7890625, "core__mse": 1.328125, "core__kl_div_score": 0.991702251552795}
        topk = recorded("run_0/topk", None, {**self.gemma, "k": 320}, core__ce_loss_score=0.991776, **ev, **same)
        ev = {"core__explained_variance": 0.84375, "core__mse": 0.98046875, "core__kl_div_score": 0.9957540760869565}
        jump = recorded("run_0/jumprelu", None, self.gemma, core__ce_loss_score=0.996711, **ev, **same)
        return [topk, jump]

    def run(self, number: int, ev: float, mse: float, loss: float, ce: float, absorption: float) -> Evidence:
        metrics = {
            **self.shared,
            "core__explained_variance": ev,
            "core__mse": mse,
            "core__ce_loss_score": ce,
            "absorption__mean_absorption_score": absorption,
            "final_info__training_steps": 4882,
            "final_info__final_loss": loss,
        }
        return recorded(f"run_{number}", f"run_{number - 1}", self.pythia, **metrics)

    def runs(self) -> list[Evidence]:
        return [
            self.run(1, -3087.471923828125, 436.9891357421875, 941.1054077148438, 0.19899571, 0.301299729034773),
            self.run(2, -3375.7451171875, 472.304931640625, 980.6953125, 0.20022590, 0.3283777334744681),
            self.run(3, -1151.410888671875, 185.9412078857422, 569.7782592773438, 0.160720985, 0.31296483932461194),
            self.run(4, -1151.410888671875, 185.9412078857422, 569.7782592773438, 0.160720985, 0.313477288779157),
        ]

    @pytest.mark.parametrize("number", [1, 2, 3, 4])
    def test_each_run_fails_for_its_model_its_nan_and_its_divergence(self, number: int) -> None:
        runs = self.runs()
        earlier = [*self.baselines(), *(r.model_copy(update={"status": "failed"}) for r in runs[: number - 1])]
        findings = found(judged(runs[number - 1], earlier, diff="+++ b/experiment.py\n+x = 1\n"))
        fails = {name for name, f in findings.items() if f.outcome == "fail"}
        assert {"not_comparable", "not_finite", "diverged"} <= fails
        assert "EleutherAI/pythia-70m-deduped, the baseline's google/gemma-2-2b" in findings["not_comparable"].sentence
        assert f"core.explained_variance = {runs[number - 1].metrics['core.explained_variance']:.4g}" in (
            findings["diverged"].sentence
        )
        assert ("identical" in fails) == (number == 4)

    def test_the_baselines_share_one_evaluation(self) -> None:
        topk, jump = self.baselines()
        finding = found(judged(jump, [topk]))["number_shared"]
        assert "absorption.mean_absorption_score equals that of run_0/topk" in finding.sentence


class TestOrthogonalSession:
    """The baseline's own TopK under the name of a method: once for 488 steps, once with k = 40 for k = 320."""

    settings: ClassVar = {
        "trainer_class": "TrainerTopK",
        "lm_name": "google/gemma-2-2b",
        "layer": 12,
        "activation_dim": 2304,
        "dict_size": 16384,
        "lr": 2e-4,
    }
    code = "num_tokens = 1_000_000\n\n\nclass TrainerTopK:\n    def __init__(self, k=100):\n        self.k = k\n"

    def baseline(self) -> Evidence:
        return recorded(
            "run_0/topk",
            None,
            {**self.settings, "steps": 2441, "k": 320},
            core__explained_variance=0.74609375,
            core__mse=1.6015625,
            core__kl_div_score=0.9877717391304348,
            core__ce_loss_score=0.9884868421052632,
            absorption__mean_absorption_score=0.02959233779334607,
        )

    def run(self, number: int, steps: int, ev: float, mse: float, kl: float, ce: float) -> Evidence:
        return recorded(
            f"run_{number}",
            "run_0/topk",
            {**self.settings, "steps": steps, "k": 40},
            core__explained_variance=ev,
            core__mse=mse,
            core__kl_div_score=kl,
            core__ce_loss_score=ce,
            final_info__learning_rate=0.0003,
            final_info__training_steps=steps,
        )

    def judge_run(self, run: Evidence, code: str, step: PlannedRun) -> Context:
        files = {"experiment.py": self.code}
        context = judged(run, [self.baseline()], step=step, code={"experiment.py": code})
        comparable = (*context.comparable, "config.steps")
        return replace(context, parent_code=files, baseline_code=files, comparable=comparable)

    def test_run_1_is_the_unmodified_baseline_for_a_fifth_of_its_steps(self) -> None:
        run = self.run(1, 488, 0.52734375, 3.0, 0.9173136645962733, 0.9161184210526315)
        step = PlannedRun(run=1, title="Progressive orthogonality", change="Add the penalty", expected="")
        findings = found(self.judge_run(run, self.code, step))
        assert findings["code_unchanged"].outcome == findings["not_comparable"].outcome == "fail"
        assert "config.steps is 488, the baseline's 2441" in findings["not_comparable"].sentence
        assert "config.lr = 0.0002, final_info.learning_rate = 0.0003" in findings["settings_contradict"].sentence
        assert "absorption.mean_absorption_score" in findings["unequal_metrics"].sentence

    def test_run_2_is_the_unmodified_baseline_with_one_changed_constant(self) -> None:
        run = self.run(2, 2441, 0.609375, 2.484375, 0.9596273291925466, 0.9588815789473685)
        step = PlannedRun(run=2, title="Full training", change="Extend training to full 2441 steps", expected="")
        code = self.code.replace("1_000_000", "5_000_000")
        findings = found(self.judge_run(run, code, step))
        assert [name for name, f in findings.items() if f.outcome == "fail"] == ["only_settings_changed"]
        assert "num_tokens: 1000000 → 5000000" in findings["only_settings_changed"].sentence

    def test_without_code_run_2_is_still_told_to_be_the_baselines_class(self) -> None:
        run = self.run(2, 2441, 0.609375, 2.484375, 0.9596273291925466, 0.9588815789473685)
        assert "TrainerTopK" in found(judged(run, [self.baseline()]))["baselines_method"].sentence


BUFFER = """
class Optimiser:
    def __init__(self):
        self.scales = {}

    def step(self, parameter):
        scale = self.scales.get("decoder")
        if scale is not None:
            parameter.grad *= scale
"""


def parent_run() -> Evidence:
    return evidence("run_1", number_seed=5)


def same_as_parent(context: Context) -> Context:
    parent = parent_run()
    context = with_run(context, run="run_2", parent="run_1", metrics=dict(parent.metrics), claimed=dict(parent.metrics))
    return replace(context, earlier=(*baselines(), parent))


class TestWhatTheRecordingsHide:
    def test_zero_steps_under_a_loss_of_none(self) -> None:
        context = with_metrics(sound(), training__steps=0.0)
        assert outcome(replace(context, results=Results(nulls=["final_info.final_loss"])), "no_training") == "fail"

    def test_a_swapped_evaluator(self) -> None:
        assert outcome(sound(protected_now={"evaluate.py": "x", "data/eval.npz": "d1"}), "protected_changed") == "fail"

    def test_a_scale_buffer_looked_up_under_another_name(self) -> None:
        context = same_as_parent(with_code(sound(), METHOD_CODE + BUFFER))
        assert outcome(context, "identical") == "fail"
        assert any('self.scales.get("decoder")' in q for q in advisor_questions(context))

    def test_a_default_while_the_call_passes_the_old_value(self) -> None:
        context = with_code(sound(), BASELINE_CODE.replace("k=32):", "k=64):"))
        assert outcome(context, "default_overridden") == "fail"

    def test_a_loss_on_detached_tensors_is_put_to_the_advisor(self) -> None:
        code = METHOD_CODE.replace("    return loss\n", "    loss += (model.f.detach() - model.g.detach()).norm()\n")
        asked = advisor_questions(with_code(sound(), code))
        assert any("gradients" in q and "model.f.detach()" in q for q in asked)

    def test_clipping_before_backward(self) -> None:
        clip = "        clip_grad_norm_(model.parameters(), 1)\n        loss.backward()\n"
        code = METHOD_CODE.replace("        loss.backward()\n", clip)
        assert outcome(with_code(sound(), code), "clip_before_backward") == "warn"

    def test_state_updated_inside_encode(self) -> None:
        code = METHOD_CODE.replace(
            "        return x.relu()\n", "        self.scale.mul_(0.9)\n        return x.relu()\n"
        )
        assert "alters self.scale" in found(with_code(sound(), code))["state_in_encode"].sentence

    def test_a_difference_between_unrelated_batches_is_put_to_the_advisor(self) -> None:
        code = METHOD_CODE.replace("    return loss\n", "    loss += (model.f - prev_acts).norm()\n    return loss\n")
        assert any("unrelated batches" in q for q in advisor_questions(with_code(sound(), code)))

    def test_a_change_in_forward_while_the_evaluator_calls_encode(self) -> None:
        code = BASELINE_CODE.replace("return self.decode(self.encode(x))", "return self.decode(self.encode(x) - 1)")
        assert outcome(with_code(sound(), code), "change_not_evaluated") == "warn"

    @pytest.mark.parametrize(("key", "value"), [("lr", 0.01), ("sparsity_penalty", 0.04), ("k", 320)])
    def test_settings_in_the_results_that_are_not_the_ones_used(self, key: str, value: float) -> None:
        settings = {**sound().run.settings, "config.l1_penalty": 1.0, f"config.{key}": value}
        findings = found(with_run(sound(), settings=settings))
        assert {"settings_contradict", "settings_not_in_code"} & set(findings)

    def test_a_starting_file_left_over_from_another_attempt(self) -> None:
        assert outcome(with_code(sound(), METHOD_CODE, parent=METHOD_CODE), "code_unchanged") == "fail"

    def test_three_baselines_with_one_cached_number(self) -> None:
        topk, jump = evidence("run_0/topk", number_seed=1), evidence("run_0/jumprelu", number_seed=2)
        jump.metrics["core.mse"] = topk.metrics["core.mse"]
        assert outcome(sound(run=jump, earlier=(topk,)), "number_shared") == "warn"

    def test_a_baseline_measured_with_other_metrics(self) -> None:
        base = tuple(b.model_copy(update={"metrics": {"absorption.mean": 0.01}}) for b in baselines())
        assert outcome(sound(earlier=base), "unequal_metrics") == "warn"

    def test_an_explained_variance_that_no_text_mentions(self) -> None:
        finding = found(with_metrics(sound(), core__explained_variance=-3087.471923828125))["diverged"]
        assert "core.explained_variance = -3087: worse than predicting the mean" in finding.sentence

    def test_pseudo_code_and_a_changed_constant(self) -> None:
        code = BASELINE_CODE.replace("LR = 1e-3", "LR = 2e-3")
        assert outcome(with_code(sound(), code), "only_settings_changed") == "fail"
        dots = METHOD_CODE + "\n\ndef competition(f):\n    ...\n"
        assert outcome(with_code(sound(), dots), "placeholder_left") == "warn"

    def test_nan_reported_as_zero(self) -> None:
        curve = "".join(json.dumps({"step": i, "loss": math.nan}) + "\n" for i in range(5))
        context = with_metrics(sound(curve=curve), core__mse=0.0)
        assert "in spite of it the run reports" in found(context)["training_nan"].sentence

    def test_a_method_of_which_nothing_is_wrong_is_let_be(self) -> None:
        assert judge(sound()) == []
