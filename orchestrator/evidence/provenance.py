"""What a run's metrics are bound to, recorded when it ends and checked again whenever someone asks."""

from __future__ import annotations

import hashlib
import json
import platform
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING

from orchestrator.evidence.guards.context import equal, listed
from orchestrator.evidence.results import Results, read_results, show
from orchestrator.records import EVIDENCE_FILE, Evidence, Finding, Outcome, Provenance, Scalar

if TYPE_CHECKING:
    from git import Commit, Repo

EVALUATION_FILE = "evaluation.json"
MAY_GO = (".pt", ".pth", ".bin", ".safetensors", ".ckpt", ".pkl", ".joblib", ".npz", ".npy", ".onnx")
"""Large files that a user may delete without making the evidence void."""
_LIST_PACKAGES = (
    "import importlib.metadata as m, json, platform, sys;"
    "json.dump([platform.python_version(), {d.metadata['Name']: d.version for d in m.distributions()}], sys.stdout)"
)


def sha256(path: Path) -> str:
    """The hash of a file's content, read in pieces. Raises OSError."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def fingerprint(
    session: Path,
    run_folder: Path,
    command: Sequence[str],
    commit: str | None,
    protected: Sequence[str],
    python: str = sys.executable,
    *,
    packages: dict[str, str] | None = None,
    data: str | None = None,
    sandboxed: bool | None = None,
    started: float | None = None,
    wall_seconds: float | None = None,
    exit_code: int | None = None,
) -> Provenance:
    """All that the metrics of the run in `run_folder` depend on.

    `protected`: files relative to `session`. `python`: the interpreter that ran; its packages are asked of it unless
    given. `started` is in seconds since the epoch.
    """
    version, installed = _environment(python)
    return Provenance(
        commit=commit,
        protected=hashes(session, protected),
        artefacts=artefacts(run_folder),
        data=data,
        python=version,
        packages=packages if packages is not None else dict(installed),
        hardware=hardware(),
        command=list(command),
        sandboxed=sandboxed,
        started=started,
        wall_seconds=wall_seconds,
        exit_code=exit_code,
    )


def hashes(folder: Path, names: Sequence[str]) -> dict[str, str]:
    """The files of `names` that are there, to their sha256."""
    return {name: sha256(folder / name) for name in names if (folder / name).is_file()}


def artefacts(run_folder: Path) -> dict[str, str]:
    """Every file of a run, relative to its folder, to its sha256; evidence and replicates' folders aside.

    A link is named with where it leads, not followed.
    """
    found = {}
    for path in _files(run_folder):
        name = path.relative_to(run_folder).as_posix()
        found[name] = f"link to {path.readlink()}" if path.is_symlink() else sha256(path)
    return found


def _files(folder: Path) -> Iterator[Path]:
    for path in sorted(folder.iterdir()) if folder.is_dir() else ():
        if path.is_dir() and not path.is_symlink():
            if not _is_other_run(path):
                yield from _files(path)
        elif (path.is_file() or path.is_symlink()) and path.name != EVIDENCE_FILE:
            yield path


def _is_other_run(folder: Path) -> bool:
    """A replicate's folder, or one of several baselines in run_0."""
    return folder.name.startswith("seed_") or (folder / EVIDENCE_FILE).is_file()


@lru_cache(maxsize=8)
def _environment(python: str) -> tuple[str | None, tuple[tuple[str, str], ...]]:
    """Version and packages of an interpreter, asked of it in its own process; (None, ()) where it does not tell."""
    try:
        asked = subprocess.run(
            [python, "-I", "-c", _LIST_PACKAGES], capture_output=True, text=True, timeout=60, check=True
        )
        version, packages = json.loads(asked.stdout)
    except (OSError, subprocess.SubprocessError, ValueError):
        return None, ()
    return str(version), tuple(sorted((str(k), str(v)) for k, v in packages.items()))


@lru_cache(maxsize=1)
def _hardware() -> tuple[tuple[str, Scalar], ...]:
    import psutil

    found: dict[str, Scalar] = {
        "cpu": _cpu_model(),
        "cores": psutil.cpu_count(logical=True),
        "memory_bytes": psutil.virtual_memory().total,
        "system": f"{platform.system()} {platform.release()}",
    }
    gpus = _gpus()
    if gpus:
        found["gpus"] = ", ".join(gpus)
    return tuple(found.items())


def hardware() -> dict[str, Scalar]:
    """CPU model, cores, memory (bytes), operating system and, where there are any, GPUs."""
    return dict(_hardware())


def _cpu_model() -> str:
    info = Path("/proc/cpuinfo")
    if info.is_file():
        for line in info.read_text(encoding="utf-8", errors="replace").splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor() or platform.machine()


def _gpus() -> list[str]:
    try:
        asked = subprocess.run(
            ["nvidia-smi", "--query-gpu=name", "--format=csv,noheader"],
            capture_output=True,
            text=True,
            timeout=10,
            check=True,
        )
    except (OSError, subprocess.SubprocessError):
        return []
    return [line.strip() for line in asked.stdout.splitlines() if line.strip()]


