"""A session: one idea worked on one experiment, in a folder that is a git repository with a journal."""

from __future__ import annotations

import json
import os
import shutil
import time
import tomllib
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from filelock import FileLock, Timeout
from pydantic import BaseModel, ConfigDict, ValidationError

from orchestrator import shipped
from orchestrator.errors import BadInput, Failed
from orchestrator.experiment import Experiment, load_experiment
from orchestrator.idea import Idea, load_idea
from orchestrator.journal import Journal

if TYPE_CHECKING:
    from git import Repo

TRAILER = "Orch-Step"
LARGE = 5_000_000
"""Files above this many bytes stay out of git."""
_IGNORED = [
    ".orch/",
    "__pycache__/",
    "*.pyc",
    "*.safetensors",
    "*.pt",
    "*.pth",
    "*.ckpt",
    "*.npy",
    "checkpoints/",
    "latex/build/",
]
_OUTSIDE_STEPS = [":(exclude)run_*", ":(exclude)cassette.jsonl", ":(exclude)figures"]


class Settings(BaseModel):
    """What a session was started with: `session.toml`, frozen but for the limits."""

    model_config = ConfigDict(extra="forbid")

    experiment: str
    model: str
    advisor_model: str
    reviewer_model: str
    editor_model: str | None = None
    runs: int = 5
    seeds: int = 3
    executor: Literal["local"] = "local"
    gpus: list[int] = []
    network: bool = False
    sandbox: bool = True
    paper: bool = True
    strict: bool = False
    budget_usd: float | None = None
    budget_tokens: int | None = None
    budget_hours: float | None = None
    budget_gpu_hours: float | None = None

    def to_toml(self) -> str:
        values = self.model_dump(exclude_none=True)
        return "".join(f"{key} = {json.dumps(value)}\n" for key, value in values.items())


class Session:
    """An open session. `folder` holds everything; nothing of a session lies elsewhere."""

    def __init__(self, folder: Path, *, read_only: bool = False):
        """Opens. Raises BadInput where the folder is no session, or another orch works on it."""
        self.folder = folder.resolve()
        if not (self.folder / ".orch" / "journal.db").is_file():
            raise BadInput(f"{folder}: not a session (no .orch/journal.db); `orch status` lists those there are")
        self._lock = None if read_only else _take_lock(self.folder)
        self.journal = Journal(self.folder / ".orch" / "journal.db", read_only=read_only)
        self.idea: Idea = load_idea(self.folder / "idea.json")
        self.experiment: Experiment = load_experiment(self.folder)
        self.settings: Settings = _load_settings(self.folder / "session.toml")
        self._repo: Repo | None = None

    @property
    def name(self) -> str:
        return self.folder.name

    @property
    def protected_copy(self) -> Path:
        """The protected files as they were when the session began, out of the coder's reach."""
        return self.folder / ".orch" / "protected"

    @property
    def repo(self) -> Repo:
        from git import Repo

        if self._repo is None:
            self._repo = Repo(self.folder)
        return self._repo

    def step(self, key: str, subject: str, work: Callable[[], Any]) -> Any:
        """Does `work`, which may change files, once in the life of the session, and commits what it changed.

        A step that was cut off begins again from the last commit's files. `work` returns JSON-able data.
        """
        if self.journal.finished(key):
            return self.journal.outcome(key)["value"]
        done = [e.data for e in self.journal.events(f"{key}#done") if e.key == f"{key}#done"]
        if not done:
            self.journal.append(key, "started")
            self.restore()
            done = [work()]
            self.journal.note(f"{key}#done", done[0])
        commit = self._find_commit(key) or self._commit(key, subject)
        self.journal.append(key, "finished", {"value": done[-1], "commit": commit})
        return done[-1]

    def commit_of(self, key: str) -> str:
        """The commit that holds the files as they were when step `key` ended."""
        return str(self.journal.outcome(key)["commit"])

    def restore(self) -> None:
        """Puts the coder's files back to the last commit; run folders and figures stay."""
        lock = self.folder / ".git" / "index.lock"
        lock.unlink(missing_ok=True)
        self.repo.git.checkout("HEAD", "--", ".", *_OUTSIDE_STEPS)

    def keep_edits(self, say: Callable[[str], None]) -> None:
        """Saves what is not committed when a session is opened: a user's edits as a commit, half a step's as a ref."""
        git = self.repo.git
        (self.folder / ".git" / "index.lock").unlink(missing_ok=True)
        if not git.status("--porcelain", "--untracked-files=no", "--", ".", *_OUTSIDE_STEPS):
            return
        if self._cut_off():
            ref = f"refs/orch/cut-off-{int(time.time())}"
            git.update_ref(ref, git.stash("create"))
            say(f"files of a step that was cut off are kept in git as {ref}")
            return
        git.add("-u", "--", ".", *_OUTSIDE_STEPS)
        git.commit("-q", "--no-verify", "-m", "Edited by hand")
        say("files edited by hand were committed")

    def _cut_off(self) -> bool:
        """Whether a step that may change files has begun and not ended."""
        open_steps: set[str] = set()
        for event in self.journal.events():
            if event.state == "started":
                open_steps.add(event.key)
            elif event.state == "finished":
                open_steps.discard(event.key)
        return bool(open_steps)

    def save_settings(self) -> None:
        """Writes limits or models that were changed on resuming."""
        path = self.folder / "session.toml"
        if path.read_text(encoding="utf-8") != self.settings.to_toml():
            path.write_text(self.settings.to_toml(), encoding="utf-8")
            self.repo.git.commit(
                "-q", "--no-verify", "-m", "Change the session's limits or models", "--", "session.toml"
            )

    def put_back(self, commit: str, files: list[str]) -> None:
        """Makes `files` what they were at `commit`."""
        self.repo.git.checkout(commit, "--", *files)

    def _commit(self, key: str, subject: str) -> str:
        self._exclude_large()
        self.repo.git.add("-A")
        if self.repo.git.diff("--cached", "--name-only"):
            self.repo.git.commit("-q", "--no-verify", "-m", f"{subject}\n\n{TRAILER}: {key}")
        return str(self.repo.head.commit.hexsha)

    def _find_commit(self, key: str) -> str | None:
        found = self.repo.git.log("-1", "--format=%H", "--fixed-strings", f"--grep={TRAILER}: {key}\n", "--all")
        line = f"{TRAILER}: {key}"
        if found and line in self.repo.commit(found).message.splitlines():
            return str(found)
        return None

    def _exclude_large(self) -> None:
        untracked = [self.folder / name for name in self.repo.untracked_files]
        large = [p for p in untracked if p.is_file() and p.stat().st_size > LARGE]
        if large:
            with (self.folder / ".git" / "info" / "exclude").open("a", encoding="utf-8") as exclude:
                exclude.writelines(f"/{p.relative_to(self.folder).as_posix()}\n" for p in large)

    def close(self) -> None:
        self.journal.close()
        if self._repo is not None:
            self._repo.close()
        if self._lock is not None:
            self._lock.release()


