"""Attempts to get out of the box, each by a real process; each is contained."""

import sys
from pathlib import Path

import pytest

from orchestrator.executors import Box, Job
from orchestrator.executors.local import LocalExecutor
from orchestrator.executors.sandbox import available, clean_environment

pytestmark = pytest.mark.skipif(available() is not None, reason=str(available()))


@pytest.fixture
def session(tmp_path):
    """A session as the sandbox sees one: a run's folder to write, the rest to read, git and journal hidden."""
    for name in ("run_0", "run_1", ".git", ".orch"):
        (tmp_path / name).mkdir()
    for name in ("evaluate.py", "run_0/final_info.json", ".git/HEAD", ".orch/journal.db", "experiment.toml"):
        (tmp_path / name).write_text("as it was")
    return tmp_path


def attempt(session, code, **limits):
    out = session / "run_1"
    box = Box(read=(session,), write=(out,), hide=(session / ".git", session / ".orch"), **limits)
    job = Job(
        name="attempt", command=(sys.executable, "-c", code), cwd=session, env=clean_environment({}), timeout=15,
        stdout=out / "stdout.log", stderr=out / "stderr.log", state=session.parent / f"{session.name}-state", box=box,
    )  # fmt: skip
    result = LocalExecutor().run(job, lambda elapsed: None)
    return result, job.stdout.read_text(), job.stderr.read_text()


def untouched(session):
    return all(
        (session / name).read_text() == "as it was"
        for name in ("evaluate.py", "run_0/final_info.json", ".git/HEAD", ".orch/journal.db", "experiment.toml")
    )


WRITES = {
    "an earlier run": "open('run_0/final_info.json', 'w').write('mine')",
    "the evaluator": "open('evaluate.py', 'w').write('mine')",
    "the settings": "open('experiment.toml', 'w').write('mine')",
    "git": "import os; os.makedirs('.git', exist_ok=True); open('.git/HEAD', 'w').write('mine')",
    "the journal": "import os; os.makedirs('.orch', exist_ok=True); open('.orch/journal.db', 'w').write('mine')",
    "through a symbolic link": "import os; os.symlink('../evaluate.py', 'run_1/e'); open('run_1/e', 'w').write('mine')",
    "through a hard link": "import os; os.link('evaluate.py', 'run_1/e'); open('run_1/e', 'w').write('mine')",
    "over a protected file by renaming": "open('run_1/e', 'w').write('mine'); import os; os.replace('run_1/e', 'evaluate.py')",
    "by removing": "import os; os.remove('evaluate.py')",
    "by remounting": "import ctypes; print(ctypes.CDLL(None).mount(b'none', b'.', b'', 0x1020, b'')); open('evaluate.py','w')",
    "by mode": "import os; os.chmod('evaluate.py', 0o777); open('evaluate.py', 'w').write('mine')",
}


@pytest.mark.parametrize("what", WRITES)
def test_nothing_but_its_own_folder_can_be_written(session, what):
    attempt(session, WRITES[what])
    assert untouched(session)


def test_its_own_folder_can_be_written(session):
    result, _, said = attempt(session, "open('run_1/own', 'w').write('x')")
    assert (result.reason, said) == ("done", "")
    assert (session / "run_1" / "own").read_text() == "x"


KEY = str(Path.home() / ".ssh" / "id_rsa")
SECRETS = {
    "the home": "import os; print(os.listdir(os.path.expanduser('~')), os.listdir('/home') if os.path.exists('/home') else [])",
    "keys of ssh": f"print(open({KEY!r}).read())",
    "passwords": "print(open('/etc/shadow').read())",
    "the journal": "import os; print(os.listdir('.orch'), os.listdir('.git'))",
    "other processes": "import os; print([open(f'/proc/{p}/environ').read() for p in os.listdir('/proc') if p.isdigit()])",
    "its own environment": "import os; print(dict(os.environ))",
    "the parent by ptrace": "import ctypes, os; print(ctypes.CDLL(None).ptrace(16, os.getppid(), 0, 0))",
}


@pytest.mark.parametrize("what", SECRETS)
def test_secrets_cannot_be_read(session, what, monkeypatch):
    monkeypatch.setenv("CANARY_API_KEY", "canary-canary-canary")
    _, out, _ = attempt(session, SECRETS[what])
    assert "canary" not in out
    assert "as it was" not in out
    assert "root:" not in out
    assert "HEAD" not in out


NETWORK = {
    "loopback": "import socket; socket.create_connection(('127.0.0.1', PORT), 2); print('reached')",
    "an interface": "import socket; assert [n for _, n in socket.if_nameindex() if n != 'lo']; print('reached')",
    "a name": "import socket; print('reached', socket.gethostbyname('name.invalid'))",
}


@pytest.mark.parametrize("what", NETWORK)
def test_there_is_no_network(session, what):
    import socket

    with socket.create_server(("127.0.0.1", 0)) as server:
        code = NETWORK[what].replace("PORT", str(server.getsockname()[1]))
        result, out, _ = attempt(session, code)
    assert result.reason == "error"
    assert "reached" not in out


def test_a_fork_bomb_is_contained(session):
    code = "import os, time\nwhile True:\n    try:\n        os.fork()\n    except OSError:\n        os._exit(3)"
    result, _, _ = attempt(session, code, processes=50)
    assert result.reason in ("error", "timeout", "done")
    assert untouched(session)


def test_file_handles_run_out_inside_only(session):
    code = "files = []\nwhile True: files.append(open('/dev/null'))"
    result, _, said = attempt(session, code)
    assert result.reason == "error"
    assert "Too many open files" in said


def test_a_setuid_program_gives_no_rights(session):
    _, out, _ = attempt(
        session, "import os; os.setuid(0) if os.getuid() else None; print(open('/proc/self/status').read())"
    )
    line = next((text for text in out.splitlines() if text.startswith("CapEff")), "CapEff: 0")
    assert int(line.split()[1], 16) == 0


def test_processes_of_the_host_are_not_seen(session):
    _, out, _ = attempt(session, "import os; print(len([p for p in os.listdir('/proc') if p.isdigit()]))")
    assert int(out) <= 3
