"""A template folder of The AI Scientist is taken as it stands, from run to paper."""

import json
import subprocess

import pytest

from orchestrator.coders.cassette import Entry, cassette_text
from tests.support.momentum import ADVICE, REPLIES, block, edit, latex
from tests.support.sessions import QUICK, orch, write_idea

pytestmark = pytest.mark.slow

PLAN = [{"run": 1, "title": "a larger rate", "change": "rate = 0.3", "expected": "a lower mean loss"}]
FIGURE = (
    "% The result.\nThe mean loss is \\res{run_1/toy.means.mean_loss}.\n"
    "\\begin{table}\\resulttable\\caption{All.}\\end{table}\n"
    "\\begin{figure}\\includegraphics[width=\\linewidth]{loss.pdf}\\caption{Mean loss.}\\end{figure}"
)


def replies():
    chosen = {
        "plan/1": block(PLAN),
        "run/1/edit/1": edit("experiment.py", "rate = 0.1", "rate = 0.3\nmomentum = 0.0"),
        "run/1/advice/1": ADVICE,
        "run/1/discuss/1": block({"notes": "A larger rate.", "answers": ["Taken."], "done": True}),
        "plot/edit/1": edit(
            "plot.py", '    "run_0": "Baseline",', '    "run_0": "Baseline",\n    "run_1": "Larger rate",'
        ),
        "plot/notes/1": block({"loss.pdf": "Mean loss."}),
        "write/results/1": latex(FIGURE),
        "write/experimental-setup/1": None,
    }
    return {key: reply for key, reply in (REPLIES | chosen).items() if reply and not key.startswith("run/2")}


def test_from_run_to_paper(tmp_path):
    entries = [Entry(key=k, role="any", model="recorded", prompt="", reply=r) for k, r in replies().items()]
    (tmp_path / "c.jsonl").write_text(cassette_text(entries))
    done = orch(
        "run", write_idea(tmp_path), "--experiment", QUICK.parent / "plain", "--model", "cassette:c.jsonl", "--out", "s",
        "--seeds", 2, "--runs", 2, cwd=tmp_path,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    evidence = json.loads((tmp_path / "s" / "run_1" / "evidence.json").read_text())
    assert "toy.means.mean_loss" in evidence["metrics"]
    text = subprocess.run(
        ["pdftotext", tmp_path / "s" / "paper.pdf", "-"], capture_output=True, text=True, check=True
    ).stdout
    assert "Momentum for fitting a line" in text
    assert f"{evidence['metrics']['toy.means.mean_loss']:.3g}" in text
