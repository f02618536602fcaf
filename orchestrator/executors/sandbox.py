"""The box: a `Box` turned into a bubblewrap command, and the environment a job gets."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Iterable, Mapping
from functools import cache
from pathlib import Path

from orchestrator.executors import Box

_KEPT = ("PATH", "LANG", "LANGUAGE", "TZ", "TERM", "OMP_NUM_THREADS", "MKL_NUM_THREADS", "LD_LIBRARY_PATH")
_SYSTEM = ("/usr",)
_LINKS = ("/bin", "/sbin", "/lib", "/lib32", "/lib64", "/libx32")
_ETC = ("ld.so.cache", "ld.so.conf", "ld.so.conf.d", "alternatives", "localtime", "fonts", "texmf", "papersize")
_ETC_NETWORK = ("resolv.conf", "hosts", "nsswitch.conf", "ssl", "ca-certificates", "pki")
_OTHER = ("/var/lib/texmf", "/var/cache/fontconfig", "/sys/devices/system/cpu")


def clean_environment(known: Mapping[str, str]) -> dict[str, str]:
    """The environment of a job: a short list from orch's own, and `known`. Never a key."""
    kept = {k: v for k, v in os.environ.items() if k in _KEPT or k.startswith("LC_")}
    return {**kept, **known}


@cache
def available() -> str | None:
    """None where the sandbox works; else what is missing, with the mend."""
    program = shutil.which("bwrap")
    if program is None:
        return "bubblewrap is not installed: apt-get install bubblewrap"
    asked = [program, "--unshare-all", "--ro-bind", "/", "/", "--proc", "/proc", "true"]
    done = subprocess.run(asked, capture_output=True, text=True, timeout=20, check=False)
    if done.returncode == 0:
        return None
    mend = "allow user namespaces (sysctl kernel.unprivileged_userns_clone=1, or an AppArmor profile for bwrap)"
    return f"bubblewrap cannot make a sandbox here ({done.stderr.strip()[:100]}): {mend}"


def enclose(command: Iterable[str], box: Box, cwd: Path, state: Path) -> list[str]:
    """`command` as bubblewrap runs it in `box`. `state`: a folder for the small files the box needs."""
    words = list(command)
    return [
        shutil.which("bwrap") or "bwrap",
        "--unshare-all",
        *(["--share-net"] if box.network else []),
        *("--die-with-parent", "--new-session", "--cap-drop", "ALL", "--hostname", "box"),
        *("--proc", "/proc", "--dev", "/dev", "--tmpfs", "/tmp", "--tmpfs", "/run", "--dir", "/var/tmp"),
        *_system(box, state),
        *_binds("--ro-bind", [*python_folders(words[0]), *box.read]),
        *_masks(box.hide),
        *_binds("--ro-bind", [path for path in box.read if _is_inside(path, box.hide)]),
        *_binds("--bind", box.write),
        *_devices(box),
        *("--setenv", "HOME", "/tmp", "--setenv", "TMPDIR", "/tmp", "--chdir", str(cwd)),
        "--",
        *words,
    ]


def _system(box: Box, state: Path) -> list[str]:
    """The system's programs and libraries, a stand-in for the list of users, and little of /etc."""
    words = []
    for path in map(Path, _LINKS):
        if path.is_symlink():
            words += ["--symlink", str(path.readlink()), str(path)]
        elif path.is_dir():
            words += ["--ro-bind", str(path), str(path)]
    for place in (*_SYSTEM, *_OTHER):
        words += ["--ro-bind-try", place, place]
    for name in (*_ETC, *(_ETC_NETWORK if box.network else ())):
        words += ["--ro-bind-try", f"/etc/{name}", f"/etc/{name}"]
    state.mkdir(parents=True, exist_ok=True)
    users = state / "passwd"
    users.write_text(f"user:x:{os.getuid()}:{os.getgid()}::/tmp:/bin/sh\n", encoding="utf-8")
    return [*words, "--ro-bind", str(users), "/etc/passwd"]


def python_folders(program: str) -> list[Path]:
    """Where an interpreter and its packages lie: its prefix and, for a virtual environment, the one it is based on."""
    path = Path(shutil.which(program) or program)
    found = [path.parent.parent, path.resolve().parent.parent]
    if path.absolute() == Path(sys.executable).absolute():
        found += [Path(sys.prefix), Path(sys.base_prefix)]
    return [p for p in found if p.is_dir() and p not in (Path("/"), Path("/usr"))]


def _binds(how: str, paths: Iterable[Path]) -> list[str]:
    words = []
    for path in dict.fromkeys(p.absolute() for p in paths):
        if path.exists():
            words += [how, str(path.resolve()), str(path)]
    return words


def _is_inside(path: Path, folders: Iterable[Path]) -> bool:
    return any(path != folder and path.is_relative_to(folder) for folder in folders)


def _masks(paths: Iterable[Path]) -> list[str]:
    words = []
    for path in paths:
        if path.is_dir():
            words += ["--tmpfs", str(path)]
        elif path.exists():
            words += ["--ro-bind", "/dev/null", str(path)]
    return words


def _devices(box: Box) -> list[str]:
    if not box.gpus:
        return []
    found = [*map(str, Path("/dev").glob("nvidia*")), "/dev/dri", "/dev/kfd"]
    words = [word for device in found for word in ("--dev-bind-try", device, device)]
    return [*words, "--ro-bind-try", "/sys", "/sys"]
