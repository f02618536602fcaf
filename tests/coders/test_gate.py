from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from orchestrator.budget import Budget, Most, spent
from orchestrator.coders import Gate, open_model, secrets_in
from orchestrator.coders.cassette import read_cassette
from orchestrator.errors import Failed, LimitReached
from orchestrator.journal import Journal
from orchestrator.records import Exchange
from tests.support.models import Scripted, prompt, reply


def open_gate(folder: Path, model: Any, budget: Budget | None = None, **options: Any) -> Gate:
    journal = Journal(folder / ".orch" / "journal.db")
    secrets = options.pop("secrets", [])
    models = {"coder": model, "advisor": model}
    return Gate(journal, models, budget or Budget(), secrets, folder / "cassette.jsonl", **options)


def test_an_answered_exchange_is_never_asked_again(tmp_path: Path) -> None:
    first = open_gate(tmp_path, Scripted([reply("Yes.", tokens_sent=3, cost_usd=0.5)])).ask(
        "plan/1", "coder", prompt("?")
    )
    silent = Scripted([])
    again = open_gate(tmp_path, silent)
    assert (
        again.ask("plan/1", "coder", prompt("?"))
        == first
        == Exchange(role="coder", model="scripted", text="Yes.", tokens_sent=3, cost_usd=0.5)
    )
    assert silent.asked == []
    assert again.spent().exchanges == 1


def test_the_journal_holds_the_messages_before_and_the_reply_after(tmp_path: Path) -> None:
    open_gate(tmp_path, Scripted(["Yes."])).ask("plan/1", "coder", prompt("Is it so?"))
    events = [e for e in Journal(tmp_path / ".orch" / "journal.db").events("plan/1")]
    assert [e.state for e in events] == ["started", "finished"]
    assert events[0].data["messages"] == prompt("Is it so?")
    assert events[0].data["context_sha256"] == events[1].data["context_sha256"]
    assert events[1].data["text"] == "Yes."


@pytest.mark.parametrize("when", ["before the reply", "before the outcome"])
def test_an_exchange_cut_off_by_a_kill_is_asked_again_and_counted(tmp_path: Path, when: str) -> None:
    program = f"""
import os, signal
from pathlib import Path
from tests.coders.test_gate import open_gate
from tests.support.models import Scripted, prompt
from orchestrator.budget import Most
class Killed(Scripted):
    def ask(self, key, messages):
        if {when!r} == "before the outcome":
            super().ask(key, messages)
        os.kill(os.getpid(), signal.SIGKILL)
gate = open_gate(Path({str(tmp_path)!r}), Scripted(["One."]))
gate.ask("plan/1", "coder", prompt("a"))
gate._models["coder"] = Killed(["Two."], reserve=Most(70, 0.2))
gate.ask("plan/2", "coder", prompt("b"))
"""
    root = Path(__file__).parents[2]
    done = subprocess.run([sys.executable, "-c", program], cwd=root, check=False)
    assert done.returncode == -signal.SIGKILL
    model = Scripted(["Two."])
    gate = open_gate(tmp_path, model)
    assert [gate.ask(f"plan/{i}", "coder", prompt(t)).text for i, t in ((1, "a"), (2, "b"))] == ["One.", "Two."]
    assert [key for key, _ in model.asked] == ["plan/2"]
    ledger = gate.spent()
    assert (ledger.exchanges, ledger.lost, ledger.lost_tokens, ledger.lost_usd) == (2, 1, 70, 0.2)


def test_the_cassette_is_mended_from_the_journal(tmp_path: Path) -> None:
    gate = open_gate(tmp_path, Scripted(["One.", "Two."]))
    gate.ask("plan/1", "coder", prompt("a"))
    gate.ask("run/1/edit/1", "coder", prompt("b"))
    path = tmp_path / "cassette.jsonl"
    whole = path.read_bytes()
    for damage in (whole[:-20], whole + b'{"key": "run/1/ed', b"", whole.splitlines(keepends=True)[0]):
        path.write_bytes(damage)
        open_gate(tmp_path, Scripted([]))
        assert path.read_bytes() == whole


def test_a_session_plays_back_from_its_own_cassette(tmp_path: Path) -> None:
    live = Scripted([reply("One, and", finish_reason="length", tokens_sent=5, cost_usd=0.1), " so on.", "Two."])
    gate = open_gate(tmp_path / "a", live)
    texts = [gate.ask(key, "coder", prompt(key)).text for key in ("plan/1", "plan/2")]
    played = open_gate(tmp_path / "b", open_model(f"cassette:{tmp_path / 'a' / 'cassette.jsonl'}", strict=True))
    assert (
        [played.ask(key, "coder", prompt(key)).text for key in ("plan/1", "plan/2")]
        == texts
        == ["One, and so on.", "Two."]
    )
    ledger = played.spent()
    assert ledger.drift == {"identical": 3}
    assert (ledger.cost_usd, ledger.tokens, ledger.unpriced) == (0.0, 0, 0)


