"""`orch show SESSION run_2`: the run's diff, metrics against baseline and parent, guards, log tail."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from orchestrator.errors import BadInput
from orchestrator.evidence.results import summary_table
from orchestrator.records import Evidence, load_evidence, to_json_data
from orchestrator.session import Session


def show_run(folder: Path, run: str) -> dict[str, Any]:
    """Everything about one run as data. Raises BadInput where the session has no such run."""
    session = Session(folder, read_only=True)
    try:
        evidence = load_evidence(session.folder)
        chosen = _find(evidence, run, folder)
        shown = [e for e in evidence if e.is_baseline or e.run in (chosen.run, chosen.parent)]
        data = {
            "run": chosen.run,
            "title": chosen.title,
            "status": chosen.status,
            "reason": chosen.reason,
            "parent": chosen.parent,
            "commit": chosen.provenance.commit,
            "metrics": chosen.metrics,
            "claimed": chosen.claimed,
            "settings": chosen.settings,
            "table": summary_table(shown, session.experiment.metrics),
            "findings": [f.model_dump() for f in chosen.findings],
            "diff": _diff(session, evidence, chosen),
            "log": _log_tail(session.folder / chosen.folder),
        }
        return dict(to_json_data(data))
    finally:
        session.close()


def _find(evidence: list[Evidence], run: str, folder: Path) -> Evidence:
    found = [e for e in evidence if e.run == run and e.seed == 0] or [e for e in evidence if e.folder == run]
    found = found or [e for e in evidence if e.run.startswith(f"{run}/") and e.seed == 0]
    if not found:
        known = ", ".join(dict.fromkeys(e.run for e in evidence)) or "none yet"
        raise BadInput(f"{folder}: has no {run}; its runs are: {known}")
    return found[0]


def _diff(session: Session, evidence: list[Evidence], chosen: Evidence) -> str:
    if chosen.is_baseline or not chosen.provenance.commit:
        return ""
    parents = [e for e in evidence if e.run == chosen.parent and e.provenance.commit]
    old = parents[0].provenance.commit if parents else next(session.repo.iter_commits(max_parents=0)).hexsha
    files = [name for name in session.experiment.editable if name != "plot.py"]
    return str(session.repo.git.diff(old, chosen.provenance.commit, "--", *files))


def _log_tail(folder: Path, lines: int = 20) -> str:
    parts = []
    for name in ("stdout.log", "stderr.log"):
        path = folder / name
        if path.is_file() and path.stat().st_size:
            text = path.read_text(encoding="utf-8", errors="replace").splitlines()[-lines:]
            parts.append(f"--- {name}\n" + "\n".join(text))
    return "\n".join(parts)


def as_lines(data: dict[str, Any]) -> list[str]:
    """One run for a terminal."""
    head = f"{data['run']}: {data['title']} ({data['status']}{': ' + data['reason'] if data['reason'] else ''})"
    lines = [
        head,
        f"parent {data['parent'] or '-'}, commit {data['commit'] or 'unknown'}",
        "",
        data["table"],
        "",
    ]
    lines += [f"{f['outcome']:<5} {f['guard']}: {f['sentence']}" for f in data["findings"]] or ["no findings"]
    for title, key in (("diff", "diff"), ("log", "log")):
        if data[key]:
            lines += ["", f"# {title}", data[key]]
    return lines
