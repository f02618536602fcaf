"""The experiment: a starting point folder and its settings (`experiment.toml`)."""

from __future__ import annotations

import json
import re
import sys
import tomllib
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator

from orchestrator import shipped
from orchestrator.errors import BadInput
from orchestrator.records import Metric

SETTINGS_FILE = "experiment.toml"
_UNITS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}
_SIZES = {"": 1, "B": 1, "KB": 10**3, "MB": 10**6, "GB": 10**9, "TB": 10**12}


def seconds(text: str | float) -> float:
    """`"2h"`, `"90s"`, `"1h30m"` or a number of seconds, as seconds. Raises ValueError."""
    if isinstance(text, int | float):
        return float(text)
    parts = re.findall(r"(\d+(?:\.\d+)?)\s*(ms|s|m|h|d)", text)
    if not parts or re.sub(r"(\d+(?:\.\d+)?)\s*(ms|s|m|h|d)", "", text).strip():
        raise ValueError(f"{text!r} is no length of time such as '90s', '30m' or '2h'")
    return sum(float(number) * _UNITS[unit] for number, unit in parts)


def size_in_bytes(text: str | int) -> int:
    """`"16GB"` or a number of bytes, as bytes (decimal units). Raises ValueError."""
    if isinstance(text, int):
        return text
    match = re.fullmatch(r"(\d+(?:\.\d+)?)\s*([KMGT]?B?)", text.strip().upper())
    if not match:
        raise ValueError(f"{text!r} is no size such as '512MB' or '16GB'")
    unit = match[2] if match[2] in _SIZES else match[2] + "B"
    return int(float(match[1]) * _SIZES[unit])


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid")


class Smoke(_Strict):
    env: dict[str, str] = {"ORCH_SMOKE": "1"}
    timeout: float = 60.0

    @field_validator("timeout", mode="before")
    @classmethod
    def _seconds(cls, value: Any) -> float:
        return seconds(value)


class Resources(_Strict):
    gpus: int = 0
    memory: int | None = None
    """Bytes."""
    disk: int = 20 * 10**9
    """Bytes that one job may write."""
    processes: int = 512
    network: bool = False

    @field_validator("memory", "disk", mode="before")
    @classmethod
    def _bytes(cls, value: Any) -> int | None:
        return None if value is None else size_in_bytes(value)


class Baseline(_Strict):
    """One baseline of run_0; unnamed where the experiment has only one."""

    name: str = ""
    title: str = ""
    env: dict[str, str] = {}

    @property
    def run(self) -> str:
        return f"run_0/{self.name}" if self.name else "run_0"


class Experiment(_Strict):
    """The settings of an experiment, as `experiment.toml` states them or as they were inferred."""

    name: str
    python: str = "python"
    command: str = "{python} experiment.py --out_dir={out_dir}"
    evaluate: str | None = None
    """Run by orch after each job, from the protected copy; writes `evaluation.json`."""
    prepare: str | None = None
    """Run once before the baseline, for caches that all runs share."""
    plot: str = "{python} plot.py"
    timeout: float = 7200.0
    stall: float | None = None
    """Seconds without any output or result after which a job counts as hung."""
    editable: list[str] = ["experiment.py", "plot.py"]
    protected: list[str] = []
    evaluation_data: list[str] = []
    """Folders of the shared cache (patterns relative to it) that only the evaluator may read."""
    results: str = "final_info.json"
    primary: str | None = None
    comparable: list[str] = []
    smoke: Smoke | None = None
    baselines: list[Baseline] = [Baseline()]
    metrics: list[Metric] = []
    resources: Resources = Field(default_factory=Resources)

    @field_validator("timeout", "stall", mode="before")
    @classmethod
    def _seconds(cls, value: Any) -> float | None:
        return None if value is None else seconds(value)

    def argv(self, command: str, out_dir: str = "") -> list[str]:
        """`command` as a list of words, with this experiment's interpreter and `out_dir` put in."""
        interpreter = sys.executable if self.python == "python" else self.python
        return [w.replace("{python}", interpreter).replace("{out_dir}", out_dir) for w in command.split()]


def find_experiment(name: str) -> Path:
    """The folder of a shipped experiment by name, or a folder by path. Raises BadInput."""
    known = shipped.experiments()
    folder = known.get(name, Path(name))
    if not folder.is_dir():
        raise BadInput(f"{name}: no such experiment; there are {', '.join(sorted(known))}, or give a folder")
    if not (folder / "experiment.py").is_file():
        raise BadInput(f"{folder}: no experiment.py there; `orch new DIR` makes an experiment that runs")
    return folder


def load_experiment(folder: Path) -> Experiment:
    """Reads `experiment.toml`, or infers the settings of a template folder of The AI Scientist. Raises BadInput."""
    path = folder / SETTINGS_FILE
    if not path.exists():
        return _infer(folder)
    try:
        return Experiment.model_validate(tomllib.loads(path.read_text(encoding="utf-8")))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise BadInput(f"{path}: not TOML: {error}") from None
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"])
        raise BadInput(f"{path}: {where}: {first['msg']}") from None


def _infer(folder: Path) -> Experiment:
    """The AI Scientist's conventions: run_0/final_info.json is the baseline, every mean is a metric."""
    from orchestrator.evidence.results import headline, read_results

    names = sorted(headline(read_results(folder / "run_0" / "final_info.json").metrics))
    editable = [name for name in ("experiment.py", "plot.py") if (folder / name).exists()]
    return Experiment(name=folder.resolve().name, editable=editable, metrics=[Metric(name=n) for n in names])


def description(folder: Path) -> str:
    """What the experiment says of itself: The AI Scientist's `prompt.json`, or experiment.py's docstring."""
    prompt = folder / "prompt.json"
    if prompt.is_file():
        try:
            return str(json.loads(prompt.read_text(encoding="utf-8")).get("task_description", ""))
        except (json.JSONDecodeError, AttributeError):
            raise BadInput(f"{prompt}: not a JSON object") from None
    import ast

    try:
        return ast.get_docstring(ast.parse((folder / "experiment.py").read_text(encoding="utf-8"))) or ""
    except SyntaxError as error:
        raise BadInput(f"{folder / 'experiment.py'}:{error.lineno}: {error.msg}") from None
