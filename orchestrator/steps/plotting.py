"""The figures: plot.py edited, run in the sandbox, and looked at."""

from __future__ import annotations

import ast
import json
from pathlib import Path

from orchestrator.errors import Failed
from orchestrator.paper.figures import check_figures
from orchestrator.prompts import read_json, render
from orchestrator.steps import editing
from orchestrator.steps.context import Work
from orchestrator.steps.failure import explain
from orchestrator.steps.jobs import Program, run_program
from orchestrator.steps.measure import EVALUATION
from orchestrator.steps.planning import table

REPAIRS = 4
PLOT = "plot.py"


def draw(work: Work) -> list[str]:
    """Figures of the sound runs. Returns the names of the vector files in figures/. Raises Failed after the repairs."""
    problem = _first_edit(work)
    for number in range(1, REPAIRS + 2):
        problem = problem or work.journal.step(f"plot/try-{number}", lambda: _try(work, number))
        if problem is None:
            return work.session.step("plot/figures", "Draw the figures", lambda: _figures(work))  # type: ignore[no-any-return]
        work.progress.say(f"plot.py: {problem.splitlines()[-1]}")
        if number <= REPAIRS:
            message = render("05_plot_repair", attempt=number, attempts=REPAIRS, failure=problem)
            problem = editing.edit(work, f"plot/repair-{number}", "plot.py: repair", message, [PLOT], planned=_AS_RUN)
    raise Failed(f"plot.py could not be mended in {REPAIRS} tries: {problem}")


_AS_RUN = {"run": "plot", "title": "the figures", "change": "plot.py draws the figures of the paper"}


def _first_edit(work: Work) -> str | None:
    message = render(
        "05_plot", idea=work.idea, table=table(work), notes=notes(work),
        sound=[e.run for e in work.sound if e.seed == 0],
        files=[work.experiment.results, EVALUATION, "metrics.jsonl"],
    )  # fmt: skip
    return editing.edit(work, "plot/edit", "plot.py: the figures of the paper", message, [PLOT], planned=_AS_RUN)


def notes(work: Work) -> str:
    """The notes without their tables: a prompt has the table of all runs already."""
    lines = (work.folder / "notes.txt").read_text(encoding="utf-8").splitlines()
    return "\n".join(line for line in lines if not line.startswith("| "))


def _try(work: Work, number: int) -> str | None:
    """Runs plot.py and looks at what it drew. What is wrong, or None."""
    problem = _wrong_labels(work)
    if problem is not None:
        return problem
    program = Program(
        f"plot/job-{number}", "plot.py", work.experiment.argv(work.experiment.plot), work.folder, "figures",
        min(600.0, work.experiment.timeout), {"MPLBACKEND": "Agg", "SOURCE_DATE_EPOCH": "0"}, log=".",
    )  # fmt: skip
    result = run_program(work, program)
    if result.reason != "done":
        return explain(result, work.folder, "figures", program.timeout, ".")
    if not _figures(work):
        return "plot.py ended well but wrote no PDF into figures/"
    found = [str(p) for p in check_figures(work.folder / "figures")]
    return "\n".join(found) or None


def _wrong_labels(work: Work) -> str | None:
    """Whether `labels` names only sound runs."""
    labels = read_labels(work.folder / PLOT)
    if labels is None:
        return "plot.py has no dictionary `labels = {run: name, …}` at its top level"
    sound = {e.run for e in work.sound}
    wrong = [run for run in labels if run not in sound]
    if wrong:
        return f"labels names {', '.join(wrong)}, which is no sound run; there are {', '.join(sorted(sound))}"
    return None if labels else "labels is empty"


def read_labels(path: Path) -> dict[str, str] | None:
    """The literal dictionary `labels` of plot.py, read without running it; None where there is none."""
    try:
        tree = ast.parse(path.read_text(encoding="utf-8"))
    except (OSError, SyntaxError):
        return None
    for node in tree.body:
        targets = (
            node.targets if isinstance(node, ast.Assign) else [node.target] if isinstance(node, ast.AnnAssign) else []
        )
        if any(isinstance(t, ast.Name) and t.id == "labels" for t in targets):
            try:
                return {str(k): str(v) for k, v in ast.literal_eval(node.value).items()}  # type: ignore[attr-defined]
            except (ValueError, AttributeError):
                return None
    return None


def _figures(work: Work) -> list[str]:
    return sorted(p.name for p in (work.folder / "figures").glob("*.pdf"))


def describe_figures(work: Work, figures: list[str]) -> dict[str, str]:
    """For each figure what it shows, appended to the notes."""

    def ask() -> dict[str, str]:
        def read(reply: str) -> dict[str, str]:
            texts = read_json(reply, lambda data: {str(k): str(v) for k, v in dict(data).items()})
            missing = [name for name in figures if name not in texts]
            if missing:
                raise ValueError(f"nothing is said about {', '.join(missing)}")
            return {name: texts[name] for name in figures}

        plot = (work.folder / PLOT).read_text(encoding="utf-8")
        texts = work.ask_for("plot/notes", "coder", "06_figures", read, table=table(work), plot=plot, figures=figures)
        with (work.folder / "notes.txt").open("a", encoding="utf-8") as file:
            file.write("\n## Figures\n\n" + "\n".join(f"{name}: {text}" for name, text in texts.items()) + "\n")
        return texts

    described = work.session.step("plot/described", "Notes on the figures", ask)
    return {str(name): str(text) for name, text in json.loads(json.dumps(described)).items()}
