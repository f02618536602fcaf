"""Models that answer, the one gate before them, and the coder that edits files with their answers.

`seams` says what a model and a coder are; `gate` is the door that every exchange of every role passes;
`provider`, `cassette` and `chatlog` are the models; `aider` is the coder.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from orchestrator.coders.gate import Gate, secrets_in
from orchestrator.coders.seams import Coder, EditResult, Message, Model, Reserving

if TYPE_CHECKING:
    from orchestrator.journal import Journal

__all__ = [
    "Coder",
    "EditResult",
    "Gate",
    "Message",
    "Model",
    "Reserving",
    "check_model",
    "open_model",
    "secrets_in",
]

RECORDED = "cassette:"
"""A model's name that begins so names a file: a cassette, or an aider chat log."""


def check_model(name: str) -> None:
    """Whether the model can be asked at all. Raises BadInput: no key, unknown provider, unreadable cassette."""
    if name.startswith(RECORDED):
        open_model(name)
        return
    from orchestrator.coders.provider import require_key

    require_key(name)


def open_model(
    name: str,
    *,
    strict: bool = False,
    journal: Journal | None = None,
    say: Callable[[str], None] | None = None,
) -> Model:
    """The model called `name`: as litellm names it, or `cassette:FILE`.

    `strict`: a cassette stops at the first prompt that differs in more than numbers. `journal`: what a chat
    log has answered already. `say` is told of waits for the provider. Raises BadInput as `check_model` does.
    """
    if not name.startswith(RECORDED):
        from orchestrator.coders.provider import ProviderModel, require_key

        require_key(name)
        return ProviderModel(name, say=say)
    from orchestrator.coders import cassette, chatlog

    path = Path(name.removeprefix(RECORDED)).expanduser()
    if chatlog.is_chat_log(path):
        return chatlog.ChatLogModel(path, journal)
    return cassette.CassetteModel(path, strict=strict)
