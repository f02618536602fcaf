"""LaTeX to flattened text: paragraphs, captions, items and tables with their headings, each with its place in the source."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from orchestrator.evidence.claims.latex import (
    CITES,
    DECLARATIONS,
    EQUATIONS,
    GREEK,
    HEADINGS,
    IGNORED_ENVIRONMENTS,
    NUMBER_MACROS,
    REFS,
    SILENT,
    SKIP_FIRST,
    SYMBOLS,
    TABULARS,
    UNITS,
    context,
)
from orchestrator.evidence.claims.records import CITE, MACRO, REF, Atom, Block, Document, Text
from orchestrator.evidence.claims.tables import read_table
from orchestrator.evidence.macros import ARGUMENTS

_SECTIONS = (
    ("related", r"related|prior work|previous work"),
    ("background", r"background|preliminar"),
    ("setup", r"set-?up|implementation|experimental (?:design|details|protocol|setting)|data(?:set)?s?$|training details"),
    ("method", r"method|approach|model$|architecture|algorithm|formulation|theory|our proposal"),
    ("results", r"result|experiment|evaluation|analysis|ablation|finding|discussion|comparison|limitation"),
    ("conclusion", r"conclu|summary|outlook|future"),
    ("introduction", r"intro|motivation"),
    ("abstract", r"abstract"),
    ("appendix", r"appendix|reproducib|acknowledg|ethic|references|bibliography|broader"),
)  # fmt: skip


def read(tex: str) -> Document:
    """Everything of a LaTeX source that a reader of the paper sees as text."""
    reader = _Reader(tex)
    reader.run()
    return Document(reader.blocks, reader.tables, reader.problems)


class _Reader:
    """Walks the nodes once and gathers blocks and tables."""

    def __init__(self, tex: str) -> None:
        self.tex = tex
        self.blocks: list[Block] = []
        self.tables: list[Any] = []
        self.problems: list[tuple[int, str]] = []
        self.section = "other"
        self.heading = ""
        self.kind: Any = "prose"
        self.lead = ""
        self.open = Text()
        self.user: dict[str, Text] = {}
        self.depth = 0

    def run(self) -> None:
        nodes = self._parse()
        self._user_macros(nodes)
        self._title(nodes)
        body = [n for n in nodes if getattr(n, "environmentname", "") == "document"]
        self.walk(body[0].nodelist if body else nodes)
        self.flush()

    def _parse(self) -> list[Any]:
        from pylatexenc.latexwalker import LatexWalker, LatexWalkerError

        try:
            nodes, _, length = LatexWalker(self.tex, latex_context=context(), tolerant_parsing=True).get_latex_nodes()
        except (LatexWalkerError, RecursionError, ValueError, IndexError, TypeError, AttributeError) as error:
            at = int(getattr(error, "pos", 0) or 0)
            self.problems.append(
                (
                    at,
                    f"this LaTeX cannot be read: {str(error).splitlines()[0] if str(error) else type(error).__name__}",
                )
            )
            return []
        if length < len(self.tex.rstrip()):
            self.problems.append((int(length), "the LaTeX cannot be read from here on: a brace or \\end too many"))
        return list(nodes)

    def _title(self, nodes: list[Any]) -> None:
        for node in _all(nodes):
            if getattr(node, "macroname", "") == "title":
                text = Text()
                for group in _arguments(node):
                    self.flatten([group], text)
                self.blocks.append(Block(text, "title", "heading"))
                return

    def _user_macros(self, nodes: list[Any]) -> None:
        """Macros of the paper's own that take no argument: \\newcommand{\\ours}{…}, \\def\\ours{…}."""
        pattern = re.compile(r"\\(?:re)?(?:newcommand|def|providecommand)\*?\s*\{?\\([A-Za-z]+)\}?\s*\{")
        for match in pattern.finditer(self.tex):
            end = _closing(self.tex, match.end() - 1)
            if end and "#" not in self.tex[match.end() : end] and match[1] not in ARGUMENTS:
                self.user[match[1]] = _flat(self.tex[match.end() : end])

    def walk(self, nodes: list[Any]) -> None:
        """The block level: sections, environments, paragraphs."""
        for node in nodes:
            kind = type(node).__name__
            if kind == "LatexEnvironmentNode":
                self._environment(node)
            elif kind == "LatexMathNode" and node.displaytype == "display":
                self.open.add(" ", node.pos, node.pos + node.len)
            elif kind == "LatexMacroNode" and node.macroname in HEADINGS:
                self._new_section(node)
            elif kind == "LatexMacroNode" and node.macroname == "item":
                self.flush()
                self.kind = "item"
                self.flatten(_arguments(node), self.open)
                self.open.add(" ", node.pos, node.pos + node.len)
            elif kind == "LatexMacroNode" and node.macroname in ("caption", "footnote", "subcaption"):
                self._aside(node)
            elif (kind == "LatexMacroNode" and node.macroname == "resulttable") or (
                kind == "LatexMacroNode" and node.macroname == "title"
            ):
                continue
            elif kind == "LatexGroupNode" and self.depth < 60 and any(_is_block(n) for n in node.nodelist or []):
                self._nested(node.nodelist)
            elif (
                kind == "LatexMacroNode"
                and node.macroname in (*SKIP_FIRST, "subfloat")
                and any(_is_block(n) for n in _all(_arguments(node)))
            ):
                self._nested([n for group in _arguments(node) for n in getattr(group, "nodelist", [])])
            else:
                self._inline(node)

    def _nested(self, nodes: list[Any]) -> None:
        self.depth += 1
        if self.depth < 60:
            self.walk(nodes)
        else:
            self.problems.append((nodes[0].pos if nodes else 0, "environments are nested too deep to read"))
        self.depth -= 1

    def _inline(self, node: Any) -> None:
        chars = getattr(node, "chars", "") if type(node).__name__ == "LatexCharsNode" else ""
        if "\n" not in chars or not re.search(r"\n\s*\n", chars):
            if getattr(node, "macroname", "") == "par" or getattr(node, "specials_chars", "") == "\n\n":
                self.flush()
            else:
                self.flatten([node], self.open)
            return
        start = 0
        for gap in re.finditer(r"\n\s*\n", chars):
            self.open.add(chars[start : gap.start()], node.pos + start, 0, spread=True)
            self.flush()
            start = gap.end()
        self.open.add(chars[start:], node.pos + start, 0, spread=True)

    def flush(self) -> None:
        if self.open.chars.strip():
            self.blocks.append(Block(self.open, self.section, self.kind, self.heading, self.lead))
        self.open = Text()

    def _new_section(self, node: Any) -> None:
        self.flush()
        text = Text()
        self.flatten(_arguments(node)[-1:], text)
        self.heading = text.chars
        found = section_of(text.chars)
        if node.macroname in ("section", "chapter", "part"):
            self.section = found or "other"
        elif found in ("setup", "related") or (found and self.section == "other"):
            self.section = found
        self.kind = "prose"
        self.blocks.append(Block(text, self.section, "heading", text.chars))

    def _aside(self, node: Any) -> None:
        text = Text()
        self.flatten(_arguments(node)[-1:], text)
        self.blocks.append(
            Block(text, self.section, "caption" if "caption" in node.macroname else "prose", self.heading)
        )

    def _environment(self, node: Any) -> None:
        name = node.environmentname
        if name in IGNORED_ENVIRONMENTS or EQUATIONS.fullmatch(name):
            self.open.add(" ", node.pos, node.pos + node.len)
        elif name in TABULARS:
            self.tables.append(read_table(node, self.section, self._cell))
        elif name in ("itemize", "enumerate", "description", "compactitem", "inparaenum"):
            self._list(node)
        elif name == "abstract":
            self.flush()
            before, self.section = self.section, "abstract"
            self._nested(node.nodelist)
            self.flush()
            self.section = before
        else:
            self._float(node)

    def _list(self, node: Any) -> None:
        lead = self.open.chars.strip() or (self.blocks[-1].text.chars if self.blocks else "")
        self.flush()
        before = self.lead, self.kind
        self.lead = re.split(r"(?<=[.!?])\s+", lead.strip())[-1]
        self._nested(node.nodelist)
        self.flush()
        self.lead, self.kind = before

    def _float(self, node: Any) -> None:
        """Any other environment: read on inside; a float's caption belongs to its tables."""
        if node.environmentname in (
            "figure",
            "figure*",
            "table",
            "table*",
            "wrapfigure",
            "wraptable",
            "sidewaystable",
        ):
            outer, self.open = self.open, Text()
            first_block, first_table = len(self.blocks), len(self.tables)
            self._nested(node.nodelist)
            self.open = outer
            captions = " ".join(b.text.chars for b in self.blocks[first_block:] if b.kind == "caption")
            for table in self.tables[first_table:]:
                table.caption = captions
            return
        self._nested(node.nodelist)

    def _cell(self, nodes: list[Any]) -> Text:
        text = Text()
        self.flatten(nodes, text)
        return text

    def flatten(self, nodes: list[Any], into: Text, depth: int = 0) -> None:
        """The inline level: everything as characters."""
        for node in nodes:
            kind = type(node).__name__
            if kind == "LatexCharsNode":
                into.add(node.chars, node.pos, 0, spread=True)
            elif kind == "LatexSpecialsNode":
                _special(node, into)
            elif kind == "LatexMacroNode":
                self._macro(node, into, depth)
            elif kind in ("LatexGroupNode", "LatexMathNode", "LatexEnvironmentNode") and depth < 60:
                if kind == "LatexEnvironmentNode" and node.environmentname in IGNORED_ENVIRONMENTS:
                    continue
                self.flatten(node.nodelist or [], into, depth + 1)

    def _macro(self, node: Any, into: Text, depth: int) -> None:
        name, end = node.macroname, node.pos + node.len
        if name in ARGUMENTS and name not in ("resulttable", "metricstable"):
            into.atoms[len(into.chars)] = self._atom(node)
            into.add(MACRO, node.pos, end)
        elif CITES.fullmatch(name):
            into.add(CITE, node.pos, end)
        elif name in REFS:
            into.add(REF, node.pos, end)
        elif name in self.user:
            into.add(self.user[name].chars, node.pos, end)
        elif name in NUMBER_MACROS:
            into.add(_siunitx(name, [self._source(a) for a in _arguments(node, brackets=False)]), node.pos, end)
        elif name in SYMBOLS:
            into.add(SYMBOLS[name], node.pos, end)
        elif name in GREEK:
            into.add(name.removeprefix("var"), node.pos, end)
        elif name in SKIP_FIRST and name != "texorpdfstring":
            self.flatten(_arguments(node, brackets=False)[SKIP_FIRST[name] :], into, depth + 1)
        elif name in ("frac", "dfrac", "tfrac", "nicefrac", "sfrac") and len(_arguments(node)) == 2:
            over, under = _arguments(node)
            self.flatten([over], into, depth + 1)
            into.add("/", node.pos, end)
            self.flatten([under], into, depth + 1)
        elif name not in SILENT and not DECLARATIONS.fullmatch(name) and depth < 60:
            self.flatten(_arguments(node, brackets=False), into, depth + 1)
        if getattr(node, "macro_post_space", "") and into.chars[-1:].isalnum():
            into.add(" ", end, end)

    def _atom(self, node: Any) -> Atom:
        given = node.nodeargd.argnlist if node.nodeargd and node.nodeargd.argnlist else []
        option = self._source(given[0]) if given and given[0] is not None else ""
        keys = tuple(self._source(a) for a in given[1:] if a is not None)
        return Atom(
            node.macroname,
            keys,
            int(option) if option.strip().isdigit() else None,
            node.pos,
            node.pos + node.len,
        )

    def _source(self, node: Any) -> str:
        if node is None:
            return ""
        text = self.tex[node.pos : node.pos + node.len]
        return text[1:-1] if text[:1] in "{[" and len(text) > 1 else text