def _take_lock(folder: Path) -> FileLock:
    lock = FileLock(folder / ".orch" / "lock")
    owner = folder / ".orch" / "owner"
    try:
        lock.acquire(timeout=0)
    except Timeout:
        who = owner.read_text(encoding="utf-8") if owner.exists() else "another process"
        raise BadInput(f"{folder}: {who} is working on this session; wait for it or stop it") from None
    except OSError as error:
        raise Failed(f"{folder}: cannot be written to ({error})") from None
    owner.write_text(f"orch (process {os.getpid()})", encoding="utf-8")
    return lock


def _load_settings(path: Path) -> Settings:
    try:
        return Settings.model_validate(tomllib.loads(path.read_text(encoding="utf-8")))
    except (OSError, tomllib.TOMLDecodeError, ValidationError) as error:
        raise BadInput(f"{path}: {str(error).splitlines()[0]}") from None


def new_folder(idea: Idea, out: Path | None) -> Path:
    """Where a new session goes. Raises BadInput where that exists already."""
    stamp = time.strftime("%Y%m%d-%H%M%S")
    folder = out if out is not None else Path("sessions") / f"{idea.slug}-{stamp}"
    if folder.exists():
        raise BadInput(f"{folder}: exists already; give another --out, or `orch resume {folder}`")
    return folder


def create_session(folder: Path, idea: Idea, experiment: Path, settings: Settings) -> Session:
    """Makes a session's folder whole under another name and renames it, so that half of one is never left."""
    draft = folder.with_name(f".{folder.name}.new")
    shutil.rmtree(draft, ignore_errors=True)
    try:
        _fill(draft, idea, experiment, settings)
        draft.rename(folder)
    except OSError as error:
        shutil.rmtree(draft, ignore_errors=True)
        raise BadInput(f"{folder}: cannot make a session there ({error})") from None
    return Session(folder)


