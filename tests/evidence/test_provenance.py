"""What a run is bound to, and that every loosening of the bond is noticed."""

from __future__ import annotations

import hashlib
import json
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from git import Repo

from orchestrator.evidence.provenance import artefacts, fingerprint, hardware, sha256, verify
from orchestrator.records import Evidence

CORE = {"core": {"mse": 0.5123, "ev": 0.71}}


@pytest.fixture
def session(tmp_path: Path) -> Path:
    """A session with one evaluated run, committed as it stands."""
    files = {"experiment.py": "x = 1\n", "evaluate.py": "y = 2\n", "data/eval.txt": "text\n"}
    for name, text in files.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(text)
    repo = Repo.init(tmp_path, initial_branch="main")
    with repo.config_writer() as config:
        config.set_value("user", "name", "t").set_value("user", "email", "t@t")
    repo.index.add(["experiment.py", "evaluate.py"])
    repo.index.commit("begin")
    run = tmp_path / "run_1"
    (run / "seed_1").mkdir(parents=True)
    (run / "final_info.json").write_text(json.dumps({"core": {"mse": 0.49, "ev": 0.71}}))
    (run / "evaluation.json").write_text(json.dumps(CORE))
    (run / "weights.safetensors").write_bytes(b"w")
    (run / "seed_1" / "final_info.json").write_text("{}")
    return tmp_path


@pytest.fixture
def evidence(session: Path) -> Evidence:
    with Repo(session) as repo:
        commit = repo.head.commit.hexsha
    bound = fingerprint(
        session, session / "run_1", ["python", "experiment.py"], commit, ["evaluate.py", "data/eval.txt"], packages={}
    )
    return Evidence(
        run="run_1",
        metrics={"core.mse": 0.5123, "core.ev": 0.71},
        claimed={"core.mse": 0.49, "core.ev": 0.71},
        provenance=bound,
    )


def outcomes(session: Path, evidence: Evidence) -> dict[str, str]:
    return {f.guard: f.outcome for f in verify(session, evidence)}


def sentence(session: Path, evidence: Evidence, check: str) -> str:
    return next(f.sentence for f in verify(session, evidence) if f.guard == check)


def test_everything_is_recorded(session: Path, evidence: Evidence) -> None:
    bound = evidence.provenance
    assert bound.protected["evaluate.py"] == hashlib.sha256(b"y = 2\n").hexdigest()
    assert set(bound.artefacts) == {"final_info.json", "evaluation.json", "weights.safetensors"}
    assert bound.python == ".".join(map(str, sys.version_info[:3]))
    assert {"cpu", "cores", "memory_bytes", "system"} <= set(hardware())


def test_packages_are_those_of_the_interpreter_that_ran(session: Path) -> None:
    bound = fingerprint(session, session / "run_1", [], None, [], sys.executable)
    assert "pydantic" in bound.packages
    unknown = fingerprint(session, session / "run_1", [], None, [], str(session / "no-python"))
    assert (unknown.python, unknown.packages) == (None, {})


def test_large_files_are_hashed_in_pieces(tmp_path: Path) -> None:
    (tmp_path / "f").write_bytes(b"\0" * 3_000_000)
    assert sha256(tmp_path / "f") == hashlib.sha256(b"\0" * 3_000_000).hexdigest()


def test_links_are_named_and_not_followed(session: Path) -> None:
    (session / "run_1" / "weights.pt").symlink_to("../evaluate.py")
    assert artefacts(session / "run_1")["weights.pt"] == "link to ../evaluate.py"


def test_one_baseline_is_no_file_of_another(session: Path) -> None:
    (session / "run_0" / "topk").mkdir(parents=True)
    (session / "run_0" / "topk" / "evidence.json").write_text("{}")
    (session / "run_0" / "topk" / "w").write_text("w")
    assert artefacts(session / "run_0") == {}
    assert set(artefacts(session / "run_0" / "topk")) == {"w"}


def test_untouched_evidence_holds(session: Path, evidence: Evidence) -> None:
    evidence.write(session)
    assert set(outcomes(session, evidence).values()) == {"pass"}


def edit_evaluator(session: Path) -> None:
    (session / "evaluate.py").write_text("y = 3\n")


def remove_data(session: Path) -> None:
    (session / "data" / "eval.txt").unlink()


def swap_weights(session: Path) -> None:
    (session / "run_1" / "weights.safetensors").write_bytes(b"v")


def edit_log_of_results(session: Path) -> None:
    (session / "run_1" / "evaluation.json").write_text(json.dumps({"core": {"mse": 0.1, "ev": 0.71}}))


def remove_results(session: Path) -> None:
    (session / "run_1" / "final_info.json").unlink()


def rewrite_history(session: Path) -> None:
    with Repo(session) as repo:
        repo.git.checkout("--orphan", "other")
        repo.git.commit("-m", "again")


def lose_the_repository(session: Path) -> None:
    (session / ".git").rename(session / "git")


@pytest.mark.parametrize(
    ("tamper", "checks"),
    [
        (edit_evaluator, {"protected"}),
        (remove_data, {"protected"}),
        (swap_weights, {"artefacts"}),
        (edit_log_of_results, {"artefacts", "metrics"}),
        (remove_results, {"artefacts", "metrics"}),
        (rewrite_history, {"commit"}),
        (lose_the_repository, {"commit"}),
    ],
)
def test_tampering_is_named(
    session: Path, evidence: Evidence, tamper: Callable[[Path], None], checks: set[str]
) -> None:
    tamper(session)
    assert {check for check, outcome in outcomes(session, evidence).items() if outcome == "fail"} == checks


def test_a_number_edited_in_the_evidence(session: Path, evidence: Evidence) -> None:
    evidence.metrics["core.mse"] = 0.4123
    told = sentence(session, evidence, "metrics")
    assert told == "run_1: evidence and files disagree: core.mse is 0.4123 in the evidence, 0.5123 in evaluation.json."


def test_a_claim_edited_in_the_evidence(session: Path, evidence: Evidence) -> None:
    evidence.claimed["core.extra"] = 1.0
    assert "core.extra = 1 is not in final_info.json" in sentence(session, evidence, "metrics")


def test_protected_files_that_differ_at_the_commit(session: Path, evidence: Evidence) -> None:
    evidence.provenance.protected["evaluate.py"] = "0" * 64
    assert "holds other versions of protected files: evaluate.py" in sentence(session, evidence, "commit")


def test_deleted_weights_are_said_to_be_not_kept(session: Path, evidence: Evidence) -> None:
    (session / "run_1" / "weights.safetensors").unlink()
    assert outcomes(session, evidence)["artefacts"] == "warn"
    assert sentence(session, evidence, "artefacts").endswith("not kept, so not to be checked: weights.safetensors.")


def test_what_is_not_known_is_said_to_be_unknown(session: Path) -> None:
    (session / "run_1" / "evaluation.json").unlink()
    imported = Evidence(run="run_1", metrics={"core.mse": 0.49})
    assert outcomes(session, imported) == {
        "commit": "warn",
        "protected": "warn",
        "artefacts": "warn",
        "metrics": "pass",
    }


def test_a_failed_run_without_numbers_has_nothing_to_show(session: Path) -> None:
    failed = Evidence(run="run_7", status="failed", reason="timeout")
    assert outcomes(session, failed)["metrics"] == "pass"
