"""The build: a paper's sources staged into a clean folder, latexmk run on them, its logs read.

The build never runs where the sources lie: they are copied, with the figures, into `build/`, a folder that
holds nothing else. So nothing stale is read, a `latexmkrc` in the sources is never obeyed, TeX may be held to files
below its own folder (openin_any=p), and the same sources give the same bytes.
"""

from __future__ import annotations

import os
import re
import shutil
import signal
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Protocol

from pydantic import BaseModel, Field

from orchestrator.errors import BadInput, Failed
from orchestrator.paper import texlog
from orchestrator.paper.texlog import FirstError, Warnings

MAIN = "template.tex"
BUILD = "build"
DATE = 1767225600
"""Seconds since the epoch that TeX takes for now unless the caller says another: 2026-01-01."""

_SOURCES = (
    ".tex",
    ".bib",
    ".bst",
    ".sty",
    ".cls",
    ".clo",
    ".bbx",
    ".cbx",
    ".lbx",
    ".def",
    ".fd",
    ".tikz",
    ".csv",
    ".dat",
)
_IMAGES = (".pdf", ".png", ".jpg", ".jpeg")
# No trailer id and no name of the engine's host in the PDF, so that its bytes depend on the sources alone.
_FIRST_LINE = r"\ifdefined\pdftrailerid\pdftrailerid{}\pdfsuppressptexinfo15 \fi "


class Completed(Protocol):
    """What a runner gives back; `subprocess.CompletedProcess` is one."""

    @property
    def returncode(self) -> int: ...

    @property
    def stdout(self) -> str | bytes: ...


Runner = Callable[[list[str], Path, dict[str, str], float], Completed]
"""Runs (command, folder, environment, timeout in seconds); raises subprocess.TimeoutExpired at the timeout."""


class BuildResult(BaseModel):
    """What a build came to."""

    ok: bool
    pdf: Path | None = None
    error: FirstError | None = None
    warnings: Warnings = Field(default_factory=Warnings)
    pages: int = 0


def build(folder: Path, *, run: Runner | None = None, timeout: float = 120.0, date: int = DATE) -> BuildResult:
    """Builds `folder/template.tex` with the figures beside it; the PDF is `folder/build/template.pdf`.

    `run` executes a command, in a sandbox if the caller has one: it gets the build folder as its working folder and needs to
    write nothing else. Raises BadInput where there is no template.tex, Failed where latexmk is not installed.
    """
    if shutil.which("latexmk") is None or shutil.which("pdflatex") is None:
        raise Failed("latexmk: not installed; `orch doctor` prints the command that installs TeX")
    stage = folder / BUILD
    collect(folder, stage)
    main = stage / MAIN
    main.write_text(_FIRST_LINE + main.read_text(encoding="utf-8"), encoding="utf-8")
    command = ["latexmk", "-norc", "-pdf", "-interaction=nonstopmode", "-halt-on-error", "-file-line-error"]
    try:
        done = (run or run_here)([*command, "-no-shell-escape", MAIN], stage, _environment(stage, date), timeout)
    except subprocess.TimeoutExpired:
        message = f"TeX did not end within {timeout:g} s; a macro may be calling itself"
        return BuildResult(ok=False, error=FirstError(file=MAIN, line=None, message=message))
    return _read(folder, stage, done)


def collect(folder: Path, into: Path) -> None:
    """Copies the sources of `folder` and the figures of its session into the empty folder `into`, as TeX is to see them.

    Figures come from `folder`, from `../figures` (flat, and as `figures/`) and from the session's top folder; paths in
    the sources that point there are rewritten, line by line. Raises BadInput where there is no template.tex.
    """
    if not (folder / MAIN).is_file():
        raise BadInput(f"{folder / MAIN}: no such file; a paper's folder holds a {MAIN}")
    shutil.rmtree(into, ignore_errors=True)
    into.mkdir(parents=True)
    _copy_images(folder.parent, into)
    for place in (into, into / "figures"):
        _copy_images(folder.parent / "figures", place)
    for path in sorted(folder.rglob("*")):
        inside = path.relative_to(folder)
        if path.is_file() and inside.parts[0] != BUILD and path.suffix.lower() in _SOURCES + _IMAGES:
            (into / inside).parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(path, into / inside)
    for tex in into.rglob("*.tex"):
        text = tex.read_text(encoding="utf-8", errors="replace").replace("\r\n", "\n")
        tex.write_text(re.sub(r"\{\.\./(figures/)?", r"{./\1", text), encoding="utf-8")


def _copy_images(source: Path, into: Path) -> None:
    for path in sorted(source.glob("*")):
        if path.is_file() and path.suffix.lower() in _IMAGES and path.name != "paper.pdf":
            into.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(path, into / path.name)


def _environment(stage: Path, date: int) -> dict[str, str]:
    return {
        "PATH": os.environ.get("PATH", os.defpath),
        "HOME": str(stage),
        "LC_ALL": "C.UTF-8",
        "TZ": "UTC",
        "SOURCE_DATE_EPOCH": str(date),
        "FORCE_SOURCE_DATE": "1",
        "openin_any": "p",
        "openout_any": "p",
        "max_print_line": "10000",
        "error_line": "254",
        "half_error_line": "238",
    }


def run_here(command: list[str], cwd: Path, env: dict[str, str], timeout: float) -> subprocess.CompletedProcess[bytes]:
    """The runner without a sandbox: the command and all it started end with the timeout."""
    process = subprocess.Popen(
        command, cwd=cwd, env=env, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
        start_new_session=True,
    )  # fmt: skip
    try:
        stdout, _ = process.communicate(timeout=timeout)
    except BaseException:
        os.killpg(process.pid, signal.SIGKILL)
        process.communicate()
        raise
    return subprocess.CompletedProcess(command, process.returncode, stdout)


def _read(folder: Path, stage: Path, done: Completed) -> BuildResult:
    pdf = stage / Path(MAIN).with_suffix(".pdf")
    log, blg = (_text(stage / Path(MAIN).with_suffix(suffix)) for suffix in (".log", ".blg"))
    error = texlog.first_error(log) or texlog.bibtex_error(blg)
    if error is None and (done.returncode != 0 or not pdf.is_file()):
        error = FirstError(file=MAIN, line=None, message=_last_words(done))
    warnings = texlog.warnings(log, blg)
    if error is not None:
        missing = re.findall(r"File `([^']+\.(?:pdf|png|jpe?g|eps)|[^'.]+)' not found", error.message)
        warnings.missing_figures += [m for m in missing if m not in warnings.missing_figures]
        error = texlog.with_context(error, _text(folder / error.file))
    made = pdf if pdf.is_file() and error is None else None
    return BuildResult(ok=error is None, pdf=made, error=error, warnings=warnings, pages=texlog.pages(log))


def _text(path: Path) -> str:
    return path.read_text(encoding="utf-8", errors="replace") if path.is_file() else ""


def _last_words(done: Completed) -> str:
    output = done.stdout.decode("utf-8", "replace") if isinstance(done.stdout, bytes) else done.stdout
    last = [line.strip() for line in output.splitlines() if line.strip()][-1:]
    return f"latexmk ended with {done.returncode}: {' '.join(last) or 'no message'}"
