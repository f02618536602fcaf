"""The real aider in its real process; what a model says is scripted."""

from __future__ import annotations

import os
import shutil
import signal
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from orchestrator.budget import Budget
from orchestrator.coders import EditResult, Gate
from orchestrator.coders.aider import AiderCoder
from orchestrator.coders.seams import Coder
from orchestrator.errors import Failed, Interrupted, LimitReached
from orchestrator.journal import Journal
from orchestrator.records import Exchange
from tests.support.models import Scripted

pytestmark = pytest.mark.slow

TRAIN = "import math\n\nstep = 2\nrate = 0.1\n\n\ndef loss(x):\n    return math.sqrt(x)\n"
EDITABLE = ["*.py", "notes.txt", "latex/*.tex"]


def block(file: str, search: str, replace: str) -> str:
    return f"{file}\n```\n<<<<<<< SEARCH\n{search}=======\n{replace}>>>>>>> REPLACE\n```\n"


class Bench:
    """A session's folder, a coder at work in it, and a model that says what the test sets."""

    def __init__(self, root: Path, **options: Any):
        self.root = root
        self.model = Scripted([])
        self.options = options
        (root / "train.py").write_text(TRAIN)
        self.coder = self.reopened()

    def reopened(self) -> AiderCoder:
        journal = Journal(self.root / ".orch" / "journal.db")
        models = {"coder": self.model, "editor": self.model}
        gate = Gate(journal, models, Budget(), ["sk-canary-123"], self.root / "cassette.jsonl")
        return AiderCoder(self.root, gate, editable=EDITABLE, **self.options)

    def edit(
        self, *replies: Any, files: list[str] | None = None, key: str = "run/1/edit", **options: Any
    ) -> EditResult:
        self.model.replies[:] = replies
        self.model.asked.clear()
        return self.coder.edit(key, "Make it better.", files or ["train.py"], **options)

    def text(self, name: str = "train.py") -> str:
        return (self.root / name).read_text()

    def sent(self, number: int) -> str:
        """All that the model was sent in its exchange of this number, from 1."""
        return "\n".join(m["content"] for m in self.model.asked[number - 1][1])


@pytest.fixture(scope="module")
def worker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Bench]:
    """One worker for the tests that leave it as they found it."""
    bench = Bench(tmp_path_factory.mktemp("session"))
    yield bench
    bench.coder.close()


@pytest.fixture
def bench(worker: Bench) -> Bench:
    for path in worker.root.iterdir():
        if path.is_file() or path.is_symlink():
            path.unlink()
    (worker.root / "train.py").write_text(TRAIN)
    worker.coder._gate = Bench.reopened(worker)._gate
    return worker


KEYS = iter(f"run/{i}/edit" for i in range(1, 1000))


@pytest.fixture
def edit(bench: Bench) -> Callable[..., EditResult]:
    """An edit under a key that no other test has used."""

    def edit(*replies: Any, **options: Any) -> EditResult:
        return bench.edit(*replies, key=next(KEYS), **options)

    return edit


Edit = Callable[..., EditResult]


def test_a_block_reaches_the_file(bench: Bench, edit: Edit) -> None:
    result = edit("Smaller.\n\n" + block("train.py", "step = 2\n", "step = 1\n"))
    assert bench.text() == TRAIN.replace("step = 2", "step = 1")
    assert result.edited == ["train.py"]
    assert result.reply.startswith("Smaller.")
    assert (result.failed_blocks, result.refused, result.error, result.shell, result.lint) == ([], [], "", [], "")


def test_the_prompt_is_short_ours_and_the_same_everywhere(bench: Bench, edit: Edit) -> None:
    (bench.root / "notes.txt").write_text("Run 0: the baseline.")
    edit("Nothing to do.", read_only=["notes.txt"])
    messages = bench.model.asked[0][1]
    assert [m["role"] for m in messages] == ["system", "user", "assistant", "user", "assistant", "user"]
    assert messages[-1]["content"] == "Make it better."
    assert "train.py\n```\n" + TRAIN + "```" in messages[3]["content"]
    assert "notes.txt\n```\nRun 0: the baseline." in messages[1]["content"]
    assert len(messages[0]["content"]) < 2000
    assert str(bench.root) not in bench.sent(1)


