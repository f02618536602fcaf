"""The reader takes any file; the table says in words who is better."""

from __future__ import annotations

import json
import math
import os
import time
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from orchestrator.evidence.results import compare, headline, read_results, show, summary_table
from orchestrator.records import Evidence, Metric

EV = Metric(name="core.ev", direction="max", target=0.75)
MSE = Metric(name="core.mse", direction="min", unit="nats²")

scalars = st.none() | st.booleans() | st.integers() | st.floats() | st.text()
anything = st.recursive(scalars, lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner), max_leaves=30)


def write(path: Path, data: Any) -> Path:
    path.write_text(json.dumps(data), encoding="utf-8")
    return path


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(anything)
def test_any_json_is_read_and_no_number_is_lost(tmp_path: Path, data: Any) -> None:
    found = read_results(write(tmp_path / "final_info.json", data))
    assert all(isinstance(value, float) for value in found.metrics.values())
    assert all(isinstance(sentence, str) and sentence.endswith(".") for sentence in found.problems)
    assert all(key.encode("utf-8") is not None for key in [*found.metrics, *found.texts, *found.settings])
    assert found.metrics or found.problems


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(st.binary(max_size=300))
def test_any_bytes_are_read(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "final_info.json").write_bytes(content)
    found = read_results(tmp_path / "final_info.json")
    assert found.metrics or found.problems


def test_nested_lists_and_special_keys(tmp_path: Path) -> None:
    data = {"a.b": {"c/d": 1, "50%_$x$ & {é}": [2, {"z": 3.5}]}, "flag": True, "name": "x", "none": None}
    found = read_results(write(tmp_path / "r.json", data))
    assert found.metrics == {"a.b.c/d": 1.0, "a.b.50%_$x$ & {é}.0": 2.0, "a.b.50%_$x$ & {é}.1.z": 3.5}
    assert found.texts == {"flag": "true", "name": "x"}
    assert found.nulls == ["none"]


def test_settings_lose_what_stands_before_config(tmp_path: Path) -> None:
    data = {
        "training results for layer 12": {"config": {"lr": 2e-4, "lm_name": "pythia", "resample": None}},
        "core": {"eval_cfg": {"batch": 16}, "mse": 2.5},
        "hyperparameters": {"k": 40},
    }
    found = read_results(write(tmp_path / "r.json", data))
    assert found.settings == {
        "config.lr": 2e-4,
        "config.lm_name": "pythia",
        "config.resample": None,
        "config.core.eval_cfg.batch": 16,
        "config.k": 40,
    }
    assert found.metrics == {"core.mse": 2.5}


def test_a_setting_stated_twice_is_a_problem(tmp_path: Path) -> None:
    found = read_results(write(tmp_path / "r.json", {"a": {"config": {"k": 1}}, "b": {"config": {"k": 2}}, "m": 1}))
    assert found.problems == ["config.k is stated twice: 1, and 2 at b.config.k."]


def test_means_are_told_from_their_errors(tmp_path: Path) -> None:
    data = {"circle": {"means": {"loss": 0.5}, "stderrs": {"loss": 0.1}, "final_info_dict": {"loss": [0.4, 0.6]}}}
    found = read_results(write(tmp_path / "r.json", data))
    assert headline(found.metrics) == {"circle.means.loss": 0.5}
    assert len(found.metrics) == 4
    assert headline({"loss": 1.0}) == {"loss": 1.0}


def test_nan_and_infinity_as_json_and_as_words(tmp_path: Path) -> None:
    (tmp_path / "r.json").write_text('{"a": NaN, "b": -Infinity, "c": "nan", "d": "Infinity", "e": 1e999}')
    metrics = read_results(tmp_path / "r.json").metrics
    assert math.isnan(metrics["a"]) and math.isnan(metrics["c"])
    assert (metrics["b"], metrics["d"], metrics["e"]) == (-math.inf, math.inf, math.inf)


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        ("", "r.json is empty."),
        ("{}", "r.json holds no number."),
        ("[]", "r.json holds no number."),
        ("3", "r.json holds a single value, not named results."),
        ("null", "r.json holds only null."),
        ('{"a": 1, "b"', "r.json is not JSON (line 1, column 13: Expecting ':' delimiter)."),
        ("[" * 100_000, "r.json cannot be read: a number too long, or lists nested too deep."),
        ('{"a": ' + "9" * 5000 + "}", "r.json cannot be read: a number too long, or lists nested too deep."),
        ('{"a": 1, "a.b": 2, "a": {"b": 3}}', "Two numbers are both called a.b; the first is kept."),
    ],
)
def test_what_is_wrong_is_said_in_a_sentence(tmp_path: Path, content: str, problem: str) -> None:
    (tmp_path / "r.json").write_text(content)
    assert read_results(tmp_path / "r.json").problems == [problem]


