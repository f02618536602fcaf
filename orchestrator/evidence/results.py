"""Reading what a run wrote of itself, and saying how runs compare, in words.

`read_results` takes any JSON: numbers become metrics, what lies under a `config` becomes settings, the rest texts.
It never raises for what a file holds; what is wrong with the file comes back as sentences.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from orchestrator.evidence.statistics import Difference, difference, interval
from orchestrator.records import Evidence, Metric, Scalar, run_number

MAX_BYTES = 200 * 10**6
MAX_NUMBERS = 200_000
_SETTINGS = {"config", "settings", "hyperparameters", "hyperparams", "hparams"}
_NESTED_SETTINGS = re.compile(r"(.*_)?(cfg|config|cfg_dict|config_dict)$", re.IGNORECASE)
_SPELLED = {
    "nan": math.nan,
    "inf": math.inf,
    "+inf": math.inf,
    "-inf": -math.inf,
    "infinity": math.inf,
    "+infinity": math.inf,
    "-infinity": -math.inf,
}


@dataclass
class Results:
    """What a results file holds, flattened: keys joined by `.`, list positions as numbers."""

    metrics: dict[str, float] = field(default_factory=dict)
    settings: dict[str, Scalar] = field(default_factory=dict)
    """Keys start with `config.`, whatever the file put before that word."""
    texts: dict[str, str] = field(default_factory=dict)
    nulls: list[str] = field(default_factory=list)
    """Keys whose value is null: something was to be measured and was not."""
    problems: list[str] = field(default_factory=list)
    """What is wrong with the file, in sentences; empty for a sound one."""


def read_results(path: Path) -> Results:
    """Reads any JSON file. Never raises for a bad one: see `Results.problems`."""
    found = Results()
    data = _load(path, found)
    if data is None:
        return found
    if not isinstance(data, dict | list):
        found.problems.append(f"{path.name} holds a single value, not named results.")
        return found
    for keys, value in _leaves(data):
        if len(found.metrics) >= MAX_NUMBERS:
            found.problems.append(f"{path.name} holds more than {MAX_NUMBERS:,} numbers; the first were read.")
            break
        _sort_in(found, keys, value)
    if not found.metrics:
        found.problems.append(f"{path.name} holds no number.")
    return found


def headline(metrics: dict[str, float]) -> dict[str, float]:
    """`metrics` without the errors and raw values that stand beside `means` (the convention of The AI Scientist)."""
    means = {key: value for key, value in metrics.items() if ".means." in f".{key}"}
    return means or metrics


def _load(path: Path, found: Results) -> Any:
    try:
        if path.is_dir():
            raise IsADirectoryError
        if path.exists() and not path.is_file():
            found.problems.append(f"{path.name} is no regular file.")
            return None
        if path.stat().st_size > MAX_BYTES:
            found.problems.append(f"{path.name} has {path.stat().st_size:,} bytes; at most {MAX_BYTES:,} are read.")
            return None
        text = path.read_text(encoding="utf-8-sig")
    except FileNotFoundError:
        found.problems.append(f"{path.name} was not written.")
    except IsADirectoryError:
        found.problems.append(f"{path.name} is a folder, not a file.")
    except UnicodeDecodeError:
        found.problems.append(f"{path.name} is not text in UTF-8.")
    except OSError as error:
        found.problems.append(f"{path.name} cannot be read: {error.strerror}.")
    else:
        return _parse(text, path.name, found)
    return None


def _parse(text: str, name: str, found: Results) -> Any:
    if not text.strip():
        found.problems.append(f"{name} is empty.")
        return None
    try:
        data = json.loads(text)
    except json.JSONDecodeError as error:
        found.problems.append(f"{name} is not JSON (line {error.lineno}, column {error.colno}: {error.msg}).")
    except (ValueError, RecursionError):
        found.problems.append(f"{name} cannot be read: a number too long, or lists nested too deep.")
    else:
        if data is None:
            found.problems.append(f"{name} holds only null.")
        return data
    return None


def _leaves(data: Any) -> Iterator[tuple[tuple[str, ...], Any]]:
    """Every scalar with the keys that lead to it, in the file's order; not recursive, so that depth is no matter."""
    stack: list[tuple[tuple[str, ...], Any]] = [((), data)]
    while stack:
        keys, value = stack.pop()
        if isinstance(value, dict):
            stack.extend(((*keys, _clean(k)), v) for k, v in reversed(value.items()))
        elif isinstance(value, list):
            stack.extend(((*keys, str(i)), value[i]) for i in range(len(value) - 1, -1, -1))
        else:
            yield keys, _clean(value) if isinstance(value, str) else value


def _clean(text: str) -> str:
    """JSON may hold halves of characters, which no file can be written with."""
    return text.encode("utf-8", "replace").decode("utf-8")


def _sort_in(found: Results, keys: tuple[str, ...], value: Scalar) -> None:
    setting = _setting_key(keys)
    if setting is not None:
        _keep_setting(found, setting, keys, value)
        return
    key, number = ".".join(keys), _number(value)
    if number is not None:
        if key in found.metrics:
            found.problems.append(f"Two numbers are both called {key}; the first is kept.")
        if value not in (math.inf, -math.inf) and isinstance(value, int | float) and math.isinf(number):
            found.problems.append(f"{key} is too large a number.")
        found.metrics.setdefault(key, number)
    elif value is None:
        found.nulls.append(key)
    else:
        found.texts[key] = str(value).lower() if isinstance(value, bool) else str(value)


