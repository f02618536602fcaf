"""Figures looked at: there, in both forms, not blank, readable."""

from __future__ import annotations

from pathlib import Path

from orchestrator.paper.check import Problem

SMALLEST = 200
"""Pixels of a side of the PNG under which nobody can read it."""


def check_figures(folder: Path) -> list[Problem]:
    """What is wrong with the figures of a folder: each PDF has a PNG beside it, and shows something."""
    found = []
    for pdf in sorted(folder.glob("*.pdf")):
        png = pdf.with_suffix(".png")
        problem = _look(png) if png.is_file() else f"{pdf.name} has no {png.name} beside it"
        if pdf.stat().st_size == 0:
            problem = f"{pdf.name} is empty"
        if problem:
            found.append(Problem(0, "figure", problem))
    return found


def _look(png: Path) -> str | None:
    from matplotlib.image import imread

    try:
        picture = imread(png)
    except (OSError, SyntaxError, ValueError) as error:
        return f"{png.name} cannot be read as a picture ({error})"
    height, width = picture.shape[:2]
    if min(height, width) < SMALLEST:
        return f"{png.name} is only {width} × {height} pixels"
    colours = picture.reshape(height * width, -1)
    if (colours == colours[0]).all():
        return f"{png.name} is blank"
    return None
