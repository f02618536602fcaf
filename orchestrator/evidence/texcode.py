r"""The LaTeX behind the macros, and how keys and values are spelled in it.

Values are held in full precision and rounded where they are used, by siunitx; differences, ratios and relative changes
are computed by LaTeX itself from the means, so that the definitions grow only with runs × metrics.
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import Any

_MUST_ESCAPE = "%#{}\\^~"
"""Characters that cannot stand in an argument as they are."""
_ESCAPED = {
    "_": r"\_", "%": r"\%", "#": r"\#", "&": r"\&", "$": r"\$", "{": r"\{", "}": r"\}",
    "\\": r"\textbackslash ", "~": r"\textasciitilde ", "^": r"\textasciicircum ",
}  # fmt: skip
_SPELLED = re.compile(r"\\textbackslash\s?|\\textasciitilde\s?|\\textasciicircum\s?|\\([_%#&${}])|##")

MACRO_CODE = r"""
\ExplSyntaxOn
\tl_clear_new:N \l_orch_key_tl
% A key as it is known, however much of it was escaped.
\cs_gset_protected:Npn \orch_key:n #1
  {
    \tl_set:Nx \l_orch_key_tl { \tl_to_str:n {#1} }
    \tl_replace_all:Nxx \l_orch_key_tl { \c_hash_str \c_hash_str } { \c_hash_str }
    \tl_remove_all:Nx \l_orch_key_tl { \c_backslash_str }
  }
\cs_generate_variant:Nn \tl_replace_all:Nnn { Nxx }
\cs_generate_variant:Nn \tl_remove_all:Nn { Nx }
\cs_gset_protected:Npn \orchput #1#2#3 { \orch_key:n {#2} \cs_gset_nopar:cpn { orch/#1/ \l_orch_key_tl } {#3} }
\cs_generate_variant:Nn \tl_set:Nn { Nv }
\tl_clear_new:N \l_orch_a_tl
\tl_clear_new:N \l_orch_b_tl
\fp_zero_new:N \l_orch_fp
\int_zero_new:N \l_orch_int
\bool_if_exist:NF \l_orch_known_bool { \bool_new:N \l_orch_known_bool }

% Looks up kind #1 of key #2 into #3; an unknown name is an error on the line that uses it.
\cs_gset_protected:Npn \orch_get:nnN #1#2#3
  {
    \orch_key:n {#2}
    \cs_if_exist:cTF { orch/#1/ \l_orch_key_tl }
      { \tl_set:Nv #3 { orch/#1/ \l_orch_key_tl } }
      {
        \bool_set_false:N \l_orch_known_bool
        \tl_set:Nn #3 { 0 }
        \orch_unknown:nn {#1} {#2}
      }
  }
\cs_gset_protected:Npn \orch_unknown:nn #1#2
  {
    \PackageError { evidence }
      {
        There~is~no~#1~named~` \tl_to_str:n {#2} ' \MessageBreak
        Sound~runs:~ \use:c { orch/known/runs } \MessageBreak
        Metrics:~ \use:c { orch/known/metrics }
      }
      { A~failed~run~has~no~values.~A~name~is~run/metric,~as~in~run_1/core.mse. }
  }
% Runs #1 where every name so far is known, else prints two question marks.
\cs_gset_protected:Npn \orch_known:n #1 { \bool_if:NTF \l_orch_known_bool {#1} { \textbf { ?? } } }

% A number #2 with #1 significant digits; with none given three, and integers whole.
\cs_gset_protected:Npn \orch_number:nn #1#2
  {
    \fp_set:Nn \l_orch_fp {#2}
    \tl_if_blank:nTF {#1}
      { \orch_number_plain: }
      { \orch_number_print:nx { round-mode=figures, round-precision=#1 } { \orch_fp_source: } }
  }
\cs_gset:Npn \orch_fp_source:
  {
    \fp_compare:nTF { \l_orch_fp = 0 || 0.0001 <= abs(\l_orch_fp) < 10000000 }
      { \fp_to_decimal:N \l_orch_fp } { \fp_to_scientific:N \l_orch_fp }
  }
\cs_gset_protected:Npn \orch_number_plain:
  {
    \bool_lazy_and:nnTF % no && of l3fp: a cell of a table would end there
      { \fp_compare_p:n { round(\l_orch_fp,0) = \l_orch_fp } }
      { \fp_compare_p:n { abs(\l_orch_fp) < 1e15 } }
      { \orch_number_print:nx { round-mode=none } { \fp_to_decimal:N \l_orch_fp } }
      {
        \fp_compare:nTF { 100 <= abs(\l_orch_fp) < 10000000 }
          { \orch_number_print:nx { round-mode=places, round-precision=0 } { \fp_to_decimal:N \l_orch_fp } }
          { \orch_number_print:nx { round-mode=figures, round-precision=3 } { \orch_fp_source: } }
      }
  }
\cs_gset_protected:Npn \orch_number_print:nn #1#2 { \num [#1] {#2} }
\cs_generate_variant:Nn \orch_number_print:nn { nx }

\cs_gset_protected:Npn \orch_one:nnn #1#2#3
  {
    \bool_set_true:N \l_orch_known_bool
    \orch_get:nnN {#1} {#3} \l_orch_a_tl
    \orch_known:n { \exp_args:NnV \orch_number:nn {#2} \l_orch_a_tl }
  }
\cs_gset_protected:Npn \orch_text:nn #1#2
  {
    \bool_set_true:N \l_orch_known_bool
    \orch_get:nnN {#1} {#2} \l_orch_a_tl
    \orch_known:n { \tl_use:N \l_orch_a_tl }
  }
% Digits #1, runs #2 and #3, metric #4, formula #5 of the two means.
\cs_gset_protected:Npn \orch_two:nnnnn #1#2#3#4#5
  {
    \bool_set_true:N \l_orch_known_bool
    \orch_get:nnN { mean } { #2 / #4 } \l_orch_a_tl
    \orch_get:nnN { mean } { #3 / #4 } \l_orch_b_tl
    \orch_known:n { \orch_number:nn {#1} {#5} }
  }
\cs_gset_protected:Npn \orch_interval:nn #1#2
  {
    \bool_set_true:N \l_orch_known_bool
    \orch_get:nnN { mean } {#2} \l_orch_a_tl
    \orch_known:n
      {
        \tl_set:Nv \l_orch_b_tl { orch/half/ \l_orch_key_tl }
        \tl_if_empty:NTF \l_orch_b_tl
          { \exp_args:NnV \orch_number:nn {#1} \l_orch_a_tl \ \ensuremath { (n=1) } }
          { \orch_with_half:n {#1} }
      }
  }
% Mean and half-width to the same place: two significant digits of the half-width, or #1.
\cs_gset_protected:Npn \orch_with_half:n #1
  {
    \fp_compare:nTF { \l_orch_b_tl = 0 }
      { \ensuremath { \exp_args:NnV \orch_number:nn { } \l_orch_a_tl \pm \num { 0 } } }
      {
        \int_set:Nn \l_orch_int
          { \fp_to_int:n { max(0, -floor(ln(\l_orch_b_tl)/ln(10) + 1e-12) + \tl_if_blank:nTF {#1} { 2 } {#1} - 1) } }
        \ensuremath { \orch_places:V \l_orch_a_tl \pm \orch_places:V \l_orch_b_tl }
      }
  }
\cs_gset_protected:Npn \orch_places:n #1
  { \orch_number_print:nx { round-mode=places, round-precision=\l_orch_int } { \fp_to_decimal:n {#1} } }
\cs_generate_variant:Nn \orch_places:n { V }

\DeclareDocumentCommand \res { O{} m } { \orch_one:nnn { value } {#1} {#2} }
\DeclareDocumentCommand \resmean { O{} m } { \orch_one:nnn { mean } {#1} {#2} }
\DeclareDocumentCommand \resn { O{} m } { \orch_one:nnn { n } { } {#2} }
\DeclareDocumentCommand \resci { O{} m } { \orch_interval:nn {#1} {#2} }
\DeclareDocumentCommand \diff { O{} m m m } { \orch_two:nnnnn {#1} {#2} {#3} {#4} { \l_orch_a_tl - (\l_orch_b_tl) } }
\DeclareDocumentCommand \ratio { O{} m m m } { \orch_two:nnnnn {#1} {#2} {#3} {#4} { \l_orch_a_tl / (\l_orch_b_tl) } }
\DeclareDocumentCommand \relchange { O{} m m m }
  {
    \orch_two:nnnnn {#1} {#2} {#3} {#4} { 100 * (\l_orch_a_tl - (\l_orch_b_tl)) / abs(\l_orch_b_tl) }
    \bool_if:NT \l_orch_known_bool { \, \% }
  }
\DeclareDocumentCommand \setting { m } { \orch_text:nn { setting } {#1} }
\DeclareDocumentCommand \unitof { m } { \orch_text:nn { unit } {#1} }
\DeclareDocumentCommand \attempts { } { \orch_text:nn { count } { attempts } }
\DeclareDocumentCommand \soundruns { } { \orch_text:nn { count } { soundruns } }
\DeclareDocumentCommand \resulttable { } { \orchresulttable }
\DeclareDocumentCommand \metricstable { } { \orchmetricstable }

% Cells of the results table: a value, a mean with its half-width, the best of a column.
\cs_gset_protected:Npn \orchnumber #1 { \orch_number:nn { } {#1} }
\cs_gset_protected:Npn \orchcell #1#2
  {
    \tl_set:Nn \l_orch_a_tl {#1}
    \tl_set:Nn \l_orch_b_tl {#2}
    \orch_with_half:n { }
  }
\cs_gset_protected:Npn \orchbest #1 { \begingroup \bfseries \boldmath #1 \endgroup }

% A table that is scaled down where it is wider than the line.
\box_if_exist:NF \l_orch_box { \box_new:N \l_orch_box }
\cs_gset_protected:Npn \orchfit #1
  {
    \noindent
    \hbox_set:Nn \l_orch_box {#1}
    \bool_lazy_and:nnTF { \dim_compare_p:nNn { \box_wd:N \l_orch_box } > { \linewidth } } { \cs_if_exist_p:N \resizebox }
      { \resizebox { \linewidth } { ! } { \box_use:N \l_orch_box } }
      { \box_use:N \l_orch_box }
  }
\ExplSyntaxOff
""".strip()


def number_source(value: float) -> str:
    """A number in full precision, as siunitx and l3fp read it; integers without a point."""
    if value == int(value) and abs(value) < 1e15:
        return str(int(value))
    return repr(float(value))


def key_source(key: str) -> str | None:
    """A key as it is typed in LaTeX; None for one with control characters, which cannot be typed."""
    if not key.isprintable():
        return None
    return "".join(_ESCAPED[c] if c in _MUST_ESCAPE else c for c in key)


def plain_key(argument: str) -> str:
    """The key that an argument of a macro names, escaped or not."""

    def unescaped(match: re.Match[str]) -> str:
        if match[1]:
            return match[1]
        return {"b": "\\", "a": "~" if "tilde" in match[0] else "^"}.get(match[0][5:6], "#")

    return _SPELLED.sub(unescaped, argument.strip())


def as_tex(text: str) -> str:
    """Plain text as LaTeX prints it; characters that pdflatex has no glyph for become a question mark."""
    return str(_encoder().unicode_to_latex(" ".join(text.split())))


@lru_cache(maxsize=1)
def _encoder() -> Any:
    from pylatexenc.latexencode import UnicodeToLatexEncoder

    return UnicodeToLatexEncoder(
        unknown_char_policy="replace", unknown_char_warning=False, replacement_latex_protection="braces-all"
    )
