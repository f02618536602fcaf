"""Edits by the coder: asked for, applied, and seen to have changed the files."""

from __future__ import annotations

from typing import Any

from orchestrator.coders import EditResult
from orchestrator.prompts import render
from orchestrator.steps.context import Work


def edit(work: Work, key: str, subject: str, message: str, files: list[str], **again: Any) -> str | None:
    """One edit step: the coder's turn and, where it did not take whole, one more with the file's own text.

    Returns what is still wrong, or None where every block was applied and a file changed.
    """
    first = _turn(work, key, subject, message, files)
    problem = what_is_wrong(first)
    if problem is None:
        return None
    work.progress.say(f"{subject}: {problem}; asking once more")
    message = render(
        "02_edit_again",
        reason=problem,
        failed=first.failed_blocks,
        reply=first.reply,
        edited=first.edited,
        **again,
    )
    return what_is_wrong(_turn(work, f"{key}-again", subject, message, files))


def _turn(work: Work, key: str, subject: str, message: str, files: list[str]) -> EditResult:
    data = work.session.step(key, subject, lambda: work.coder.edit(key, message, files).model_dump())
    result = EditResult.model_validate(data)
    for wish in result.shell:
        work.progress.say(f"the coder suggests a command, which is not executed: {wish}")
    for path in result.refused:
        work.progress.say(f"refused: an edit of {path}, which the coder may not change")
    return result


def what_is_wrong(result: EditResult) -> str | None:
    if result.error:
        return result.error
    if result.failed_blocks:
        return f"{len(result.failed_blocks)} blocks could not be applied"
    if not result.edited:
        return "no file changed"
    return None


def lint(work: Work, files: list[str]) -> str | None:
    """Syntax errors and undefined names in the coder's files; None where there are none."""
    from orchestrator.coders.lint import lint_python

    python = [name for name in files if name.endswith(".py")]
    found = [line for name in python for line in lint_python(name, (work.folder / name).read_text(encoding="utf-8"))]
    return "\n".join(found) or None
