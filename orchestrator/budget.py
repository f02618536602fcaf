"""What a session has spent, as a fold over its journal, and the caps it may not pass."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from pydantic import BaseModel, Field

from orchestrator.errors import LimitReached
from orchestrator.journal import Event, Journal
from orchestrator.records import Exchange, Spent

STRETCH = "stretch"
"""Key of the note with which each orch process that works on a session begins, and of its later marks."""
_ROUNDING = 1e-9


@dataclass(frozen=True)
class Most:
    """The most that one exchange may cost. `usd` None: the price is not known."""

    tokens: int = 0
    usd: float | None = 0.0


class Share(BaseModel):
    """The part of what was spent that one phase or role used."""

    exchanges: int = 0
    tokens_sent: int = 0
    tokens_received: int = 0
    cost_usd: float = 0.0
    unpriced: int = 0

    def add(self, exchange: Exchange) -> None:
        self.exchanges += 1
        self.tokens_sent += exchange.tokens_sent
        self.tokens_received += exchange.tokens_received
        self.cost_usd += exchange.cost_usd or 0.0
        self.unpriced += exchange.cost_usd is None


class Ledger(Spent):
    """`Spent`, with who spent it on what. Feed it a journal's events in order."""

    hours: float = 0.0
    """Time that orch itself has worked on the session, over all its stretches."""
    lost: int = 0
    """Exchanges cut off by a crash before their reply was recorded; each was asked again."""
    lost_tokens: int = 0
    """The most that the lost exchanges may have used."""
    lost_usd: float = 0.0
    by_phase: dict[str, Share] = Field(default_factory=dict)
    """First part of the step's key to its share."""
    by_role: dict[str, Share] = Field(default_factory=dict)
    drift: dict[str, int] = Field(default_factory=dict)
    """For replies that came from a cassette: how the prompt differed (`identical`, `numbers`, `text`), counted."""
    pending: dict[str, Most] = Field(default_factory=dict, exclude=True)
    """Exchanges that have begun and not ended."""
    stretch_seconds: float = Field(default=0.0, exclude=True)

    def add(self, event: Event) -> None:
        data = event.data if isinstance(event.data, dict) else {}
        if event.key == STRETCH:
            self._mark(data)
        elif "reserved_tokens" in data and event.state == "started":
            self._begin(event.key, data)
        elif event.state == "finished" and is_exchange(data):
            self._settle(event.key, data)
        elif event.state == "failed":
            self._fail(event.key, data)
        elif event.state == "finished" and "wall_seconds" in data:
            self._job(data)

    def _mark(self, data: dict[str, Any]) -> None:
        if data.get("begin"):
            self.stretch_seconds = 0.0
        self.worked(float(data.get("elapsed", 0.0)))

    def worked(self, seconds: float) -> None:
        """This stretch has taken `seconds` so far."""
        later = max(0.0, seconds - self.stretch_seconds)
        self.stretch_seconds += later
        self.hours += later / 3600

    def _begin(self, key: str, data: dict[str, Any]) -> None:
        self.worked(float(data.get("elapsed", 0.0)))
        if key in self.pending:
            self.lost += 1
            self.lost_tokens += self.pending[key].tokens
            self.lost_usd += self.pending[key].usd or 0.0
        self.pending[key] = Most(int(data["reserved_tokens"]), data.get("reserved_usd"))

    def _settle(self, key: str, data: dict[str, Any]) -> None:
        self.worked(float(data.get("elapsed", 0.0)))
        self.pending.pop(key, None)
        self._count(key, Exchange.model_validate(data))
        if data.get("drift"):
            self.drift[data["drift"]] = self.drift.get(data["drift"], 0) + 1

    def _fail(self, key: str, data: dict[str, Any]) -> None:
        self.pending.pop(key, None)
        if data.get("exchange"):
            self._count(key, Exchange.model_validate(data["exchange"]))

    def _job(self, data: dict[str, Any]) -> None:
        hours = float(data["wall_seconds"]) / 3600
        self.job_hours += hours
        self.gpu_hours += hours * int(data.get("gpus", 0))
        self.worked(self.stretch_seconds + hours * 3600)

    def _count(self, key: str, exchange: Exchange) -> None:
        phase = phase_of(key)
        self.exchanges += 1
        self.tokens_sent += exchange.tokens_sent
        self.tokens_received += exchange.tokens_received
        self.cost_usd += exchange.cost_usd or 0.0
        self.unpriced += exchange.cost_usd is None
        self.by_phase.setdefault(phase, Share()).add(exchange)
        self.by_role.setdefault(exchange.role, Share()).add(exchange)
        self.by_step[phase] = self.by_phase[phase].cost_usd

    @property
    def tokens(self) -> int:
        return self.tokens_sent + self.tokens_received

    @property
    def held(self) -> Most:
        """The most that exchanges without an outcome (lost, or under way) may have used."""
        open_usd = sum(most.usd or 0.0 for most in self.pending.values())
        open_tokens = sum(most.tokens for most in self.pending.values())
        return Most(self.lost_tokens + open_tokens, self.lost_usd + open_usd)


