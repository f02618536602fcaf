"""Sessions for tests: the quick experiment worked by a cassette, in a process or in this one."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

QUICK = Path(__file__).parent / "quick"
IDEA = {
    "Name": "momentum",
    "Title": "Momentum for fitting a line",
    "Experiment": "Add momentum to gradient descent and see whether the held-out error falls in the same number of steps.",
}


def write_idea(folder: Path) -> Path:
    path = folder / "idea.json"
    path.write_text(json.dumps(IDEA), encoding="utf-8")
    return path


def orch(
    *arguments: object, cwd: Path, env: dict[str, str] | None = None, timeout: float = 300
) -> subprocess.CompletedProcess[str]:
    """The command `orch` in a process of its own, without the keys of whoever runs the tests."""
    clean = {k: v for k, v in os.environ.items() if not k.endswith(("_API_KEY", "_API_BASE"))}
    clean["ORCH_CACHE"] = str(cwd / "cache")
    return subprocess.run(
        [sys.executable, "-m", "orchestrator.cli", *map(str, arguments)],
        cwd=cwd, env={**clean, **(env or {})}, capture_output=True, text=True, timeout=timeout, check=False,
    )  # fmt: skip