def test_each_edit_begins_with_a_fresh_context(bench: Bench, edit: Edit) -> None:
    edit("One. " + block("train.py", "step = 2\n", "step = 1\n"))
    edit("Two.")
    assert "One." not in bench.sent(1)
    assert "step = 1" in bench.sent(1)


def test_a_block_that_does_not_match_is_repaired_with_the_nearest_lines(bench: Bench, edit: Edit) -> None:
    wrong = block("train.py", "step = 3\nrate = 0.1\n", "step = 1\n") + block(
        "train.py", "def loss(x):\n", "def error(x):\n"
    )
    result = edit(wrong, block("train.py", "step = 2\nrate = 0.1\n", "step = 1\n"))
    assert "1 of your blocks could not be applied" in bench.sent(2)
    assert "The other blocks were applied: do not send them again" in bench.sent(2)
    assert "    3 | step = 2" in bench.sent(2)
    assert "step = 1\n\n\ndef error" in bench.text()
    assert (result.edited, result.failed_blocks) == (["train.py"], [])


def test_blocks_that_never_match_are_kept_after_three_repairs(bench: Bench, edit: Edit) -> None:
    wrong = block("train.py", "stride = 3\n", "stride = 1\n")
    result = edit(*[wrong] * 5)
    assert len(bench.model.asked) == 4
    assert result.edited == []
    assert len(result.failed_blocks) == 1
    assert result.failed_blocks[0].startswith("train.py: SEARCH fits nothing in the file")
    assert "stride = 3" in result.failed_blocks[0]
    assert bench.text() == TRAIN


def test_the_file_decides_when_the_reply_says_already_done(bench: Bench, edit: Edit) -> None:
    result = edit(block("train.py", "step = 3\n", "rate = 0.1\n"), "It is already added.")
    assert "its REPLACE lines are in the file already" in bench.sent(2)
    assert result.edited == []
    assert len(result.failed_blocks) == 1


def test_a_block_that_fits_two_places_is_refused_with_both_shown(bench: Bench, edit: Edit) -> None:
    (bench.root / "train.py").write_text("a = 1\nx = 0\nb = 2\nx = 0\nc = 3\n")
    result = edit(block("train.py", "x = 0\n", "x = 9\n"), block("train.py", "b = 2\nx = 0\n", "b = 2\nx = 9\n"))
    assert "SEARCH fits 2 places (lines 2, 4)" in bench.sent(2)
    assert "    2 | x = 0" in bench.sent(2)
    assert "    4 | x = 0" in bench.sent(2)
    assert bench.text() == "a = 1\nx = 0\nb = 2\nx = 9\nc = 3\n"
    assert result.failed_blocks == []


def test_two_places_that_differ_in_indentation_alone_are_two_places(bench: Bench, edit: Edit) -> None:
    (bench.root / "train.py").write_text("if a:\n    x = 0\nif b:\n        x = 0\n")
    result = edit(block("train.py", "x = 0\n", "x = 9\n"), "I give up.")
    assert "fits 2 places" in result.failed_blocks[0]
    assert result.edited == []


def test_a_block_that_changes_nothing_is_not_applied(bench: Bench, edit: Edit) -> None:
    result = edit(block("train.py", "step = 2\n", "step = 2\n"), "Never mind.")
    assert result.edited == []
    assert "changes nothing" in result.failed_blocks[0]


def test_changes_that_cancel_out_are_no_edit(bench: Bench, edit: Edit) -> None:
    there_and_back = block("train.py", "step = 2\n", "step = 1\n") + block("train.py", "step = 1\n", "step = 2\n")
    assert edit(there_and_back).edited == []


def test_a_reply_without_a_block_changes_nothing(bench: Bench, edit: Edit) -> None:
    result = edit("I would halve the step.")
    assert (result.edited, result.failed_blocks, result.reply) == ([], [], "I would halve the step.")
    assert len(bench.model.asked) == 1