def is_exchange(data: Any) -> bool:
    """Whether an event's data is the outcome of an exchange with a model."""
    return isinstance(data, dict) and "context_sha256" in data and "finish_reason" in data


def phase_of(key: str) -> str:
    """`run` for `run/3/edit/1`."""
    return key.split("/", maxsplit=1)[0]


def fold(events: Iterable[Event]) -> Ledger:
    """What the events say was spent."""
    ledger = Ledger()
    for event in events:
        ledger.add(event)
    return ledger


def spent(journal: Journal) -> Ledger:
    """What a session has spent so far."""
    return fold(journal.events())


@dataclass(frozen=True)
class Budget:
    """Caps of a session; None: no cap."""

    usd: float | None = None
    tokens: int | None = None
    hours: float | None = None
    """Hours that orch works on the session, over all its stretches."""
    gpu_hours: float | None = None

    def check(self, so_far: Ledger, most: Most, session: str = "SESSION") -> None:
        """Raises LimitReached where one more exchange that costs at most `most` could pass a cap."""
        held = so_far.held
        if self.usd is not None:
            _Cap("usd", self.usd, session).allow(so_far.cost_usd + (held.usd or 0.0), most.usd or 0.0, "exchange")
        if self.tokens is not None:
            _Cap("tokens", self.tokens, session).allow(so_far.tokens + held.tokens, most.tokens, "exchange")
        if self.hours is not None:
            _Cap("hours", self.hours, session).allow(so_far.hours, 0.0, "exchange")

    def check_run(self, so_far: Ledger, hours: float, gpus: int, session: str = "SESSION") -> None:
        """Raises LimitReached where a job that takes at most `hours` on `gpus` GPUs could pass a cap."""
        if self.hours is not None:
            _Cap("hours", self.hours, session).allow(so_far.hours, hours, "run")
        if self.gpu_hours is not None:
            _Cap("gpu-hours", self.gpu_hours, session).allow(so_far.gpu_hours, hours * gpus, "run")


@dataclass(frozen=True)
class _Cap:
    name: str
    """As the option has it: `usd` for `--budget-usd`."""
    limit: float
    session: str

    def allow(self, used: float, more: float, what: str) -> None:
        """Raises LimitReached where `more`, taken by the next `what`, is too much on top of `used`."""
        if used + more <= self.limit + _ROUNDING:
            return
        then = f", and the next {what} may take {self._amount(more)}" if more else ""
        enough = max(2 * self.limit, used + 2 * more)
        value = f"{enough:.0f}" if self.name == "tokens" else f"{enough:.2f}"
        raise LimitReached(
            f"the budget of {self._amount(self.limit)} is reached: {self._amount(used)} used{then}\n"
            f"raise it to go on: orch resume {self.session} --budget-{self.name} {value}"
        )

    def _amount(self, value: float) -> str:
        if self.name == "usd":
            return f"${value:.4f}" if value < 1 else f"${value:.2f}"
        if self.name == "tokens":
            return f"{value:,.0f} tokens"
        return f"{value:.2f} {'GPU hours' if self.name == 'gpu-hours' else 'hours'}"
