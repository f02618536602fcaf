"""What every step works with, and how it asks a model."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from orchestrator.coders import Coder, Gate, Message
from orchestrator.errors import Failed
from orchestrator.executors import Executor
from orchestrator.experiment import Experiment
from orchestrator.idea import Idea
from orchestrator.journal import Journal
from orchestrator.progress import Progress
from orchestrator.prompts import render
from orchestrator.records import Evidence, load_evidence
from orchestrator.session import Session, Settings

T = TypeVar("T")
ASKS = 3
"""How often a model is asked for one answer that can be read."""


@dataclass
class Work:
    """One session at work. Steps read from it and change the session through it."""

    session: Session
    gate: Gate
    coder: Coder
    executor: Executor
    progress: Progress
    cache: Path
    """Caches that all sessions share."""

    @property
    def folder(self) -> Path:
        return self.session.folder

    @property
    def journal(self) -> Journal:
        return self.session.journal

    @property
    def experiment(self) -> Experiment:
        return self.session.experiment

    @property
    def idea(self) -> Idea:
        return self.session.idea

    @property
    def settings(self) -> Settings:
        return self.session.settings

    @property
    def evidence(self) -> list[Evidence]:
        """All evidence recorded so far."""
        return load_evidence(self.folder)

    @property
    def sound(self) -> list[Evidence]:
        return [e for e in self.evidence if e.status == "sound"]

    def ask(self, key: str, role: str, template: str, **values: Any) -> str:
        """One exchange: the rendered prompt's reply."""
        return self.gate.ask(key, role, self._messages(template, values)).text

    def ask_for(self, key: str, role: str, template: str, read: Callable[[str], T], **values: Any) -> T:
        """An exchange whose reply `read` understands; a ValueError of `read` goes back to the model.

        Raises Failed after `ASKS` replies that cannot be read.
        """
        messages = self._messages(template, values)
        problem = ""
        for number in range(1, ASKS + 1):
            reply = self.gate.ask(f"{key}/{number}", role, messages).text
            try:
                return read(reply)
            except ValueError as error:
                problem = str(error)
                again = f"That reply cannot be used: {problem}. Send the whole answer again in the form asked for."
                messages = [
                    *messages,
                    Message(role="assistant", content=reply),
                    Message(role="user", content=again),
                ]
        raise Failed(f"{key}: no usable reply in {ASKS} tries; the last one: {problem}")

    def _messages(self, template: str, values: dict[str, Any]) -> list[Message]:
        system = render("system", experiment=self.experiment)
        user = render(template, idea=self.idea, experiment=self.experiment, settings=self.settings, **values)
        return [Message(role="system", content=system), Message(role="user", content=user)]
