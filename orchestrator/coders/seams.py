"""What a model and a coder are to the rest of orch."""

from __future__ import annotations

from typing import Protocol, TypedDict, runtime_checkable

from pydantic import BaseModel

from orchestrator.budget import Most
from orchestrator.records import Exchange


class Message(TypedDict):
    role: str
    """`system`, `user` or `assistant`."""
    content: str


class Model(Protocol):
    """Answers prompts."""

    @property
    def name(self) -> str: ...

    def ask(self, key: str, messages: list[Message]) -> Exchange:
        """One reply. `key` names the step that asks, e.g. `run/3/edit/1`. The gate fills in the role."""
        ...


@runtime_checkable
class Reserving(Protocol):
    """A model that can say beforehand what a reply may cost."""

    def most(self, key: str, messages: list[Message]) -> Most: ...


class EditResult(BaseModel):
    """What came of asking a coder for a change."""

    reply: str
    """Everything the model said, the plan of a separate planner first."""
    edited: list[str] = []
    """Files whose bytes differ from before, relative to the session; new ones too."""
    failed_blocks: list[str] = []
    """Blocks that were not applied in the end: each with its file, the reason, its text and the nearest lines."""
    refused: list[str] = []
    """Edits that were dropped because the file may not be edited: `path: why`."""
    error: str = ""
    """Why there is no usable reply; empty where there is one."""
    shell: list[str] = []
    """Commands and installs that the reply asks for; never executed."""
    lint: str = ""
    """What the linter still says about the edited files; empty where it is content."""


class Coder(Protocol):
    """Edits files of a session as a message asks."""

    def edit(self, key: str, message: str, files: list[str], read_only: list[str] = []) -> EditResult:  # noqa: B006
        """`files` may be edited, `read_only` are shown; both relative to the session."""
        ...

    def close(self) -> None: ...
