"""The command line: help stays light, bad input is a line and leaves nothing behind."""

import json
import subprocess
import sys

import pytest

from tests.support.sessions import IDEA, QUICK, orch, write_idea

HEAVY = ("torch", "aider", "litellm", "transformers", "scipy", "matplotlib", "git")


def test_help_imports_nothing_heavy(tmp_path):
    code = (
        "import sys\nfrom orchestrator.cli import main\nsys.argv = ['orch', '--help']\n"
        f"try:\n    main()\nexcept SystemExit:\n    print([m for m in {HEAVY!r} if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "[]"
    assert "resume" in done.stdout


def bad_inputs(folder):
    good = write_idea(folder)
    (folder / "not.json").write_text("{")
    (folder / "list.json").write_text(json.dumps([IDEA]))
    (folder / "empty.json").write_text(json.dumps({**IDEA, "Title": ""}))
    (folder / "missing.json").write_text(json.dumps({"Name": "x"}))
    (folder / "text.json").write_text('"x"')
    (folder / "bad.jsonl").write_text("not a cassette\n")
    (folder / "there").mkdir()
    cassette = "cassette:bad.jsonl"
    return {
        "no idea": (["run", "none.json", "--model", cassette], "none.json"),
        "not JSON": (["run", "not.json", "--model", cassette], "not JSON"),
        "no object": (["run", "text.json", "--model", cassette], "JSON object"),
        "a list": (["run", "list.json", "--model", cassette], "--idea"),
        "empty field": (["run", "empty.json", "--model", cassette], "Title"),
        "missing field": (["run", "missing.json", "--model", cassette], "Title"),
        "unknown experiment": (["run", good, "--experiment", "nope", "--model", cassette], "nope"),
        "no experiment.py": (["run", good, "--experiment", "there", "--model", cassette], "experiment.py"),
        "no model": (["run", good], "--model"),
        "no key": (["run", good, "--model", "anthropic/claude-sonnet-4-5"], "ANTHROPIC_API_KEY"),
        "bad cassette": (["run", good, "--model", cassette], "bad.jsonl"),
        "no cassette": (["run", good, "--model", "cassette:none.jsonl"], "none.jsonl"),
        "no session": (["resume", "there"], "not a session"),
        "no session to show": (["show", "there", "run_1"], "not a session"),
        "executor": (["run", good, "--model", cassette, "--executor", "cloud"], "cloud"),
        "gpus": (["run", good, "--model", cassette, "--gpus", "first"], "--gpus"),
    }


CASES = ["no idea", "not JSON", "no object", "a list", "empty field", "missing field", "unknown experiment",
         "no experiment.py", "no model", "no key", "bad cassette", "no cassette", "no session", "no session to show",
         "executor", "gpus"]  # fmt: skip


@pytest.mark.parametrize("case", CASES)
def test_bad_input_is_a_line_and_exit_2_and_leaves_nothing_behind(tmp_path, case):
    arguments, says = bad_inputs(tmp_path)[case]
    before = sorted(p.name for p in tmp_path.iterdir())
    done = orch(*arguments, cwd=tmp_path)
    assert (done.returncode, done.stdout) == (2, "")
    assert says in done.stderr
    assert "Traceback" not in done.stderr
    assert len(done.stderr.splitlines()) <= 3
    assert sorted(p.name for p in tmp_path.iterdir()) == before


def test_an_output_folder_that_exists_is_refused(tmp_path):
    from orchestrator.coders import cassette

    (tmp_path / "out").mkdir()
    cassette.write_text(tmp_path / "c.jsonl", cassette.cassette_text([]))
    done = orch(
        "run",
        write_idea(tmp_path),
        "--experiment",
        QUICK,
        "--out",
        "out",
        "--model",
        "cassette:c.jsonl",
        cwd=tmp_path,
    )
    assert done.returncode == 2
    assert "exists already" in done.stderr


def test_status_without_sessions_parses(tmp_path):
    assert json.loads(orch("status", "--json", cwd=tmp_path).stdout) == []


def test_doctor_parses_and_names_what_is_missing(tmp_path):
    done = orch("doctor", "--json", cwd=tmp_path, env={"PATH": "/nonexistent"})
    checks = {c["name"]: c for c in json.loads(done.stdout)}
    assert done.returncode == 1
    assert not checks["latexmk"]["ok"]
    assert "apt-get" in checks["latexmk"]["mend"]