def test_an_empty_search_on_a_file_with_text_does_not_double_it(bench: Bench, edit: Edit) -> None:
    result = edit(block("train.py", "", "print('all new')\n"), "Never mind.")
    assert bench.text() == TRAIN
    assert "SEARCH is empty, but the file has text" in result.failed_blocks[0]


def test_a_file_of_the_step_that_does_not_exist_yet_can_be_made(bench: Bench, edit: Edit) -> None:
    result = edit(block("latex/extra.tex", "", "Text.\n"), files=["train.py", "latex/extra.tex"])
    assert bench.text("latex/extra.tex") == "Text.\n"
    assert result.edited == ["latex/extra.tex"]
    (bench.root / "latex" / "extra.tex").unlink()


def test_a_reply_that_leaves_a_new_file_out_makes_no_empty_one(bench: Bench, edit: Edit) -> None:
    assert edit("Not now.", files=["train.py", "extra.py"]).edited == []
    assert not (bench.root / "extra.py").exists()


@pytest.mark.parametrize(
    ("name", "why"),
    [
        ("/tmp/orch-escape.py", "outside the session"),
        ("../train.py", "out of the session"),
        ("latex/../../../train.py", "out of the session"),
        (".git/hooks/post-commit", "own records"),
        (".orch/journal.db", "own records"),
        ("plot.py", "not among the files"),
        ("new_file.py", "not among the files"),
    ],
)
def test_an_edit_outside_the_files_of_the_step_is_dropped_and_told(
    bench: Bench, edit: Edit, name: str, why: str
) -> None:
    (bench.root / "plot.py").write_text("x = 1\n")
    before = {p: p.read_bytes() for p in bench.root.parent.rglob("*") if p.is_file() and ".orch" not in p.parts}
    new = block(name, "", "import os\n") + block(name, "x = 1\n", "x = 2\n")
    result = edit(new + block("train.py", "step = 2\n", "step = 1\n"), "Nothing is.")
    assert len(result.refused) == 1
    assert result.refused[0].startswith(f"{name}: ")
    assert why in result.refused[0]
    assert f"{name}: " in bench.sent(2)
    assert result.edited == ["train.py"]
    after = {p: p.read_bytes() for p in bench.root.parent.rglob("*") if p.is_file() and ".orch" not in p.parts}
    changed = {p.name for p in {*before, *after} if before.get(p) != after.get(p)}
    assert changed <= {"train.py", "cassette.jsonl"}
    assert not Path("/tmp/orch-escape.py").exists()


def test_a_file_that_is_a_link_is_neither_shown_nor_edited(bench: Bench, edit: Edit, tmp_path: Path) -> None:
    outside = tmp_path / "outside.py"
    outside.write_text("secret = 1\n")
    (bench.root / "plot.py").symlink_to(outside)
    result = edit(block("plot.py", "secret = 1\n", "secret = 2\n"), "Nothing.", files=["train.py", "plot.py"])
    assert "secret = 1" not in bench.sent(1)
    assert outside.read_text() == "secret = 1\n"
    assert result.refused[0].startswith("plot.py: it is a link")
    assert result.edited == []


def test_a_hard_link_elsewhere_keeps_its_text(bench: Bench, edit: Edit, tmp_path: Path) -> None:
    os.link(bench.root / "train.py", tmp_path / "kept.py")
    edit(block("train.py", "step = 2\n", "step = 1\n"))
    assert (tmp_path / "kept.py").read_text() == TRAIN


def test_a_lint_fault_gets_one_repair_turn(bench: Bench, edit: Edit) -> None:
    result = edit(block("train.py", "step = 2\n", "step = stepp\n"), block("train.py", "step = stepp\n", "step = 1\n"))
    assert "train.py:3: undefined name 'stepp'" in bench.sent(2)
    assert result.lint == ""
    assert "step = 1" in bench.text()


