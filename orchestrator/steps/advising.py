"""The advisor: reads each run's diff and findings, answers what no program can decide, and suggests."""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel

from orchestrator.evidence.guards import Context, advisor_questions
from orchestrator.prompts import read_json
from orchestrator.records import Evidence, Finding, Outcome, PlannedRun
from orchestrator.steps.context import Work
from orchestrator.steps.planning import table
from orchestrator.steps.runs import diff_of

GUARD = "diff does what the plan says"


class Advice(BaseModel):
    does_what_the_plan_says: bool
    answers: list[str] = []
    suggestions: list[str] = []


def advise(work: Work, plan: list[PlannedRun], planned: PlannedRun, evidence: Evidence) -> list[str]:
    """The advisor's suggestions; its verdict on the diff becomes a finding of the run."""

    diff = diff_of(work, evidence)
    questions = advisor_questions(Context(run=evidence, diff=diff, step=planned))

    def ask() -> Any:
        advice = work.ask_for(
            f"run/{planned.run}/advice", "advisor", "03_advise", lambda r: read_json(r, Advice.model_validate),
            plan=plan, evidence=evidence, table=table(work), diff=diff, questions=questions,
        )  # fmt: skip
        outcome: Outcome = "pass" if advice.does_what_the_plan_says else "warn"
        sentence = "The advisor, asked about the diff: " + " ".join(advice.answers)
        others = [f for f in evidence.findings if f.guard != GUARD]
        evidence.findings = [*others, Finding(guard=GUARD, outcome=outcome, sentence=sentence)]
        evidence.write(work.folder)
        return advice.suggestions[:3]

    suggestions = work.session.step(f"run/{planned.run}/advised", f"run_{planned.run}: advice", ask)
    return [str(s) for s in suggestions]
