"""LaTeX to text: what a reader sees, with its place in the source; tables with their headings; numbers as written."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from orchestrator.evidence.claims.numbers import find_numbers
from orchestrator.evidence.claims.reading import read, section_of
from orchestrator.evidence.claims.records import MACRO


def _text(tex: str) -> str:
    return " ".join(" ".join(b.text.chars for b in read(tex).blocks).split())


@pytest.mark.parametrize(
    ("tex", "said"),
    [
        (r"$3.2 \times 10^{-4}$", "3.2 ×10^-4"),
        (r"0.51 $\pm$ 0.02", "0.51 ± 0.02"),
        (r"12\,\% of 1{,}234", "12\u2009% of 1,234".replace("\u2009", " ")),
        (r"\num{1.2e-3} and \SI{12}{\milli\second}", "1.2e-3 and 12 ms"),
        (r"\SIrange{1}{2}{\giga\byte}", "1–2 GB"),
        (r"\textbf{0.5} \emph{a}", "0.5 a"),
        (r"a % 99 in a comment", "a"),
        (r"\textcolor{red}{7} \href{http://x/9}{here}", "7 here"),
        (r"\newcommand{\ours}{AdaX}\begin{document}\ours{} wins\end{document}", "AdaX wins"),
    ],
)
def test_inline_latex_reads_as_text(tex: str, said: str) -> None:
    assert " ".join(_text(tex).replace("\u2009", " ").split()) == said


def test_sections_paragraphs_items_and_captions_are_told_apart() -> None:
    document = read(
        r"\begin{abstract}A.\end{abstract}\section{Experimental Setup}B."
        "\n\n"
        r"C:\begin{itemize}\item D\item E\end{itemize}\section{Results}\begin{figure}\caption{F}\end{figure}"
    )
    found = [(b.section, b.kind, b.text.chars.strip()) for b in document.blocks if b.kind != "heading"]
    assert found == [
        ("abstract", "prose", "A."), ("setup", "prose", "B."), ("setup", "prose", "C:"), ("setup", "item", "D"),
        ("setup", "item", "E"), ("results", "caption", "F"),
    ]  # fmt: skip
    assert [b.lead for b in document.blocks if b.kind == "item"] == ["C:", "C:"]


def test_places_lead_back_to_the_source() -> None:
    tex = "x $\\approx$ \\textbf{0.31} and \\num{4.5}"
    text = read(tex).blocks[0].text
    for number in find_numbers(text.chars):
        source = tex[text.at[number.start] : max(text.ends[number.start : number.end])]
        assert number.written in source


def test_table_cells_know_their_headings() -> None:
    table = read(r"""
        \begin{table}\caption{Cap}\begin{tabular}{lcc}\toprule
        & \multicolumn{2}{c}{Loss} \\ Run & train & test \\ \midrule
        \multirow{2}{*}{TopK} & 0.1 & 0.2 \\ & 0.3 & 0.4 \\
        Base & 1 & 2 \\ \quad + aux & 3 & 4 \\ \bottomrule\end{tabular}\end{table}""").tables[0]
    cells = {c.text.chars.strip(): (c.row, c.column) for c in table.cells if not c.heads}
    assert table.caption == "Cap"
    assert cells["0.2"] == ("TopK", "Loss test")
    assert cells["0.3"] == ("TopK", "Loss train")
    assert cells["4"] == ("Base + aux", "Loss test")


def test_macros_become_one_character_with_their_arguments() -> None:
    text = read(r"It is \res[2]{run_0/topk/core.mse} here").blocks[0].text
    (at,) = text.atoms
    assert text.chars[at] == MACRO
    assert (text.atoms[at].arguments, text.atoms[at].digits) == (("run_0/topk/core.mse",), 2)


@pytest.mark.parametrize(
    "tex",
    ["", r"\begin{tabular}{ll}\end{tabular}", r"\begin{table}\end{table}", "}", r"\begin{a", "{" * 300, "$x", "\\"],
)
def test_odd_latex_is_read_without_a_crash(tex: str) -> None:
    read(tex)


@settings(max_examples=60, deadline=None)
@given(st.text(alphabet="\\{}$&%[]_^~ab0.1\n#", max_size=60))
def test_no_text_crashes_the_reader(tex: str) -> None:
    read(tex)


@pytest.mark.parametrize(
    ("heading", "section"),
    [("Related Work", "related"), ("4 Experiments", "results"), ("Training Details", "setup"), ("Foo", "")],
)
def test_headings_open_known_sections(heading: str, section: str) -> None:
    assert section_of(heading) == section


@pytest.mark.parametrize(
    ("text", "values"),
    [
        ("GPT-2, ViT-B/16, 2nd, 3D, v2.0.1, 12:30 and ResNet-50", []),
        ("36.5x, 3.2 × 10^-4 and 3e-4", [36.5, 3.2e-4, 3e-4]),
        ("1,234.5 or 65\u2009536 or 10M or 16k", [1234.5, 65536, 1e7, 16e3]),
        ("−0.3, but a 0.1–0.3 range", [-0.3, 0.1, 0.3]),
        ("twofold, halved, three times and by a third", [2, 0.5, 3, 1 / 3]),
        ("over five random seeds", [5]),
        ("it failed twice", []),
        ("10^-3", [1e-3]),
    ],
)
def test_numbers_are_found_and_names_are_not(text: str, values: list[float]) -> None:
    assert [n.value for n in find_numbers(text)] == pytest.approx(values)


def test_interval_and_unit_belong_to_their_number() -> None:
    (number,) = find_numbers("91.2 ± 0.3%")
    assert number.share and number.half is not None and number.half.value == 0.3


@settings(max_examples=200, deadline=None)
@given(st.text(max_size=80))
def test_no_text_crashes_the_search_for_numbers(text: str) -> None:
    find_numbers(text)


@settings(max_examples=200, deadline=None)
@given(st.decimals(min_value=0, max_value=10**6, places=3))
def test_a_written_decimal_is_read_as_itself(value: object) -> None:
    (number,) = find_numbers(f"is {value} now")
    assert number.value == float(str(value)) and number.step == 0.001
