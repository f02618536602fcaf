"""The macros by which a paper names evidence: what LaTeX prints for them, and what they stand for."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from decimal import ROUND_HALF_UP, Decimal

from orchestrator.evidence.ledger import Ledger
from orchestrator.evidence.resulttable import metrics_table, result_table
from orchestrator.evidence.texcode import MACRO_CODE, as_tex, key_source, number_source, plain_key
from orchestrator.records import Evidence, Metric, Scalar

MOST_VALUES = 20_000
"""More than this many undeclared values are left out of evidence.tex: TeX's memory is not endless."""
ARGUMENTS = {
    "res": 1, "resmean": 1, "resci": 1, "resn": 1, "setting": 1, "unitof": 1,
    "diff": 3, "ratio": 3, "relchange": 3,
    "attempts": 0, "soundruns": 0, "resulttable": 0, "metricstable": 0,
}  # fmt: skip
"""Every macro and how many arguments in braces it takes; one with arguments also takes [digits]."""
_CALL = re.compile(
    r"\\(?P<name>" + "|".join(sorted(ARGUMENTS, key=len, reverse=True)) + r")(?![A-Za-z@])"
    r"\s*(?:\[(?P<digits>[^\]]*)\])?(?P<arguments>(?:\s*\{(?:[^{}\\]|\\.)*\})*)"
)


@dataclass(frozen=True)
class Meaning:
    """What a macro stands for. `value` is None where it is no number; `problem` is empty where the name is known."""

    text: str
    """What is printed, as plain text."""
    value: float | None = None
    kind: str = ""
    """value, mean, difference, ratio, relative change, count, setting, unit or table."""
    runs: tuple[str, ...] = ()
    metric: str = ""
    problem: str = ""
    nearest: tuple[str, ...] = ()


def write_evidence_tex(evidence: list[Evidence], metrics: list[Metric], labels: Mapping[str, str]) -> str:
    """The text of `latex/evidence.tex`: the macros, every value in full precision, the results table."""
    ledger = Ledger(evidence, metrics, labels)
    lines = [
        "% Written by orch from the evidence of the runs. Do not edit: it is written again before every build.",
        MACRO_CODE,
        r"\makeatletter",
        *_values(ledger),
        *_settings(ledger),
        *(_put("unit", m.name, as_tex(m.unit)) for m in ledger.declared.values()),
        _put("count", "attempts", str(ledger.attempts)),
        _put("count", "soundruns", str(len(ledger.runs))),
        _put("known", "runs", rf"\detokenize{{{_names(ledger.runs)}}}"),
        _put("known", "metrics", rf"\detokenize{{{_names(ledger.metric_names[:20])}}}"),
        r"\makeatother",
        rf"\def\orchresulttable{{{result_table(ledger)}}}",
        rf"\def\orchmetricstable{{{metrics_table(ledger)}}}",
    ]
    return "\n".join(lines) + "\n"


def _values(ledger: Ledger) -> list[str]:
    lines: list[str] = []
    for metric in ledger.metric_names:
        if metric not in ledger.declared and len(lines) > MOST_VALUES:
            lines.append(f"% {metric.encode('ascii', 'replace').decode()} and later ones are left out: too many")
            break
        for run in ledger.runs:
            lines += _value_lines(ledger, run, metric)
    return lines


def _value_lines(ledger: Ledger, run: str, metric: str) -> list[str]:
    """One metric in one run: every execution, the mean, the half-width and how many there are."""
    lines = [
        _put("value", f"{e.folder}/{metric}", number_source(e.metrics[metric]))
        for e in ledger.executions(run)
        if metric in e.metrics and math.isfinite(e.metrics[metric])
    ]
    found = ledger.interval(run, metric)
    if found is None:
        return lines
    half = "" if found.half is None else number_source(found.half)
    key = f"{run}/{metric}"
    return [
        *lines,
        _put("mean", key, number_source(found.mean)),
        _put("half", key, half),
        _put("n", key, str(found.n)),
    ]