def test_a_cut_off_reply_is_continued_and_all_of_it_paid_for(tmp_path: Path) -> None:
    parts = [
        reply("```python\nfirst line here\nsecond li", finish_reason="length", cost_usd=0.1, tokens_received=9),
        reply(
            "```python\nfirst line here\nsecond line here\nthird",
            finish_reason="length",
            cost_usd=0.2,
            tokens_received=8,
        ),
        reply(" line here\n```\n", cost_usd=0.4, tokens_received=7),
    ]
    model = Scripted(list(parts))
    whole = open_gate(tmp_path, model).ask("run/1/edit/1", "coder", prompt("Write."))
    assert whole.text == "```python\nfirst line here\nsecond line here\nthird line here\n```\n"
    assert (whole.finish_reason, whole.tokens_received) == ("stop", 24)
    assert whole.cost_usd == pytest.approx(0.7)
    assert [key for key, _ in model.asked] == ["run/1/edit/1", "run/1/edit/1+1", "run/1/edit/1+2"]
    assert model.asked[1][1][1]["content"] == parts[0].text
    assert open_gate(tmp_path, Scripted([])).ask("run/1/edit/1", "coder", prompt("Write.")) == whole
    assert spent(Journal(tmp_path / ".orch" / "journal.db")).cost_usd == pytest.approx(0.7)


def test_a_reply_that_never_ends_stops_cleanly(tmp_path: Path) -> None:
    endless = Scripted([reply(f"part {i} of it all. ", finish_reason="length") for i in range(20)])
    with pytest.raises(Failed, match="still cut off"):
        open_gate(tmp_path, endless).ask("plan/1", "coder", prompt("Write."))


def test_an_empty_reply_is_asked_for_again_and_paid_for(tmp_path: Path) -> None:
    gate = open_gate(tmp_path, Scripted([reply(" \n", cost_usd=0.25), reply("Here.", cost_usd=0.5)]))
    assert gate.ask("plan/1", "coder", prompt("?")).text == "Here."
    assert gate.spent().cost_usd == 0.75
    assert gate.spent().exchanges == 2
    assert [entry.reply for entry in read_cassette(tmp_path / "cassette.jsonl")[1]] == ["Here."]


def test_empty_replies_without_end_stop_cleanly_and_a_later_resume_asks_again(tmp_path: Path) -> None:
    with pytest.raises(LimitReached, match=r"3 empty replies.*\n.*orch resume"):
        open_gate(tmp_path, Scripted([""] * 3)).ask("plan/1", "coder", prompt("?"))
    assert open_gate(tmp_path, Scripted(["Here."])).ask("plan/1", "coder", prompt("?")).text == "Here."


def test_a_failed_exchange_is_journalled_and_can_be_asked_again(tmp_path: Path) -> None:
    gate = open_gate(tmp_path, Scripted([LimitReached("no reply within 9 s; orch resume SESSION"), "Here."]))
    with pytest.raises(LimitReached, match=f"9 s; orch resume {tmp_path}"):
        gate.ask("plan/1", "coder", prompt("?"))
    assert gate.ask("plan/1", "coder", prompt("?")).text == "Here."
    assert (gate.spent().lost, gate.spent().exchanges) == (0, 1)


def test_secrets_reach_neither_model_nor_journal_nor_cassette_nor_error(tmp_path: Path) -> None:
    key = "sk-canary-0123456789"
    model = Scripted([f"I saw {key}.", LimitReached(f"bad key {key}")])
    gate = open_gate(tmp_path, model, secrets=[key, "short"])
    assert gate.ask("plan/1", "coder", prompt(f"My key is {key}, short.")).text == "I saw [secret]."
    with pytest.raises(LimitReached) as stopped:
        gate.ask("plan/2", "coder", prompt("?"))
    assert str(stopped.value) == "bad key [secret]"
    assert model.asked[0][1][0]["content"] == "My key is [secret], short."
    gate.close()
    for path in tmp_path.rglob("*"):
        assert path.is_dir() or key.encode() not in path.read_bytes()


def test_half_characters_do_not_break_the_records(tmp_path: Path) -> None:
    gate = open_gate(tmp_path, Scripted(["so \ud83d it is"]))
    assert gate.ask("plan/1", "coder", prompt("a \udc00 b")).text == "so ? it is"
    assert read_cassette(tmp_path / "cassette.jsonl")[1][0].prompt == "a ? b"


def test_secrets_are_found_by_the_names_of_variables() -> None:
    environment = {
        "OPENAI_API_KEY": "sk-12345678",
        "HF_TOKEN": "hf_12345678",
        "AWS_SECRET_ACCESS_KEY": "aws-123456789",
        "APP_SECRET": "abc",
        "TOKENIZERS_PARALLELISM": "false-false",
        "HOME": "/home/someone",
    }
    assert secrets_in(environment) == ["aws-123456789", "hf_12345678", "sk-12345678"]


