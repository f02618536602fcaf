"""The one door for every exchange with a model, of every role: journalled, recorded, counted, paid once."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from orchestrator.budget import STRETCH, Budget, Ledger, Most, fold, is_exchange, spent
from orchestrator.coders import cassette
from orchestrator.coders.continuation import CONTINUE, join
from orchestrator.coders.seams import Message, Model, Reserving
from orchestrator.errors import Failed, LimitReached, OrchError
from orchestrator.journal import Journal
from orchestrator.records import Exchange

MASK = "[secret]"
SHORTEST_SECRET = 8
EMPTY_TRIES = 3
CONTINUATIONS = 8
_SECRET_ENDINGS = ("API_KEY", "ACCESS_KEY", "PRIVATE_KEY", "TOKEN", "SECRET", "PASSWORD")


def secrets_in(environment: Mapping[str, str] = os.environ) -> list[str]:
    """The values of environment variables whose names say that they are keys, tokens or secrets, longest first."""
    found = {
        value
        for name, value in environment.items()
        if name.upper().endswith(_SECRET_ENDINGS) and len(value) >= SHORTEST_SECRET
    }
    return sorted(found, key=lambda value: (-len(value), value))


class Gate:
    """Asks models. What has been answered once is never asked again; no cap of the budget is passed."""

    def __init__(
        self,
        journal: Journal,
        models: Mapping[str, Model],
        budget: Budget,
        secrets: list[str],
        cassette: Path,
        *,
        on_exchange: Callable[[str, Exchange], None] | None = None,
        say: Callable[[str], None] | None = None,
    ):
        """`models` by role. `cassette`: the file that every exchange is recorded in, mended here where it
        disagrees with the journal. `on_exchange` is given each new exchange with its key, `say` each
        warning for the user.
        """
        self._journal = journal
        self._models = models
        self._budget = budget
        self._secrets = sorted((s for s in secrets if len(s) >= SHORTEST_SECRET), key=len, reverse=True)
        self._cassette = cassette
        self._on_exchange = on_exchange
        self._say = say
        self._begun = time.monotonic()
        self._ledger = fold(self._replay())
        self._warned = False
        self._ledger.add(journal.append(STRETCH, "noted", {"begin": True}))

    def _replay(self) -> list[Any]:
        """All events; on the way the cassette is made to agree with them."""
        events = list(self._journal.events())
        wanted = cassette.cassette_text(
            _entry(e.key, e.data) for e in events if e.state == "finished" and is_exchange(e.data)
        )
        if not self._cassette.is_file() or self._cassette.read_bytes() != wanted.encode("utf-8"):
            cassette.write_text(self._cassette, wanted)
        return events

    @property
    def session(self) -> Path:
        """The folder of the session whose journal this gate writes."""
        return self._journal.path.parent.parent

    def ask(self, key: str, role: str, messages: list[Message]) -> Exchange:
        """The reply, whole: one that was cut off is continued, each part under a key of its own (`key+1`, …).

        Raises LimitReached at a cap of the budget, or where the provider cannot be had; Failed or BadInput
        where asking again would not help.
        """
        messages = [Message(role=m["role"], content=self.mask(m["content"])) for m in messages]
        whole = part = self._once(key, role, messages)
        for number in range(1, CONTINUATIONS + 1):
            if part.finish_reason != "length":
                return whole
            asked = [
                *messages,
                Message(role="assistant", content=whole.text),
                Message(role="user", content=CONTINUE),
            ]
            part = self._once(f"{key}+{number}", role, asked)
            whole = _joined(whole, part)
        if part.finish_reason != "length":
            return whole
        raise Failed(
            f"{key}: the reply of {whole.model} was still cut off after {CONTINUATIONS} continuations\n"
            f"go on from an earlier run with another model: orch resume {self.session} --from run_N --model …"
        )

    def mask(self, text: str) -> str:
        """`text` without the secrets, and without half characters that no file can hold."""
        text = text.encode("utf-8", errors="replace").decode("utf-8")
        for secret in self._secrets:
            text = text.replace(secret, MASK)
        return text

    def spent(self) -> Ledger:
        """What the session has spent, jobs included."""
        ledger = spent(self._journal)
        ledger.worked(self._elapsed())
        return ledger

    def check_run(self, seconds: float, gpus: int = 0) -> None:
        """Before a job of at most `seconds` on `gpus` GPUs. Raises LimitReached where it could pass a cap."""
        self._budget.check_run(self.spent(), seconds / 3600, gpus, str(self.session))

    def close(self) -> None:
        """Records how long orch has worked on the session this time."""
        self._ledger.add(self._journal.append(STRETCH, "noted", {"elapsed": self._elapsed()}))

    def _elapsed(self) -> float:
        return time.monotonic() - self._begun

    def _once(self, key: str, role: str, messages: list[Message]) -> Exchange:
        """One request and its reply, or the reply it got before."""
        if self._journal.finished(key):
            outcome = self._journal.outcome(key)
            if not is_exchange(outcome):
                raise Failed(f"{key}: a step of the session has this name already, an exchange cannot have it too")
            return Exchange.model_validate(outcome)
        model = self._model(role)
        for _ in range(EMPTY_TRIES):
            exchange = self._request(key, role, model, messages)
            if exchange is not None:
                return exchange
        raise LimitReached(
            f"{key}: {model.name} gave {EMPTY_TRIES} empty replies in a row\n"
            f"try later, or another model: orch resume {self.session} --model …"
        )

    def _model(self, role: str) -> Model:
        if role not in self._models:
            raise Failed(f"there is no model for the role {role!r}; there are: {', '.join(sorted(self._models))}")
        return self._models[role]

    def _request(self, key: str, role: str, model: Model, messages: list[Message]) -> Exchange | None:
        """Journals the intent, asks, journals the outcome. None: the reply was empty; it is counted all the same."""
        self._reserve(key, role, model, messages)
        try:
            exchange = model.ask(key, messages)
        except Exception as error:
            told = self.mask(str(error)).replace("orch resume SESSION", f"orch resume {self.session}")
            self._record(key, "failed", {"error": type(error).__name__, "message": told[:2000]})
            if isinstance(error, OrchError):
                raise type(error)(told) from None
            raise
        exchange = exchange.model_copy(update={"role": role, "text": self.mask(exchange.text)})
        if not exchange.text.strip():
            self._record(key, "failed", {"error": "empty reply", "exchange": exchange.model_dump()})
            return None
        self._settle(key, messages, exchange)
        return Exchange.model_validate(exchange.model_dump())

    def _reserve(self, key: str, role: str, model: Model, messages: list[Message]) -> None:
        most = model.most(key, messages) if isinstance(model, Reserving) else Most(usd=None)
        if most.usd is None:
            self._warn_unpriced(model)
        if key in self._ledger.pending:
            self._journal.note(f"{key}#lost", {"why": "cut off before its reply was recorded; asked again"})
        self._ledger.worked(self._elapsed())
        self._budget.check(self._ledger, most, str(self.session))
        intent = {
            "role": role,
            "model": model.name,
            "context_sha256": cassette.context_sha256(messages),
            "reserved_tokens": most.tokens,
            "reserved_usd": most.usd,
            "elapsed": self._elapsed(),
            "messages": messages,
        }
        self._record(key, "started", intent)

    def _warn_unpriced(self, model: Model) -> None:
        if self._budget.usd is None or self._warned:
            return
        self._warned = True
        self._journal.note("budget/unpriced", {"model": model.name})
        if self._say is not None:
            self._say(
                f"the price of {model.name} is not known: its exchanges do not count towards the budget of "
                f"${self._budget.usd:.2f}; --budget-tokens limits them"
            )

    def _settle(self, key: str, messages: list[Message], exchange: Exchange) -> None:
        outcome = {
            **exchange.model_dump(),
            "prompt": cassette.last_prompt(messages),
            "context_sha256": cassette.context_sha256(messages),
            "shape_sha256": cassette.shape_sha256(messages),
            "elapsed": self._elapsed(),
        }
        self._record(key, "finished", outcome)
        try:
            cassette.append_entry(self._cassette, _entry(key, outcome))
        except OSError as error:
            raise Failed(
                f"{self._cassette}: cannot write ({error}); the reply is safe in the journal\n"
                f"make space and go on: orch resume {self.session}"
            ) from None
        if self._on_exchange is not None:
            self._on_exchange(key, exchange)

    def _record(self, key: str, state: Any, data: Any) -> None:
        self._ledger.add(self._journal.append(key, state, data))


def _entry(key: str, outcome: dict[str, Any]) -> cassette.Entry:
    return cassette.Entry.model_validate({**outcome, "key": key, "reply": outcome["text"]})


def _joined(whole: Exchange, part: Exchange) -> Exchange:
    """One exchange that says and costs what both did."""
    known = whole.cost_usd is not None and part.cost_usd is not None
    return whole.model_copy(
        update={
            "text": join(whole.text, part.text),
            "finish_reason": part.finish_reason,
            "tokens_sent": whole.tokens_sent + part.tokens_sent,
            "tokens_received": whole.tokens_received + part.tokens_received,
            "cost_usd": (whole.cost_usd or 0.0) + (part.cost_usd or 0.0) if known else None,
        }
    )
