"""The whole loop with real parts on the quick experiment; only the model is a cassette."""

import json
import shutil
import subprocess

import pytest

from tests.support.momentum import write_cassette
from tests.support.sessions import QUICK, orch, write_idea

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    """A session from idea to PDF."""
    folder = tmp_path_factory.mktemp("whole")
    done = run(folder, write_cassette(folder))
    assert done.returncode == 0, done.stderr
    return folder / "s"


def run(folder, cassette, *more):
    return orch(
        "run", write_idea(folder), "--experiment", QUICK, "--model", f"cassette:{cassette}", "--out", "s", "--seeds", 2,
        "--runs", 3, *more, cwd=folder,
    )  # fmt: skip


def evidence(session, run):
    return json.loads((session / run / "evidence.json").read_text())


def test_the_session_ends_in_a_paper_with_its_numbers(finished):
    text = subprocess.run(["pdftotext", finished / "paper.pdf", "-"], capture_output=True, text=True, check=True).stdout
    assert "Momentum for fitting a line" in text
    for heading in ("Introduction", "Related Work", "Background", "Method", "Results", "Conclusion", "Reproducibility"):
        assert heading in text
    assert "??" not in text


def test_every_file_of_the_contract_is_there(finished):
    for name in ("idea.json", "session.toml", "experiment.toml", "notes.txt", "cassette.jsonl", "paper.pdf", "claims.json",
                 "review.json", "figures/mse.pdf", "latex/template.tex", "latex/evidence.tex", "run_0/evidence.json",
                 "run_0/seed_1/evidence.json", "run_1/metrics.jsonl", "run_2.failed-1/stderr.log"):  # fmt: skip
        assert (finished / name).is_file(), name


def test_metrics_come_from_the_evaluator(finished):
    run_1 = evidence(finished, "run_1")
    measured = json.loads((finished / "run_1" / "evaluation.json").read_text())
    assert run_1["metrics"]["core.mse"] == measured["core"]["mse"]
    assert run_1["status"] == "sound"


def test_the_failed_attempt_is_counted_and_kept(finished):
    assert evidence(finished, "run_2")["attempts"] == 2
    assert "IndexError" in (finished / "run_2.failed-1" / "stderr.log").read_text()


def test_the_best_run_is_confirmed_on_a_fresh_seed(finished):
    notes = [evidence(finished, f"{run}/seed_1") for run in ("run_1", "run_2") if (finished / run / "seed_1").exists()]
    assert [n["seed"] for n in notes] == [1]


def test_the_git_history_tells_the_story(finished):
    log = subprocess.run(["git", "log", "--format=%s"], cwd=finished, capture_output=True, text=True, check=True).stdout
    for subject in ("run_1: momentum 0.5", "run_1: results", "run_2: repair 1", "Write: Results", "Build the paper"):
        assert subject in log


def test_show_and_status_speak_of_what_was_measured(finished):
    status = json.loads(orch("status", finished, "--json", cwd=finished.parent).stdout)
    assert status["state"] == "done"
    assert {r["run"] for r in status["runs"]} == {"run_0", "run_1", "run_2"}
    shown = json.loads(orch("show", finished, "run_2", "--json", cwd=finished.parent).stdout)
    assert "+    momentum: float = 0.9" in shown["diff"]
    assert "core.mse" in shown["table"]


def test_verify_finds_nothing_wrong_and_then_an_altered_result(finished, tmp_path):
    copy = tmp_path / "copy"
    shutil.copytree(finished, copy, symlinks=True)
    assert orch("verify", copy, cwd=tmp_path).returncode == 0
    path = copy / "run_1" / "evaluation.json"
    path.write_text(path.read_text().replace('"mse": ', '"mse": 1'))
    done = orch("verify", copy, cwd=tmp_path)
    assert done.returncode == 4
    assert "run_1" in done.stdout


def test_an_altered_number_fails_the_paper_check_with_its_line(finished, tmp_path):
    copy = tmp_path / "copy"
    shutil.copytree(finished, copy, symlinks=True)
    assert orch("paper", "check", copy, cwd=tmp_path).returncode == 0
    path = copy / "latex" / "template.tex"
    path.write_text(path.read_text().replace("\\res{run_0/core.mse}", "0.123"))
    line = path.read_text()[: path.read_text().index("0.123")].count("\n") + 1
    done = orch("paper", "check", copy, cwd=tmp_path)
    assert done.returncode == 4
    assert f"template.tex:{line}:" in done.stdout


def test_resume_of_a_finished_session_repeats_nothing(finished):
    events = orch("status", finished, "--json", cwd=finished.parent).stdout
    assert orch("resume", finished, cwd=finished.parent).returncode == 0
    again = json.loads(orch("status", finished, "--json", cwd=finished.parent).stdout)
    assert again["spent"]["exchanges"] == json.loads(events)["spent"]["exchanges"]


def test_a_session_plays_back_from_its_own_cassette(finished, tmp_path):
    done = run(tmp_path, finished / "cassette.jsonl")
    assert done.returncode == 0, done.stderr
    for name in ("experiment.py", "plot.py", "latex/template.tex"):
        assert (tmp_path / "s" / name).read_text() == (finished / name).read_text()


def test_a_fork_goes_its_own_way_from_the_run_named(finished, tmp_path):
    done = orch("resume", finished, "--from", "run_2", "--out", tmp_path / "fork", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "fork" / "paper.pdf").is_file()


def test_a_reply_that_is_missing_stops_resumably_and_loses_nothing(tmp_path):
    cassette = write_cassette(tmp_path, run__2__edit__1=None)
    done = run(tmp_path, cassette)
    assert done.returncode == 1
    assert "run/2/edit/1" in done.stderr
    assert evidence(tmp_path / "s", "run_1")["status"] == "sound"
    write_cassette(tmp_path)
    done = orch("resume", "s", cwd=tmp_path)
    assert done.returncode == 0, done.stderr


def test_without_a_sound_run_there_is_no_paper(tmp_path):
    cassette = write_cassette(
        tmp_path,
        run__1__edit__1="I would add momentum.",
        **{"run__1__edit-again__1": "I have already added it."},
        run__1__discuss__1='```json\n{"notes": "Nothing came of it.", "done": true}\n```',
    )
    done = run(tmp_path, cassette)
    assert done.returncode == 1
    assert not (tmp_path / "s" / "paper.pdf").exists()
    assert "Nothing came of it." in (tmp_path / "s" / "notes.txt").read_text()
    assert evidence(tmp_path / "s", "run_1")["status"] == "failed"
