"""A session killed at any instant goes on, repeats nothing that ended, and ends in the same files."""

import json
import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from orchestrator.journal import Journal
from tests.support.momentum import write_cassette
from tests.support.sessions import QUICK, orch, write_idea

pytestmark = pytest.mark.slow

RANDOM_KILLS = int(os.environ.get("ORCH_TEST_KILLS", "8"))
FILES = ("experiment.py", "plot.py", "notes.txt", "latex/template.tex", "latex/evidence.tex", "review.json")


def arguments(folder):
    return ["run", write_idea(folder), "--experiment", QUICK, "--model", f"cassette:{write_cassette(folder)}", "--out", "s",
            "--seeds", 2, "--runs", 3]  # fmt: skip


def started(folder, arguments):
    clean = {k: v for k, v in os.environ.items() if not k.endswith("_API_KEY")}
    return subprocess.Popen(
        [sys.executable, "-m", "orchestrator.cli", *map(str, arguments)], cwd=folder, start_new_session=True,
        env={**clean, "ORCH_CACHE": str(folder / "cache")}, stderr=(folder / "log").open("ab"), stdout=subprocess.DEVNULL,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    )  # fmt: skip


def texts(session: Path):
    return {name: (session / name).read_text() for name in FILES}


def exchanges(session: Path):
    journal = Journal(session / ".orch" / "journal.db", read_only=True)
    return [e.key for e in journal.events() if e.state == "finished" and "finish_reason" in (e.data or {})]


def jobs_ended_twice(session: Path):
    journal = Journal(session / ".orch" / "journal.db", read_only=True)
    ended = [e.key for e in journal.events() if e.state == "finished" and "wall_seconds" in (e.data or {})]
    return len(ended) - len(set(ended))


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory):
    folder = tmp_path_factory.mktemp("undisturbed")
    begun = time.monotonic()
    assert started(folder, arguments(folder)).wait(timeout=300) == 0, (folder / "log").read_text()
    return folder / "s", time.monotonic() - begun


@pytest.mark.parametrize("number", range(RANDOM_KILLS))
def test_killed_at_a_random_instant_it_ends_in_the_same_files(undisturbed, tmp_path, number):
    whole, seconds = undisturbed
    process = started(tmp_path, arguments(tmp_path))
    time.sleep(random.Random(number).uniform(0.08, 0.95) * seconds)
    os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    again = ["resume", "s"] if (tmp_path / "s").exists() else arguments(tmp_path)
    done = orch(*again, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert texts(tmp_path / "s") == texts(whole)
    assert exchanges(tmp_path / "s") == exchanges(whole)
    assert jobs_ended_twice(tmp_path / "s") == 0


def test_interrupted_once_it_stops_in_seconds_and_goes_on(tmp_path):
    process = started(tmp_path, arguments(tmp_path))
    deadline = time.monotonic() + 60
    while not list((tmp_path / "s").glob("run_1")) and time.monotonic() < deadline:
        time.sleep(0.05)
    process.send_signal(signal.SIGINT)
    assert process.wait(timeout=20) == 130
    assert "orch resume" in (tmp_path / "log").read_text()
    status = json.loads(orch("status", "s", "--json", cwd=tmp_path).stdout)
    assert status["state"] == "stopped"
    assert orch("resume", "s", cwd=tmp_path).returncode == 0


def test_a_budget_stops_with_exit_3_and_a_higher_one_goes_on(tmp_path):
    done = orch(*arguments(tmp_path), "--budget-hours", "0.0001", cwd=tmp_path)
    assert done.returncode == 3, done.stderr
    assert "--budget-hours" in done.stderr
    done = orch("resume", "s", "--budget-hours", "1", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
