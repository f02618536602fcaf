"""aider's chat logs as recordings: what was asked, what was replied, in order.

In a log a line of the user begins with `#### `, one of the program with `> `, both end with two spaces; what
is between them is the model's. A reply ends where the program counts its tokens.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

from orchestrator.budget import Most
from orchestrator.coders.cassette import Replayed
from orchestrator.coders.seams import Message
from orchestrator.errors import BadInput, Failed
from orchestrator.journal import Journal

_USER = re.compile(r"^####(?: |$)")
_BEGIN = re.compile(r"^# aider chat started at \d")
_TOKENS = re.compile(r"^> Tokens: .* sent.* received")
_END = "  "


@dataclass(frozen=True)
class Turn:
    """`prompt` is empty where the program itself asked again, e.g. for blocks that did not match."""

    prompt: str
    reply: str


def is_chat_log(path: Path) -> bool:
    """Whether the file looks like a chat log of aider rather than a cassette."""
    try:
        with path.open(encoding="utf-8") as file:
            first = next((line for line in file if line.strip()), "")
    except (OSError, UnicodeDecodeError):
        return False
    return bool(_BEGIN.match(first) or _USER.match(first))


def parse_chat_log(text: str) -> list[Turn]:
    """The exchanges of a log in order; prompts that got no reply are left out."""
    parser = _Parser()
    for line in text.split("\n"):
        parser.feed(line)
    parser.end_reply()
    return parser.turns


class _Parser:
    def __init__(self) -> None:
        self.turns: list[Turn] = []
        self._prompt: list[str] = []
        self._reply: list[str] = []
        self._in_prompt = False
        self._in_message = False
        """Inside a message of the program that has several lines."""

    def feed(self, line: str) -> None:
        if self._in_message:
            self._in_message = not line.endswith(_END)
        elif _BEGIN.match(line) or _TOKENS.match(line):
            self.end_reply()
        elif _USER.match(line) and line.endswith(_END):
            self._user(line)
        elif line.startswith("> ") and not self._has_reply():
            self._in_prompt = False
            self._in_message = not line.endswith(_END)
        else:
            self._in_prompt = False
            self._reply.append(line)

    def _user(self, line: str) -> None:
        if not self._in_prompt:
            self.end_reply()
            self._prompt = []
        self._in_prompt = True
        self._prompt.append(line[len("#### ") :].rstrip())

    def _has_reply(self) -> bool:
        return any(line.strip() for line in self._reply)

    def end_reply(self) -> None:
        self._in_prompt = False
        if self._has_reply():
            self.turns.append(Turn("\n".join(self._prompt).strip(), "\n".join(self._reply).strip() + "\n"))
            self._prompt = []
        self._reply = []


class ChatLogModel:
    """Answers with the log's replies in their order, whatever is asked; it goes on where the journal says it
    stopped.
    """

    def __init__(self, path: Path, journal: Journal | None = None):
        """Raises BadInput where the file holds no reply."""
        self.name = f"chatlog:{path.name}"
        try:
            self._turns = parse_chat_log(path.read_text(encoding="utf-8"))
        except (OSError, UnicodeDecodeError) as error:
            raise BadInput(f"{path}: cannot read this chat log ({error})") from None
        if not self._turns:
            raise BadInput(f"{path}: there is no reply in this chat log")
        self._next = (
            0 if journal is None else sum(self._answered(e.data) for e in journal.events() if e.state == "finished")
        )

    def _answered(self, data: object) -> bool:
        return isinstance(data, dict) and data.get("model") == self.name

    def most(self, key: str, messages: list[Message]) -> Most:
        return Most()

    def ask(self, key: str, messages: list[Message]) -> Replayed:
        """Raises Failed at the log's end."""
        if self._next >= len(self._turns):
            raise Failed(f"{self.name}: its {len(self._turns)} replies are used up; the step {key} has none")
        turn = self._turns[self._next]
        self._next += 1
        return Replayed(role="", model=self.name, text=turn.reply, cost_usd=0.0)
