"""The macros of evidence: in LaTeX, compiled by pdflatex, and in Python they say the same."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

from orchestrator.evidence.ledger import Ledger
from orchestrator.evidence.macros import expand, meaning, rounded, write_evidence_tex
from orchestrator.evidence.texcode import key_source, plain_key
from orchestrator.records import Evidence, Metric

METRICS = [
    Metric(name="core.mse", direction="min", reading="Mean squared error."),
    Metric(name="core.l0", unit="features"),
    Metric(name="probe.acc_%#&é", direction="max", unit="%"),
    Metric(name="core.tiny", direction="max"),
]
LABELS = {"run_2": "Gated_x"}


def _evidence() -> list[Evidence]:
    settings = {"config.lr": 3e-4, "config.lm_name": "pythia_70m", "config.d_sae": 65536}
    found = []
    for run, base in (("run_0/topk", 0.5), ("run_1", 0.41), ("run_2", 0.3)):
        for seed in range(3):
            values = {"core.mse": base + seed * 0.01, "core.l0": 87.0, "core.tiny": 1.2345e-5}
            values |= {"probe.acc_%#&é": 81.234, "other.large": 1234.567 * base}
            found.append(Evidence(run=run, seed=seed, title="Adaptive λ & more", metrics=values, settings=settings))
    return [
        *found,
        Evidence(run="run_3", status="failed", attempts=4),
        Evidence(run="run_4", metrics={"core.mse": 0.3}),
    ]


def _compiled(folder: Path, body: str) -> tuple[int, str, str]:
    """Exit code, text of the PDF with spaces squeezed, log."""
    text = write_evidence_tex(_evidence(), METRICS, LABELS)
    (folder / "evidence.tex").write_text(text, encoding="utf-8")
    (folder / "paper.tex").write_text(
        r"\documentclass{article}\usepackage[T1]{fontenc}\usepackage[utf8]{inputenc}"
        r"\usepackage{amsmath,graphicx,booktabs,siunitx,xcolor}\input{evidence.tex}\begin{document}"
        + body
        + r"\end{document}",
        encoding="utf-8",
    )
    command = ["pdflatex", "-interaction=nonstopmode", "paper.tex"]
    done = subprocess.run(command, cwd=folder, capture_output=True, check=False)
    log = (folder / "paper.log").read_text(encoding="latin-1")
    if shutil.which("pdftotext") and (folder / "paper.pdf").exists():
        subprocess.run(["pdftotext", "-layout", "paper.pdf"], cwd=folder, check=True)
        return done.returncode, " ".join((folder / "paper.txt").read_text(encoding="utf-8").split()), log
    return done.returncode, "", log


needs_tex = pytest.mark.skipif(not shutil.which("pdflatex"), reason="pdflatex is not installed")


@needs_tex
@pytest.mark.slow
def test_every_macro_compiles_and_prints_what_python_says(tmp_path: Path) -> None:
    calls = [
        r"\res{run_1/core.mse}", r"\res[2]{run_0/topk/core.mse}", r"\res{run_1/core.l0}",
        r"\res{run_1/probe.acc_\%\#&é}",
        r"\res{run_1/probe.acc\_\%\#\&é}", r"\res{run_1/seed_2/core.mse}", r"\resmean{run_2/core.mse}",
        r"\resn{run_2/core.mse}",
        r"\diff{run_2}{run_1}{core.mse}", r"\ratio{run_2}{run_1}{core.mse}", r"\setting{run_1/config.lr}",
        r"\setting{run_1/config.lm_name}", r"\unitof{core.l0}", r"\attempts{}", r"\soundruns{}", r"\res{run_1/other.large}",
    ]  # fmt: skip
    code, text, log = _compiled(tmp_path, r"\par ".join(f"[{call}]" for call in calls))
    assert code == 0, log[-3000:]
    for call in calls:
        said = expand(call, _evidence(), METRICS, LABELS).replace(r"{\_}", "_").replace("-", "−")
        assert f"[{said}]" in text, (call, said, text)


@needs_tex
@pytest.mark.slow
def test_interval_and_relative_change_carry_their_signs(tmp_path: Path) -> None:
    body = r"[\resci{run_2/core.mse}][\resci{run_4/core.mse}][\relchange[2]{run_2}{run_1}{core.mse}]"
    code, text, log = _compiled(tmp_path, body)
    assert code == 0, log[-3000:]
    assert "[0.310 ± 0.025]" in text
    assert "[0.300 (n = 1)]" in text
    assert "[−26 %]" in text or "[−26%]" in text


@needs_tex
@pytest.mark.slow
def test_tables_hold_every_sound_run_and_no_failed_one(tmp_path: Path) -> None:
    code, text, log = _compiled(
        tmp_path, r"\begin{table}\caption{On \res{run_1/core.mse}}\resulttable\end{table}\metricstable"
    )
    assert code == 0, log[-3000:]
    assert "Gated_x" in text and "Adaptive λ & more" in text and "run_4" in text
    assert "run_3" not in text
    assert "Overfull" not in log.split("Mean squared")[0]


@needs_tex
@pytest.mark.slow
@pytest.mark.parametrize("call", [r"\res{run_1/core.msee}", r"\res{run_3/core.mse}", r"\diff{run_9}{run_1}{core.mse}"])
def test_unknown_name_stops_the_build_and_names_its_line(tmp_path: Path, call: str) -> None:
    code, _, log = _compiled(tmp_path, f"first\n\nthen {call}\n")
    assert code != 0
    assert "There is no" in log and "run_1" in log
    assert "\nl.3 " in log


def test_failed_run_has_no_value() -> None:
    found = meaning("res", ["run_3/core.mse"], Ledger(_evidence(), METRICS))
    assert found.problem and found.value is None


def test_unknown_name_comes_with_the_nearest() -> None:
    found = meaning("res", ["run_1/core.msee"], Ledger(_evidence(), METRICS))
    assert "run_1/core.mse" in found.nearest


def test_ratio_to_zero_is_a_problem_not_a_crash() -> None:
    evidence = [Evidence(run="run_0", metrics={"m": 0.0}), Evidence(run="run_1", metrics={"m": 1.0})]
    assert "0 in run_0" in meaning("ratio", ["run_1", "run_0", "m"], Ledger(evidence)).problem


@pytest.mark.parametrize(
    ("value", "digits", "said"),
    [
        (0.41234, None, "0.412"), (87.0, None, "87"), (8311.29, None, "8311"), (1.2345e-5, None, "1.23e-5"),
        (0.5, None, "0.500"), (0.41234, 2, "0.41"), (-0.0995, 2, "-0.10"), (0.0, None, "0"), (2.5, 1, "3"),
    ],
)  # fmt: skip
def test_rounding_is_that_of_siunitx(value: float, digits: int | None, said: str) -> None:
    assert rounded(value, digits) == said


@pytest.mark.parametrize("key", ["run_1/a.b_c", "run_1/50%", "run_1/a#b&c", "run_1/{x}\\y~z^w", "run_1/ü.µ"])
def test_keys_survive_being_typed_in_latex(key: str) -> None:
    source = key_source(key)
    assert source is not None and plain_key(source) == key


def test_key_with_control_characters_has_no_macro() -> None:
    assert key_source("run_1/a\nb") is None
    text = write_evidence_tex([Evidence(run="run_1", metrics={"a\nb": 1.0})], [], {})
    assert "left out" in text


def test_non_finite_values_have_no_macro() -> None:
    text = write_evidence_tex([Evidence(run="run_1", metrics={"a": float("nan"), "b": float("inf"), "c": 1.0})], [], {})
    assert "{run_1/c}" in text and "{run_1/a}" not in text and "{run_1/b}" not in text


def test_best_is_bold_only_beyond_the_noise() -> None:
    def table(step: float) -> str:
        runs = {"run_0": 0.5, "run_1": 0.45}
        evidence = [Evidence(run=r, seed=s, metrics={"m": v + s * step}) for r, v in runs.items() for s in range(3)]
        return write_evidence_tex(evidence, [Metric(name="m", direction="min")], {}).split(r"\def\orchresulttable")[1]

    assert r"\orchbest" in table(0.001)
    assert r"\orchbest" not in table(0.2)


def test_ten_thousand_metrics_stay_within_tex_memory() -> None:
    evidence = [Evidence(run=f"run_{i}", metrics={f"m{j}": float(j) for j in range(10_000)}) for i in range(4)]
    text = write_evidence_tex(evidence, [Metric(name="m9999")], {})
    assert "left out: too many" in text and "{run_3/m9999}" in text