def section_of(heading: str) -> str:
    """Which of the known sections a heading opens, or ''."""
    text = heading.strip().lower()
    return next((name for name, pattern in _SECTIONS if re.search(pattern, text)), "")


def _is_block(node: Any) -> bool:
    return type(node).__name__ == "LatexEnvironmentNode" or getattr(node, "macroname", "") in (
        "caption",
        "item",
        *HEADINGS,
    )


def _arguments(node: Any, brackets: bool = True) -> list[Any]:
    given = getattr(node, "nodeargd", None)
    found = [a for a in (given.argnlist if given and given.argnlist else []) if a is not None]
    if brackets:
        return found
    return [a for a in found if getattr(a, "delimiters", ("{",))[0] != "[" and getattr(a, "chars", "") != "*"]


def _all(nodes: list[Any], depth: int = 0) -> Iterator[Any]:
    for node in nodes:
        yield node
        if depth < 60:
            yield from _all([n for n in getattr(node, "nodelist", None) or [] if n is not None], depth + 1)


def _special(node: Any, into: Text) -> None:
    known = {"~": " ", "--": "–", "---": "—", "``": '"', "''": '"', "\n\n": "\n\n", "&": " "}
    into.add(known.get(node.specials_chars, node.specials_chars), node.pos, node.pos + node.len)


