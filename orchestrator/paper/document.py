"""The structure of a paper's source: its named sections, one sentence a line, what it refers to.

Reads our own template and those of venues: a `\\title`, an abstract as environment or command, `\\section` headings, a
bibliography inside (`filecontents`) or beside.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from orchestrator.errors import BadInput
from orchestrator.paper import scan

PLACEHOLDER = "% ORCH: not written"
SECTIONS = (
    "title",
    "abstract",
    "introduction",
    "related work",
    "background",
    "method",
    "experimental setup",
    "results",
    "conclusion",
)
"""The names by which `sections` and `replace_section` know the parts of a paper, in the order of reading."""

_ALIASES = {
    "introduction": r"introduction",
    "related work": r"related works?|prior work|previous work|related work.*",
    "background": r"background.*|preliminaries",
    "method": r"(our |proposed |the )?(methods?|methodology|approach)",
    "experimental setup": r"experimental (setup|settings?|details|design)|experiment setup|setup|experiments",
    "results": r"(experimental |main )?results.*|experiments and results|evaluation",
    "conclusion": r"conclusions?.*|discussion and conclusions?|summary",
}
_END_OF_SECTION = re.compile(
    r"\\(?:section\b|appendix\b|bibliography\b|bibliographystyle\b|printbibliography\b|begin\s*\{thebibliography\}"
    r"|begin\s*\{filecontents\*?\}|end\s*\{document\}|InputIfFileExists\b|balance\b|newpage\b|clearpage\b)"
)
_CITE = r"(?:[Cc]ite[a-zA-Z]*|nocite|parencite|textcite|autocite|footcite)"
_REF = r"(?:ref|eqref|pageref|autoref|nameref|[cC]ref|[cC]pageref|labelcref|vref|subref)"


@dataclass(frozen=True)
class Span:
    """A named part: `tex[start:end]` with its heading, `tex[body_start:body_end]` without."""

    name: str
    heading: str
    """As it is written, e.g. `Methods`."""
    start: int
    body_start: int
    body_end: int
    end: int
    line: int
    """1-based line of the heading."""


def sections(tex: str) -> dict[str, Span]:
    """The parts of a paper by name (`SECTIONS`; any other section by its heading in lower case), in the order of the file.

    Of two sections with one name the first is meant.
    """
    masked = scan.mask(tex)
    found: dict[str, Span] = {}
    for span in [*_title(masked), *_abstract(masked), *_headed(masked)]:
        found.setdefault(span.name, span)
    return dict(sorted(found.items(), key=lambda item: item[1].start))


def _title(masked: str) -> list[Span]:
    found = [
        Span("title", "", c.start, c.inner, c.end - 1, c.end, scan.line_of(masked, c.start))
        for c in scan.commands(masked, r"title|icmltitle")
    ]
    return found[:1]


def _abstract(masked: str) -> list[Span]:
    for name, start, end in scan.environments(masked, r"abstract\*?"):
        head, tail = len(f"\\begin{{{name}}}"), len(f"\\end{{{name}}}")
        return [Span("abstract", "", start, start + head, end - tail, end, scan.line_of(masked, start))]
    return [
        Span("abstract", "", c.start, c.inner, c.end - 1, c.end, scan.line_of(masked, c.start))
        for c in scan.commands(masked, "abstract")
    ][:1]


def _headed(masked: str) -> list[Span]:
    headings = list(scan.commands(masked, "section"))
    names = _names([_plain(h.argument) for h in headings])
    spans = []
    for heading, name in zip(headings, names, strict=True):
        body = _after_label(masked, heading.end)
        stop = _END_OF_SECTION.search(masked, heading.end)
        end = max(body, stop.start() if stop else len(masked))
        line = scan.line_of(masked, heading.start)
        spans.append(Span(name, heading.argument, heading.start, body, end, end, line))
    return spans


def _after_label(masked: str, at: int) -> int:
    """Past a `\\label` that stands directly after the heading, on its line or the next."""
    match = re.compile(r"[ \t]*\n?[ \t]*\\label\s*\{[^{}]*\}").match(masked, at)
    return match.end() if match else at


def _plain(heading: str) -> str:
    return re.sub(r"\\[a-zA-Z]+|[{}~]", " ", heading).strip().lower()


def _names(headings: list[str]) -> list[str]:
    """Our name of each heading: its own where it has one of ours, else the first alias that is still free."""
    taken = set(headings) & set(SECTIONS)
    names = []
    for heading in headings:
        name = re.sub(r"\s+", " ", heading)
        if name not in SECTIONS:
            name = next((ours for ours, p in _ALIASES.items() if ours not in taken and re.fullmatch(p, name)), name)
        taken.add(name)
        names.append(name)
    return names


def body(tex: str, name: str) -> str:
    """The text of a part without its heading. Raises BadInput where there is no such part."""
    span = _find(tex, name)
    return tex[span.body_start : span.body_end].strip("\n")


def _find(tex: str, name: str) -> Span:
    found = sections(tex)
    if name.lower() not in found:
        raise BadInput(f"template.tex: no part called {name!r}; it has {', '.join(found) or 'none'}")
    return found[name.lower()]


def replace_section(tex: str, name: str, body: str) -> str:
    """`tex` with one part's text replaced, by its heading. The heading and its label stay.

    `body` may be the bare text, the part with its heading or environment, or a whole document that holds the part.
    Raises BadInput where `tex` has no such part.
    """
    span = _find(tex, name)
    text = _inside(body, span.name)
    if span.name == "title":
        text = re.sub(r"\s*\n\s*", " ", text)
        return tex[: span.body_start] + text + tex[span.body_end :]
    after = "\n" if span.name == "abstract" else "\n\n"
    return tex[: span.body_start] + "\n" + text + after + tex[span.body_end :].lstrip("\n")


def _inside(body: str, name: str) -> str:
    """The text of the part `name` in what a model wrote for it."""
    found = sections(body)
    if name in found:
        span = found[name]
        return body[span.body_start : span.body_end].strip()
    headings = [s for s in found.values() if s.name not in ("title", "abstract")]
    if len(headings) == 1 and not body[: headings[0].start].strip():
        body = body[headings[0].body_start :]
    return re.sub(r"\\(?:begin|end)\{document\}|\\maketitle", "", body).strip()


def is_written(tex: str, name: str) -> bool:
    """Whether a part holds text: neither empty nor a placeholder."""
    span = _find(tex, name)
    return bool(scan.mask(tex)[span.body_start : span.body_end].strip()) and not placeholders(
        tex[span.body_start : span.body_end]
    )


_PLACEHOLDERS = re.compile(
    r"% ORCH: not written|\b[A-Z][A-Z ]+ HERE\b|\bTODO\b|\bTBD\b|\bFIXME\b|\bXXX+\b|[Ll]orem ipsum"
    r"|\[(?:[Ii]nsert|[Tt]o be|[Aa]dd|[Pp]laceholder|[Yy]our)[^\]\n]*\](?!\{)|<(?:insert|your|placeholder)[^>\n]*>"
)


def placeholders(tex: str) -> list[tuple[int, str]]:
    """(line, text) of what was left to be filled in, commented marks of the template included."""
    return [(scan.line_of(tex, m.start()), m.group()) for m in _PLACEHOLDERS.finditer(tex)]


def figures_used(tex: str) -> list[tuple[str, int]]:
    """(file as written, line) of each `\\includegraphics`, in order."""
    masked = scan.mask(tex)
    return [
        (c.argument.strip(), scan.line_of(masked, c.start)) for c in scan.commands(masked, "includegraphics|includesvg")
    ]


def labels(tex: str) -> list[tuple[str, int]]:
    """(label, line), in order."""
    masked = scan.mask(tex)
    return [(c.argument.strip(), scan.line_of(masked, c.start)) for c in scan.commands(masked, "label")]


def references(tex: str) -> list[tuple[str, int]]:
    """(label, line) of each label referred to, in order."""
    return _keys(tex, _REF)


def citations(tex: str) -> list[tuple[str, int]]:
    """(key, line) of each key cited, in order; a `\\cite` of two keys gives two."""
    return [(key, line) for key, line in _keys(tex, _CITE) if key != "*"]


def _keys(tex: str, names: str) -> list[tuple[str, int]]:
    masked = scan.mask(tex)
    return [
        (key.strip(), scan.line_of(masked, c.start))
        for c in scan.commands(masked, names)
        for key in c.argument.split(",")
        if key.strip()
    ]


_NEEDED = ("graphicx", "booktabs", "siunitx", "xcolor", "expl3")


def with_evidence(tex: str) -> str:
    """A venue's template made ready for the generated macros: the packages they need, and `evidence.tex` read if it is there.

    A template that has them already comes back as it is.
    """
    masked = scan.mask(tex)
    start = re.search(r"\\begin\s*\{document\}", masked)
    if start is None:
        raise BadInput("template.tex: no \\begin{document}; a paper template needs one")
    loaded = {p.strip() for c in scan.commands(masked, "usepackage|RequirePackage") for p in c.argument.split(",")}
    lines = [f"\\usepackage{{{name}}}" for name in _NEEDED if name not in loaded]
    if "evidence.tex" not in masked[: start.start()] and "{evidence}" not in masked[: start.start()]:
        lines.append("\\InputIfFileExists{evidence.tex}{}{}")
    return tex[: start.start()] + "".join(line + "\n" for line in lines) + tex[start.start() :]


_ABBREVIATIONS = (
    r"(?<!e\.g)(?<!i\.e)(?<!cf)(?<!et al)(?<!vs)(?<!Fig)(?<!Eq)(?<!Sec)(?<!Tab)(?<!resp)(?<!approx)(?<!\b[A-Z])"
)
_SENTENCE_END = re.compile(_ABBREVIATIONS + r"([.?!]['’”)}]*)[ \t]+(?=[A-Z\\$])")
_KEPT_WHOLE = re.compile(
    r"tabular[*x]?|equation\*?|align\*?|gather\*?|verbatim|lstlisting|filecontents\*?|algorithmic|tikzpicture"
)


def one_sentence_a_line(tex: str) -> str:
    """`tex` with a line break after each sentence of prose; comments, mathematics, tables and verbatim stay as they are."""
    masked = scan.mask(tex)
    start = max(masked.find("\\begin{document}"), 0)
    kept = [(s, e) for _, s, e in scan.environments(masked, _KEPT_WHOLE.pattern)]
    kept += [(m.start(), m.end()) for m in re.finditer(r"(?<!\\)\$[^$\n]+\$", masked)]
    out, position = [], 0
    for match in _SENTENCE_END.finditer(masked, start):
        if any(s <= match.start() < e for s, e in kept) or _in_braces(masked, match.start()):
            continue
        out += [tex[position : match.end(1)], "\n"]
        position = match.end()
    return "".join([*out, tex[position:]])


def _in_braces(masked: str, at: int) -> bool:
    """Whether the place is inside an argument that began on its own line."""
    line = re.sub(r"\\[{}]", "  ", masked[masked.rfind("\n", 0, at) + 1 : at])
    return line.count("{") > line.count("}")
