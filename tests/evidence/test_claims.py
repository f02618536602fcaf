"""The checker of claims: bound to run, metric, aggregation, unit and direction, never only to digits."""

from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from orchestrator.evidence.claims import Claim, check, claims_json, mark_unsupported, repair_lines
from orchestrator.records import Evidence, Metric, Provenance

METRICS = [
    Metric(name="core.mse", direction="min", target=0.25),
    Metric(name="core.explained_variance", direction="max", high=1.0),
    Metric(name="core.l0", unit="active features"),
    Metric(name="time.latency_ms", direction="min", unit="ms"),
]
VALUES = {
    "run_0": ("TopK", 0.5127, 0.8214, 87.3, 12.4),
    "run_1": ("Temporal penalty", 0.5109, 0.8221, 87.0, 12.5),
    "run_2": ("Gated encoder", 0.4386, 0.8473, 64.0, 15.5),
}
SETTINGS = {
    "config.lm_name": "pythia-70m", "config.layer": 3, "config.batch_size": 2048, "config.d_sae": 4096, "config.lr": 3e-4,
}  # fmt: skip


def _evidence(seeds: int = 3) -> list[Evidence]:
    found = [
        Evidence(
            run=run, seed=seed, title=title, settings=SETTINGS, provenance=Provenance(commit="abcdef0123456789"),
            metrics={
                "core.mse": mse + (seed - 1) * 0.004, "core.explained_variance": ev + (seed - 1) * 0.002,
                "core.l0": l0, "time.latency_ms": latency + (seed - 1) * 0.01,
            },
        )
        for run, (title, mse, ev, l0, latency) in VALUES.items() for seed in range(seeds)
    ]  # fmt: skip
    return [*found, Evidence(run="run_3", title="Orthogonal decoder", status="failed", attempts=4, reason="NaN")]


def _claims(text: str, section: str = "Results", seeds: int = 3) -> list[Claim]:
    return check(rf"\section{{{section}}}" + "\n" + text, _evidence(seeds), METRICS)


def _problems(text: str, section: str = "Results", seeds: int = 3) -> list[str]:
    return [f"{c.written}: {c.problem}" for c in _claims(text, section, seeds) if not c.supported]


@pytest.mark.parametrize(
    "text",
    [
        "The Gated encoder reaches an MSE of 0.439 and an explained variance of 0.847.",
        "TopK has an explained variance of 82.1\\%.",
        "The Gated encoder reduces the MSE from 0.513 to 0.439, a reduction of 14.5\\%.",
        "The MSE of the Gated encoder is $0.4386 \\pm 0.0099$.",
        "TopK and the Gated encoder reach an MSE of 0.513 and 0.439, respectively.",
        "Explained variance: 0.847 (Gated encoder) vs.\\ 0.821 (TopK).",
        "The Gated encoder gains 0.026 in explained variance over TopK.",
        "The Gated encoder takes \\SI{15.5}{\\milli\\second}, 1.25 times the latency of TopK.",
        "TopK has 87.3 active features.",
        "All results are means over three seeds with 95\\% confidence intervals.",
        "The orthogonal decoder failed in all four attempts.",
        "In 2024, Section 3 and Figure 2 of \\cite{x} used GPT-2 on layer~3.",
        "None reaches the target of 0.25 in MSE, the Gated encoder least of all.",
        "The Gated encoder \\emph{outperforms} TopK in explained variance ($p < 0.01$).",
        "The temporal penalty is within noise of TopK in MSE.",
        "The temporal penalty does not improve the MSE over TopK.",
        "\\resci{run_2/core.mse} is lower than \\resci{run_0/core.mse}.",
    ],
)
def test_what_the_evidence_shows_is_supported(text: str) -> None:
    assert _problems(text) == []


