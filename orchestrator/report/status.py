"""`orch status`: every session, or one, as data and as text."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout
from pydantic import BaseModel

from orchestrator.budget import Ledger, spent
from orchestrator.errors import BadInput
from orchestrator.journal import Event, Journal
from orchestrator.progress import clock
from orchestrator.records import Evidence, Finding, load_evidence
from orchestrator.session import Session


class RunStatus(BaseModel):
    run: str
    seed: int
    title: str
    status: str
    reason: str
    attempts: int
    metrics: dict[str, float]
    findings: list[Finding]
    """Those that are not a pass."""
    commit: str | None


class SessionStatus(BaseModel):
    session: str
    folder: str
    title: str
    experiment: str
    state: str
    """`running`, `stopped` (resumable), `done` or `failed`."""
    now: str
    """The step that is happening, or was the last."""
    since: float | None
    """Seconds since the epoch at which that step began."""
    runs: list[RunStatus]
    spent: Ledger
    """What was used, on what; how a cassette's prompts compared."""
    sandboxed: bool
    paper: str | None


def session_status(folder: Path) -> SessionStatus:
    """One session, read without changing it. Raises BadInput where it is none."""
    session = Session(folder, read_only=True)
    try:
        last = _last_step(session.journal)
        paper = session.folder / "paper.pdf"
        declared = [m.name for m in session.experiment.metrics]
        return SessionStatus(
            session=session.name,
            folder=str(session.folder),
            title=session.idea.Title,
            experiment=session.experiment.name,
            state=_state(session, last),
            now=last.key if last else "not begun",
            since=last.time if last else None,
            runs=[_run_status(e, declared) for e in load_evidence(session.folder)],
            spent=spent(session.journal),
            sandboxed=session.settings.sandbox,
            paper=str(paper) if paper.is_file() else None,
        )
    finally:
        session.close()


def _run_status(evidence: Evidence, declared: list[str]) -> RunStatus:
    return RunStatus(
        run=evidence.run,
        seed=evidence.seed,
        title=evidence.title,
        status=evidence.status,
        reason=evidence.reason,
        attempts=evidence.attempts,
        metrics={k: v for k, v in evidence.metrics.items() if not declared or k in declared},
        findings=[f for f in evidence.findings if f.outcome != "pass"],
        commit=evidence.provenance.commit,
    )


def _last_step(journal: Journal) -> Event | None:
    last = None
    for event in journal.events():
        if event.state in ("started", "failed") or event.key == "end":
            last = event
    return last


def _state(session: Session, last: Event | None) -> str:
    if last is not None and last.key == "end":
        return str(last.data["state"])
    return "running" if _held(session.folder) else "stopped"


def _held(folder: Path) -> bool:
    lock = FileLock(folder / ".orch" / "lock")
    try:
        with lock.acquire(timeout=0):
            return False
    except (Timeout, OSError):
        return True


def find_sessions(root: Path) -> list[Path]:
    """Session folders under `root` itself or its `sessions/`, oldest first."""
    places = [root / "sessions", root]
    found = {p.parent.parent for place in places for p in place.glob("*/.orch/journal.db")}
    return sorted(found, key=lambda p: p.name)


def all_statuses(root: Path) -> list[SessionStatus]:
    statuses = []
    for folder in find_sessions(root):
        try:
            statuses.append(session_status(folder))
        except BadInput as error:
            statuses.append(_broken(folder, str(error)))
    return statuses


def _broken(folder: Path, problem: str) -> SessionStatus:
    return SessionStatus(
        session=folder.name, folder=str(folder), title=problem, experiment="", state="unreadable", now="", since=None,
        runs=[], spent=Ledger(), sandboxed=True, paper=None,
    )  # fmt: skip


def as_lines(status: SessionStatus) -> list[str]:
    """One session for a terminal."""
    used = status.spent
    lines = [
        f"{status.session}: {status.title}",
        f"  {status.state}, {_now(status)}",
        f"  {used.exchanges} exchanges, {used.tokens_sent + used.tokens_received:,} tokens, {_cost(used)}, "
        f"{clock(used.job_hours * 3600)} of jobs",
    ]
    for kind, shares in (("phase", used.by_phase), ("role", used.by_role)):
        told = (f"{name} {s.exchanges} (${s.cost_usd:.4f})" for name, s in sorted(shares.items()))
        lines.append(f"  exchanges by {kind}: {', '.join(told) or 'none'}")
    if used.drift:
        lines.append("  cassette: " + ", ".join(f"{n} prompts {kind}" for kind, n in sorted(used.drift.items())))
    if not status.sandboxed:
        lines.append("  WARNING: runs without a sandbox")
    for run in status.runs:
        lines += _run_lines(run)
    if status.paper:
        lines.append(f"  paper: {status.paper}")
    return lines


def _now(status: SessionStatus) -> str:
    if status.state == "running" and status.since:
        return f"now {status.now} since {clock(max(0.0, time.time() - status.since))}"
    return f"last step {status.now}"


def _cost(used: Ledger) -> str:
    unknown = f" and {used.unpriced} of unknown price" if used.unpriced else ""
    return f"${used.cost_usd:.4f}{unknown}"


def _run_lines(run: RunStatus) -> list[str]:
    name = run.run if run.seed == 0 else f"{run.run}/seed_{run.seed}"
    shown = ", ".join(f"{key.split('.')[-1]} {value:.4g}" for key, value in list(run.metrics.items())[:5])
    head = f"  {name:<22} {run.status:<7} {run.title}: {shown or run.reason}"
    return [head, *(f"      {f.outcome}: {f.guard}: {f.sentence}" for f in run.findings)]


def to_data(status: SessionStatus) -> dict[str, Any]:
    from orchestrator.records import to_json_data

    data: dict[str, Any] = to_json_data(status.model_dump())
    return data
