"""aider, held to orch's rules: its model is the parent, its files are the step's, nothing is executed or
fetched.

Imported in the worker process alone. aider parses replies, matches blocks and keeps the conversation of one
edit; what may be changed, and what counts as changed, is decided here.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from aider.coders.editblock_coder import EditBlockCoder, do_replace, find_original_update_blocks
from aider.coders.editblock_prompts import EditBlockPrompts
from aider.io import InputOutput
from aider.models import Model

from orchestrator.coders import blocks
from orchestrator.coders.lint import lint_python

Ask = Callable[[list[dict[str, str]]], str]
REFLECTIONS = 3
SYSTEM = """\
You change files of a research project. Say in a few sentences what you change and why; then write each change as a
SEARCH/REPLACE block of this form:

path/to/file.py
{fence[0]}python
<<<<<<< SEARCH
lines as they are in the file now
=======
lines that take their place
>>>>>>> REPLACE
{fence[1]}

- The path stands alone on the line before the fence, written as above the file's text.
- SEARCH holds whole lines, exactly as the file has them: indentation, comments and blank lines too. Never part of a
  line, never "..." for lines left out.
- SEARCH must fit one place only: add the lines around it until it does.
- Keep blocks small: the lines that change and a few around them. Blocks are applied in order, each to what the ones
  before it left.
- To make a file that does not exist yet, or to fill an empty one, leave SEARCH empty.
- Only what is inside blocks reaches a file. Only the files given to you for editing can change. Commands are not run.
"""


class OurPrompts(EditBlockPrompts):  # type: ignore[misc]
    """The words around the conversation, in place of aider's long ones."""

    main_system = SYSTEM
    example_messages: list[dict[str, str]] = []  # noqa: RUF012
    system_reminder = ""
    files_content_prefix = "The files that you may edit, as they are now:\n"
    files_content_assistant_reply = "I have read them."
    files_no_full_files = "None of the files that you may edit exists yet."
    read_only_files_prefix = "Files to read; they cannot be edited:\n"


class ParentModel(Model):  # type: ignore[misc]
    """A model whose replies the parent process sends."""

    def __init__(self, ask: Ask):
        self._ask = ask
        super().__init__("orch/gate")
        self.reminder = None

    def get_model_info(self, model: str) -> dict[str, Any]:
        return {"max_input_tokens": 0}

    def validate_environment(self) -> dict[str, Any]:
        return {"keys_in_environment": True, "missing_keys": []}

    def token_count(self, messages: Any) -> int:
        """The parent counts; 0 tells aider that there is room."""
        return 0

    def send_completion(self, messages: Any, functions: Any, stream: bool, temperature: Any = None) -> Any:
        text = self._ask([{"role": m["role"], "content": m["content"] or ""} for m in messages])
        message = SimpleNamespace(content=text, tool_calls=None, reasoning_content=None)
        choice = SimpleNamespace(message=message, finish_reason="stop")
        return hashlib.sha256(text.encode()), SimpleNamespace(choices=[choice], usage=None)