def test_a_lint_fault_that_stays_is_reported(bench: Bench, edit: Edit) -> None:
    result = edit(block("train.py", "step = 2\n", "step = (2\n"), block("train.py", "rate = 0.1\n", "rate = 0.2\n"))
    assert len(bench.model.asked) == 2
    assert result.lint.startswith("train.py:3:")


def test_commands_in_a_reply_are_reported_and_never_run(bench: Bench, edit: Edit) -> None:
    said = (
        "Run this:\n```bash\ntouch ran.txt\n```\nand\npip install einops\n!touch ran.txt\nsee https://example.org/x\n"
    )
    result = edit(said + block("train.py", "step = 2\n", "step = 1\n"))
    assert result.shell == ["touch ran.txt", "pip install einops"]
    assert result.edited == ["train.py"]
    assert not list(bench.root.rglob("ran.txt"))


def test_a_message_that_looks_like_a_command_is_only_text(bench: Bench) -> None:
    bench.model.replies[:] = ["No."]
    bench.model.asked.clear()
    bench.coder.edit(next(KEYS), "!touch ran.txt", ["train.py"])
    assert bench.model.asked[0][1][-1]["content"] == "!touch ran.txt"
    assert not list(bench.root.rglob("ran.txt"))


def test_fences_in_a_file_do_not_confuse_the_blocks(bench: Bench, edit: Edit) -> None:
    (bench.root / "notes.txt").write_text("```\ncode\n```\nend\n")
    edit("notes.txt\n````\n<<<<<<< SEARCH\nend\n=======\nthe end\n>>>>>>> REPLACE\n````\n", files=["notes.txt"])
    assert bench.text("notes.txt") == "```\ncode\n```\nthe end\n"


def test_a_block_that_breaks_off_is_told_and_the_ones_before_it_stay(bench: Bench, edit: Edit) -> None:
    broken = "train.py\n```\n<<<<<<< SEARCH\nrate = 0.1\n"
    result = edit(block("train.py", "step = 2\n", "step = 1\n") + broken, "I stop.")
    assert "a block that cannot be read" in bench.sent(2)
    assert result.edited == ["train.py"]
    assert len(result.failed_blocks) == 1


def test_a_file_that_is_not_text_is_told(bench: Bench, edit: Edit) -> None:
    (bench.root / "notes.txt").write_bytes(b"\xff\xfe\x00")
    result = edit(block("notes.txt", "a\n", "b\n"), "Then not.", files=["train.py", "notes.txt"])
    assert "not UTF-8 text" in result.failed_blocks[0]
    assert result.edited == []


def test_a_block_under_prose_asks_for_the_path(bench: Bench, edit: Edit) -> None:
    said = block("Here is the change I propose to you", "step = 2\n", "step = 1\n")
    result = edit(said, block("File: `train.py`", "step = 2\n", "step = 1\n"))
    assert "no file's path stands before this block" in bench.sent(2)
    assert (result.edited, result.refused, result.failed_blocks) == (["train.py"], [], [])


def test_files_beyond_the_editable_ones_are_the_callers_error(bench: Bench) -> None:
    with pytest.raises(Failed, match=r"evaluate.sh may not be edited"):
        bench.coder.edit("run/1/edit", "?", ["evaluate.sh"])


def test_the_worker_holds_no_key(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "sk-canary-123")
    bench = Bench(tmp_path)
    bench.edit("Fine.")
    process = bench.coder._worker._process  # type: ignore[union-attr]
    environment = Path(f"/proc/{process.pid}/environ").read_bytes()
    bench.coder.close()
    assert b"canary" not in environment
    assert f"HOME={tmp_path / '.orch' / 'aider' / 'home'}".encode() in environment


