"""Mechanical repair: each fault is mended, a good draft stays as it is."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from orchestrator.paper.check import problems
from orchestrator.paper.repair import repair

GOOD = r"""\documentclass{article}
\usepackage{graphicx}
\begin{document}
\begin{abstract}
We measure 95\,\% of it. % a comment with 50% in it
\end{abstract}
\section{Results}
\label{sec:results}
In \cref{fig:a} and \citep{one} we see $x_1 < 3$.
\begin{figure}
\includegraphics{a.pdf}
\caption{It.}
\label{fig:a}
\end{figure}
\begin{tabular}{ll}
a & b \\
\end{tabular}
\bibliography{references}
\end{document}
"""
FIGURES, KEYS = {"a.pdf"}, {"one"}


def mended(tex):
    return repair(tex, FIGURES, KEYS).tex


def test_a_good_draft_stays_as_it_is():
    assert repair(GOOD, FIGURES, KEYS).changes == []
    assert mended(GOOD) == GOOD


@pytest.mark.parametrize(
    ("good", "bad", "gone"),
    [
        ("In \\cref", "A **bold** word. In \\cref", "**"),
        ("In \\cref", "a_b & c #1 in \\cref", "a_b"),
        ("In \\cref", "It is 50% better. In \\cref", " 50% better"),
        ("\\citep{one}", "\\citep{one,made2020up}", "made2020up"),
        ("\\citep{one}", "\\citep{made2020up}", "made2020up"),
        ("\\begin{tabular}", "\\label{fig:a}\n\\begin{tabular}", "\\end{figure}\n\\label{fig:a}"),
        ("\\begin{tabular}", "</div>\n\\begin{tabular}", "</div>"),
        ("In \\cref", "→ In \\cref", "→"),
        ("\\bibliography{references}", "\\bibliography{references}\n\\bibliography{other}", "other"),
        ("In \\cref{fig:a}", "In Figure~\\ref{fig:none}", "fig:none"),
    ],
)
def test_a_fault_is_mended_once_and_for_all(good, bad, gone):
    broken = GOOD.replace(good, bad, 1)
    after = mended(broken)
    assert gone not in after
    assert mended(after) == after


def test_a_figure_that_does_not_exist_goes_with_its_references():
    after = repair(GOOD, set(), KEYS).tex
    assert "includegraphics" not in after
    assert "fig:a" not in after


def test_unclosed_environments_and_a_truncated_file_are_closed():
    after = mended(GOOD[: GOOD.index("\\caption")])
    assert after.rstrip().endswith("\\end{document}")
    assert not [p for p in problems(after, FIGURES, KEYS) if p.kind == "environment"]


def test_a_section_that_is_there_twice_is_kept_once():
    twice = GOOD.replace("\\bibliography", "\\section{Results}\nAgain.\n\\bibliography")
    assert mended(twice).count("\\section{Results}") == 1


def test_problems_name_line_and_fault():
    found = {p.kind: p.line for p in problems(GOOD.replace("{one}", "{two}"), FIGURES | {"b.pdf"}, KEYS)}
    assert found == {"citation": 9, "figure": 0}


@settings(max_examples=200, deadline=None)
@given(st.integers(0, len(GOOD)), st.text(alphabet="\\{}%$_&#ab \n→*", max_size=6))
def test_repair_of_anything_ends_and_is_stable(at, noise):
    once = mended(GOOD[:at] + noise + GOOD[at:])
    assert mended(once) == once
