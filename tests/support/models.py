"""Models for tests: replies set in order, each with a price."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from orchestrator.budget import Most
from orchestrator.coders.seams import Message
from orchestrator.records import Exchange


@dataclass
class Scripted:
    """Answers with `replies` in order: a text, an exchange, or an exception, which is raised."""

    replies: list[Any]
    name: str = "scripted"
    reserve: Most = field(default_factory=Most)
    asked: list[tuple[str, list[Message]]] = field(default_factory=list)

    def most(self, key: str, messages: list[Message]) -> Most:
        return self.reserve

    def ask(self, key: str, messages: list[Message]) -> Exchange:
        self.asked.append((key, messages))
        reply = self.replies.pop(0)
        if isinstance(reply, BaseException):
            raise reply
        if isinstance(reply, Exchange):
            return reply
        return Exchange(role="", model=self.name, text=reply, cost_usd=0.0)


def reply(text: str, **fields: Any) -> Exchange:
    return Exchange(role="", model="scripted", text=text, **{"cost_usd": 0.0, **fields})


def prompt(text: str) -> list[Message]:
    return [Message(role="user", content=text)]
