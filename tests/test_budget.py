from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from orchestrator.budget import STRETCH, Budget, Ledger, Most, fold, spent
from orchestrator.coders import Gate
from orchestrator.coders.cassette import CassetteModel, Entry
from orchestrator.errors import LimitReached
from orchestrator.journal import Event, Journal
from tests.support.models import prompt

EXCHANGE = {"role": "coder", "model": "m", "text": "x", "finish_reason": "stop", "context_sha256": "", "cost_usd": 0.5}


def events(*rows: tuple[str, str, Any]) -> Iterator[Event]:
    for number, (key, state, data) in enumerate(rows):
        yield Event(number, 0.0, key, state, data)  # type: ignore[arg-type]


def test_jobs_count_their_hours_and_their_gpus() -> None:
    job = {"reason": "done", "exit_code": 0, "wall_seconds": 1800.0}
    ledger = fold(events(("run/1/job-1", "finished", {**job, "gpus": 2}), ("run/1/evaluate-1", "finished", job)))
    assert (ledger.job_hours, ledger.gpu_hours) == (1.0, 1.0)


def mark(seconds: float) -> tuple[str, str, Any]:
    return STRETCH, "noted", {"elapsed": seconds}


def test_hours_are_summed_over_the_stretches_of_work() -> None:
    begin = (STRETCH, "noted", {"begin": True})
    job = ("run/1/job-1", "finished", {"wall_seconds": 3600.0})
    assert fold(events(begin, mark(1800.0), begin, mark(900.0), mark(1800.0))).hours == 1.0
    assert fold(events(begin, mark(60.0), job, mark(3720.0))).hours == pytest.approx(3720 / 3600)
    assert fold(events(begin, job, begin, job)).hours == pytest.approx(2.0), "a crash after a job loses no time"


def test_an_exchange_cut_off_is_held_at_the_most_it_may_have_cost() -> None:
    intent = ("plan/1", "started", {"reserved_tokens": 50, "reserved_usd": 0.25})
    ledger = fold(events(intent))
    assert ledger.held == Most(50, 0.25)
    ledger = fold(events(intent, intent, ("plan/1", "finished", EXCHANGE)))
    assert (ledger.lost, ledger.held, ledger.cost_usd) == (1, Most(50, 0.25), 0.5)


def test_steps_and_notes_of_others_cost_nothing() -> None:
    rows = [
        ("run/1/edit", "started", None),
        ("run/1/edit", "finished", {"value": 1, "commit": "c"}),
        ("x", "noted", [1]),
    ]
    assert fold(events(*rows)) == Ledger()


@pytest.mark.parametrize(
    ("budget", "option"),
    [(Budget(hours=1.0), "--budget-hours"), (Budget(gpu_hours=1.0), "--budget-gpu-hours")],
)
def test_a_run_that_could_pass_a_cap_is_not_started(budget: Budget, option: str) -> None:
    ledger = Ledger(hours=0.6, gpu_hours=0.6)
    budget.check_run(ledger, hours=0.2, gpus=2)
    with pytest.raises(LimitReached, match=f"the next run may take .*\n.*orch resume s {option} "):
        budget.check_run(ledger, hours=0.5, gpus=1, session="s")


def test_time_that_is_up_stops_the_next_exchange() -> None:
    with pytest.raises(LimitReached, match=r"1.00 hours is reached: 1.50 hours used"):
        Budget(hours=1.0).check(Ledger(hours=1.5), Most())


def test_no_cap_is_no_limit() -> None:
    Budget().check(Ledger(cost_usd=1e9, hours=1e9), Most(10**9, 1e9))
    Budget().check_run(Ledger(), 1e9, 8)


PRICES = st.tuples(st.integers(0, 5000), st.integers(0, 2000), st.floats(0, 2, allow_subnormal=False))


@pytest.mark.slow
@settings(max_examples=1000, deadline=None)
@given(
    prices=st.lists(PRICES, max_size=12),
    usd=st.none() | st.floats(0, 8),
    tokens=st.none() | st.integers(0, 30_000),
    stretches=st.integers(1, 3),
)
def test_no_cap_is_passed_and_the_parts_make_the_total(
    tmp_path_factory: pytest.TempPathFactory,
    prices: list[tuple[int, int, float]],
    usd: float | None,
    tokens: int | None,
    stretches: int,
) -> None:
    folder = tmp_path_factory.mktemp("session")
    entries = [
        Entry(
            key=f"run/{i % 4}/edit/{i}",
            role="coder",
            model="m",
            prompt="",
            reply="x",
            tokens_sent=s,
            tokens_received=r,
            cost_usd=c,
        )
        for i, (s, r, c) in enumerate(prices)
    ]
    source = folder / "priced.jsonl"
    header = '{"format": "orch-cassette/1", "priced": true}\n'
    source.write_text(header + "".join(e.model_dump_json() + "\n" for e in entries))
    for _ in range(stretches):
        play(folder, CassetteModel(source), entries, Budget(usd=usd, tokens=tokens))
    journal = Journal(folder / ".orch" / "journal.db", read_only=True)
    paid = [e.data for e in journal.events() if e.state == "finished"]
    ledger = spent(journal)
    journal.close()
    assert usd is None or ledger.cost_usd <= usd + 1e-6
    assert tokens is None or ledger.tokens <= tokens
    assert ledger.cost_usd == pytest.approx(sum(p["cost_usd"] for p in paid))
    assert ledger.tokens == sum(p["tokens_sent"] + p["tokens_received"] for p in paid)
    assert ledger.exchanges == len(paid) == len({e.key for e in entries[: len(paid)]})
    for shares in (ledger.by_phase, ledger.by_role):
        assert sum(s.cost_usd for s in shares.values()) == pytest.approx(ledger.cost_usd)
        assert sum(s.tokens_sent + s.tokens_received for s in shares.values()) == ledger.tokens


def play(folder: Path, model: CassetteModel, entries: list[Entry], budget: Budget) -> None:
    """One stretch of work, which ends at a cap or with the last exchange."""
    journal = Journal(folder / ".orch" / "journal.db")
    gate = Gate(journal, {"coder": model}, budget, [], folder / "cassette.jsonl")
    try:
        for entry in entries:
            gate.ask(entry.key, "coder", prompt("?"))
    except LimitReached:
        pass
    finally:
        gate.close()
        journal.close()
