"""What is wrong with the structure of a paper, each with its line."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass

from orchestrator.paper import document, scan


@dataclass(frozen=True)
class Problem:
    line: int
    kind: str
    sentence: str

    def __str__(self) -> str:
        return f"line {self.line}: {self.sentence}" if self.line else self.sentence


def problems(tex: str, figures: set[str], bib_keys: set[str]) -> list[Problem]:
    """Every fault, in the order of lines. `figures`: files there are; `bib_keys`: entries of the bibliography."""
    found = [
        *_placeholders(tex),
        *_citations(tex, bib_keys),
        *_figures(tex, figures),
        *_labels(tex),
        *_sections(tex),
        *_environments(tex),
    ]
    return sorted(found, key=lambda problem: problem.line)


def _placeholders(tex: str) -> list[Problem]:
    return [
        Problem(line, "placeholder", f"a placeholder is left: {text!r}") for line, text in document.placeholders(tex)
    ]


def _citations(tex: str, keys: set[str]) -> list[Problem]:
    return [
        Problem(line, "citation", f"\\cite{{{key}}} has no entry in references.bib")
        for key, line in document.citations(tex)
        if key not in keys
    ]


def _figures(tex: str, figures: set[str]) -> list[Problem]:
    used = [(name.rsplit("/", 1)[-1].rsplit(".", 1)[0], line) for name, line in document.figures_used(tex)]
    there = {name.rsplit(".", 1)[0] for name in figures}
    count = Counter(name for name, _ in used)
    found = [Problem(line, "figure", f"figure {name} does not exist") for name, line in used if name not in there]
    found += [Problem(0, "figure", f"figure {name} is used {n} times") for name, n in count.items() if n > 1]
    return found + [Problem(0, "figure", f"figure {name} is not used") for name in sorted(there - set(count))]


def _labels(tex: str) -> list[Problem]:
    labels = document.labels(tex)
    count = Counter(name for name, _ in labels)
    twice = [Problem(line, "label", f"label {name} is there twice") for name, line in labels if count[name] > 1]
    lost = [(n, line) for n, line in document.references(tex) if n not in count]
    return twice + [Problem(line, "reference", f"reference to {name}, which is no label") for name, line in lost]


def _sections(tex: str) -> list[Problem]:
    masked = scan.mask(tex)
    headings = [(c.argument.strip().lower(), scan.line_of(masked, c.start)) for c in scan.commands(masked, "section")]
    count = Counter(name for name, _ in headings)
    twice = [Problem(line, "section", f"section {name!r} is there twice") for name, line in headings if count[name] > 1]
    empty = [
        Problem(span.line, "section", f"{name} is not written")
        for name, span in document.sections(tex).items()
        if not document.is_written(tex, name)
    ]
    return twice + [p for p in empty if not document.placeholders(tex)]


def _environments(tex: str) -> list[Problem]:
    stack: list[scan.Delimiter] = []
    masked = scan.mask(tex)
    found = []
    for each in scan.delimiters(masked):
        if each.kind == "begin":
            stack.append(each)
        elif stack and stack[-1].environment == each.environment:
            stack.pop()
        else:
            found.append(each)
    return [
        Problem(scan.line_of(masked, d.start), "environment", f"\\{d.kind}{{{d.environment}}} has no partner")
        for d in [*stack, *found]
    ]