class GuardedCoder(EditBlockCoder):  # type: ignore[misc]
    """One edit: a message, its reply, and at most `REFLECTIONS` repairs."""

    gpt_prompts = OurPrompts()
    max_reflections = REFLECTIONS

    def __init__(self, ask: Ask, root: Path, files: list[str], read_only: list[str]):
        super().__init__(
            ParentModel(ask),
            InputOutput(yes=False, pretty=False, fancy_input=False, root=str(root)),
            fnames=[str(root / name) for name in files if (root / name).exists()],
            read_only_fnames=[str(root / name) for name in read_only],
            use_git=False,
            map_tokens=0,
            stream=False,
            auto_lint=False,
            suggest_shell_commands=False,
            detect_urls=False,
        )
        self.root = str(root)
        self.abs_root_path_cache: dict[str, str] = {}
        self.abs_read_only_fnames: list[str] = [str(root / name) for name in sorted(read_only)]
        self.allowed = files
        self.replies: list[str] = []
        self.failed: list[str] = []
        self.refused: list[str] = []
        self.changed: set[str] = set()
        self._linted = False

    def get_abs_fnames_content(self) -> Iterator[tuple[str, str]]:
        """In one order on every machine, each file ending in a newline."""
        for name, content in sorted(super().get_abs_fnames_content()):
            yield name, content if content.endswith("\n") or not content else content + "\n"

    def check_for_file_mentions(self, content: str) -> None:
        """Files are added by orch alone, never because a reply names them."""

    def run_shell_commands(self) -> None:
        """Nothing that a reply suggests is executed."""

    def summarize_start(self) -> None:
        """One edit's conversation is short; summaries would be exchanges that nobody asked for."""

    def apply_updates(self) -> set[str]:
        """Applies the reply's blocks; sets `reflected_message` where something is to be repaired."""
        self.replies.append(self.partial_response_content)
        found, malformed = self._blocks()
        refused_before = len(self.refused)
        outcomes = [self._apply(*block) for block in found]
        failed = [outcome for outcome in outcomes if outcome] + ([malformed] if malformed else [])
        if found or malformed:
            self.failed = failed
        refused = self.refused[refused_before:]
        applied = len(outcomes) - sum(map(bool, outcomes)) - len(refused)
        self.reflected_message = self._complaint(failed, refused, applied) or self._lint_complaint()
        return set()

    def _blocks(self) -> tuple[list[tuple[str, str, str]], str]:
        """The blocks that can be read, and what is wrong with the first that cannot."""
        found: list[tuple[str, str, str]] = []
        try:
            for block in find_original_update_blocks(self.partial_response_content, self.fence):
                if block[0] is not None:
                    found.append(block)
        except ValueError as error:
            end = str(error).splitlines()[-12:]
            return found, "a block that cannot be read, and all after it:\n" + "\n".join(end)
        return found, ""

    def _apply(self, name: str, search: str, replace: str) -> str:
        """Applies one block. Why it failed; empty where it did not, or where it is refused."""
        file = blocks.file_of(name, self.allowed)
        if file is None and " " in name.strip():
            return f"no file's path stands before this block, but {name.strip()!r}\n{_block(search, replace)}"
        if file is None:
            self.refused.append(f"{name}: {blocks.why_not(name)}")
            return ""
        path = Path(self.root) / file
        try:
            content = path.read_text(encoding="utf-8") if path.exists() else ""
        except UnicodeDecodeError:
            return f"{file}: it is not UTF-8 text, so no block can change it"
        wrong = _unfit(content, search, replace)
        new = None if wrong else self._replaced(path, content, search, replace)
        if new is None:
            return f"{file}: {wrong or _unmatched(content, search, replace)}\n{_block(search, replace)}"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(new, encoding="utf-8")
        self.abs_fnames.add(str(path))
        self.changed.add(file)
        return ""

    def _replaced(self, path: Path, content: str, search: str, replace: str) -> str | None:
        if not search.strip():
            return replace
        new: str | None = do_replace(str(path), content, search, replace, self.fence)
        return new

    def _complaint(self, failed: list[str], refused: list[str], applied: int) -> str:
        """What the model is told of blocks that were not applied; empty where all were."""
        parts = []
        if failed:
            rest = "The other blocks were applied: do not send them again. " if applied else ""
            ask = f"{len(failed)} of your blocks could not be applied. {rest}Send corrected versions of these alone:"
            parts.append("\n\n".join([ask, *failed]))
        if refused:
            parts.append(
                "These edits were dropped:\n"
                + "\n".join(refused)
                + f"\nOnly these may be edited: {', '.join(self.allowed)}. "
                "If something is still to be done in them, send it; else say that nothing is."
            )
        return "\n\n".join(parts)

    def _lint_complaint(self) -> str:
        """The linter's words, once an edit."""
        faults = "" if self._linted else self.lint()
        if not faults:
            return ""
        self._linted = True
        return f"The blocks were applied. The linter now says:\n{faults}\nMend this with further blocks."

    def lint(self) -> str:
        """What is wrong with the Python files that were changed."""
        files = [name for name in sorted(self.changed) if name.endswith(".py")]
        faults = (lint_python(name, (Path(self.root) / name).read_text(encoding="utf-8")) for name in files)
        return "\n".join(fault for found in faults for fault in found)


def _block(search: str, replace: str) -> str:
    return f"<<<<<<< SEARCH\n{search}=======\n{replace}>>>>>>> REPLACE"


def _unfit(content: str, search: str, replace: str) -> str:
    """Why a block must not be applied although it could be; empty where nothing speaks against it."""
    if search == replace:
        return "changes nothing: SEARCH and REPLACE are the same"
    if not search.strip():
        return "SEARCH is empty, but the file has text: quote the lines that change" if content.strip() else ""
    found = blocks.places(content, search)
    if len(found) < 2:
        return ""
    size = len(search.splitlines())
    both = "\n  …\n".join(blocks.shown(content, line, size) for line in found[:2])
    return f"SEARCH fits {len(found)} places (lines {', '.join(map(str, found))}); add lines until it fits one:\n{both}"


def _unmatched(content: str, search: str, replace: str) -> str:
    if not content:
        return "SEARCH fits nothing: the file is empty or does not exist yet; leave SEARCH empty to fill it"
    already = (
        "; its REPLACE lines are in the file already" if replace.strip() and blocks.places(content, replace) else ""
    )
    near = blocks.nearest(content, search)
    return f"SEARCH fits nothing in the file{already}" + (f"; the nearest lines:\n{near}" if near else "")


def edit(ask: Ask, root: Path, message: str, files: list[str], read_only: list[str]) -> dict[str, Any]:
    """One edit in `root`. What was said and what failed, as JSON-able data."""
    coder = GuardedCoder(ask, root, files, read_only)
    coder.run(with_message=message, preproc=False)
    reply = "\n\n".join(text.strip() for text in coder.replies if text)
    return {
        "reply": reply,
        "failed_blocks": coder.failed,
        "refused": list(dict.fromkeys(coder.refused)),
        "lint": coder.lint(),
    }
