"""The advisor: reads each run's diff and findings, answers what no program can decide, and suggests."""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel

from orchestrator.prompts import read_json
from orchestrator.records import Evidence, Finding, Outcome, PlannedRun
from orchestrator.steps.context import Work
from orchestrator.steps.planning import table
from orchestrator.steps.runs import diff_of

GUARD = "diff does what the plan says"
QUESTIONS = [
    "Does the diff do what the plan's step says, wholly, and nothing else that matters?",
    "Does every new term of the loss reach the parameters by gradient (nothing detached, computed under no_grad, or added after backward)?",
    "Does the evaluator see the change (it lives where the evaluator's encoder and decoder are used, or changes the weights), and does evaluation leave the model's state alone?",
    "Are new settings the ones in force (no call site passing old values, no buffer written under one name and read under another)?",
]


class Advice(BaseModel):
    does_what_the_plan_says: bool
    answers: list[str] = []
    suggestions: list[str] = []


def advise(work: Work, plan: list[PlannedRun], planned: PlannedRun, evidence: Evidence) -> list[str]:
    """The advisor's suggestions; its verdict on the diff becomes a finding of the run."""

    def ask() -> Any:
        advice = work.ask_for(
            f"run/{planned.run}/advice", "advisor", "03_advise", lambda r: read_json(r, Advice.model_validate),
            plan=plan, evidence=evidence, table=table(work), diff=diff_of(work, evidence), questions=QUESTIONS,
        )  # fmt: skip
        outcome: Outcome = "pass" if advice.does_what_the_plan_says else "warn"
        sentence = "The advisor, asked about the diff: " + " ".join(advice.answers)
        others = [f for f in evidence.findings if f.guard != GUARD]
        evidence.findings = [*others, Finding(guard=GUARD, outcome=outcome, sentence=sentence)]
        evidence.write(work.folder)
        return advice.suggestions[:3]

    suggestions = work.session.step(f"run/{planned.run}/advised", f"run_{planned.run}: advice", ask)
    return [str(s) for s in suggestions]
