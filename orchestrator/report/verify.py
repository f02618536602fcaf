"""`orch verify`: all evidence of a session checked again from its files, without a model."""

from __future__ import annotations

from pathlib import Path

from pydantic import BaseModel

from orchestrator.evidence.provenance import verify
from orchestrator.records import Outcome, load_evidence
from orchestrator.session import Session


class Verdict(BaseModel):
    """What one check said about one execution of one run."""

    run: str
    """The execution's folder: `run_3`, `run_3/seed_1`."""
    check: str
    outcome: Outcome
    sentence: str


def verify_session(folder: Path) -> list[Verdict]:
    """Every check of every execution. Raises BadInput where the folder is no session."""
    session = Session(folder, read_only=True)
    try:
        return [
            Verdict(run=evidence.folder, check=f.guard, outcome=f.outcome, sentence=f.sentence)
            for evidence in load_evidence(session.folder)
            for f in verify(session.folder, evidence, session.experiment.results)
        ]
    finally:
        session.close()


def as_lines(found: list[Verdict]) -> list[str]:
    """For a terminal: what does not hold, then a count."""
    told = [f"{v.outcome:<5} {v.run}: {v.check}: {v.sentence}" for v in found if v.outcome != "pass"]
    runs = {v.run for v in found}
    void = {v.run for v in found if v.outcome == "fail"}
    return [*told, f"{len(runs)} executions checked; the evidence of {len(void)} is void"]
