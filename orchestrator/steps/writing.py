"""The paper's text: section by section, each criticised at once, then the whole refined."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

from orchestrator.evidence.macros import write_evidence_tex
from orchestrator.paper import document
from orchestrator.paper.repair import repair
from orchestrator.prompts import fenced
from orchestrator.records import Evidence
from orchestrator.steps.context import Work
from orchestrator.steps.planning import table
from orchestrator.steps.plotting import notes, read_labels
from orchestrator.steps.runs import diff_of

NO_CHANGE = "NO_CHANGE"


@dataclass(frozen=True)
class Section:
    """A part that is written in one go, and what belongs in it."""

    name: str
    parts: tuple[str, ...]
    """Its names in the document."""
    advice: str

    @property
    def key(self) -> str:
        return self.name.lower().replace(" ", "-")


SECTIONS = (
    Section("Title and Abstract", ("title", "abstract"),
            "What is done, why it matters, why it is hard, what is contributed, how it was verified; "
            "the abstract is one paragraph. "
            "The title promises no more than was found."),
    Section("Introduction", ("introduction",),
            "The abstract at length, and the contributions as a list. What was measured is named with its limits."),
    Section("Background", ("background",),
            "What a reader needs: prior concepts, the problem setting and notation, unusual assumptions. No results."),
    Section("Method", ("method",),
            "What is done and why, in the notation of the background; equations that are those of the code."),
    Section("Experimental Setup", ("experimental setup",),
            "Data, model, metrics, hyperparameters, implementation: from the settings in force, by \\setting. "
            "No hardware, data or model that is not in the settings."),
    Section("Results", ("results",),
            "Every run that counts, the baselines, ablations, intervals, all figures; "
            "fairness and limits, with the guards' findings. "
            "What did not work is told."),
    Section("Conclusion", ("conclusion",), "A recap, with what the evidence carries and no more; what comes next."),
    Section("Related Work", ("related work",),
            "Compare and contrast; why a method that applies was or was not compared. First as a sketch: "
            "each comparison a paragraph "
            "whose citation may still be missing; then it has no \\cite yet. No numbers from other papers."),
)  # fmt: skip


def write_sections(work: Work, best: Evidence, figures: dict[str, str]) -> None:
    """Every section that the template has, each followed by one pass of criticism and repair of it alone."""
    for section in SECTIONS:
        if not set(section.parts) <= set(document.sections(draft_of(work))):
            continue
        work.session.step(
            f"write/{section.key}", f"Write: {section.name}", lambda: _write(work, section, best, figures)
        )
        work.session.step(f"criticise/{section.key}", f"Criticise: {section.name}", lambda: _criticise(work, section))


def refine(work: Work) -> None:
    """One pass with the whole draft in view; only what should change is written again."""

    def again() -> Any:
        read = lambda reply: blocks_of(reply, draft_of(work))  # noqa: E731
        blocks = work.ask_for(
            "refine", "coder", "09_refine", read, draft=draft_of(work), keys=keys(work), **facts(work)
        )
        return put_in(work, blocks)

    work.session.step("refine", "Refine the whole draft", again)


def _write(work: Work, section: Section, best: Evidence, figures: dict[str, str]) -> list[str]:
    write_macros(work)
    work.progress.say(f"writing: {section.name}")
    config = sorted(key for key in best.settings)
    reply = work.ask_for(
        f"write/{section.key}", "coder", "07_section", lambda reply: _section_blocks(reply, section),
        section=section.name, advice=section.advice, notes=notes(work), figures=figures, draft=draft_of(work),
        diff=diff_of(work, best), config=config, keys=keys(work), **facts(work),
    )  # fmt: skip
    return put_in(work, reply)


def _criticise(work: Work, section: Section) -> list[str]:
    def read(reply: str) -> dict[str, str]:
        return {} if NO_CHANGE in reply and "```" not in reply else _section_blocks(reply, section)

    tex = draft_of(work)
    text = "\n\n".join(_part(tex, name) for name in section.parts)
    from orchestrator.steps.checking import findings_in

    blocks = work.ask_for(
        f"criticise/{section.key}", "coder", "07_criticise", read, section=section.name, advice=section.advice,
        body=text, problems=findings_in(work, tex, section.parts), **facts(work),
    )  # fmt: skip
    return put_in(work, blocks)


def _section_blocks(reply: str, section: Section) -> dict[str, str]:
    """Part name to its new text. Raises ValueError where the reply lacks a part."""
    text = fenced(reply, "latex")
    if len(section.parts) == 1:
        return {section.parts[0]: text}
    found = document.sections(text)
    missing = [part for part in section.parts if part not in found]
    if missing:
        raise ValueError(f"the ```latex block has no {' and no '.join(missing)}")
    return {part: text for part in section.parts}


def blocks_of(reply: str, tex: str) -> dict[str, str]:
    """Sections given whole with their headings, one ```latex block each; empty for NO_CHANGE. Raises ValueError."""
    bodies = re.findall(r"^```latex[^\n]*\n(.*?)^```[ \t]*$", reply, flags=re.MULTILINE | re.DOTALL)
    if not bodies:
        if NO_CHANGE in reply:
            return {}
        raise ValueError(f"there is no ```latex block and no {NO_CHANGE}")
    known = document.sections(tex)
    found: dict[str, str] = {}
    for body in bodies:
        names = [name for name in document.sections(body) if name in known]
        if not names:
            raise ValueError(
                f"a ```latex block starts with no heading of the paper; its sections are: {', '.join(known)}"
            )
        found.update(dict.fromkeys(names, body))
    return found