def _setting_key(keys: tuple[str, ...]) -> str | None:
    """`a.config.lr` is the setting `config.lr`; of `a.eval_cfg.n` there may be several: `config.a.eval_cfg.n`."""
    for place, key in enumerate(keys[:-1]):
        if key.lower() in _SETTINGS:
            return ".".join(("config", *keys[place + 1 :]))
        if _NESTED_SETTINGS.match(key):
            return ".".join(("config", *keys))
    return None


def _keep_setting(found: Results, setting: str, keys: tuple[str, ...], value: Scalar) -> None:
    if setting not in found.settings:
        found.settings[setting] = value
    elif found.settings[setting] != value:
        first = found.settings[setting]
        found.problems.append(f"{setting} is stated twice: {first!r}, and {value!r} at {'.'.join(keys)}.")


def _number(value: Scalar) -> float | None:
    if isinstance(value, str):
        return _SPELLED.get(value.strip().lower())
    if isinstance(value, bool) or value is None:
        return None
    try:
        return float(value)
    except OverflowError:
        return math.inf if value > 0 else -math.inf


def values_of(evidence: Sequence[Evidence], run: str, metric: str) -> list[float]:
    """The finite values of `metric` in all sound executions (seeds) of `run`."""
    of_run = [e for e in evidence if e.run == run and e.status == "sound"]
    return [e.metrics[metric] for e in of_run if math.isfinite(e.metrics.get(metric, math.nan))]


def compare(run: Evidence, other: Evidence, metric: Metric, noise: float | None) -> str:
    """In words: `0.512 against 0.498 in run_0 (+0.014, +2.8 %): better`. `noise`: see `statistics.noise_floor`."""
    new, old = run.metrics.get(metric.name, math.nan), other.metrics.get(metric.name, math.nan)
    if not (math.isfinite(new) and math.isfinite(old)):
        return f"{metric.name} was not measured in both {run.run} and {other.run}"
    delta = new - old
    share = f", {100 * delta / abs(old):+.3g} %" if old else ""
    if noise is not None and abs(delta) <= noise:
        words = f"within noise (±{noise:.3g})"
    else:
        words = {True: "better", False: "worse", None: "different" if delta else "the same"}[metric.better(new, old)]
        words += " (noise not known)" if noise is None and delta else ""
    return f"{show(new)} against {show(old)} in {other.run} ({delta:+.3g}{share}): {words}"


def show(value: float) -> str:
    """A number as prompts and notes show it: four significant digits, whole numbers whole."""
    whole = math.isfinite(value) and value == int(value) and abs(value) < 1e6
    return str(int(value)) if whole else f"{value:.4g}"


def summary_table(evidence: Sequence[Evidence], metrics: Sequence[Metric]) -> str:
    """A Markdown table: a row a metric, a column a run, baselines first; each value against baselines and parent.

    Several seeds of a run are one column with mean, 95 % half-width and n. A failed run has no numbers.
    """
    if not evidence or not metrics:
        return "(no results yet)"
    runs = sorted({e.run for e in evidence}, key=lambda r: (run_number(r), r))
    lines = [_row(["metric", *runs]), _row(["---"] * (len(runs) + 1))]
    for metric in metrics:
        lines.append(_row([_label(metric), *(_cell(evidence, run, metric) for run in runs)]))
    return "\n".join(lines)


def _row(cells: list[str]) -> str:
    return "| " + " | ".join(cell.replace("|", "\\|").replace("\n", " ") for cell in cells) + " |"


def _label(metric: Metric) -> str:
    better = {"min": "lower is better", "max": "higher is better", None: ""}[metric.direction]
    target = f"target {show(metric.target)}" if metric.target is not None else ""
    notes = ", ".join(part for part in (metric.unit, better, target) if part)
    return f"{metric.name} ({notes})" if notes else metric.name


def _cell(evidence: Sequence[Evidence], run: str, metric: Metric) -> str:
    of_run = [e for e in evidence if e.run == run]
    values = values_of(evidence, run, metric.name)
    if not values:
        return "failed" if all(e.status == "failed" for e in of_run) else "not measured"
    shown = interval(values)
    spread = f" ± {shown.half:.2g} (n = {shown.n})" if shown.half is not None else ""
    return show(shown.mean) + spread + _verdicts(evidence, of_run[0], values, metric)


def _verdicts(evidence: Sequence[Evidence], run: Evidence, values: list[float], metric: Metric) -> str:
    """` better: topk · worse: run_2`: the others grouped by what they are to this run."""
    if run.is_baseline:
        return ""
    others = sorted({e.run for e in evidence if e.is_baseline})
    if run.parent and run.parent not in others:
        others.append(run.parent)
    words: dict[str, list[str]] = {}
    for other in others:
        theirs = values_of(evidence, other, metric.name)
        if theirs:
            found = difference(values, theirs, metric.direction)
            words.setdefault(_word(found, metric), []).append(other.removeprefix("run_0/"))
    return "".join(f"; {word}: {', '.join(names)}" for word, names in words.items())


def _word(found: Difference, metric: Metric) -> str:
    if found.verdict == "within noise":
        return f"within noise ({found.delta:+.2g}) of"
    if found.verdict != "unknown":
        return f"{found.verdict} ({found.delta:+.2g}) than"
    if found.delta == 0:
        return "equal to"
    better = metric.better(found.delta, 0.0)
    word = {True: "better", False: "worse", None: "different"}[better]
    return f"{word} ({found.delta:+.2g}, noise not known) than"
