from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestrator.coders.blocks import commands_in, file_of, nearest, places, shown, why_not
from orchestrator.coders.continuation import join
from orchestrator.coders.lint import lint_python

FILES = ["experiment.py", "latex/template.tex", "a/notes.txt", "b/notes.txt"]


@pytest.mark.parametrize(
    ("name", "file"),
    [
        ("experiment.py", "experiment.py"),
        ("./experiment.py", "experiment.py"),
        ("`experiment.py`:", "experiment.py"),
        ("File: latex/template.tex", "latex/template.tex"),
        ("template.tex", "latex/template.tex"),
        ("notes.txt", None),
        ("../experiment.py", None),
        ("/experiment.py", None),
        ("x/experiment.py", None),
        ("", None),
    ],
)
def test_a_heading_names_a_file_by_its_path_or_by_a_name_that_is_its_alone(name: str, file: str | None) -> None:
    assert file_of(name, FILES) == file


@given(st.text())
def test_no_heading_names_a_file_that_is_not_allowed(name: str) -> None:
    assert file_of(name, FILES) in {*FILES, None}
    assert why_not(name)


LINES = st.lists(st.sampled_from(["a", "b", " a", "", "  b"]), max_size=12)


@given(LINES, LINES, LINES)
def test_a_part_of_a_file_is_found_where_it_is(before: list[str], part: list[str], after: list[str]) -> None:
    found = places("\n".join([*before, *part, *after]), "\n".join(part))
    assert not any(part) or len(before) + 1 in found


def test_an_exact_place_goes_before_one_with_other_indentation() -> None:
    assert places("  x = 0\nx = 0\n", "x = 0\n") == [2]
    assert places("  x = 0\n\tx = 0\n", "x = 0\n") == [1, 2]
    assert places("x = 0\n", "y = 0\n") == []


def test_the_nearest_lines_are_shown_with_their_numbers() -> None:
    content = "\n".join(["import math", "", "def loss(x, y):", "    return x - y", "", "print(1)"])
    assert "    3 | def loss(x, y):\n    4 |     return x - y" in nearest(
        content, "def loss(a, y):\n    return a - y\n"
    )
    assert nearest(content, "§§§§\n") == ""
    assert nearest("", "x\n") == ""
    assert shown("a\nb", 2, 1) == "    1 | a\n    2 | b"


def test_commands_are_found_in_shell_blocks_and_as_installs() -> None:
    reply = "```bash\n# set up\n$ make all\npip install a\n```\n`pip install` is not needed.\n! pip3 install b c\n"
    assert commands_in(reply) == ["make all", "pip install a", "pip3 install b c"]
    assert commands_in("```python\nprint(1)\n```") == []


@pytest.mark.parametrize(
    ("code", "faults"),
    [
        ("x = 1\n", []),
        ("import os\n", []),
        ("x = (\n", ["a.py:1: '(' was never closed"]),
        ("def f():\n    return y\n", ["a.py:2: undefined name 'y'"]),
        ("return 1\n", ["a.py:1: 'return' outside function"]),
        ("x = '\0'\n", ["a.py:1: source code string cannot contain null bytes"]),
    ],
)
def test_faults_that_would_stop_a_run_are_seen(code: str, faults: list[str]) -> None:
    assert lint_python("a.py", code) == faults


WORDS = st.text(alphabet="abcdefgh \n", min_size=40, max_size=200)


@given(WORDS, st.integers(0, 200))
def test_a_reply_cut_anywhere_is_whole_again(text: str, at: int) -> None:
    first, second = text[:at], text[at:]
    assert join(first, second) == text or first.endswith(second[:16])


def test_a_repeated_end_is_taken_once() -> None:
    assert join("one two three four five", "two three four five six") == "one two three four five six"
    assert join("a = 1\n", "a = 1\n") == "a = 1\na = 1\n", "too short to be more than chance"


def test_a_fence_that_is_opened_again_is_taken_once() -> None:
    assert join("```python\nx = 1\n", "```python\ny = 2\n```\n") == "```python\nx = 1\ny = 2\n```\n"
    assert join("```python\nx = 1\n", "```\ndone") == "```python\nx = 1\n```\ndone"