@pytest.mark.parametrize(
    ("text", "part"),
    [
        ("The Gated encoder reaches an MSE of 0.438.", "0.438"),
        ("TopK reaches an MSE of 0.439.", "that of run_2"),
        ("The Gated encoder has an explained variance of 0.439.", "0.439"),
        ("The Gated encoder has a sparsity of 87\\%.", "87"),
        ("The Gated encoder reaches an MSE of -0.439.", "-0.439"),
        ("The Gated encoder increases the MSE by 14.5\\% over TopK.", "14.5"),
        ("The Gated encoder reduces the MSE by 16.9\\% over TopK.", "16.9"),
        ("The Gated encoder is 36.5x better in MSE than TopK.", "36.5"),
        ("The MSE of the Gated encoder is $0.439 \\pm 0.001$.", "after ±"),
        ("Run 3 reaches an MSE of 0.4.", "never quoted"),
        ("The Gated encoder takes 15.5\\,s of latency.", "15.5"),
        ("All results are means over ten seeds.", "seeds"),
        ("The temporal penalty improves the MSE over TopK.", "noise"),
        ("TopK has the lowest MSE.", "lowest"),
        ("TopK outperforms the Gated encoder in explained variance.", "other way"),
        ("The Gated encoder does not improve the MSE over TopK.", "it does"),
        ("The Gated encoder improves the MSE over TopK ($p < 10^{-12}$).", "tests give"),
        ("We evaluate on Gemma-2-2b.", "Gemma"),
        ("The Gated encoder halves the MSE of TopK.", "halves"),
        ("The Gated encoder has an MSE of \\res{run_2/core.explained_variance}.", "macro is of"),
        ("TopK reaches an MSE of \\res{run_2/core.mse}.", "macro is of"),
        ("An explained variance of \\res{run_2/core.explained_variance}\\%.", "percent"),
        ("See \\res{run_2/core.msee}.", "no evidence"),
        ("See \\res{run_3/core.mse}.", "failed"),
        ("Our approach scores 0.731.", "0.731"),
    ],
)
def test_what_the_evidence_does_not_show_is_found(text: str, part: str) -> None:
    assert any(part in problem for problem in _problems(text)), _problems(text)


def test_hand_typed_numbers_of_a_setup_are_settings() -> None:
    setup = "We use layer 3 of Pythia-70m, a batch size of 2{,}048 and 4096 latents, an expansion of 2 times 2."
    assert _problems(setup, "Experimental Setup") == []
    assert _problems("We use a batch size of 1024.", "Experimental Setup")
    assert _problems("We train on 8 A100 GPUs.", "Experimental Setup")


def test_numbers_of_the_code_count_in_the_setup_but_not_in_results() -> None:
    code = ["WARMUP = 1234\n"]
    setup = r"\section{Experimental Setup} Warm-up lasts 1234 updates."
    assert all(c.supported for c in check(setup, _evidence(), METRICS, settings_texts=code))
    results = r"\section{Results} The MSE of TopK is 1234."
    assert not all(c.supported for c in check(results, _evidence(), METRICS, settings_texts=code))


def test_numbers_of_prior_work_need_a_citation() -> None:
    prior = r"\section{Related Work} Others reach an explained variance of 0.958 \cite{gao}."
    assert all(c.supported for c in check(prior, _evidence(), METRICS))
    claims = check(prior.replace("Related Work", "Results"), _evidence(), METRICS)
    assert not all(c.supported for c in claims)


def test_one_run_each_says_nothing_of_significance() -> None:
    text = "The Gated encoder has a significantly lower MSE than TopK."
    assert any("significant" in problem for problem in _problems(text, seeds=1))
    assert _problems("The Gated encoder has a lower MSE than TopK.", seeds=1) == []


def test_with_one_run_the_spread_of_the_baseline_is_the_noise() -> None:
    evidence = [e for e in _evidence() if e.run == "run_0" or e.seed == 0]
    text = r"\section{Results} The temporal penalty has a lower MSE than TopK."
    claims = check(text, evidence, METRICS)
    assert any(not c.supported and c.kind == "comparison" for c in claims)


TABLE = r"""
\begin{table}\caption{Results}\begin{tabular}{lccc}\toprule
Method & MSE $\downarrow$ & Expl.\ var. (\%) & Latency (ms) \\ \midrule
TopK & 0.513 & 82.1 & 12.4 \\
Temporal penalty & 0.511 & 82.2 & 12.5 \\
Gated encoder & \textbf{0.439} & 84.7 & 15.5 \\
\bottomrule\end{tabular}\end{table}
"""


def test_a_true_table_is_supported_cell_by_cell() -> None:
    claims = _claims(TABLE)
    assert len(claims) == 9 and all(c.supported for c in claims)


@pytest.mark.parametrize(("true", "false"), [("0.513", "0.511"), ("82.1", "84.7"), ("12.4", "82.1"), ("15.5", "15.6")])
def test_one_wrong_cell_is_found_with_its_line(true: str, false: str) -> None:
    wrong = [c for c in _claims(TABLE.replace(true, false, 1)) if not c.supported]
    assert [c.written for c in wrong] == [false]
    assert TABLE.splitlines()[wrong[0].line - 2].count(true)


def test_support_names_run_metric_aggregation_and_commit() -> None:
    claim = next(c for c in _claims("TopK has an MSE of 0.513.") if c.written == "0.513")
    assert claim.support == "mean of n = 3 of core.mse in run_0 at abcdef0123"


