import os
import subprocess
import sys
from pathlib import Path

import pytest

from orchestrator.errors import BadInput
from orchestrator.idea import Idea
from orchestrator.session import Session, Settings, create_session, fork_session, new_folder

QUICK = Path(__file__).parent / "support" / "quick"
IDEA = Idea(Name="a", Title="T", Experiment="E")
SETTINGS = Settings(experiment="quick", model="m", advisor_model="m", reviewer_model="m")


@pytest.fixture
def session(tmp_path):
    made = create_session(tmp_path / "s", IDEA, QUICK, SETTINGS)
    yield made
    made.close()


def write(session, text):
    (session.folder / "notes.txt").write_text(text)
    return "written"


def test_a_new_session_holds_its_files_and_one_commit(session):
    names = {p.name for p in session.folder.iterdir()}
    assert {
        "idea.json",
        "session.toml",
        "experiment.toml",
        "experiment.py",
        "plot.py",
        "notes.txt",
        "latex",
    } <= names
    assert len(list(session.repo.iter_commits())) == 1
    assert (session.protected_copy / "evaluate.py").is_file()


def test_a_step_commits_with_its_key_and_is_done_once(session):
    done = []
    for _ in range(2):
        session.step("one", "First", lambda: done.append(1) or write(session, "x"))
    assert done == [1]
    assert "Orch-Step: one" in session.repo.head.commit.message


def test_half_a_step_is_taken_back_before_it_is_done_again(session):
    with pytest.raises(RuntimeError):
        session.step("one", "First", lambda: write(session, "half") and (_ for _ in ()).throw(RuntimeError()))
    seen = []
    session.step("one", "First", lambda: seen.append((session.folder / "notes.txt").read_text()))
    assert seen == ["# T\n"]


def test_a_crash_between_commit_and_journal_makes_no_second_commit(session):
    session.journal.append("one", "started")
    write(session, "x")
    session.journal.note("one#done", "written")
    first = session._commit("one", "First")
    assert session.step("one", "First", lambda: pytest.fail("done again")) == "written"
    assert session.commit_of("one") == first


def test_edits_by_hand_are_kept_when_a_session_is_opened(session):
    write(session, "mine")
    session.keep_edits(lambda text: None)
    session.restore()
    assert (session.folder / "notes.txt").read_text() == "mine"


def test_a_second_orch_is_refused_and_a_dead_one_is_not_in_the_way(session):
    code = f"from orchestrator.session import Session; from pathlib import Path; Session(Path({str(session.folder)!r}))"
    other = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert "is working on this session" in other.stderr
    session.close()
    kill = code + "; import os, signal; os.kill(os.getpid(), signal.SIGKILL)"
    subprocess.run([sys.executable, "-c", kill], capture_output=True, check=False)
    Session(session.folder).close()


def test_an_existing_folder_is_refused_and_nothing_is_left_behind(tmp_path):
    with pytest.raises(BadInput, match="exists already"):
        new_folder(IDEA, tmp_path)
    if os.geteuid() != 0:
        (tmp_path / "ro").mkdir(mode=0o500)
        with pytest.raises(BadInput):
            create_session(tmp_path / "ro" / "s", IDEA, QUICK, SETTINGS)
    assert not list(tmp_path.glob(".*"))


def test_a_folder_that_is_no_session_is_told(tmp_path):
    with pytest.raises(BadInput, match="not a session"):
        Session(tmp_path)


def test_a_fork_shares_history_up_to_the_run_and_no_further(session, tmp_path):
    session.step("run/1/edit", "run_1", lambda: write(session, "one"))
    (session.folder / "run_1").mkdir()
    session.step("run/2/edit", "run_2", lambda: write(session, "two"))
    fork = fork_session(session.folder, "run_2", tmp_path / "fork")
    assert (fork.folder / "notes.txt").read_text() == "one"
    assert fork.journal.finished("run/1/edit")
    assert not fork.journal.finished("run/2/edit")
    fork.step("run/2/edit", "run_2", lambda: write(fork, "other"))
    assert (session.folder / "notes.txt").read_text() == "two"
    fork.close()


def test_a_fork_from_a_run_that_is_not_there_is_told(session, tmp_path):
    with pytest.raises(BadInput, match="has no run_9"):
        fork_session(session.folder, "run_9", tmp_path / "fork")
    assert not (tmp_path / "fork").exists()
