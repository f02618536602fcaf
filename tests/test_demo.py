"""What `make demo` promises: from the shipped idea and recording to a paper whose numbers are this machine's own."""

import json
import re
import subprocess
from pathlib import Path

import pytest

from orchestrator.shipped import folder
from tests.support.sessions import orch

pytestmark = [pytest.mark.slow, pytest.mark.timeout(2400)]

HERE = folder("experiments") / "sae_variants"
NAME = "adaptive_sparse_orthogonal_sae"


@pytest.fixture(scope="module")
def demo(tmp_path_factory):
    place = tmp_path_factory.mktemp("demo")
    cassette = HERE / "cassettes" / f"{NAME}.jsonl"
    done = orch(
        "run", HERE / "ideas" / f"{NAME}.json", "--model", f"cassette:{cassette}", "--runs", 4, "--out", "s",
        cwd=place, timeout=2300,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return place / "s", done.stdout


def text_of(pdf: Path) -> str:
    return subprocess.run(["pdftotext", pdf, "-"], capture_output=True, text=True, check=True).stdout


def test_it_says_where_the_paper_is_and_the_paper_is_whole(demo):
    session, said = demo
    assert f"paper: {session / 'paper.pdf'}" in said
    text = text_of(session / "paper.pdf")
    for heading in ("Abstract", "Introduction", "Related Work", "Background", "Method", "Experimental Setup", "Results",
                    "Conclusion", "References", "Reproducibility"):  # fmt: skip
        assert heading in text, heading
    assert "??" not in text
    assert "(?)" not in text
    assert len(list((session / "figures").glob("*.pdf"))) >= 2


def test_at_least_three_runs_are_sound_and_one_failed_first(demo):
    session, _ = demo
    status = json.loads(orch("status", session, "--json", cwd=session.parent).stdout)
    runs = [r for r in status["runs"] if r["seed"] == 0 and not r["run"].startswith("run_0")]
    assert sum(r["status"] == "sound" for r in runs) >= 3
    assert max(r["attempts"] for r in runs) > 1


def test_the_numbers_are_those_of_this_machine(demo):
    session, _ = demo
    measured = json.loads((session / "run_1" / "evaluation.json").read_text())["core"]["explained_variance"]
    assert f"{measured:.3g}" in text_of(session / "paper.pdf")


def test_no_claim_is_unsupported_and_an_altered_number_is_found(demo):
    session, _ = demo
    assert all(c["supported"] for c in json.loads((session / "claims.json").read_text()))
    path = session / "latex" / "template.tex"
    original = path.read_text()
    altered = re.sub(r"\\res\{run_3/core\.explained_variance\}", "0.771", original, count=1)
    assert altered != original
    try:
        path.write_text(altered)
        done = orch("paper", "check", session, cwd=session.parent)
    finally:
        path.write_text(original)
    assert done.returncode == 4
    assert f"template.tex:{altered[: altered.index('0.771')].count(chr(10)) + 1}:" in done.stdout


def test_all_evidence_can_be_verified(demo):
    session, _ = demo
    done = orch("verify", session, cwd=session.parent)
    assert done.returncode == 0, done.stdout
