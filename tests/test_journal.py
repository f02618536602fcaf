import sqlite3

import pytest

from orchestrator.errors import BadInput
from orchestrator.journal import Journal


def test_a_finished_step_is_never_done_again(tmp_path):
    done = []
    for _ in range(2):
        journal = Journal(tmp_path / "j.db")
        assert journal.step("a", lambda: done.append(1) or {"value": 3}) == {"value": 3}
        journal.close()
    assert done == [1]


def test_a_failed_step_is_done_again_and_leaves_its_error(tmp_path):
    journal = Journal(tmp_path / "j.db")
    with pytest.raises(ValueError, match="no"):
        journal.step("a", lambda: (_ for _ in ()).throw(ValueError("no")))
    assert journal.step("a", lambda: 1) == 1
    assert [e.state for e in journal.events("a")] == ["started", "failed", "started", "finished"]


def test_an_intent_without_an_outcome_is_seen(tmp_path):
    journal = Journal(tmp_path / "j.db")
    journal.append("a", "started")
    journal.close()
    assert not Journal(tmp_path / "j.db").finished("a")


def test_prefixes_are_literal(tmp_path):
    journal = Journal(tmp_path / "j.db")
    journal.note("run/1_x", 1)
    journal.note("run/1ax", 2)
    assert [e.data for e in journal.events("run/1_")] == [1]


def test_a_file_that_is_no_journal_is_told(tmp_path):
    (tmp_path / "j.db").write_bytes(b"this is not a database at all" * 50)
    with pytest.raises(BadInput, match="not a readable journal"):
        Journal(tmp_path / "j.db")


def test_events_are_on_disk_when_append_returns(tmp_path):
    journal = Journal(tmp_path / "j.db")
    journal.append("a", "finished", [1])
    other = sqlite3.connect(tmp_path / "j.db")
    assert other.execute("select key, state, data from events").fetchall() == [("a", "finished", "[1]")]
