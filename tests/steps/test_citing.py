import pytest

from orchestrator.paper.citations import Work
from orchestrator.steps.citing import Wish, _check, with_citation

TEX = "First line.\n  A claim that needs support.\nLast line\n"
WORK = Work(title="T", authors=["A"])


def test_a_citation_goes_before_the_full_stop():
    assert "needs support~\\citep{a2024t}.\n" in with_citation(TEX, "A claim that needs support.", "a2024t")


def test_a_second_citation_joins_the_first():
    once = with_citation(TEX, "Last line", "one")
    assert "Last line~\\citep{one,two}\n" in with_citation(once, "Last line~\\citep{one}", "two")


def test_the_same_citation_is_not_put_twice():
    once = with_citation(TEX, "First line.", "one")
    assert with_citation(once, "First line~\\citep{one}.", "one") == once


@pytest.mark.parametrize(
    ("wish", "says"),
    [
        (Wish(choice=2, line="First line.", why="x"), "none of the 1"),
        (Wish(choice=1, line="No such line.", why="x"), "whole line"),
        (Wish(choice=1, line="First line."), "why"),
    ],
)
def test_a_choice_that_cannot_be_followed_is_sent_back(wish, says):
    with pytest.raises(ValueError, match=says):
        _check(wish, [WORK], TEX)


def test_no_choice_is_fine():
    _check(Wish(query="more"), [], TEX)
