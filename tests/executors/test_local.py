"""Jobs on this machine, as real processes: how they end, and that they outlive orch."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from orchestrator.executors import Box, Job
from orchestrator.executors.local import LocalExecutor
from orchestrator.executors.sandbox import available, clean_environment

boxed = pytest.mark.skipif(available() is not None, reason=str(available()))


def job(folder, code, *, box=True, name="job", timeout=20.0, stall=None, **limits):
    out = folder / "out"
    out.mkdir(exist_ok=True)
    (folder / "read").mkdir(exist_ok=True)
    around = Box(read=(folder,), write=(out,), **limits) if box else None
    return Job(
        name=name, command=(sys.executable, "-c", code), cwd=folder, env=clean_environment({}), timeout=timeout,
        stdout=out / "stdout.log", stderr=out / "stderr.log", state=folder / "state", box=around, stall=stall,
    )  # fmt: skip


def run(a_job):
    return LocalExecutor().run(a_job, lambda elapsed: None)


@pytest.mark.parametrize("box", [False, pytest.param(True, marks=boxed)])
def test_a_job_that_ends_well_is_done_and_its_output_kept(tmp_path, box):
    a_job = job(tmp_path, "import sys; print('out'); print('err', file=sys.stderr)", box=box)
    assert run(a_job).reason == "done"
    assert (a_job.stdout.read_text(), a_job.stderr.read_text()) == ("out\n", "err\n")


@pytest.mark.parametrize("box", [False, pytest.param(True, marks=boxed)])
def test_a_job_that_fails_says_with_which_code(tmp_path, box):
    result = run(job(tmp_path, "raise SystemExit(7)", box=box))
    assert (result.reason, result.exit_code) == ("error", 7)


def test_a_command_that_does_not_exist_is_an_error_with_a_reason(tmp_path):
    a_job = job(tmp_path, "", box=False)
    a_job = Job(**{**a_job.__dict__, "command": ("no-such-program-here",)})
    assert run(a_job).reason == "error"
    assert "no-such-program-here" in a_job.stderr.read_text()


@pytest.mark.parametrize("box", [False, pytest.param(True, marks=boxed)])
def test_a_timeout_ends_the_job(tmp_path, box):
    result = run(job(tmp_path, "import time; time.sleep(60)", box=box, timeout=0.5))
    assert result.reason == "timeout"
    assert result.wall_seconds < 5


def test_a_job_that_writes_nothing_for_long_has_stalled(tmp_path):
    assert run(job(tmp_path, "import time; time.sleep(60)", box=False, stall=1.0)).reason == "stalled"


def test_a_finished_job_is_not_run_again(tmp_path):
    code = "open('out/count', 'a').write('x')"
    for _ in range(2):
        assert run(job(tmp_path, code, box=False)).reason == "done"
    assert (tmp_path / "out" / "count").read_text() == "x"


def test_what_a_tick_raises_is_passed_on_and_the_job_goes_on_until_stopped(tmp_path):
    executor, a_job = LocalExecutor(), job(tmp_path, "import time; time.sleep(60)", box=False)

    def tick(elapsed):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        executor.run(a_job, tick)
    assert executor.status(a_job) == "running"
    executor.stop(a_job)
    assert executor.run(a_job, lambda e: None).reason == "stopped"


ORCH = """
import sys; sys.path.insert(0, {root!r})
from pathlib import Path
from tests.executors.test_local import job, run
run(job(Path({folder!r}), "import time; time.sleep(2); print('end')", box={box}))
"""


@pytest.mark.parametrize("box", [False, pytest.param(True, marks=boxed)])
def test_a_job_outlives_the_orch_that_started_it_and_is_found_again(tmp_path, box):
    code = ORCH.format(root=str(Path.cwd()), folder=str(tmp_path), box=box)
    orch = subprocess.Popen([sys.executable, "-c", code], start_new_session=True)
    executor, a_job = LocalExecutor(), job(tmp_path, "raise SystemExit('started twice')", box=box)
    deadline = time.monotonic() + 20
    while executor.status(a_job) != "running" and time.monotonic() < deadline:
        time.sleep(0.02)
    os.killpg(orch.pid, signal.SIGKILL)
    assert executor.status(a_job) == "running"
    assert run(a_job).reason == "done"
    assert a_job.stdout.read_text() == "end\n"


def test_a_job_whose_machine_died_is_lost(tmp_path):
    executor, a_job = LocalExecutor(), job(tmp_path, "import time; time.sleep(60)", box=False)
    with pytest.raises(KeyboardInterrupt):
        executor.run(a_job, lambda elapsed: (_ for _ in ()).throw(KeyboardInterrupt()))
    os.killpg(int((a_job.state / "pid").read_text()), signal.SIGKILL)
    time.sleep(0.2)
    assert executor.status(a_job) == "lost"


def test_daemons_end_with_the_job(tmp_path):
    code = (
        "import os, time\n"
        "if os.fork() == 0:\n    os.setsid()\n    if os.fork() == 0:\n        time.sleep(1)\n        open('out/late', 'w')\n"
    )
    assert run(job(tmp_path, code, box=False)).reason == "done"
    time.sleep(1.5)
    assert not (tmp_path / "out" / "late").exists()


@boxed
@pytest.mark.slow
def test_a_job_that_ignores_sigterm_is_ended(tmp_path):
    code = "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); time.sleep(60)"
    assert run(job(tmp_path, code, timeout=0.5)).reason == "timeout"


@boxed
def test_endless_output_is_bounded_and_its_end_kept(tmp_path):
    code = "import sys\nfor i in range(300): sys.stderr.write('x' * 100_000)\nsys.stderr.write('the end')"
    a_job = job(tmp_path, code, log_bytes=1_000_000)
    assert run(a_job).reason == "done"
    assert a_job.stderr.stat().st_size < 3_000_000
    assert a_job.stderr.read_text().endswith("the end")


@boxed
def test_memory_is_limited_and_said_so(tmp_path):
    result = run(job(tmp_path, "x = bytearray(900_000_000); print(len(x))", memory_bytes=300_000_000))
    assert result.reason == "out_of_memory"


@boxed
def test_disk_is_limited_in_one_file_and_in_many(tmp_path):
    one = "f = open('out/big', 'wb')\nwhile True: f.write(bytes(1_000_000))"
    assert run(job(tmp_path, one, disk_bytes=30_000_000)).reason == "disk_full"
    (tmp_path / "many").mkdir()
    many = "import itertools\nfor i in itertools.count(): open(f'out/{i}', 'wb').write(bytes(2_000_000))"
    assert run(job(tmp_path / "many", many, disk_bytes=30_000_000)).reason == "disk_full"