def test_a_cap_stops_before_the_exchange_and_says_how_to_go_on(tmp_path: Path) -> None:
    model = Scripted([reply("One.", cost_usd=0.6), "Two."], reserve=Most(10, 0.7))
    gate = open_gate(tmp_path, model, Budget(usd=1.0))
    gate.ask("plan/1", "coder", prompt("?"))
    with pytest.raises(LimitReached, match=r"budget of \$1.00 .*\$0.6000 used.*\n.*orch resume .* --budget-usd 2.00"):
        gate.ask("plan/2", "coder", prompt("?"))
    assert len(model.asked) == 1
    raised = open_gate(tmp_path, Scripted(["Two."], reserve=Most(10, 0.7)), Budget(usd=2.0))
    assert raised.ask("plan/2", "coder", prompt("?")).text == "Two."


def test_what_is_answered_already_needs_no_budget(tmp_path: Path) -> None:
    open_gate(tmp_path, Scripted([reply("One.", cost_usd=5.0)])).ask("plan/1", "coder", prompt("?"))
    assert open_gate(tmp_path, Scripted([]), Budget(usd=0.1)).ask("plan/1", "coder", prompt("?")).text == "One."


def test_an_unknown_price_is_said_once_where_dollars_are_capped(tmp_path: Path) -> None:
    said: list[str] = []
    model = Scripted([reply("One.", cost_usd=None), reply("Two.", cost_usd=None)], reserve=Most(10, None))
    gate = open_gate(tmp_path, model, Budget(usd=1.0), say=said.append)
    gate.ask("plan/1", "coder", prompt("?"))
    gate.ask("plan/2", "coder", prompt("?"))
    assert len(said) == 1
    assert "price of scripted is not known" in said[0]
    assert gate.spent().unpriced == 2


def test_what_was_spent_is_told_by_phase_and_role(tmp_path: Path) -> None:
    gate = open_gate(tmp_path, Scripted([reply("x", cost_usd=c, tokens_sent=int(c * 10)) for c in (1.0, 2.0, 4.0)]))
    gate.ask("plan/1", "coder", prompt("?"))
    gate.ask("run/1/edit/1", "coder", prompt("?"))
    gate.ask("run/1/advise/1", "advisor", prompt("?"))
    ledger = gate.spent()
    assert {phase: share.cost_usd for phase, share in ledger.by_phase.items()} == {"plan": 1.0, "run": 6.0}
    assert {role: (s.cost_usd, s.tokens_sent) for role, s in ledger.by_role.items()} == {
        "coder": (3.0, 30),
        "advisor": (4.0, 40),
    }


def test_each_new_exchange_is_shown_and_a_recorded_one_is_not(tmp_path: Path) -> None:
    seen: list[str] = []
    gate = open_gate(
        tmp_path, Scripted(["One."]), on_exchange=lambda key, exchange: seen.append(f"{key}: {exchange.text}")
    )
    gate.ask("plan/1", "coder", prompt("?"))
    gate.ask("plan/1", "coder", prompt("?"))
    assert seen == ["plan/1: One."]


def test_a_key_that_is_a_steps_own_is_refused(tmp_path: Path) -> None:
    gate = open_gate(tmp_path, Scripted(["One."]))
    gate._journal.step("plan", lambda: {"value": 1})
    with pytest.raises(Failed, match="has this name already"):
        gate.ask("plan", "coder", prompt("?"))


def test_a_role_without_a_model_is_named(tmp_path: Path) -> None:
    with pytest.raises(Failed, match=r"'reviewer'.*advisor, coder"):
        open_gate(tmp_path, Scripted([])).ask("review/1", "reviewer", prompt("?"))


def test_a_full_disk_keeps_the_reply_in_the_journal(tmp_path: Path) -> None:
    gate = open_gate(tmp_path, Scripted(["One."]))
    (tmp_path / "cassette.jsonl").unlink()
    (tmp_path / "cassette.jsonl").mkdir()
    with pytest.raises(Failed, match="safe in the journal"):
        gate.ask("plan/1", "coder", prompt("?"))
    (tmp_path / "cassette.jsonl").rmdir()
    assert open_gate(tmp_path, Scripted([])).ask("plan/1", "coder", prompt("?")).text == "One."
    lines = (tmp_path / "cassette.jsonl").read_text(encoding="utf-8").splitlines()
    assert [json.loads(line).get("key") for line in lines] == [None, "plan/1"]


def test_importing_the_gate_loads_nothing_heavy() -> None:
    heavy = ("litellm", "aider", "torch", "openai")
    program = f"import sys, orchestrator.coders; print([m for m in {heavy} if m in sys.modules])"
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True, env=dict(os.environ)
    )
    assert done.stdout.strip() == "[]"