def _settings(ledger: Ledger) -> list[str]:
    return [
        _put("setting", f"{run}/{key}", _setting_source(value))
        for run in ledger.runs
        for key, value in ledger.executions(run)[0].settings.items()
    ]


def _setting_source(value: Scalar) -> str:
    if isinstance(value, bool) or value is None or isinstance(value, str):
        return as_tex(_plain(value))
    return rf"\num{{{number_source(value)}}}" if math.isfinite(value) else as_tex(str(value))


def _plain(value: Scalar) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    return "none" if value is None else str(value)


def _put(kind: str, key: str, value: str) -> str:
    source = key_source(key)
    return (
        "% a name with control characters is left out"
        if source is None
        else rf"\orchput{{{kind}}}{{{source}}}{{{value}}}"
    )


def _names(names: list[str]) -> str:
    """Names as an error message of LaTeX shows them."""
    return ", ".join("".join(c if c.isalnum() or c in "_-./ " else "?" for c in name) for name in names) or "none"


def rounded(value: float, digits: int | None = None) -> str:
    """`value` as siunitx prints it: `digits` significant digits, else three and integers whole."""
    if digits is None and abs(value) < 1e15 and value == int(value):
        return str(int(value))
    if digits is None and 100 <= abs(value) < 1e7:
        return str(int(Decimal(repr(value)).quantize(Decimal(1), ROUND_HALF_UP)))
    number = Decimal(repr(value))
    if number == 0:
        return "0"
    for _ in range(2):  # once more where rounding carried into another digit: 0.9996 is 1.00
        places = number.adjusted() - (digits or 3) + 1
        number = number.quantize(Decimal(1).scaleb(places), ROUND_HALF_UP)
    return format(number, "f" if abs(value) >= 1e-4 else "e")


def meaning(name: str, arguments: list[str], ledger: Ledger, digits: int | None = None) -> Meaning:
    """What the macro `name` with these arguments (as typed in LaTeX) stands for."""
    keys = [plain_key(argument) for argument in arguments]
    if name in ("attempts", "soundruns"):
        count = ledger.attempts if name == "attempts" else len(ledger.runs)
        return Meaning(str(count), count, "count")
    if name in ("resulttable", "metricstable"):
        return Meaning(f"({name})", kind="table")
    if len(keys) < ARGUMENTS[name]:
        return Meaning("??", problem=f"\\{name} takes {ARGUMENTS[name]} arguments in braces")
    if name in ("unitof", "setting"):
        return (_unit if name == "unitof" else _setting)(keys[0], ledger)
    two = ARGUMENTS[name] == 3
    return _of_two(name, keys, ledger, digits) if two else _of_one(name, keys[0], ledger, digits)


def _unit(metric: str, ledger: Ledger) -> Meaning:
    if metric in ledger.declared:
        return Meaning(ledger.declared[metric].unit, kind="unit", metric=metric)
    return _unknown(metric, list(ledger.declared))


def _setting(key: str, ledger: Ledger) -> Meaning:
    for run in ledger.runs:
        name = key.removeprefix(f"{run}/")
        settings = ledger.executions(run)[0].settings
        if name != key and name in settings:
            value = settings[name]
            number = float(value) if isinstance(value, int | float) and not isinstance(value, bool) else None
            return Meaning(_plain(value), number, "setting", (run,), name)
    return _unknown(key, [f"{run}/{name}" for run in ledger.runs for name in ledger.executions(run)[0].settings])


