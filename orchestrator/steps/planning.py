"""The plan as data: made, shown, and changed by recorded steps only."""

from __future__ import annotations

from typing import Any

from pydantic import TypeAdapter

from orchestrator.errors import Failed
from orchestrator.evidence.results import summary_table
from orchestrator.experiment import description
from orchestrator.progress import clock
from orchestrator.prompts import Discussion, read_json
from orchestrator.records import Evidence, PlannedRun
from orchestrator.session import protected_files
from orchestrator.steps.context import Work

_PLAN = TypeAdapter(list[PlannedRun])


def make_plan(work: Work) -> list[PlannedRun]:
    """The numbered plan of runs, from the idea, the code and the baselines."""

    def plan() -> Any:
        found = work.ask_for(
            "plan", "coder", "01_plan", lambda reply: read_json(reply, lambda data: _numbered(data, 1, work)),
            description=description(work.folder), code=(work.folder / "experiment.py").read_text(encoding="utf-8"),
            table=table(work), command=command(work, "run_i"), limit=clock(work.experiment.timeout),
            protected=protected_files(work.folder, work.experiment),
        )  # fmt: skip
        _append(
            work,
            "\n## Plan\n\n" + "\n".join(f"{p.run}. {p.title}: {p.change} Expected: {p.expected}" for p in found),
        )
        return _PLAN.dump_python(found)

    return _PLAN.validate_python(work.session.step("plan", "Plan the runs", plan))


def discuss(
    work: Work, plan: list[PlannedRun], planned: PlannedRun, evidence: Evidence, advice: list[str]
) -> tuple[list[PlannedRun], bool]:
    """Shows the coder what came of a run and appends its notes. Returns the plan from here on, and if it is over."""
    from orchestrator.prompts import render
    from orchestrator.steps.runs import diff_of

    number = planned.run

    def talk() -> Any:
        said = work.ask_for(
            f"run/{number}/discuss", "coder", "04_discuss", lambda reply: read_json(reply, Discussion.model_validate),
            plan=plan, evidence=evidence, table=table(work), diff=diff_of(work, evidence), advice=advice,
            number=number, left=work.settings.runs - number,
        )  # fmt: skip
        notes = render("notes_run", evidence=evidence, planned=planned, table=table(work, [evidence.run]),
                       notes=said.notes, advice=advice, answers=said.answers)  # fmt: skip
        _append(work, "\n" + notes)
        rest = plan if said.plan is None else plan[:number] + _numbered(said.plan, number + 1, work)
        return {"plan": _PLAN.dump_python(rest), "done": said.done}

    outcome = work.session.step(f"run/{number}/notes", f"run_{number}: notes", talk)
    return _PLAN.validate_python(outcome["plan"]), bool(outcome["done"])


def table(work: Work, runs: list[str] | None = None) -> str:
    """Runs × declared metrics, with the direction of every difference in words."""
    chosen = [e for e in work.evidence if runs is None or e.is_baseline or e.run in runs]
    return summary_table(chosen, work.experiment.metrics)


def command(work: Work, out_dir: str) -> str:
    """The contract's command as the coder is told it."""
    return work.experiment.command.replace("{python}", "python").replace("{out_dir}", out_dir)


def _numbered(data: Any, first: int, work: Work) -> list[PlannedRun]:
    """The runs of a plan, numbered on from `first` and cut to as many as there may be. Raises ValueError."""
    runs = _PLAN.validate_python(data)
    if not runs and first == 1:
        raise ValueError("the plan is empty; at least one run is needed")
    room = work.settings.runs - first + 1
    return [run.model_copy(update={"run": first + i}) for i, run in enumerate(runs[:room])]


def _append(work: Work, text: str) -> None:
    """Notes only grow; earlier ones cannot be lost."""
    try:
        with (work.folder / "notes.txt").open("a", encoding="utf-8") as notes:
            notes.write(text.rstrip() + "\n")
    except OSError as error:
        raise Failed(f"{work.folder / 'notes.txt'}: cannot be written ({error})") from None