def _fill(folder: Path, idea: Idea, experiment: Path, settings: Settings) -> None:
    unwanted = shutil.ignore_patterns("run_*", "__pycache__", "ideas", "cassettes", "*.pyc", ".git", "figures")
    shutil.copytree(experiment, folder, ignore=unwanted)
    (folder / "idea.json").write_text(idea.model_dump_json(indent=1) + "\n", encoding="utf-8")
    (folder / "session.toml").write_text(settings.to_toml(), encoding="utf-8")
    (folder / "notes.txt").write_text(f"# {idea.Title}\n", encoding="utf-8")
    (folder / "figures").mkdir(exist_ok=True)
    (folder / ".gitignore").write_text("\n".join(_IGNORED) + "\n", encoding="utf-8")
    if not (folder / "latex" / "template.tex").exists():
        shutil.copytree(shipped.folder("latex"), folder / "latex", dirs_exist_ok=True)
    settings_of_experiment = load_experiment(experiment)
    if not (folder / "experiment.toml").exists():
        _write_inferred(folder / "experiment.toml", settings_of_experiment)
    _copy_protected(folder, settings_of_experiment)
    _first_commit(folder, idea)
    Journal(folder / ".orch" / "journal.db").append("session", "finished", {"created": True})


def _write_inferred(path: Path, experiment: Experiment) -> None:
    values = experiment.model_dump(include={"name", "command", "editable"}, exclude_none=True)
    lines = [f"{key} = {json.dumps(value)}" for key, value in values.items()]
    for metric in experiment.metrics:
        lines += ["[[metrics]]", f"name = {json.dumps(metric.name)}"]
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")


def protected_files(folder: Path, experiment: Experiment) -> list[str]:
    """The protected files that are there, relative to `folder`; `experiment.toml` is always one."""
    patterns = ["experiment.toml", *experiment.protected]
    found = {p.relative_to(folder).as_posix() for pattern in patterns for p in folder.glob(pattern) if p.is_file()}
    return sorted(found)


def _copy_protected(folder: Path, experiment: Experiment) -> None:
    for name in protected_files(folder, experiment):
        target = folder / ".orch" / "protected" / name
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(folder / name, target)


def _first_commit(folder: Path, idea: Idea) -> None:
    from git import Repo

    repo = Repo.init(folder, initial_branch="main")
    _configure(repo)
    repo.git.add("-A")
    repo.git.commit("-q", "--no-verify", "-m", f"Begin: {idea.Title}\n\n{TRAILER}: session")
    repo.close()


def _configure(repo: Repo) -> None:
    """Commits by orch, whoever the user is to git, and none of the user's hooks."""
    with repo.config_writer() as config:
        config.set_value("user", "name", "orch")
        config.set_value("user", "email", "orch@localhost")
        config.set_value("commit", "gpgsign", "false")
        config.set_value("core", "hooksPath", os.devnull)
        config.set_value("core", "autocrlf", "false")


def fork_session(source: Path, run: str, target: Path) -> Session:
    """A new session in `target` that shares `source`'s history up to where `run` began. Raises BadInput."""
    from git import Repo

    number = run.removeprefix("run_")
    old = Session(source, read_only=True)
    events = list(old.journal.events())
    first = next((i for i, e in enumerate(events) if e.key.startswith(f"run/{number}/")), None)
    if first is None or number == "0":
        old.close()
        raise BadInput(f"{source}: has no {run} to go on from; `orch status {source}` lists its runs")
    kept = events[:first]
    commits = [e.data["commit"] for e in kept if e.state == "finished" and _has_commit(e.data)]
    head = commits[-1] if commits else next(iter(old.repo.iter_commits(max_parents=0))).hexsha
    repo = Repo.clone_from(str(old.folder), str(target), no_hardlinks=True)
    _configure(repo)
    repo.git.reset("--hard", head)
    repo.delete_remote(repo.remote("origin"))
    _copy_untracked(old.folder, target, before=int(number))
    journal = Journal(target / ".orch" / "journal.db")
    for event in kept:
        journal.append(event.key, event.state, event.data)
    journal.note("forked", {"from": str(old.folder), "at": run})
    journal.close()
    old.close()
    return Session(target)


def _has_commit(data: Any) -> bool:
    return isinstance(data, dict) and isinstance(data.get("commit"), str)


def _copy_untracked(source: Path, target: Path, before: int) -> None:
    """Run folders with what git leaves out (weights), and the protected copies."""
    shutil.copytree(source / ".orch" / "protected", target / ".orch" / "protected")
    for folder in source.glob("run_*"):
        number = folder.name.removeprefix("run_").split(".")[0]
        if number.isdigit() and int(number) < before:
            shutil.copytree(folder, target / folder.name, dirs_exist_ok=True)