def _siunitx(name: str, arguments: list[str]) -> str:
    if name in ("si", "unit"):
        return _unit(arguments[0]) if arguments else ""
    plain = [a.replace("+-", "±").replace(r"\pm", "±").replace("~", "").replace("$", "").strip() for a in arguments]
    if name == "numlist":
        return ", ".join(plain[0].split(";")) if plain else ""
    if name in ("numrange", "SIrange", "qtyrange") and len(plain) > 1:
        return f"{plain[0]}–{plain[1]}{_unit(arguments[2]) if len(arguments) > 2 else ''}"
    return (plain[0] if plain else "") + (_unit(arguments[1]) if len(arguments) > 1 else "")


def _unit(source: str) -> str:
    text = re.sub(r"\\([A-Za-z]+|%)\s*", lambda m: UNITS.get(m[1], "%" if m[1] == "%" else m[1]), source).strip()
    return text if text.startswith("%") else " " + text


def _closing(tex: str, brace: int) -> int:
    """Where the group that opens at `brace` closes; 0 where it does not."""
    level = 0
    for i in range(brace, min(len(tex), brace + 400)):
        level += {"{": 1, "}": -1}.get(tex[i], 0)
        if level == 0:
            return i
    return 0


def _flat(source: str) -> Text:
    reader = _Reader(source)
    text = Text()
    reader.flatten(reader._parse(), text)
    text.chars = text.chars.strip()
    return text