def test_a_number_too_large(tmp_path: Path) -> None:
    found = read_results(write(tmp_path / "r.json", {"a": -(10**400)}))
    assert found.metrics == {"a": -math.inf}
    assert found.problems == ["a is too large a number."]


def test_folder_missing_file_and_no_text(tmp_path: Path) -> None:
    assert read_results(tmp_path).problems == [f"{tmp_path.name} is a folder, not a file."]
    assert read_results(tmp_path / "none.json").problems == ["none.json was not written."]
    (tmp_path / "b.json").write_bytes(b"\xff\xfe\x00")
    assert read_results(tmp_path / "b.json").problems == ["b.json is not text in UTF-8."]
    (tmp_path / "loop.json").symlink_to("loop.json")
    assert "cannot be read" in read_results(tmp_path / "loop.json").problems[0]


def test_a_named_pipe_does_not_hang(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.json")
    assert read_results(tmp_path / "pipe.json").problems == ["pipe.json is no regular file."]


def test_ten_thousand_metrics(tmp_path: Path) -> None:
    found = read_results(write(tmp_path / "r.json", {f"layer.{i}/α_{i}": i / 7 for i in range(10_000)}))
    assert len(found.metrics) == 10_000
    assert found.problems == []


@pytest.mark.slow
def test_fifty_megabytes_in_seconds(tmp_path: Path) -> None:
    started = time.monotonic()
    found = read_results(write(tmp_path / "r.json", {"loss": 0.5, "curve": [i / 7 for i in range(2_600_000)]}))
    assert found.metrics["loss"] == 0.5
    assert "more than 200,000 numbers" in found.problems[0]
    assert time.monotonic() - started < 30


def run(name: str, seed: int = 0, parent: str | None = None, **values: float) -> Evidence:
    metrics = {f"core.{key}": value for key, value in values.items()}
    return Evidence(run=name, seed=seed, metrics=metrics, parent=parent)


def test_compare_says_better_by_the_metrics_direction() -> None:
    base, lower = run("run_0", mse=0.5, ev=0.7), run("run_1", mse=0.4, ev=0.6)
    assert compare(lower, base, MSE, 0.01) == "0.4 against 0.5 in run_0 (-0.1, -20 %): better"
    assert compare(lower, base, EV, 0.01) == "0.6 against 0.7 in run_0 (-0.1, -14.3 %): worse"
    assert compare(lower, base, EV, 0.2) == "0.6 against 0.7 in run_0 (-0.1, -14.3 %): within noise (±0.2)"
    assert compare(lower, base, EV, None).endswith("worse (noise not known)")
    assert compare(lower, base, Metric(name="core.x"), None) == "core.x was not measured in both run_1 and run_0"


def test_the_table_has_baselines_first_and_says_how_each_run_compares() -> None:
    evidence = [
        run("run_1", ev=0.80, mse=0.5, parent="run_0"),
        *(run("run_0/topk", seed, ev=0.70 + seed / 1000, mse=0.5 + seed / 100) for seed in range(3)),
        run("run_0/standard", ev=0.9, mse=0.1),
        Evidence(run="run_2", status="failed", reason="NaN"),
    ]
    lines = summary_table(evidence, [EV, MSE]).splitlines()
    assert lines[0] == "| metric | run_0/standard | run_0/topk | run_1 | run_2 |"
    assert lines[2] == (
        "| core.ev (higher is better, target 0.75) | 0.9 | 0.701 ± 0.0025 (n = 3) |"
        " 0.8; worse (-0.1, noise not known) than: standard; better (+0.099) than: topk | failed |"
    )
    assert "within noise (-0.01) of: topk" in lines[3]
    assert lines[3].startswith("| core.mse (nats², lower is better) |")


def test_the_table_judges_against_the_parent_too() -> None:
    evidence = [run("run_0", ev=0.7), run("run_1", ev=0.8, parent="run_0"), run("run_2", ev=0.75, parent="run_1")]
    row = summary_table(evidence, [EV]).splitlines()[2]
    assert "better (+0.05, noise not known) than: run_0; worse (-0.05, noise not known) than: run_1" in row


def test_an_empty_table_and_pipes_in_names() -> None:
    assert summary_table([], [EV]) == "(no results yet)"
    assert "a\\|b" in summary_table([Evidence(run="run_0", metrics={"a|b": 1.0})], [Metric(name="a|b")])


@pytest.mark.parametrize(("value", "text"), [(32.0, "32"), (0.123456, "0.1235"), (1e9, "1e+09"), (math.nan, "nan")])
def test_show(value: float, text: str) -> None:
    assert show(value) == text
