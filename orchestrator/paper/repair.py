"""Faults of a draft that a program can mend, so that no exchange is spent on them. A good draft comes back as it is."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, field

from orchestrator.paper import document, scan

_SIGNS = {
    "→": r"$\rightarrow$", "←": r"$\leftarrow$", "↑": r"$\uparrow$", "↓": r"$\downarrow$", "⇒": r"$\Rightarrow$",
    "≥": r"$\geq$", "≤": r"$\leq$", "≈": r"$\approx$", "≠": r"$\neq$", "±": r"$\pm$", "×": r"$\times$",
    "−": r"$-$", "·": r"$\cdot$", "∞": r"$\infty$", "∑": r"$\sum$", "√": r"$\sqrt{}$", "∈": r"$\in$",
    "α": r"$\alpha$", "β": r"$\beta$", "γ": r"$\gamma$", "δ": r"$\delta$", "ε": r"$\epsilon$", "θ": r"$\theta$",
    "λ": r"$\lambda$", "μ": r"$\mu$", "π": r"$\pi$", "ρ": r"$\rho$", "σ": r"$\sigma$", "τ": r"$\tau$", "Δ": r"$\Delta$",
    "“": "``", "”": "''", "‘": "`", "’": "'", "…": r"\ldots{}", "\u00a0": "~", "\u200b": "", "\ufeff": "",
}  # fmt: skip
_NAMING = (
    r"label|ref|eqref|cref|Cref|autoref|pageref|cite[a-zA-Z]*|nocite|includegraphics|input|include|bibliography|url|href"
    r"|bibliographystyle|usepackage|documentclass|begin|end|graphicspath|InputIfFileExists|newcommand|texttt\{\\detokenize"
    r"|res|resmean|resci|resn|diff|ratio|relchange|setting|unitof|SI|si|num|qty|hypersetup|detokenize"
)
_ALIGNED = "|".join([*scan.TABULAR, *scan.MATH, "align", "matrix", "cases"])


@dataclass
class Repaired:
    tex: str
    changes: list[str] = field(default_factory=list)
    """One line for each kind of fault that was mended."""


def repair(tex: str, figures: set[str], bib_keys: set[str]) -> Repaired:
    """`tex` with everything mended that needs no judgement. `figures`: the files, `bib_keys`: the entries there are."""
    steps: list[tuple[str, Callable[[str], str]]] = [
        ("Markdown turned into LaTeX", markdown),
        ("HTML tags taken out", html),
        ("signs that TeX lacks replaced", signs),
        ("a % in the text escaped", percents),
        ("special characters in the text escaped", specials),
        ("environments closed", close_environments),
        ("the end of the document added", end_document),
        ("a second bibliography taken out", one_bibliography),
        ("a section that was there twice taken out", one_section_each),
        ("figures that do not exist taken out", lambda t: existing_figures(t, figures)),
        ("figures that were there twice taken out", figures_once),
        ("labels that were there twice taken out", labels_once),
        ("citations without an entry taken out", lambda t: known_citations(t, bib_keys)),
        ("references to nothing taken out", known_references),
    ]
    result = Repaired(tex)
    for what, step in steps:
        after = step(result.tex)
        if after != result.tex:
            result.changes.append(what)
            result.tex = after
    return result


def _outside(tex: str, pattern: str, replace: Callable[[re.Match[str]], str], hidden: Callable[[str], str]) -> str:
    """`re.sub` where `hidden(tex)`, of the same length, still shows the match."""
    shown = hidden(tex)
    out, position = [], 0
    for match in re.finditer(pattern, shown, flags=re.MULTILINE):
        out += [tex[position : match.start()], replace(match)]
        position = match.end()
    return "".join([*out, tex[position:]])


def prose(tex: str) -> str:
    """A mask that leaves the text a reader reads: no comments, verbatim, mathematics, names and preamble."""
    masked = scan.mask(tex)
    stretches = [(c.start, c.end) for c in scan.commands(masked, _NAMING)]
    stretches += [(s, e) for name, s, e in scan.environments(masked, _ALIGNED)]
    math = re.finditer(r"(?<!\\)\$\$?.+?(?<!\\)\$\$?|\\\(.+?\\\)|\\\[.+?\\\]", masked, flags=re.DOTALL)
    stretches += [(m.start(), m.end()) for m in math if "\n\n" not in m.group()]
    start = masked.find("\\begin{document}")
    stretches.append((0, max(start, 0)))
    chars = list(masked)
    for begin, end in stretches:
        chars[begin:end] = scan.blank(masked[begin:end])
    return "".join(chars)


def markdown(tex: str) -> str:
    tex = _outside(tex, r"^```[\w+-]*[ \t]*\n?", lambda m: "", scan.mask)
    tex = _outside(tex, r"\*\*([^*\n]+)\*\*", lambda m: rf"\textbf{{{m[1]}}}", scan.mask)
    return _outside(tex, r"^#{2,4} +(.+)$", lambda m: rf"\subsection{{{m[1].strip()}}}", scan.mask)


def html(tex: str) -> str:
    return _outside(tex, r"</?(?:b|i|p|br|em|strong|div|span|latex|section|h\d|ul|li)\s*/?>", lambda m: "", scan.mask)


def signs(tex: str) -> str:
    shown = prose(tex)
    return "".join(
        _sign(char, plain=shown[i] == char) if ord(char) > 127 else char for i, char in enumerate(tex)
    )  # fmt: skip


def _sign(char: str, plain: bool) -> str:
    sign = _SIGNS.get(char)
    if sign is None:
        return "" if ord(char) > 0xFFFF else char
    return sign if plain else sign.strip("$")


def percents(tex: str) -> str:
    """A % straight after a number, with text behind it, is a percent sign."""
    while (
        at := next((s.start for s in scan.opaque(tex) if s.kind == "comment" and _swallows(tex, s)), None)
    ) is not None:
        tex = tex[:at] + "\\" + tex[at:]
    return tex


def _swallows(tex: str, comment: scan.Stretch) -> bool:
    """Whether a comment is the rest of a sentence that ends in a number."""
    before, inside = tex[: comment.start], tex[comment.start + 1 : comment.end]
    return bool(re.search(r"\d[ ~]?$", before) and re.match(r"[ \t]*[a-z(,.;)]|[ \t]+\S", inside))


def specials(tex: str) -> str:
    tex = _outside(tex, r"(?<!\\)([_#])", lambda m: f"\\{m[1]}", prose)
    return _outside(tex, r"(?<!\\)&", lambda m: r"\&", prose)


def close_environments(tex: str) -> str:
    """Adds the `\\end` of what is never closed before the section or environment around it ends; drops stray ends."""
    masked = scan.mask(tex)
    marks = re.finditer(r"\\(begin|end)[ \t]*\{([^{}\n]*)\}|\\section\b|\\bibliography\b", masked)
    stack: list[str] = []
    out, position = [], 0
    for mark in marks:
        kind, name = mark.group(1), mark.group(2)
        out.append(tex[position : mark.start()])
        position = mark.end()
        if kind == "begin":
            stack.append(name)
            out.append(tex[mark.start() : mark.end()])
        elif kind == "end" and name not in stack:
            continue
        else:
            enclosing = name if kind == "end" else "document"
            while stack and stack[-1] != enclosing:
                out.append(f"\\end{{{stack.pop()}}}\n")
            if kind == "end":
                stack.pop()
            out.append(tex[mark.start() : mark.end()])
    out.append(tex[position:])
    closing = "".join(f"\n\\end{{{name}}}" for name in reversed(stack))
    return "".join(out).rstrip("\n") + closing + "\n" if closing else "".join(out)


def end_document(tex: str) -> str:
    masked = scan.mask(tex)
    if "\\begin{document}" in masked and "\\end{document}" not in masked:
        return tex.rstrip("\n") + "\n\\end{document}\n"
    return tex


def one_bibliography(tex: str) -> str:
    for name in ("bibliography", "bibliographystyle"):
        found = list(scan.commands(scan.mask(tex), name))
        for extra in reversed(found[1:]):
            tex = tex[: extra.start] + tex[extra.end :]
    return tex


def one_section_each(tex: str) -> str:
    masked = scan.mask(tex)
    headings = list(scan.commands(masked, "section"))
    seen: set[str] = set()
    for number, heading in reversed(list(enumerate(headings))):
        name = heading.argument.strip().lower()
        earlier = [h.argument.strip().lower() for h in headings[:number]]
        if name in earlier and name not in seen:
            stop = re.compile(r"\\(section|appendix|bibliography|end\{document\})").search(masked, heading.end)
            end = stop.start() if stop else len(tex)
            tex = tex[: heading.start] + tex[end:]
    return tex


def _figure_at(masked: str, at: int) -> tuple[int, int] | None:
    around = [(s, e) for _, s, e in scan.environments(masked, r"(sub)?figure\*?|wrapfigure") if s <= at < e]
    return max(around, default=None)


def _without_figures(tex: str, unwanted: Callable[[str, int], bool]) -> str:
    masked = scan.mask(tex)
    for command in reversed(list(scan.commands(masked, "includegraphics"))):
        if unwanted(command.argument.strip(), command.start):
            span = _figure_at(masked, command.start) or (command.start, command.end)
            tex = tex[: span[0]] + tex[span[1] :]
            masked = scan.mask(tex)
    return tex


def existing_figures(tex: str, figures: set[str]) -> str:
    stems = {name.rsplit(".", 1)[0] for name in figures}

    def missing(name: str, at: int) -> bool:
        base = name.rsplit("/", 1)[-1]
        return base not in figures and base.rsplit(".", 1)[0] not in stems

    return _without_figures(tex, missing)


def figures_once(tex: str) -> str:
    first: dict[str, int] = {}
    for command in scan.commands(scan.mask(tex), "includegraphics"):
        first.setdefault(command.argument.strip(), command.start)
    return _without_figures(tex, lambda name, at: first[name] != at)


def labels_once(tex: str) -> str:
    seen: set[str] = set()
    extra = []
    for command in scan.commands(scan.mask(tex), "label"):
        if command.argument in seen:
            extra.append(command)
        seen.add(command.argument)
    for command in reversed(extra):
        tex = tex[: command.start] + tex[command.end :]
    return tex


def known_citations(tex: str, keys: set[str]) -> str:
    return _known(tex, "[Cc]ite[a-zA-Z]*", keys)


def known_references(tex: str) -> str:
    return _known(tex, "ref|eqref|cref|Cref|autoref|pageref", {name for name, _ in document.labels(tex)})


def _known(tex: str, commands: str, names: set[str]) -> str:
    for command in reversed(list(scan.commands(scan.mask(tex), commands))):
        wanted = [name.strip() for name in command.argument.split(",") if name.strip()]
        kept = [name for name in wanted if name in names or name == "*"]
        if kept == wanted:
            continue
        if kept:
            tex = tex[: command.inner] + ",".join(kept) + tex[command.end - 1 :]
        else:
            before = re.sub(
                r"(?:\s|~)*(?:[Ff]igures?|[Tt]ables?|[Ss]ections?|[Ee]quations?)?[~ ]?$", "", tex[: command.start]
            )
            tex = (before if commands.startswith("ref") else tex[: command.start].rstrip("~ ")) + tex[command.end :]
    return tex