def test_what_the_gate_raises_comes_out_and_nothing_is_half_done(tmp_path: Path) -> None:
    bench = Bench(tmp_path)
    half = block("train.py", "step = 2\n", "step = 1\n") + block("train.py", "nothing\n", "x = 1\n")
    for stop in (LimitReached("enough"), Interrupted("stopped"), KeyboardInterrupt()):
        key = f"run/1/{type(stop).__name__}"
        with pytest.raises(type(stop)):
            bench.edit(half, stop, key=key)
        assert bench.text() == TRAIN
        assert bench.coder._worker is None
    resumed = bench.reopened()
    bench.model.replies[:] = ["I leave it."]
    bench.model.asked.clear()
    result = resumed.edit("run/1/LimitReached", "Make it better.", ["train.py"])
    resumed.close()
    assert [key for key, _ in bench.model.asked] == ["run/1/LimitReached/2"]
    assert result.edited == ["train.py"]


def test_a_worker_that_dies_is_started_again_and_no_reply_is_asked_twice(tmp_path: Path) -> None:
    bench = Bench(tmp_path)

    class Killing(Scripted):
        def ask(self, key: str, messages: Any) -> Exchange:
            if len(self.asked) == 1:
                os.kill(bench.coder._worker._process.pid, signal.SIGKILL)  # type: ignore[union-attr]
            return super().ask(key, messages)

    bench.model.__class__ = Killing
    wrong, right = block("train.py", "step = 3\n", "step = 1\n"), block("train.py", "step = 2\n", "step = 1\n")
    result = bench.edit(wrong, right)
    bench.coder.close()
    assert [key for key, _ in bench.model.asked] == ["run/1/edit/1", "run/1/edit/2"]
    assert result.edited == ["train.py"]


def test_a_worker_that_cannot_start_fails_with_where_to_look(tmp_path: Path) -> None:
    bench = Bench(tmp_path, wrap=lambda command: ["/bin/sh", "-c", "echo no sandbox here >&2; exit 3"])
    with pytest.raises(Failed, match=r"died twice.*worker.log"):
        bench.edit("Fine.")
    assert "no sandbox here" in (tmp_path / ".orch" / "aider" / "worker.log").read_text()


def test_the_worker_ends_with_its_parent_and_with_close(tmp_path: Path) -> None:
    bench = Bench(tmp_path)
    bench.edit("Fine.")
    process = bench.coder._worker._process  # type: ignore[union-attr]
    assert process.stdin is not None
    process.stdin.close()
    assert process.wait(10) == 0
    bench.coder.close()
    bench.coder.close()


@pytest.mark.skipif(shutil.which("bwrap") is None, reason="needs bubblewrap")
def test_in_a_sandbox_it_needs_no_network_and_writes_its_own_folder_alone(tmp_path: Path) -> None:
    own = tmp_path / ".orch" / "aider"
    own.mkdir(parents=True)

    def wrap(command: list[str]) -> list[str]:
        box = ["bwrap", "--unshare-all", "--die-with-parent", "--ro-bind", "/", "/", "--dev", "/dev", "--proc", "/proc"]
        return [*box, "--bind", str(own), str(own), "--", *command]

    bench = Bench(tmp_path, wrap=wrap)
    result = bench.edit(block("train.py", "step = 2\n", "step = 1\n"))
    bench.coder.close()
    assert result.edited == ["train.py"]
    assert {p.name for p in own.iterdir()} <= {"home", "work", "worker.log"}
    assert [p.name for p in (own / "work").rglob("*")] == ["train.py"]


def test_a_planner_plans_and_an_editor_edits(tmp_path: Path) -> None:
    bench = Bench(tmp_path, editor=True)
    result = bench.edit("Halve the step in train.py.", block("train.py", "step = 2\n", "step = 1\n"))
    bench.coder.close()
    assert [key for key, _ in bench.model.asked] == ["run/1/edit/plan", "run/1/edit/1"]
    assert "step = 2" in bench.sent(1)
    assert bench.model.asked[1][1][-1]["content"].endswith("Halve the step in train.py.")
    assert result.reply.startswith("Halve the step in train.py.\n\n")
    assert result.edited == ["train.py"]
    assert set(bench.coder._gate.spent().by_role) == {"coder", "editor"}


def test_the_coder_is_a_coder(tmp_path: Path) -> None:
    coder: Coder = Bench(tmp_path).coder
    coder.close()
