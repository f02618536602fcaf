from hypothesis import given
from hypothesis import strategies as st

from orchestrator.executors import JobResult
from orchestrator.steps.failure import explain, fold

TRACEBACK = ["Traceback (most recent call last):", *(f"  frame {i}" for i in range(100)), "ValueError: no"]


def test_the_last_traceback_stays_whole():
    assert fold(["noise"] * 500 + TRACEBACK)[-len(TRACEBACK) :] == TRACEBACK


def test_progress_bars_and_warnings_are_dropped_and_repeats_folded():
    kept = fold(["10%|#   | 1/10", "x.py:1: UserWarning: old", "same", "same", "same", "end"])
    assert kept == ["same   [3 times]", "end"]


def test_stdout_speaks_where_stderr_is_silent(tmp_path):
    (tmp_path / "run_1").mkdir()
    (tmp_path / "run_1" / "stderr.log").write_text("")
    (tmp_path / "run_1" / "stdout.log").write_text("it went wrong")
    result = JobResult(exit_code=3, reason="error", started=0, wall_seconds=1)
    assert explain(result, tmp_path, "run_1", 60) == "It ended with exit code 3.\nit went wrong"


def test_a_timeout_is_told_with_the_limit_and_no_path_of_the_machine(tmp_path):
    (tmp_path / "run_1").mkdir()
    (tmp_path / "run_1" / "stderr.log").write_text(f'File "{tmp_path}/experiment.py", line 3')
    said = explain(JobResult(reason="timeout", started=0, wall_seconds=61), tmp_path, "run_1", 60)
    assert "longer than the 1m00s" in said
    assert str(tmp_path) not in said


@given(st.lists(st.text(max_size=20), max_size=200))
def test_any_log_can_be_folded(lines):
    assert len(fold(lines)) <= len(lines)
