"""Derived numbers: differences, ratios and relative changes between two runs, and means over runs."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal

from orchestrator.evidence.claims.binding import baseline_mention, referred, run_of
from orchestrator.evidence.claims.numbers import UNITS, Number
from orchestrator.evidence.claims.sentences import Sentence
from orchestrator.evidence.claims.values import is_fraction, rounds_to, unit_of
from orchestrator.evidence.ledger import Ledger

ChangeKind = Literal["difference", "ratio", "relative change", "mean over runs"]
DOWN = r"reduc\w*|decreas\w*|drop\w*|f[ae]ll\w*|low(?:er\w*)?|less|fewer|declin\w*|small\w*|shr[aiu]nk\w*|cut\w*|sav\w*|halv\w*|below|los(?:es?|t|ing)"
UP = r"increas\w*|r[io]s\w*|high\w*|more|larg\w*|grow\w*|great\w*|up|rais\w*|doubl\w*|above|boost\w*|tripl\w*"
GOOD = r"improv\w*|better|gain\w*|outperform\w*|exceed\w*|beat\w*|surpass\w*|advantage|win\w*|benefit\w*"
BAD = r"worse\w*|degrad\w*|deteriorat\w*|underperform\w*|hurt\w*|harm\w*|regress\w*|behind"
FASTER = r"faster|speed-?ups?|quicker"
SLOWER = r"slower|slow-?downs?"
_NEUTRAL = r"differ\w*|gap\w*|chang\w*|margin\w*|spread|separat\w*|delta|shift\w*"
_ANY = rf"(?:{DOWN}|{UP}|{GOOD}|{BAD}|{FASTER}|{SLOWER}|{_NEUTRAL})"
_BY = re.compile(r"\bby\s+(?:only\s+|just\s+|about\s+|around\s+|roughly\s+|approximately\s+|nearly\s+|almost\s+|up to\s+|a further\s+|more than\s+|over\s+|less than\s+|a factor of\s+|a\s+)?[(\[~≈]*[+\-−]?$")
_NOUN_OF = re.compile(
    r"\b(?:reductions?|improvements?|gains?|increases?|decreases?|drops?|differences?|gaps?|changes?|rises?|margins?|declines?|losses|advantages?|speed-?ups?|savings?)\s+(?:\w+\s+){0,3}?(?:of|is|was|by|to be|=)\s+(?:only |just |about |around |roughly |approximately |nearly |over |more than )?[(]?[+\-−]?$",
    re.IGNORECASE,
)
_AFTER = re.compile(
    rf"^[\s-]*(?:\b(?:relative|absolute|a|the|point|points|percentage|statistically|significant(?:ly)?|overall|average|mean|in)\b\s*)*(?:{_ANY})\b", re.IGNORECASE
)
_AFTER_METRIC = re.compile(r"^\s*(?:\w+\s+){1,3}(?:reduction|improvement|gain|increase|decrease|drop|rise|decline|loss|difference|gap|saving|speed-?up)\b", re.IGNORECASE)
_OVER_RUNS = re.compile(r"\b(?:averaged?|mean)\b[^.;]{0,40}\b(?:over|across|of)\b[^.;]{0,20}\b(?:runs|variants|methods|baselines|configurations|models|conditions)\b", re.I)
_REPEATED = re.compile(r"\b(?:repeat\w*|run|ran|trained|replicat\w*|execut\w*|sampled?|evaluated)\b[^.;,]{0,30}$", re.I)


@dataclass(frozen=True)
class Change:
    kind: ChangeKind
    sign: str
    """"up", "down", "good", "bad", "faster", "slower" or "": which way the words say it goes."""


def change_in(number: Number, sentence: Sentence) -> Change | None:
    """Which derivation the words around a number name; None where it is a plain value."""
    before, after = sentence.text[max(0, number.start - 60) : number.start], sentence.text[number.end : number.end + 60]
    stop = max((n.end for n in sentence.numbers if n.end <= number.start), default=0)
    before = before[max(0, stop - max(0, number.start - 60)) :]
    if number.times:
        if not number.spelled and _REPEATED.search(before) and not re.match(r"\s*(?:as|more|less|faster|higher|lower|the)", after):
            return None
        return Change("ratio", _sign(before, after, sentence, number))
    if re.search(r"\bfactor\s+of\s+(?:\w+\s+)?$", before):
        return Change("ratio", _sign(before, after, sentence, number))
    if _OVER_RUNS.search(sentence.text):
        return Change("mean over runs", "")
    said = _BY.search(before) or _NOUN_OF.search(before) or _AFTER.match(after)
    said = said or (number.share and _AFTER_METRIC.match(after))
    if not said and not (number.signed and "+" in number.written[:1]) and UNITS.get(number.unit, ("",))[0] != "points":
        return None
    if re.search(r"\bto\s+(?:about\s+|only\s+|just\s+)?$", before):
        return None
    if _BY.search(before) and not re.search(_ANY, sentence.text, re.IGNORECASE):
        return None
    return Change("relative change" if number.share else "difference", _sign(before, after, sentence, number))


def _sign(before: str, after: str, sentence: Sentence, number: Number) -> str:
    """The nearest word that says which way: right after the number, then before it in the clause, then after it."""
    start, end = sentence.clause(number.start)
    near = re.match(r"[^,;.]{0,28}", after)
    words = [near[0] if near else "", sentence.text[start : number.start][::1], sentence.text[number.end : end], sentence.text[: number.start]]
    if number.spelled:
        words.insert(0, number.written)
    for index, text in enumerate(words):
        found = [(m.start(), name) for name, pattern in _SIGNS for m in re.finditer(rf"\b(?:{pattern})\b", text, re.IGNORECASE)]
        if found:
            return (max if index in (1, 3) and not number.spelled else min)(found)[1]
    return ""


_SIGNS = (("faster", FASTER), ("slower", SLOWER), ("down", DOWN), ("up", UP), ("good", GOOD), ("bad", BAD))


def pair_of(number: Number, sentence: Sentence, ledger: Ledger) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """The two runs a derived number compares: the one it is about, and the one it is compared with."""
    runs = sentence.of("run")
    reference = referred(sentence, runs) or _by_bracket(number, sentence)
    others = [m for m in runs if reference is None or m.targets != reference.targets]
    listed = run_of(number, sentence, ledger)
    about = listed if listed is not None and listed.kind == "run" and (reference is None or listed.targets != reference.targets) else None
    if about is None and others:
        about = others[0]
    if reference is None:
        reference = next((m for m in runs if about and m.targets != about.targets and set(m.targets) <= set(ledger.baselines)), None)
        reference = reference or next((m for m in runs if about and m.targets != about.targets), None)
    first = about.targets if about else tuple(r for r in ledger.runs if r not in ledger.baselines)
    base = baseline_mention(ledger)
    second = reference.targets if reference else (base.targets if base else ())
    if set(first) == set(second) and reference is None:
        first = tuple(r for r in ledger.runs if r not in ledger.baselines)
    return first, second


def _by_bracket(number: Number, sentence: Sentence) -> None:
    return None


def fits(number: Number, change: Change, a: str, b: str, metric: str, ledger: Ledger) -> str:
    """The derivation by which the number is right for a against b; empty where there is none."""
    first, second = ledger.mean(a, metric), ledger.mean(b, metric)
    if first is None or second is None:
        return ""
    pairs = [(first, second, "means")] if len(ledger.values(a, metric)) + len(ledger.values(b, metric)) > 2 else [(first, second, "values")]
    singles = ledger.value(a, metric), ledger.value(b, metric)
    if None not in singles and singles != (first, second):
        pairs.append((*singles, "first executions"))  # type: ignore[arg-type]
    for x, y, what in pairs:
        if _fits(number, change, x, y, metric, ledger):
            return f"{change.kind} of {metric} between {a} and {b} ({what})"
    return ""


def _fits(number: Number, change: Change, x: float, y: float, metric: str, ledger: Ledger) -> bool:
    if change.kind == "ratio":
        return _ratio_fits(number, change, x, y, metric, ledger)
    delta = x - y
    if not _sign_fits(number, change, delta, metric, ledger):
        return False
    size = replace(number, value=abs(number.value))
    share = is_fraction(ledger, metric)
    percent_metric = UNITS.get(unit_of(ledger, metric), ("",))[0] == "share"
    if change.kind == "relative change":
        relative = y != 0 and rounds_to(size, abs(100 * delta / y))
        return relative or (percent_metric and rounds_to(size, abs(delta)))
    if UNITS.get(number.unit, ("",))[0] == "points":
        return rounds_to(size, abs(delta) * (1 if percent_metric else 100 if share else 1))
    return rounds_to(size, abs(delta))


def _sign_fits(number: Number, change: Change, delta: float, metric: str, ledger: Ledger) -> bool:
    if delta == 0:
        return number.value == 0
    if number.signed and change.sign in ("", "up", "down", "good", "bad") and "+-−"[:3].find(number.written[0]) >= 0:
        written_up = number.written[0] == "+"
        if change.sign == "":
            return written_up == (delta > 0)
    better = ledger.metric(metric).better(delta, 0.0)
    expected = {"up": delta > 0, "down": delta < 0, "faster": better, "slower": better is False if better is not None else None,
                "good": better, "bad": None if better is None else not better}.get(change.sign, True)  # fmt: skip
    return True if expected is None else bool(expected)


def _ratio_fits(number: Number, change: Change, x: float, y: float, metric: str, ledger: Ledger) -> bool:
    if x == 0 or y == 0:
        return False
    direction = ledger.metric(metric).direction
    up, down = x / y, y / x
    halving = number.spelled and number.value < 1
    if halving:
        by = re.match(r"by|two", number.written) is not None and number.value not in (0.5,)
        return rounds_to(number, 1 - up if by else up)
    sides = {"up": [up], "down": [down, up] if number.value < 1 else [down]}.get(change.sign)
    if change.sign in ("good", "faster"):
        sides = [up] if direction == "max" else [down] if direction == "min" else [up, down]
    if change.sign in ("bad", "slower"):
        sides = [down] if direction == "max" else [up] if direction == "min" else [up, down]
    return any(rounds_to(number, side) for side in sides or [up])


def mean_over_runs(number: Number, runs: Sequence[str], metric: str, ledger: Ledger) -> bool:
    means = [m for run in runs if (m := ledger.mean(run, metric)) is not None]
    return bool(means) and rounds_to(number, sum(means) / len(means))
