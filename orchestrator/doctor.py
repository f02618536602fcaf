"""`orch doctor`: what this machine has and lacks, and the command that mends it."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

from pydantic import BaseModel

from orchestrator.errors import Failed
from orchestrator.executors.sandbox import available

TEX_PACKAGES = (
    "texlive-latex-base texlive-latex-recommended texlive-latex-extra texlive-fonts-recommended texlive-science"
    " texlive-bibtex-extra latexmk chktex lmodern poppler-utils"
)
KEYS = ("ANTHROPIC_API_KEY", "OPENAI_API_KEY", "GEMINI_API_KEY", "DEEPSEEK_API_KEY", "OPENROUTER_API_KEY")


class Check(BaseModel):
    name: str
    ok: bool
    says: str
    mend: str = ""
    needed: bool = True
    """Whether `orch run` cannot do without it."""

    def line(self) -> str:
        mark = "ok  " if self.ok else ("MISSING" if self.needed else "absent ")
        return f"{mark:<8}{self.name:<12}{self.says}" + (f"; mend: {self.mend}" if self.mend and not self.ok else "")


def examine() -> list[Check]:
    """Every check, the needed ones first."""
    python = sys.version.split()[0]
    return [
        Check(name="python", ok=sys.version_info >= (3, 11), says=python, mend="use Python 3.11 or 3.12"),
        _program("git", "git"),
        _program("latexmk", TEX_PACKAGES),
        _program("pdflatex", TEX_PACKAGES),
        _program("bibtex", TEX_PACKAGES),
        _sandbox(),
        _package("aider"),
        _package("litellm"),
        _program("chktex", "chktex", needed=False),
        _program("pdftoppm", "poppler-utils", needed=False),
        _package("torch", needed=False),
        _gpu(),
        _keys(),
        _disk(),
    ]


def require(paper: bool, sandbox: bool) -> None:
    """Says before anything is spent what a session will lack. Raises Failed."""
    wanted = {"git"} | ({"latexmk", "pdflatex"} if paper else set()) | ({"sandbox"} if sandbox else set())
    missing = [c for c in examine() if c.name in wanted and not c.ok]
    if missing:
        raise Failed("; ".join(f"{c.name}: {c.says} (mend: {c.mend})" for c in missing))


def _program(name: str, packages: str, needed: bool = True) -> Check:
    path = shutil.which(name)
    mend = f"apt-get install --no-install-recommends {packages}"
    return Check(name=name, ok=path is not None, says=path or "not found", mend=mend, needed=needed)


def _package(name: str, needed: bool = True) -> Check:
    there = find_spec(name) is not None
    return Check(name=name, ok=there, says="installed" if there else "not found", mend="pip install .", needed=needed)


def _sandbox() -> Check:
    problem = available()
    mend = "apt-get install bubblewrap, or go on with --no-sandbox"
    return Check(name="sandbox", ok=problem is None, says=problem or "bubblewrap works", mend=mend)


def _gpu() -> Check:
    tool = shutil.which("nvidia-smi")
    found = ""
    if tool:
        asked = [tool, "--query-gpu=name,memory.total", "--format=csv,noheader"]
        found = subprocess.run(asked, capture_output=True, text=True, timeout=20, check=False).stdout.strip()
    return Check(name="gpu", ok=bool(found), says=found.replace("\n", "; ") or "none; runs use the CPU", needed=False)


def _keys() -> Check:
    there = [key for key in KEYS if os.environ.get(key)]
    says = f"set: {', '.join(there)}" if there else "no provider's key is set; a cassette or a local model needs none"
    return Check(name="keys", ok=bool(there), says=says, needed=False)


def _disk() -> Check:
    free = shutil.disk_usage(Path()).free / 1e9
    return Check(name="disk", ok=free > 2, says=f"{free:.0f} GB free here", mend="free some space", needed=False)