def verify(session: Path, evidence: Evidence, results_file: str = "final_info.json") -> list[Finding]:
    """Checks everything that `evidence` is bound to again, from the files; passes are among the findings."""
    checks: list[Callable[[], Finding]] = [
        lambda: _check_commit(session, evidence),
        lambda: _check_protected(session, evidence),
        lambda: _check_artefacts(session, evidence),
        lambda: _check_metrics(session, evidence, results_file),
    ]
    return [check() for check in checks]


def _said(check: str, outcome: Outcome, evidence: Evidence, sentence: str) -> Finding:
    return Finding(guard=check, outcome=outcome, sentence=f"{evidence.folder}: {sentence}")


def _check_commit(session: Path, evidence: Evidence) -> Finding:
    """The commit is there, in the session's history, and held the protected files as they were."""
    wanted = evidence.provenance.commit
    if wanted is None:
        return _said("commit", "warn", evidence, "the commit of the code that ran is not known.")
    from git import Repo
    from git.exc import GitError

    try:
        with Repo(session) as repo:
            outcome, sentence = _judge_commit(repo, wanted, evidence)
    except (GitError, ValueError, OSError):
        outcome, sentence = "fail", f"commit {wanted[:10]} is not in the session's repository."
    return _said("commit", outcome, evidence, sentence)


def _judge_commit(repo: Repo, wanted: str, evidence: Evidence) -> tuple[Outcome, str]:
    commit = repo.commit(wanted)
    if not repo.is_ancestor(commit, repo.head.commit):
        return "fail", f"commit {wanted[:10]} is not in the session's history: the history was rewritten."
    differing = [n for n, h in evidence.provenance.protected.items() if _hash_at(commit, n) not in (h, None)]
    if differing:
        return "fail", f"commit {wanted[:10]} holds other versions of protected files: {listed(differing)}."
    return "pass", f"the code that ran is commit {wanted[:10]}."


def _hash_at(commit: Commit, name: str) -> str | None:
    """The sha256 of a file as a commit holds it; None where the file is not in it (large data are not)."""
    try:
        blob = commit.tree / name
    except KeyError:
        return None
    return hashlib.sha256(blob.data_stream.read()).hexdigest()


def _check_protected(session: Path, evidence: Evidence) -> Finding:
    expected = evidence.provenance.protected
    if not expected:
        return _said("protected", "warn", evidence, "which evaluator and data were used is not known.")
    now = hashes(session, list(expected))
    gone = [n for n in expected if n not in now]
    changed = [n for n, h in now.items() if h != expected[n]]
    if gone or changed:
        what = [f"{n} (removed)" for n in gone] + [f"{n} (changed)" for n in changed]
        return _said("protected", "fail", evidence, f"protected files are not what they were: {listed(what)}.")
    return _said("protected", "pass", evidence, f"{len(expected)} protected file(s) are what they were.")


def _check_artefacts(session: Path, evidence: Evidence) -> Finding:
    expected = evidence.provenance.artefacts
    if not expected:
        return _said("artefacts", "warn", evidence, "the files of the run were not recorded.")
    now = artefacts(session / evidence.folder)
    changed = [f"{n} (changed)" for n, h in expected.items() if now.get(n, h) != h]
    changed += [f"{n} (removed)" for n in expected if n not in now and not n.endswith(MAY_GO)]
    changed += [f"{n} (new)" for n in now if n not in expected]
    if changed:
        return _said("artefacts", "fail", evidence, f"files are not what they were: {listed(changed)}.")
    gone = [n for n in expected if n not in now]
    if gone:
        return _said("artefacts", "warn", evidence, f"not kept, so not to be checked: {listed(gone)}.")
    return _said("artefacts", "pass", evidence, f"{len(expected)} file(s) are what they were.")


def _check_metrics(session: Path, evidence: Evidence, results_file: str) -> Finding:
    """The recorded numbers are those of the files: the evaluator's where there is one, and the run's own."""
    if evidence.status == "failed" and not evidence.metrics:
        return _said("metrics", "pass", evidence, "failed, and claims no number.")
    folder = session / evidence.folder
    own = read_results(folder / results_file)
    evaluated = (folder / EVALUATION_FILE).is_file()
    source = read_results(folder / EVALUATION_FILE) if evaluated else own
    name = EVALUATION_FILE if evaluated else results_file
    wrong = _unlike(evidence.metrics, source, name)
    if evaluated:
        wrong += _unlike(evidence.claimed, own, results_file)
    if wrong:
        return _said("metrics", "fail", evidence, f"evidence and files disagree: {listed(wrong)}.")
    return _said("metrics", "pass", evidence, f"all {len(evidence.metrics)} numbers are those in {name}.")


def _unlike(recorded: dict[str, float], source: Results, name: str) -> list[str]:
    if recorded and not source.metrics and source.problems:
        return [source.problems[0].rstrip(".")]
    wrong = []
    for key, value in recorded.items():
        found = source.metrics.get(key)
        if found is None:
            wrong.append(f"{key} = {show(value)} is not in {name}")
        elif not equal(value, found):
            wrong.append(f"{key} is {value!r} in the evidence, {found!r} in {name}")
    return wrong
