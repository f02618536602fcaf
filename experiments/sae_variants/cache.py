"""Folders that are computed once and shared by all runs and sessions, below `ORCH_CACHE`.

A folder is built beside its place, under a lock, and renamed into it when it is whole: that it exists says that it is
complete. What an interrupted process left is removed by the next one; what fails its check is built again.
"""

from __future__ import annotations

import errno
import hashlib
import json
import os
import platform
import shutil
from collections.abc import Callable
from pathlib import Path

from corpus import SetupError


def cache_folder(name: str) -> Path:
    root = os.environ.get("ORCH_CACHE") or Path.home() / ".cache" / "orch"
    return Path(root).absolute() / "sae_variants" / name


def digest(*parts: object) -> str:
    """Sixteen hex digits that stand for the parts."""
    return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()[:16]


def python_version() -> str:
    """The standard library's text is another one with another Python."""
    return platform.python_version()


def built(folder: Path, build: Callable[[Path], None], intact: Callable[[Path], bool]) -> Path:
    """`folder`, which `build` has filled; one process builds, others wait for it.

    A folder that is there and intact is only read, so the cache may be read-only then.
    Raises SetupError where the folder cannot be written.
    """
    if intact(folder):
        return folder
    from filelock import FileLock

    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        with FileLock(f"{folder}.lock"):
            if not intact(folder):
                _build(folder, build)
    except OSError as error:
        if error.errno == errno.ENOSPC:
            raise SetupError(f"the disk is full: {folder} cannot be built; free space or set ORCH_CACHE") from None
        raise SetupError(f"{folder} cannot be built: {error.strerror or error}; set ORCH_CACHE") from None
    return folder


def _build(folder: Path, build: Callable[[Path], None]) -> None:
    for left_over in folder.parent.glob(f"{folder.name}.partial-*"):
        shutil.rmtree(left_over, ignore_errors=True)
    partial = folder.with_name(f"{folder.name}.partial-{os.getpid()}")
    partial.mkdir()
    try:
        build(partial)
        shutil.rmtree(folder, ignore_errors=True)
        partial.replace(folder)
    finally:
        shutil.rmtree(partial, ignore_errors=True)
