from __future__ import annotations

import time
from collections.abc import Iterator
from email.utils import formatdate
from pathlib import Path
from typing import Any

import pytest

from orchestrator.coders import open_model
from orchestrator.coders.provider import ProviderModel, price_of, require_key, retry_after
from orchestrator.coders.seams import Message
from orchestrator.errors import BadInput, Failed, LimitReached
from tests.support.chat_server import ChatServer

NAME = "openai/loopback"
PROMPT = [Message(role="user", content="What is to be done?")]


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[ChatServer]:
    with ChatServer().running() as server:
        monkeypatch.setenv("OPENAI_API_BASE", server.base)
        monkeypatch.setenv("OPENAI_API_KEY", "unused")
        yield server


def ask(**options: Any) -> Any:
    return ProviderModel(NAME, **{"patience": 8.0, **options}).ask("plan", PROMPT)


def test_a_reply_comes_with_its_tokens_and_costs_nothing_from_a_server_on_this_machine(
    server: ChatServer,
) -> None:
    server.script = ["Measure first."]
    exchange = ask()
    assert (exchange.text, exchange.finish_reason, exchange.model) == ("Measure first.", "stop", NAME)
    assert exchange.tokens_sent > 0
    assert exchange.tokens_received > 0
    assert exchange.cost_usd == 0.0


@pytest.mark.parametrize(
    "fault",
    [{"status": 500}, {"status": 503}, {"drop": True}, {"status": 429, "headers": {"Retry-After": "0.2"}}],
)
def test_a_passing_fault_is_survived(server: ChatServer, fault: dict[str, Any]) -> None:
    server.script = [fault, "Here."]
    heard: list[str] = []
    assert ask(say=heard.append).text == "Here."
    assert len(server.requests) == 2
    assert "trying again" in heard[0]


def test_retry_after_is_waited_for(server: ChatServer) -> None:
    server.script = [{"status": 429, "headers": {"Retry-After": "2"}}, "Here."]
    begun = time.monotonic()
    ask()
    assert time.monotonic() - begun >= 2


def test_a_slow_reply_is_cut_by_the_request_timeout_and_asked_again(server: ChatServer) -> None:
    server.script = [{"wait": 3, "text": "too late"}, "Here."]
    assert ask(timeout=1.0).text == "Here."


@pytest.mark.parametrize(
    "fault", [{"status": 500}, {"status": 429, "headers": {"Retry-After": "3600"}}, {"drop": True}]
)
def test_patience_ends_in_a_clean_stop(server: ChatServer, fault: dict[str, Any]) -> None:
    server.script = [fault] * 20
    with pytest.raises(LimitReached, match=r"no reply within .*\n.*orch resume"):
        ask(patience=1.5)


def test_a_used_up_quota_is_not_asked_again(server: ChatServer) -> None:
    server.script = [{"status": 429, "error": "insufficient_quota", "code": "insufficient_quota"}]
    with pytest.raises(LimitReached, match="quota"):
        ask()
    assert len(server.requests) == 1


@pytest.mark.parametrize("status", [401, 403, 404])
def test_a_wrong_key_or_model_is_the_users_to_mend(server: ChatServer, status: int) -> None:
    server.script = [{"status": status, "error": "no such thing"}]
    with pytest.raises(BadInput, match=r"refuses \(.*no such thing.*\); check the key"):
        ask()
    assert len(server.requests) == 1


def test_a_prompt_that_is_too_long_says_what_to_do(server: ChatServer) -> None:
    text = "This model's maximum context length is 100 tokens."
    server.script = [{"status": 400, "error": text, "code": "context_length_exceeded"}]
    with pytest.raises(LimitReached, match="longer context"):
        ask()


def test_another_bad_request_fails_with_the_providers_words(server: ChatServer) -> None:
    server.script = [{"status": 400, "error": "the flux is out of range"}]
    with pytest.raises(Failed, match="flux"):
        ask()


def test_the_most_it_may_cost_bounds_what_it_costs(server: ChatServer) -> None:
    server.script = ["Fine."]
    model = ProviderModel(NAME)
    exchange, most = model.ask("plan", PROMPT), model.most("plan", PROMPT)
    assert exchange.tokens_sent + exchange.tokens_received <= most.tokens
    assert server.requests[0]["max_tokens"] == model.max_output


def test_a_server_that_counts_no_tokens_is_not_taken_for_free(server: ChatServer) -> None:
    server.counts = False
    server.script = ["A reply of some words."]
    exchange = ProviderModel("openai/gpt-4o").ask("plan", PROMPT)
    assert exchange.tokens_sent > 0
    assert exchange.tokens_received > 0
    assert exchange.cost_usd is not None
    assert exchange.cost_usd > 0


def test_a_missing_key_is_named_before_anything_is_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("ANTHROPIC_API_KEY", raising=False)
    with pytest.raises(BadInput, match="ANTHROPIC_API_KEY"):
        require_key("anthropic/claude-sonnet-4-5")


def test_a_name_without_a_provider_says_how_models_are_named(capfd: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(BadInput, match="as litellm does"):
        require_key("nonsense")
    assert capfd.readouterr().out == ""


def test_a_local_ollama_needs_no_key_and_costs_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("OLLAMA_API_BASE", raising=False)
    require_key("ollama_chat/some-model")
    price = price_of("ollama_chat/some-model")
    assert price is not None
    assert price.highest_sent == price.highest_received == 0.0


def test_a_remote_model_that_no_table_knows_has_no_price(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OLLAMA_API_BASE", "http://models.example.org")
    monkeypatch.setenv("OPENAI_API_BASE", "http://models.example.org/v1")
    assert price_of("ollama_chat/some-model") is None
    assert price_of(NAME) is None
    assert ProviderModel(NAME).most("plan", PROMPT).usd is None


def test_a_priced_model_keeps_its_price_behind_a_proxy_on_this_machine(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("OPENAI_API_BASE", "http://localhost:4000")
    price = price_of("openai/gpt-4o")
    assert price is not None
    assert 0 < price.sent <= price.highest_sent
    assert 0 < price.received <= price.highest_received


def test_the_cost_of_a_priced_model_stays_below_its_reserve(server: ChatServer) -> None:
    server.script = ["A reply of some length, so that it costs something." * 20]
    model = ProviderModel("openai/gpt-4o")
    exchange, most = model.ask("plan", PROMPT), model.most("plan", PROMPT)
    assert exchange.cost_usd is not None
    assert most.usd is not None
    assert 0 < exchange.cost_usd <= most.usd


def test_retry_after_may_be_a_date() -> None:
    class Answer:
        headers = {"retry-after": formatdate(1_000_030, usegmt=True)}  # noqa: RUF012

    error = Exception()
    error.response = Answer()  # type: ignore[attr-defined]
    assert retry_after(error, now=1_000_000) == 30
    assert retry_after(Exception()) is None


def test_a_patience_that_is_no_number_is_bad_input(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ORCH_PATIENCE", "long")
    with pytest.raises(BadInput, match="ORCH_PATIENCE"):
        ProviderModel(NAME)


def test_open_model_knows_cassettes_from_providers(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="cannot read this cassette"):
        open_model(f"cassette:{tmp_path / 'none.jsonl'}")
