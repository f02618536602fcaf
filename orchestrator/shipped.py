"""Where the files that ship with orch lie: beside the package in a checkout, inside it in a wheel."""

from __future__ import annotations

from pathlib import Path

_PACKAGE = Path(__file__).parent


def folder(name: str) -> Path:
    """The folder `templates`, `experiments` or `latex`."""
    inside = _PACKAGE / "_shipped" / name
    return inside if inside.is_dir() else _PACKAGE.parent / name


def experiments() -> dict[str, Path]:
    """Shipped experiments by name."""
    return {path.parent.name: path.parent for path in sorted(folder("experiments").glob("*/experiment.py"))}