def test_runs_are_known_by_the_settings_in_which_they_differ() -> None:
    bits = {"run_0": 32, "run_1": 8, "run_2": 4}
    evidence = [
        Evidence(run=run, title=f"Try {b}x", metrics={"loss": 3 + 1 / b}, settings={"config.bits": b})
        for run, b in bits.items()
    ]
    metrics = [Metric(name="loss", direction="min")]
    right = check(r"\section{Results} With 4 bits the loss is 3.250, with 8 bits 3.125.", evidence, metrics)
    wrong = check(r"\section{Results} With 4 bits the loss is 3.125, with 8 bits 3.250.", evidence, metrics)
    assert all(c.supported for c in right)
    assert sum(not c.supported for c in wrong) == 2


def test_same_metric_on_several_data_sets_is_told_apart() -> None:
    names = ("dino.means.kl", "moons.means.kl")
    evidence = [Evidence(run=r, title=t, metrics=dict(zip(names, v, strict=True))) for r, t, v in
                (("run_0", "Baseline", (1.06, 0.095)), ("run_1", "Dual", (0.86, 0.088)))]  # fmt: skip
    metrics = [Metric(name=n, direction="min") for n in names]
    assert all(
        c.supported
        for c in check(r"\section{Results} On dino, Dual has a KL of 0.86, on moons 0.088.", evidence, metrics)
    )
    assert not all(c.supported for c in check(r"\section{Results} On moons, Dual has a KL of 0.86.", evidence, metrics))
    undecided = check(r"\section{Results} Dual has a KL of 0.86.", evidence, metrics)
    assert any("not said which" in c.problem for c in undecided)


def test_report_lists_marks_and_tells_what_to_mend() -> None:
    claims = _claims("TopK has an MSE of 0.439.\nThe Gated encoder has an MSE of 0.439.")
    data = json.loads(claims_json(claims))
    assert (data["claims"], data["unsupported"]) == (2, 1)
    (line,) = repair_lines(claims)
    assert line.startswith("template.tex:2: the number `0.439`:") and r"\res{run_0/core.mse}" in line


@pytest.mark.slow
@pytest.mark.skipif(not shutil.which("pdflatex"), reason="pdflatex is not installed")
def test_marked_paper_still_compiles(tmp_path: Path) -> None:
    body = TABLE.replace("0.513", "0.9").replace("84.7", "$84.9$") + (
        "TopK \\textbf{outperforms} the Gated encoder in explained variance. It has an MSE of $0.3 \\times 10^{-2}$, "
        "\\num{0.77} or $0.4386 \\pm 0.5$."
    )
    tex = (
        r"\documentclass{article}\usepackage{booktabs,siunitx}\begin{document}\section{Results}"
        + body
        + r"\end{document}"
    )
    claims = check(tex, _evidence(), METRICS)
    marked = mark_unsupported(tex, claims)
    assert marked.count(r"\color{red}") >= 5
    (tmp_path / "p.tex").write_text(marked, encoding="utf-8")
    done = subprocess.run(
        ["pdflatex", "-interaction=nonstopmode", "-halt-on-error", "p.tex"],
        cwd=tmp_path,
        capture_output=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout[-1500:]


def test_marks_follow_a_paper_that_moved_a_little() -> None:
    tex = r"\section{Results} TopK has an MSE of 0.439."
    claims = check(tex, _evidence(), METRICS)
    assert r"{\color{red}0.439}" in mark_unsupported("% a new first line\n" + tex, claims)


@pytest.mark.parametrize("tex", ["", "   ", "\\begin{tabular}{ll}\\end{tabular}", "}}} \\end{x}", "\\section{"])
def test_bad_input_gives_findings_and_no_crash(tex: str) -> None:
    claims = check(tex, _evidence(), METRICS)
    if not tex.strip():
        assert [c.problem for c in claims] == ["the paper is empty"]


def test_no_evidence_at_all_supports_nothing() -> None:
    claims = check(r"\section{Results} We reach an accuracy of 0.97 and beat the baseline.", [], [])
    assert claims and not any(c.supported for c in claims if c.kind == "number")


BODY = r"""\begin{document}\begin{abstract}We reach 0.5 \res{run_1/core.mse}.\end{abstract}
\section{Results} TopK has $0.4386 \pm 0.01$ MSE, \SI{3}{\second}.""" + TABLE + r"\end{document}"  # fmt: skip


@settings(max_examples=40, deadline=None)
@given(st.integers(0, len(BODY)), st.integers(0, 40), st.text(alphabet="\\{}$&%[]_^#~\n 0.x", max_size=4))
def test_no_truncated_or_mutated_paper_crashes_the_checker(at: int, length: int, inserted: str) -> None:
    tex = BODY[:at] + inserted + BODY[at + length :]
    claims = check(tex, _evidence(), METRICS)
    mark_unsupported(tex, claims)
    assert all(0 <= c.start <= c.end <= len(tex) for c in claims)