def put_in(work: Work, blocks: dict[str, str]) -> list[str]:
    """Replaces sections, keeps one sentence a line, and mends by program what can be. Returns what was mended."""
    tex = draft_of(work)
    for name, text in blocks.items():
        tex = document.replace_section(tex, name, text)
    return save(work, document.one_sentence_a_line(tex))


def save(work: Work, tex: str) -> list[str]:
    mended = repair(tex, figures(work), set(keys(work)))
    _template(work).write_text(mended.tex, encoding="utf-8")
    return mended.changes


def draft_of(work: Work) -> str:
    return str(_template(work).read_text(encoding="utf-8"))


def _template(work: Work) -> Any:
    return work.folder / "latex" / "template.tex"


def _part(tex: str, name: str) -> str:
    span = document.sections(tex)[name]
    return tex[span.start : span.end]


def figures(work: Work) -> set[str]:
    return {p.name for p in (work.folder / "figures").glob("*.pdf")}


def keys(work: Work) -> list[str]:
    """Keys of the bibliography."""
    from orchestrator.paper.citations import references

    return sorted(references(work.folder / "latex" / "references.bib"))


def labels(work: Work) -> dict[str, str]:
    """Run to the name that the figures give it, else its title."""
    named = read_labels(work.folder / "plot.py") or {}
    return {e.run: named.get(e.run) or e.title or e.run for e in work.sound if e.seed == 0}


def write_macros(work: Work) -> None:
    """`latex/evidence.tex`, from the evidence as it is now; a template that does not read it is made to."""
    tex = document.with_evidence(draft_of(work))
    if tex != draft_of(work):
        _template(work).write_text(tex, encoding="utf-8")
    text = write_evidence_tex(work.evidence, work.experiment.metrics, labels(work))
    (work.folder / "latex" / "evidence.tex").write_text(text, encoding="utf-8")


def facts(work: Work) -> dict[str, Any]:
    """What every prompt about the paper is told of the runs."""
    runs = [e for e in work.evidence if e.seed == 0]
    primary = work.experiment.primary or next((m.name for m in work.experiment.metrics), "metric")
    return {
        "table": table(work),
        "metric": primary,
        "baselines": [e for e in runs if e.is_baseline],
        "sound": [e for e in runs if not e.is_baseline and e.status == "sound"],
        "failed": [e for e in runs if e.status == "failed"],
        "attempts": sum(e.attempts for e in runs),
    }