def _of_two(name: str, keys: list[str], ledger: Ledger, digits: int | None) -> Meaning:
    a, b, metric = keys[:3]
    first, second = ledger.mean(a, metric), ledger.mean(b, metric)
    if first is None or second is None:
        missing = f"{a if first is None else b}/{metric}"
        return _unknown(missing, _value_keys(ledger))
    if name == "diff":
        return Meaning(rounded(first - second, digits), first - second, "difference", (a, b), metric)
    if second == 0:
        return Meaning("??", problem=f"\\{name}: {metric} is 0 in {b}, so there is nothing to divide by")
    if name == "ratio":
        return Meaning(rounded(first / second, digits), first / second, "ratio", (a, b), metric)
    change = 100 * (first - second) / abs(second)
    return Meaning(rounded(change, digits) + "%", change, "relative change", (a, b), metric)


def _of_one(name: str, key: str, ledger: Ledger, digits: int | None) -> Meaning:
    run, seed, metric = _split(key, ledger)
    executions = [e for e in ledger.executions(run) if seed is None or e.seed == seed]
    values = ledger.values(run, metric)
    if not values or not executions or (seed is not None and name != "res"):
        return _unknown(key, _value_keys(ledger))
    if name == "res":
        value = executions[0].metrics.get(metric, math.nan)
        if not math.isfinite(value):
            return _unknown(key, _value_keys(ledger))
        return Meaning(rounded(value, digits), value, "value", (run,), metric)
    found = ledger.interval(run, metric)
    assert found is not None
    if name == "resn":
        return Meaning(str(found.n), found.n, "count", (run,), metric)
    if name == "resci":
        return Meaning(_with_half(found.mean, found.half, digits), found.mean, "mean", (run,), metric)
    return Meaning(rounded(found.mean, digits), found.mean, "mean", (run,), metric)


def _split(key: str, ledger: Ledger) -> tuple[str, int | None, str]:
    """A key's run, seed (None: not named) and metric."""
    for run in sorted(ledger.runs, key=len, reverse=True):
        for e in ledger.executions(run)[1:]:
            if key.startswith(f"{e.folder}/"):
                return run, e.seed, key.removeprefix(f"{e.folder}/")
        if key.startswith(f"{run}/"):
            return run, None, key.removeprefix(f"{run}/")
    return "", None, key


def _with_half(mean: float, half: float | None, digits: int | None) -> str:
    if half is None:
        return f"{rounded(mean, digits)} (n = 1)"
    if half == 0:
        return f"{rounded(mean)} ± 0"
    place = Decimal(1).scaleb(Decimal(repr(half)).adjusted() - (digits or 2) + 1)
    parts = [Decimal(repr(v)).quantize(min(place, Decimal(1)), ROUND_HALF_UP) for v in (mean, half)]
    return f"{parts[0]:f} ± {parts[1]:f}"


def _value_keys(ledger: Ledger) -> list[str]:
    return [f"{run}/{metric}" for run in ledger.runs for metric in ledger.metric_names if ledger.values(run, metric)]


def _unknown(key: str, known: list[str]) -> Meaning:
    from difflib import get_close_matches

    close = get_close_matches(key, known[:5000], n=3, cutoff=0.3)
    return Meaning("??", problem=f"there is no evidence named {key!r}", nearest=tuple(close))


def expand(tex: str, evidence: list[Evidence], metrics: list[Metric], labels: Mapping[str, str] | None = None) -> str:
    """`tex` with every macro of evidence replaced by what it prints; unknown ones become `??`."""
    ledger = Ledger(evidence, metrics, labels)

    def printed(call: re.Match[str]) -> str:
        name, count = call["name"], ARGUMENTS[call["name"]]
        groups = list(re.finditer(r"\{((?:[^{}\\]|\\.)*)\}", call["arguments"]))
        rest = call["arguments"][groups[count - 1].end() if len(groups) >= count > 0 else 0 :]
        digits = int(call["digits"]) if (call["digits"] or "").strip().isdigit() else None
        found = meaning(name, [g[1] for g in groups], ledger, digits)
        return as_tex(found.text) + (rest if count else rest.removeprefix("{}"))

    return _CALL.sub(printed, tex)
