"""The protocol: from an idea to a paper, one step after the other.

    plan ─► for each run:  edit ─► preflight ─► run ─► evaluate ─► guard ─► record ─► advise ─► discuss ─┐
              ▲                                                                                          │
              └──────────────────────────────────────────────────────────────────────────────────────────┘
         ─► confirm ─► plot ─► notes on plots ─► write ─► cite ─► refine ─► check ─► build ─► review

Every step is journalled before it starts and when it ends, so this program is simply run again from the top after a
crash, an interruption, a budget stop or in a fork: what is finished returns its outcome at once.

The loop believes what it measured, never what it was told.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from orchestrator.errors import BadInput, EvidenceMissing
from orchestrator.records import Evidence, PlannedRun
from orchestrator.steps.advising import advise
from orchestrator.steps.baselines import measure_baselines, prepare
from orchestrator.steps.citing import cite
from orchestrator.steps.confirming import best_run, confirm
from orchestrator.steps.context import Work
from orchestrator.steps.finishing import build, check, review
from orchestrator.steps.planning import discuss, make_plan
from orchestrator.steps.plotting import describe_figures, draw
from orchestrator.steps.runs import work_run
from orchestrator.steps.writing import refine, write_sections


@dataclass(frozen=True)
class Outcome:
    """What a session came to."""

    sound_runs: int
    failed_runs: int
    best: str | None
    paper: Path | None
    unsupported: int = 0
    """Claims of the paper that no evidence supports."""


def run_session(work: Work) -> Outcome:
    """The whole session: research, then the paper where there is something to write about.

    Raises EvidenceMissing where the finished draft says what the evidence does not support.
    """
    best = research(work)
    if best is None:
        work.progress.say(f"no run was sound; what was tried is told in {work.folder / 'notes.txt'}")
        return _outcome(work, None, None, 0)
    if not work.settings.paper:
        return _outcome(work, best, None, 0)
    return write_paper(work, best)


def research(work: Work) -> Evidence | None:
    """Baselines, planned runs and confirmation. Returns the best run; None where none was sound."""
    prepare(work)
    measure_baselines(work)
    plan = make_plan(work)
    for number in range(1, work.settings.runs + 1):
        planned = _planned(plan, number)
        if planned is None:
            break
        evidence = work_run(work, plan, planned)
        advice = advise(work, plan, planned, evidence)
        plan, over = discuss(work, plan, planned, evidence, advice)
        if over:
            break
    best = best_run(work)
    if best is not None:
        confirm(work, best)
    return best


def write_paper(work: Work, best: Evidence) -> Outcome:
    """Figures, sections, citations, checks, PDF, review. Raises EvidenceMissing, the draft left with its marks."""
    figures = draw(work)
    described = describe_figures(work, figures)
    write_sections(work, best, described)
    cite(work)
    refine(work)
    unsupported = check(work)
    paper = build(work, unsupported)
    if unsupported:
        raise EvidenceMissing(
            f"{len(unsupported)} claims in the paper are not supported by evidence\n"
            f"{paper} shows them in red, claims.json lists them; mend them, then `orch paper build {work.folder}`"
        )
    review(work, paper)
    return _outcome(work, best, paper, 0)


def _planned(plan: list[PlannedRun], number: int) -> PlannedRun | None:
    return next((planned for planned in plan if planned.run == number), None)


def _outcome(work: Work, best: Evidence | None, paper: Path | None, unsupported: int) -> Outcome:
    runs = [e for e in work.evidence if not e.is_baseline and e.seed == 0]
    sound = [e for e in runs if e.status == "sound"]
    return Outcome(len(sound), len(runs) - len(sound), best.run if best else None, paper, unsupported)


def finish_paper(work: Work) -> Outcome:
    """`orch paper build`: the paper of a session whose runs are over. Raises BadInput where no run was sound."""
    best = best_run(work)
    if best is None:
        raise BadInput(f"{work.folder}: has no sound run to write about; `orch resume {work.folder}` goes on")
    return write_paper(work, best)
