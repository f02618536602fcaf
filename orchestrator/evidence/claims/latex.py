"""What the macros and environments of LaTeX mean to a reader, and pylatexenc's knowledge of them."""

from __future__ import annotations

import re
from functools import lru_cache
from typing import Any

from orchestrator.evidence.macros import ARGUMENTS


def _words(text: str) -> set[str]:
    return set(text.split())


def _table(text: str) -> dict[str, str]:
    """`name character` pairs, separated by spaces."""
    parts = text.split()
    return dict(zip(parts[::2], parts[1::2], strict=True))


_ONE_ARGUMENT = """
cellcolor rowcolor color papernote author date InputIfFileExists captionsetup sisetup graphicspath url bibliography
bibliographystyle vspace hspace thispagestyle hypersetup pagestyle title cline label
"""
_OPTION_AND_ARGUMENT = "caption footnote includegraphics input cmidrule paragraph hyperref"
_CITING = """
cite citep citet citealp citealt citeauthor citeyear citeyearpar parencite textcite autocite Citet Citep footcite nocite
"""
HEADINGS = ("section", "subsection", "subsubsection", "paragraph", "subparagraph", "chapter", "part")
TABULARS = _words(
    """
NiceTabular array longtable tabular tabular* tabularx tabulary tblr xltabular
"""
)
IGNORED_ENVIRONMENTS = _words(
    """
Verbatim algorithm algorithm2e algorithmic axis comment filecontents filecontents* lstlisting minted pgfpicture
thebibliography tikzpicture verbatim
"""
)
REFS = _words(
    """
Cref autoref cref eqref hyperref labelcref nameref pageref ref subref vref
"""
)
SILENT = _words(
    """
DeclareMathOperator InputIfFileExists PassOptionsToPackage addlinespace addtolength adjustbox affiliation
arraystretch author begin bibitem bibliography bibliographystyle bottomrule captionsetup cellcolor cline
cmidrule color columnwidth date def definecolor documentclass email end fontsize graphicspath hfill hline hskip
hspace hypersetup include includegraphics index input kern label linespread linewidth midrule newcommand
pagestyle papernote providecommand renewcommand resizebox rowcolor rule scalebox setcounter setlength setstretch
sisetup specialrule tag textwidth thanks thispagestyle toprule url usepackage vfill vskip vspace
"""
)
EQUATIONS = re.compile(
    r"(equation|align|gather|multline|eqnarray|displaymath|math|flalign|alignat|dmath|cases|split|aligned)\*?"
)
CITES = re.compile(r"[A-Za-z]*cite[A-Za-z]*\*?")
DECLARATIONS = re.compile(r"[a-z]*(?:series|shape|size|family|centering|raggedright|small|large|tiny|normal)[a-z]*")
GREEK = _words(
    """
alpha beta gamma delta epsilon varepsilon zeta eta theta iota kappa lambda mu nu xi pi rho sigma tau upsilon phi
varphi chi psi omega Gamma Delta Theta Lambda Xi Pi Sigma Phi Psi Omega ell
"""
)
SYMBOLS = _table(r"""
times ×   cdot ×   pm ±   mp ±   approx ≈   simeq ≈   sim ~   leq ≤   le ≤   geq ≥   ge ≥   to →   rightarrow →
longrightarrow →   Rightarrow →   mapsto →   uparrow ↑   downarrow ↓   ldots …   dots …   textendash –
textemdash —   % %   & &   _ _   # #   $ $   { {   } }   textbackslash \   textasciitilde ~   textpm ±
texttimes ×   textpercent %   percent %   infty ∞   ll ≪   gg ≫   lt <   gt >   slash /   textminus -   degree °
circ °   neq ≠   ne ≠   less <   textgreater >   textless <
""") | {
    **dict.fromkeys(["in"], " ∈ "),
    **dict.fromkeys([",", "thinspace"], "\u2009"),
    **dict.fromkeys([";", ":", " ", "quad", "qquad", "newline", "\\"], " "),
    **dict.fromkeys(["!", "hat", "-", "/", "@", "dag", "ddag"], ""),
    **dict.fromkeys(["par"], "\n\n"),
}
"""Macros that stand for characters."""
UNITS = _table("""
percent %   milli m   micro µ   nano n   kilo k   mega M   giga G   tera T   second s   byte B   bit b   hertz
Hz   watt W   joule J   metre m   meter m   gram g   decibel dB   deci d   bel B   kelvin K   volt V   per /
electronvolt eV   angstrom Å   centi c   celsius °C   degreeCelsius °C   mole mol   litre L   liter L   newton N
pascal Pa   squared ²
""") | {"minute": " min", "hour": " h", "day": " d", "si": "", "square": "", "cubic": ""}
"""Units and prefixes of siunitx."""
NUMBER_MACROS = {
    "num": 1,
    "si": 1,
    "unit": 1,
    "SI": 2,
    "qty": 2,
    "numrange": 2,
    "SIrange": 3,
    "qtyrange": 3,
    "numlist": 1,
    "ang": 1,
}
"""Macros of siunitx, and how many arguments they take."""
SKIP_FIRST = {
    "textcolor": 1,
    "href": 1,
    "colorbox": 1,
    "multicolumn": 2,
    "multirow": 2,
    "parbox": 1,
    "raisebox": 1,
    "scalebox": 1,
    "resizebox": 2,
    "rotatebox": 1,
    "minipage": 1,
    "fcolorbox": 2,
    "texorpdfstring": 1,
    "adjustbox": 1,
}
"""Macros whose text comes after this many arguments that are none."""


@lru_cache(maxsize=1)
def context() -> Any:
    """pylatexenc's knowledge of LaTeX, with our macros and siunitx."""
    from pylatexenc.latexwalker import get_default_latex_context_db
    from pylatexenc.macrospec import MacroSpec

    database = get_default_latex_context_db()
    macros = [MacroSpec(name, arguments) for name, arguments in _signatures().items()]
    database.add_context_category("orch", macros=macros, prepend=True)
    return database


def _signatures() -> dict[str, str]:
    """Macro to its arguments, as pylatexenc writes them."""
    found = dict.fromkeys(_ONE_ARGUMENT.split(), "{") | dict.fromkeys(_OPTION_AND_ARGUMENT.split(), "[{")
    found |= dict.fromkeys(_CITING.split(), "*[[{") | dict.fromkeys(REFS - {"hyperref"}, "*{")
    found |= {"setlength": "{{", "captionof": "{{", "definecolor": "{{{"}
    found |= {name: "[" + "{" * (count + 1) for name, count in SKIP_FIRST.items()}
    found |= {name: "[" + "{" * count for name, count in NUMBER_MACROS.items()}
    return found | {name: "[" + "{" * count if count else "" for name, count in ARGUMENTS.items()}
