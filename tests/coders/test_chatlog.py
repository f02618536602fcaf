from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestrator.budget import Budget
from orchestrator.coders import Gate, open_model
from orchestrator.coders.chatlog import Turn, parse_chat_log
from orchestrator.errors import BadInput, Failed
from orchestrator.journal import Journal
from tests.support.models import prompt

TOKENS = "> Tokens: 3.1k sent, 220 received. Cost: $0.02 message, $0.05 session.  "
LOG = f"""
# aider chat started at 2026-01-02 03:04:05


#### Make the step smaller.  
####   
#### Then say why.  
> Add URL to the chat? (Y)es/(N)o [Yes]: n  

I halve it.

#### Reason

> a smaller step is safer

train.py
```python
<<<<<<< SEARCH
step = 2
=======
step = 1
>>>>>>> REPLACE
```

{TOKENS}
> The LLM did not conform to the edit format.  
> # 1 SEARCH/REPLACE block failed to match!

## SEARCH block does not fit train.py
<<<<<<< SEARCH
step = 2
=======
step = 1
>>>>>>> REPLACE

Send it again, corrected.  

The file says 3; here it is again.

{TOKENS}
> Applied edit to train.py  
> pip install numpy
python train.py  
> Run shell commands? (Y)es/(N)o [Yes]: n  

#### A prompt without a reply  

#### And the last  

Done.

> Tokens: 10 sent, 1 received.  
"""  # noqa: W291


def test_prompts_replies_and_the_programs_own_lines_are_told_apart() -> None:
    first, repaired, last = parse_chat_log(LOG)
    assert first.prompt == "Make the step smaller.\n\nThen say why."
    assert first.reply.startswith("I halve it.\n\n#### Reason\n\n> a smaller step is safer\n\ntrain.py\n```python\n")
    assert first.reply.endswith(">>>>>>> REPLACE\n```\n")
    assert repaired == Turn("", "The file says 3; here it is again.\n")
    assert last == Turn("And the last", "Done.\n")


def safe_lines(text: str) -> bool:
    lines = text.splitlines() or [""]
    marked = any(line.startswith(("####", "> Tokens:", "# aider chat started")) for line in lines)
    return not marked and not lines[0].startswith(">") and bool(text.strip())


LINES = st.text(alphabet=st.characters(codec="utf-8", exclude_categories=("Cc", "Cs", "Zl", "Zp")), max_size=30)
BLOCKS = st.lists(LINES, min_size=1, max_size=5).map(lambda lines: "\n".join(lines).strip()).filter(safe_lines)


@given(st.lists(st.tuples(BLOCKS, BLOCKS), max_size=5))
def test_what_aider_would_write_is_read_back(turns: list[tuple[str, str]]) -> None:
    text = "\n# aider chat started at 2026-01-02 03:04:05\n\n"
    for asked, said in turns:
        lines = asked.splitlines()
        text += "\n#### " + "  \n#### ".join(lines).rstrip() + "  \n"
        text += f"\n{said.strip()}\n\n{TOKENS}\n> Applied edit to a.py  \n"
    read = parse_chat_log(text)
    assert [t.reply for t in read] == [said.strip() + "\n" for _, said in turns]
    assert [t.prompt.split() for t in read] == [asked.split() for asked, _ in turns]


@given(st.text())
def test_no_text_is_too_strange_to_parse(text: str) -> None:
    assert all(turn.reply.strip() for turn in parse_chat_log(text))


def test_a_log_answers_in_order_and_goes_on_after_a_resume(tmp_path: Path) -> None:
    log = tmp_path / "old.aider.txt"
    log.write_text(LOG)

    def gate() -> Gate:
        journal = Journal(tmp_path / ".orch" / "journal.db")
        model = open_model(f"cassette:{log}", journal=journal)
        return Gate(journal, {"coder": model}, Budget(usd=0.0), [], tmp_path / "cassette.jsonl")

    assert gate().ask("plan/1", "coder", prompt("?")).text.startswith("I halve it.")
    resumed = gate()
    assert resumed.ask("plan/1", "coder", prompt("?")).text.startswith("I halve it.")
    assert resumed.ask("run/1/edit/1", "coder", prompt("?")).text.startswith("The file says 3")
    assert resumed.ask("run/1/edit/2", "coder", prompt("?")).text == "Done.\n"
    with pytest.raises(Failed, match="3 replies are used up; the step run/2/edit/1"):
        resumed.ask("run/2/edit/1", "coder", prompt("?"))


def test_a_log_without_replies_is_bad_input(tmp_path: Path) -> None:
    log = tmp_path / "empty.txt"
    log.write_text("\n# aider chat started at 2026-01-02 03:04:05\n\n#### Hello  \n")
    with pytest.raises(BadInput, match="no reply in this chat log"):
        open_model(f"cassette:{log}")
