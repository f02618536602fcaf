"""Guards on files: the evaluator and the data, earlier runs, and what lies in the run's own folder."""

from __future__ import annotations

import ast
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path, PurePosixPath

from orchestrator.evidence.changes import parse
from orchestrator.evidence.guards.context import Context, fail, listed, warn
from orchestrator.records import EVIDENCE_FILE, Finding

WEIGHTS = (".pt", ".pth", ".bin", ".safetensors", ".ckpt", ".pkl", ".joblib", ".npz", ".onnx")
_AT_START = {"sitecustomize", "usercustomize"}
_CLOCK_SLACK = 2.0
"""Seconds by which a file system's clock may be behind."""
_ORCHS_OWN = {EVIDENCE_FILE, "stdout.log", "stderr.log"}


def protected_changed(context: Context) -> Finding | None:
    """The evaluator, its data or the settings were changed."""
    gone = [f for f in context.protected_expected if f not in context.protected_now]
    changed = [f for f, h in context.protected_expected.items() if context.protected_now.get(f, h) != h]
    if not gone and not changed:
        return None
    parts = [f"changed: {listed(changed)}"] if changed else []
    parts += [f"removed: {listed(gone)}"] if gone else []
    return fail("protected_changed", f"Protected files are not what they were; {'; '.join(parts)}.")


def earlier_run_changed(context: Context) -> Finding | None:
    """Files of an earlier run or of the baseline that are not what they were when it ended."""
    for folder, then in context.artefacts_then.items():
        now = context.artefacts_now.get(folder)
        if now is None:
            continue
        changed = [f for f, h in then.items() if now.get(f, h) != h]
        added = [f for f in now if f not in then and Path(f).name not in _ORCHS_OWN]
        gone = [f for f in then if f not in now and not f.endswith(WEIGHTS)]
        if changed or added or gone:
            what = listed([*changed, *(f"{f} (new)" for f in added), *(f"{f} (gone)" for f in gone)])
            return fail("earlier_run_changed", f"Files of {folder} changed after it had ended: {what}.")
    return None


def evaluator_shadowed(context: Context) -> Finding | None:
    """A new file that Python would import in place of a module the evaluator needs, or at every start."""
    new = sorted(set(context.session_files) - set(context.original_files or context.session_files))
    needed = _imports(context.evaluator_code) | _AT_START
    for name in new:
        path = PurePosixPath(name)
        module = path.parts[0] if path.name == "__init__.py" else path.name.split(".")[0]
        if path.suffix == ".pth" and _is_text(context.session, name):
            return fail("evaluator_shadowed", f"{name} appeared: Python runs such a file at every start.")
        if path.suffix in (".py", ".so", ".pyc") and module in needed and "__pycache__" not in path.parts:
            why = "Python runs it at every start" if module in _AT_START else f"the evaluator imports {module}"
            return fail("evaluator_shadowed", f"{name} appeared, and {why}: it could measure in its place.")
    return _shadows_installed(context, new)


def _is_text(session: Path | None, name: str) -> bool:
    """Whether a `.pth` file holds lines for Python and is no saved model; one that is not to be seen does."""
    if session is None or not (session / name).is_file():
        return True
    with (session / name).open("rb") as file:
        start = file.read(4096)
    return b"\0" not in start and not start.startswith((b"PK", b"\x80"))


def _shadows_installed(context: Context, new: list[str]) -> Finding | None:
    """Files named like a module of Python's own change every program that runs beside them."""
    hidden = [n for n in new if "/" not in n and n.endswith(".py") and n[:-3] in sys.stdlib_module_names]
    return warn("evaluator_shadowed", f"{hidden[0]} hides Python's own module of that name.") if hidden else None


