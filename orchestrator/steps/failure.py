"""What a failed program said, cut down to what mends it."""

from __future__ import annotations

import re
import sysconfig
from itertools import groupby
from pathlib import Path

from orchestrator.executors import JobResult
from orchestrator.progress import clock

LINES = 60
_NOISE = re.compile(r"(it/s\]|s/it\]|\d+%\|)|(^\s*warnings\.warn)|(Warning: )")
_WORDS = {
    "timeout": "It was stopped: it ran longer than the {limit} one run may take.",
    "stalled": "It was stopped: nothing was written for a long time, so it hung.",
    "out_of_memory": "It was stopped: it ran out of memory. Smaller batches or fewer copies of large tensors help.",
    "disk_full": "It was stopped: it wrote more than the disk space one run may use.",
    "lost": "The machine stopped while it ran.",
}


def explain(result: JobResult, folder: Path, out_dir: str, limit: float, log: str = "") -> str:
    """Why a program failed: its reason in words, then the end of stderr (stdout's where stderr is silent).

    `folder` is where it ran, `out_dir` where its logs are, relative to it; `limit` in seconds.
    """
    words = _WORDS.get(result.reason, "It ended with exit code {code}.")
    first = words.format(limit=clock(limit), code=result.exit_code)
    said = f"{first}\n{tail(folder / out_dir, log)}".strip()
    return without_places(said, folder)


def without_places(text: str, folder: Path) -> str:
    """`text` with file names as the coder knows them: relative to `folder`, or to the installed packages."""
    packages = (sysconfig.get_path("purelib"), sysconfig.get_path("platlib"), sysconfig.get_path("stdlib"))
    for place in (str(folder), str(folder.resolve()), *packages):
        text = text.replace(f"{place}/", "")
    return text


def tail(folder: Path, log: str = "") -> str:
    """The end of a run's stderr, or stdout's where there is none: traceback whole, repeats folded, noise dropped."""
    for name in ("stderr.log", "stdout.log"):
        text = _read_end(folder / f"{log}{name}")
        kept = fold(text.splitlines())
        if kept:
            return "\n".join(kept)
    return ""


def _read_end(path: Path, size: int = 200_000) -> str:
    if not path.is_file():
        return ""
    with path.open("rb") as file:
        file.seek(max(0, path.stat().st_size - size))
        return file.read().decode("utf-8", errors="replace")


def fold(lines: list[str]) -> list[str]:
    """Drops progress bars and warnings, folds repeated lines, keeps the last traceback whole and the last lines."""
    plain = [line.split("\r")[-1].rstrip() for line in lines]
    kept = [line for line in plain if line.strip() and not _NOISE.search(line)]
    folded = []
    for line, group in groupby(kept):
        count = len(list(group))
        folded.append(line if count == 1 else f"{line}   [{count} times]")
    starts = [i for i, line in enumerate(folded) if line.startswith("Traceback")]
    start = max(0, len(folded) - LINES)
    return folded[min(start, starts[-1]) if starts else start :]
