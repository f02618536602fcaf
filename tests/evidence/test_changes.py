"""What a diff changed, whether it ran, and whether only constants differ."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestrator.evidence.changes import (
    Constant,
    changed_lines,
    constant_changes,
    same_code,
    unified_diff,
)
from orchestrator.evidence.unrun import never_ran

lines = st.lists(st.sampled_from(["a", "b = 1", "--- c", "+++ d", "@@ -1 +1 @@", "", "  e"]), max_size=12)


@given(lines, lines)
def test_applying_the_changed_lines_explains_the_new_file(old: list[str], new: list[str]) -> None:
    before, after = "\n".join(old) + "\n", "\n".join(new) + "\n"
    changed = changed_lines(unified_diff({"f.py": before}, {"f.py": after})).get("f.py", set())
    kept = [line for n, line in enumerate(after.splitlines(), 1) if n not in changed]
    remaining = iter(before.splitlines())
    assert all(line in remaining for line in kept)


def test_gits_own_diff_with_several_files(tmp_path: Path) -> None:
    (tmp_path / "old").mkdir()
    (tmp_path / "new").mkdir()
    for name in ("a.py", "b c.py"):
        (tmp_path / "old" / name).write_text("1\n2\n3\n")
        (tmp_path / "new" / name).write_text("1\ntwo\n3\nfour")
    (tmp_path / "old" / "gone.py").write_text("x\n")
    diff = subprocess.run(
        ["git", "diff", "--no-index", "--unified=0", "old", "new"], cwd=tmp_path, capture_output=True, text=True
    ).stdout
    assert changed_lines(diff) == {"new/a.py": {2, 4}, "new/b c.py": {2, 4}}
    assert changed_lines("") == changed_lines("no diff at all") == {}


OLD = '"""One."""\nK = 32\nRATE = -1\n\n\ndef f(x, n=4):\n    return g(x, size=8, table={"a": 1})\n'


@pytest.mark.parametrize(
    ("before", "after", "constant"),
    [
        ("K = 32", "K = 64", Constant("K", 32, 64)),
        ("RATE = -1", "RATE = 1", Constant("RATE", -1, 1)),
        ("n=4", "n=5", Constant("n", 4, 5)),
        ("size=8", "size=9", Constant("size", 8, 9)),
        ('{"a": 1}', '{"a": 2}', Constant("a", 1, 2)),
        ("K = 32", "K = 32.0", Constant("K", 32, 32.0)),
    ],
)
def test_a_changed_constant_is_named(before: str, after: str, constant: Constant) -> None:
    assert constant_changes({"e.py": OLD}, {"e.py": OLD.replace(before, after)}) == [constant]


@pytest.mark.parametrize("after", ["K = other", "K = 32\nL = 1", "def h(x, n=4):"])
def test_other_changes_are_more_than_constants(after: str) -> None:
    before = "def f(x, n=4):" if after.startswith("def") else "K = 32"
    assert constant_changes({"e.py": OLD}, {"e.py": OLD.replace(before, after)}) is None
    assert constant_changes({"e.py": OLD}, {"e.py": OLD, "f.py": ""}) is None
    assert constant_changes({"e.py": OLD}, {"e.py": "not ( python"}) is None


def test_comments_docstrings_and_spacing_leave_the_code_the_same() -> None:
    assert same_code({"e.py": OLD}, {"e.py": OLD.replace("One", "Two").replace("K = 32", "K   =  32  # k")})
    assert not same_code({"e.py": OLD}, {"e.py": OLD.replace("32", "33")})


CODE = """import torch


def penalty(f):
    scaled = f * 2
    return (
        scaled.sum()
        + 1
    )


def loss(f):
    '''Loss.'''
    total = f.sum()
    if DEBUG:
        total = 0
    return total


DEBUG = False
loss(torch.ones(1))
"""
RAN = frozenset({1, 4, 12, 14, 15, 17, 20, 21})


def test_a_def_line_does_not_stand_for_its_body() -> None:
    found = never_ran({"e.py": {4, 5, 6, 7, 8}}, {"e.py": RAN}, {"e.py": CODE})
    assert found.ran == 0
    assert found.missed == found.dead == {"e.py": (5, 6)}


def test_a_branch_whose_condition_is_always_false_is_dead() -> None:
    found = never_ran({"e.py": {14, 16}}, {"e.py": RAN}, {"e.py": CODE})
    assert (found.ran, found.missed, found.dead) == (1, {"e.py": (16,)}, {"e.py": (16,)})


def test_a_function_called_from_code_that_was_entered_is_not_dead() -> None:
    code = CODE.replace("        total = 0\n", "        total = penalty(f)\n").replace(
        "DEBUG = False", "DEBUG = read()"
    )
    found = never_ran({"e.py": {5}}, {"e.py": RAN}, {"e.py": code})
    assert found.missed == {"e.py": (5,)}
    assert found.dead == {}


def test_a_line_within_a_statement_that_ran_has_run() -> None:
    found = never_ran({"e.py": {7, 8}}, {"e.py": RAN | {6}}, {"e.py": CODE})
    assert (found.ran, found.missed) == (1, {})


def test_comments_definitions_and_unknown_files_are_left_out() -> None:
    assert never_ran({"e.py": {2, 3, 4, 13}}, {"e.py": RAN}, {"e.py": CODE}).missed == {}
    assert never_ran({"e.py": {5}}, {}, {"e.py": CODE}).missed == {}
    assert never_ran({"e.py": {5}}, {"e.py": RAN}, {"e.py": "("}).missed == {}