def evaluator_imports_editable(context: Context) -> Finding | None:
    """Code that the evaluator imports and the coder changed."""
    needed = _imports(context.evaluator_code)
    changed = [f for f in context.changed if PurePosixPath(f).stem in needed and f not in context.evaluator_code]
    if not changed or context.is_baseline:
        return None
    return warn("evaluator_imports_editable", f"The evaluator imports {listed(changed)}, which this run changed.")


def _imports(code: Mapping[str, str]) -> set[str]:
    """Top-level names of all modules that the files import."""
    found: set[str] = set()
    for text in code.values():
        tree = parse(text)
        for node in ast.walk(tree) if tree else ():
            if isinstance(node, ast.Import):
                found |= {alias.name.split(".")[0] for alias in node.names}
            elif isinstance(node, ast.ImportFrom) and node.level == 0 and node.module:
                found.add(node.module.split(".")[0])
    return found


def link_out_of_run(context: Context) -> Finding | None:
    """A symbolic link in the run's folder that leads out of it."""
    if context.folder is None or not context.folder.is_dir():
        return None
    home = context.folder.resolve()
    for path in _files(context.folder):
        target = _target(path) if path.is_symlink() else None
        if target is None or target.is_relative_to(home):
            continue
        name = path.relative_to(context.folder)
        sentence = f"{context.run.folder}/{name} is a link to {_told(target, context.session)}"
        if context.session is not None and target.is_relative_to(context.session.resolve()):
            return fail("link_out_of_run", f"{sentence}: it is no result of this run.")
        return warn("link_out_of_run", f"{sentence}, outside of the run: it may change later.")
    return None


def left_over(context: Context) -> Finding | None:
    """Results or weights that were there before the run began."""
    started = context.run.provenance.started
    if context.folder is None or started is None or not context.folder.is_dir():
        return None
    wanted = {context.results_file, "evaluation.json"}
    for path in _files(context.folder):
        counts = path.name in wanted or path.suffix in WEIGHTS
        if counts and not path.is_symlink() and path.stat().st_mtime < started - _CLOCK_SLACK:
            before = started - path.stat().st_mtime
            name = path.relative_to(context.folder)
            sentence = f"{context.run.folder}/{name} was written {before:.0f} s before the run began"
            return fail("left_over", f"{sentence}: it is left over from something else.")
    return None


def artefacts_copied(context: Context) -> Finding | None:
    """Weights that are, byte for byte, another run's."""
    ours = _weights(context.run.provenance.artefacts)
    if not ours or context.is_replicate:
        return None
    for other in context.others:
        theirs = _weights(other.provenance.artefacts)
        shared = sorted(f for f, h in ours.items() if h in theirs.values())
        if shared and len(shared) == len(ours):
            sentence = f"{listed(shared)} of {context.run.run} is byte for byte what {other.run} left"
            return fail("artefacts_copied", f"{sentence}: nothing of its own was trained.")
    return None


def _weights(artefacts: Mapping[str, str]) -> dict[str, str]:
    """Weights after training; those saved before the first step are equal in sound runs."""
    named = {f: h for f, h in artefacts.items() if f.endswith(WEIGHTS)}
    return {f: h for f, h in named.items() if not {"init", "initial", "start"} & set(_words(f))}


def _words(file: str) -> list[str]:
    return PurePosixPath(file).stem.lower().replace("-", "_").split("_")


def _files(folder: Path) -> Iterator[Path]:
    """Everything in a run's folder but the replicates in it; links are not followed."""
    for path in sorted(folder.iterdir()):
        if path.is_dir() and not path.is_symlink():
            if not path.name.startswith("seed_"):
                yield from _files(path)
        else:
            yield path


def _target(link: Path) -> Path | None:
    """Where a link ends; None for one that leads round in a circle."""
    try:
        return link.resolve()
    except (OSError, RuntimeError):
        return None


def _told(target: Path, session: Path | None) -> str:
    if session is not None and target.is_relative_to(session.resolve()):
        return target.relative_to(session.resolve()).as_posix()
    return str(target)
