"""Putting a session to work: settings from what the user said, the parts made and put together, the end recorded."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from orchestrator.coders import RECORDED
from orchestrator.errors import BadInput, Interrupted, OrchError
from orchestrator.progress import Lines
from orchestrator.session import Session, Settings
from orchestrator.steps.context import Work
from orchestrator.steps.jobs import default_cache

DEFAULT_MODELS = {
    "ANTHROPIC_API_KEY": "anthropic/claude-sonnet-4-5",
    "OPENAI_API_KEY": "openai/gpt-5",
    "GEMINI_API_KEY": "gemini/gemini-2.5-pro",
    "DEEPSEEK_API_KEY": "deepseek/deepseek-chat",
}
"""The model taken where none is named: that of the first key that is set."""


def settings(*, model: str | None, gpus: str, **said: Any) -> Settings:
    """What the user said, with what was left out filled in. Raises BadInput."""
    chosen = model or _default_model()
    if said["executor"] != "local":
        raise BadInput(f"--executor {said['executor']}: there is only local")
    for role in ("advisor_model", "reviewer_model"):
        said[role] = _from_anywhere(said[role] or chosen)
    made = Settings(model=_from_anywhere(chosen), gpus=_gpus(gpus), **said)
    check_models(made)
    return made


def _default_model() -> str:
    for key, model in DEFAULT_MODELS.items():
        if os.environ.get(key):
            return model
    raise BadInput(
        "no model: name one with --model, as in --model anthropic/claude-sonnet-4-5 with ANTHROPIC_API_KEY set,\n"
        "ollama_chat/… for a local one, or cassette:FILE to play a recorded session back (`make demo` does)"
    )


def _from_anywhere(model: str) -> str:
    """A cassette is named by its whole path, so that a session can be resumed from any folder."""
    if not model.startswith(RECORDED):
        return model
    return RECORDED + str(Path(model.removeprefix(RECORDED)).expanduser().absolute())


def _gpus(text: str) -> list[int]:
    try:
        return [int(part) for part in text.split(",") if part.strip()]
    except ValueError:
        raise BadInput(f"--gpus {text}: give numbers, as in 0,1") from None


def check_models(made: Settings) -> None:
    """Whether every role's model can be asked at all. Raises BadInput."""
    from orchestrator.coders import check_model

    for name in dict.fromkeys(filter(None, (made.model, made.advisor_model, made.reviewer_model, made.editor_model))):
        check_model(name)


def changed_settings(made: Settings, model: str | None, limits: dict[str, Any]) -> Settings:
    """A session's settings with other limits, or another model in the roles the old one had."""
    changes = {name: value for name, value in limits.items() if value is not None}
    if model is not None:
        roles = ("model", "advisor_model", "reviewer_model")
        changes |= {role: _from_anywhere(model) for role in roles if getattr(made, role) == made.model}
    changed = made.model_copy(update=changes)
    check_models(changed)
    return changed


def check_machine(made: Settings) -> None:
    """Says what the machine lacks before anything is spent. Raises Failed."""
    from orchestrator.doctor import require

    require(paper=made.paper, sandbox=made.sandbox)


@contextmanager
def at_work(session: Session) -> Iterator[Work]:
    """The session with its gate, coder and executor; whatever stops it is recorded, and its parts are closed."""
    progress = Lines()
    progress.say(f"session {session.folder}")
    session.keep_edits(progress.say)
    session.save_settings()
    work = _make(session, progress)
    try:
        yield work
        session.journal.append("end", "noted", {"state": "done"})
    except KeyboardInterrupt:
        session.journal.append("end", "noted", {"state": "stopped"})
        raise Interrupted(f"interrupted; go on with `orch resume {session.folder}`") from None
    except OrchError as error:
        state = "failed" if error.exit_code == 1 else "stopped"
        session.journal.append("end", "noted", {"state": state, "why": str(error)})
        raise
    finally:
        _say_drift(work, progress)
        work.coder.close()
        work.gate.close()
        session.close()


def _make(session: Session, progress: Lines) -> Work:
    from orchestrator.budget import Budget
    from orchestrator.coders import Gate, open_model, secrets_in
    from orchestrator.coders.aider import AiderCoder
    from orchestrator.executors.local import LocalExecutor

    made = session.settings
    names = {"coder": made.model, "advisor": made.advisor_model, "reviewer": made.reviewer_model}
    if made.editor_model:
        names["editor"] = made.editor_model
    opened = {
        name: open_model(name, strict=made.strict, journal=session.journal, say=progress.say)
        for name in set(names.values())
    }
    gate = Gate(
        session.journal,
        {role: opened[name] for role, name in names.items()},
        Budget(made.budget_usd, made.budget_tokens, made.budget_hours, made.budget_gpu_hours),
        secrets_in(),
        session.folder / "cassette.jsonl",
        say=progress.say,
    )
    coder = AiderCoder(
        session.folder,
        gate,
        editable=session.experiment.editable,
        editor=bool(made.editor_model),
        wrap=_coder_box(session),
    )
    return Work(session, gate, coder, LocalExecutor(), progress, default_cache())


def _coder_box(session: Session) -> Callable[[list[str]], list[str]] | None:
    """The box of aider's worker: Python, orch's own code, and one folder to write; no network, no key."""
    if not session.settings.sandbox:
        return None
    from orchestrator.executors import Box
    from orchestrator.executors.sandbox import enclose

    folder = session.folder / ".orch" / "aider"
    box = Box(read=(Path(__file__).parent,), write=(folder,))

    def wrap(command: list[str]) -> list[str]:
        folder.mkdir(parents=True, exist_ok=True)
        return enclose(command, box, folder, session.folder / ".orch" / "jobs" / "aider")

    return wrap


def _say_drift(work: Work, progress: Lines) -> None:
    drift = work.gate.spent().drift
    if drift:
        told = ", ".join(f"{count} {kind}" for kind, count in sorted(drift.items()))
        progress.say(f"cassette: prompts compared with the recorded ones: {told}")
