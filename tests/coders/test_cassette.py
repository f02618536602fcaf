from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestrator.budget import Most
from orchestrator.coders.cassette import (
    CassetteModel,
    Entry,
    cassette_text,
    context_sha256,
    read_cassette,
    shape_sha256,
)
from orchestrator.coders.seams import Message
from orchestrator.errors import BadInput, Failed
from tests.support.models import prompt

SYSTEM = Message(role="system", content="Be brief.")
TEXT = "| run | mse |\n| run_1 | 0.25 |\nWhat next?"


def entry(key: str = "run/1/edit/1", text: str = TEXT, **fields: Any) -> Entry:
    messages = [SYSTEM, *prompt(text)]
    known = {"context_sha256": context_sha256(messages), "shape_sha256": shape_sha256(messages)}
    return Entry(**{"key": key, "role": "coder", "model": "m", "prompt": text, "reply": "Go on.", **known, **fields})


def cassette(folder: Path, *entries: Entry, header: dict[str, Any] | None = None) -> Path:
    path = folder / "cassette.jsonl"
    lines = cassette_text(entries).splitlines(keepends=True)
    path.write_text("".join([json.dumps({"format": "orch-cassette/1", **(header or {})}) + "\n", *lines[1:]]))
    return path


@pytest.mark.parametrize(
    ("text", "drift"),
    [
        (TEXT, "identical"),
        (TEXT.replace("0.25", "-1.7e-05"), "numbers"),
        (TEXT.replace("| 0.25", "|   nan"), "numbers"),
        (TEXT.replace("mse", "l0"), "text"),
    ],
)
def test_drift_tells_numbers_from_text(tmp_path: Path, text: str, drift: str) -> None:
    model = CassetteModel(cassette(tmp_path, entry()))
    exchange = model.ask("run/1/edit/1", [SYSTEM, *prompt(text)])
    assert (exchange.text, exchange.drift, exchange.cost_usd, exchange.tokens_sent) == ("Go on.", drift, 0.0, 0)


def test_a_strict_cassette_stops_at_the_first_line_that_differs_in_text(tmp_path: Path) -> None:
    model = CassetteModel(cassette(tmp_path, entry()), strict=True)
    assert model.ask("run/1/edit/1", [SYSTEM, *prompt(TEXT.replace("0.25", "0.3"))]).drift == "numbers"
    changed = TEXT.replace("0.25", "0.3").replace("What next", "What then")
    with pytest.raises(Failed, match=r"run/1/edit/1.*line 3 was 'What next\?', is 'What then\?'"):
        model.ask("run/1/edit/1", [SYSTEM, *prompt(changed)])
    with pytest.raises(Failed, match="messages before the prompt differ"):
        model.ask("run/1/edit/1", prompt(TEXT))


def test_a_missing_step_is_named_with_the_nearest_it_has(tmp_path: Path) -> None:
    model = CassetteModel(cassette(tmp_path, entry("run/1/edit/1"), entry("plan/1")))
    with pytest.raises(Failed, match=r"no reply for the step run/2/edit/1 .*run/1/edit/1"):
        model.ask("run/2/edit/1", prompt("?"))


def test_a_replay_costs_what_the_entries_say_only_where_the_header_prices_it(tmp_path: Path) -> None:
    paid = entry(tokens_sent=70, tokens_received=30, cost_usd=0.5)
    model = CassetteModel(cassette(tmp_path, paid, header={"priced": True}))
    assert model.most("run/1/edit/1", []) == Most(100, 0.5)
    assert model.ask("run/1/edit/1", prompt("?")).cost_usd == 0.5
    assert CassetteModel(cassette(tmp_path, paid)).most("run/1/edit/1", []) == Most(0, 0.0)


@pytest.mark.parametrize(
    ("lines", "said"),
    [
        ([""], "line 1"),
        (["not json"], "line 1"),
        (['{"format": "orch-cassette/9"}'], "line 1.*format"),
        (['{"format": "orch-cassette/1"}', '{"key": "a"'], "line 2"),
        (['{"format": "orch-cassette/1"}', "", '{"key": "a", "role": "coder"}'], "line 3.*model"),
        (['{"format": "orch-cassette/1"}', "[1]"], "line 2"),
    ],
)
def test_an_unreadable_line_is_named(tmp_path: Path, lines: list[str], said: str) -> None:
    path = tmp_path / "broken.jsonl"
    path.write_text("\n".join(lines))
    with pytest.raises(BadInput, match=rf"broken\.jsonl, {said}"):
        CassetteModel(path)


def test_a_step_given_twice_is_bad_input(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match=r"line 3.*twice"):
        CassetteModel(cassette(tmp_path, entry(), entry()))


def test_a_file_that_is_not_text_is_bad_input(tmp_path: Path) -> None:
    path = tmp_path / "c.jsonl"
    path.write_bytes(b"\xff\xfe\x00")
    with pytest.raises(BadInput, match="cannot read this cassette"):
        CassetteModel(path)


@given(st.lists(st.tuples(st.text(min_size=1), st.text(), st.text()), unique_by=lambda t: t[0]))
def test_what_is_written_is_read_back(
    tmp_path_factory: pytest.TempPathFactory, rows: list[tuple[str, str, str]]
) -> None:
    entries = [entry(key, text, reply=said) for key, text, said in rows]
    path = tmp_path_factory.mktemp("cassettes") / "c.jsonl"
    path.write_text(cassette_text(entries), encoding="utf-8")
    assert read_cassette(path)[1] == entries


@given(st.text(alphabet="abc |-\n", max_size=40), st.lists(st.floats(), min_size=1, max_size=4), st.data())
def test_only_numbers_change_and_the_shape_stays(text: str, numbers: list[float], data: st.DataObject) -> None:
    words = text + " value: {} " * len(numbers)
    other = data.draw(st.lists(st.floats(), min_size=len(numbers), max_size=len(numbers)))
    assert shape_sha256(prompt(words.format(*numbers))) == shape_sha256(prompt(words.format(*other)))
    assert shape_sha256(prompt(words)) != shape_sha256(prompt(words + "x"))
