"""Derived numbers: differences, ratios and relative changes between two runs, and means over runs."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal

from orchestrator.evidence.claims.binding import Binder
from orchestrator.evidence.claims.holders import number_list
from orchestrator.evidence.claims.lexicon import Mention
from orchestrator.evidence.claims.numbers import Number
from orchestrator.evidence.claims.sentences import Sentence
from orchestrator.evidence.claims.units import measure
from orchestrator.evidence.claims.values import is_fraction, rounds_to, unit_of
from orchestrator.evidence.ledger import Ledger

ChangeKind = Literal["difference", "ratio", "relative change", "mean over runs"]
DOWN = (
    r"reduc\w*|decreas\w*|drop(?:s|ped|ping)?|f[ae]ll(?:s|en|ing)?|low(?:er\w*)?|less|fewer|declin\w*"
    r"|small(?:er|est)?|shr[aiu]nk\w*|cuts?|cutting|sav(?:es?|ed|ings?)|halv\w*|below|los(?:es?|t|ing)"
    r"|under|down|shorter"
)
UP = (
    r"increas\w*|r[io]se(?:s|n)?|rising|high(?:er|est)?|more|larger|largest|gr[eo]w\w*|greater|greatest|up"
    r"|rais\w*|lifts?|adds?|added|above|longer|overshoots?|doubl\w*|boost\w*|tripl\w*"
)
GOOD = r"improv\w*|better|gain\w*|outperform\w*|exceed\w*|beat\w*|surpass\w*|advantage|win\w*|benefit\w*"
BAD = r"worse\w*|degrad\w*|deteriorat\w*|underperform\w*|costs?|hurt\w*|harm\w*|regress\w*|behind"
FASTER = r"faster|speed-?ups?|quicker"
SLOWER = r"slower|slow-?downs?"
_NEUTRAL = r"differ\w*|gap\w*|chang\w*|margin\w*|spread|separat\w*|delta|shift\w*"
_ANY = rf"(?:{DOWN}|{UP}|{GOOD}|{BAD}|{FASTER}|{SLOWER}|{_NEUTRAL})"
_BY = re.compile(
    r"\bby\s+(?:only\s+|just\s+|about\s+|around\s+|roughly\s+|approximately\s+|nearly\s+|almost\s+"
    r"|up to\s+|a further\s+|more than\s+|over\s+|less than\s+|a factor of\s+|a\s+)?[(\[~≈]*[+\-−]?$"
)
_NOUN_OF = re.compile(
    r"\b(?:reductions?|improvements?|gains?|increases?|decreases?|drops?|differences?|gaps?|changes?"
    r"|rises?|margins?|declines?|loss|advantages?|speed-?ups?|savings?)\b[^,;\d]{0,110}?\b(?:of"
    r"|is|was|by|to be|amounts to)\s*(?:only |just |about |around |roughly |approximately |nearly"
    r" |over |more than |another )*[=(]?\s*[+\-−]?$",
    re.IGNORECASE,
)
_VERB = re.compile(
    r"\b(?:adds?|added|saves?|saved|gains?|gained|loses?|lost|costs?)\s+(?:only |just |about |around"
    r" |another |a further |up to )?[(]?[+\-−]?$",
    re.IGNORECASE,
)
_AFTER = re.compile(
    rf"^[\s-]*(?:\b(?:relative(?! terms)|absolute|a|the|point|points|percentage|statistically|significant(?:ly)?"
    rf"|overall|average|mean|in)\b\s*)*(?:{_ANY}|relative terms)\b",
    re.IGNORECASE,
)
_AFTER_METRIC = re.compile(
    r"^\s*(?:[\w¤]+\s+){1,3}(?:reduction|improvement|gain|increase|decrease|drop|rise|decline|loss"
    r"|difference|gap|saving|speed-?up)\b",
    re.IGNORECASE,
)
_FACTOR = re.compile(r"\bfactor\s+of\s+(?:\w+\s+)?$")
_TO = re.compile(r"\bto\s+(?:about\s+|only\s+|just\s+)?$")
_RELATIVE = re.compile(r"[\s)]*(?:in )?relative(?:ly| terms)")
_AGAINST = re.compile(r"\s*(?:over|relative to|compared (?:to|with)|with respect to)\b(?!\W*\d)")
_OVER_RUNS = re.compile(
    r"\b(?:averaged?|mean)\b[^.;]{0,40}\b(?:over|across|of)\b[^.;]{0,20}\b(?:runs|variants|methods"
    r"|baselines|configurations|models|conditions)\b",
    re.I,
)
_REPEATED = re.compile(r"\b(?:repeat\w*|run|ran|trained|replicat\w*|execut\w*|sampled?|evaluated)\b[^.;,]{0,30}$", re.I)


@dataclass(frozen=True)
class Change:
    kind: ChangeKind
    sign: str
    """"up", "down", "good", "bad", "faster", "slower" or "": which way the words say it goes."""
    doubtful: bool = False
    """Whether only a plus sign speaks for a change, so that it may be a plain value."""


def change_in(number: Number, sentence: Sentence) -> Change | None:
    """Which derivation the words around a number name; None where it is a plain value."""
    text = sentence.masked("metric", "run", "setting", "failed", fill="¤")
    stop = max((n.end for n in sentence.numbers if n.end <= number.start), default=0)
    before, after = text[max(stop, number.start - 140) : number.start], text[number.end : number.end + 60]
    sign = _sign(number, sentence, text)
    if number.times or _FACTOR.search(before):
        return None if _repeats(number, before, after) else Change("ratio", sign)
    if _OVER_RUNS.search(text):
        return Change("mean over runs", "")
    if _TO.search(before) or (_BY.search(before) and not re.search(rf"\b{_ANY}\b", text, re.IGNORECASE)):
        return None
    kind: ChangeKind = "relative change" if number.share or _RELATIVE.match(after) else "difference"
    if _RELATIVE.match(after) or measure(number.unit) == "points" or _is_amount(number, before, after, text):
        return Change(kind, sign)
    head = number_list(number, sentence)[0]
    first = change_in(head, sentence) if head is not number else None
    if first is not None and first.kind != "ratio":
        return Change(kind, first.sign)
    return Change(kind, "", doubtful=True) if number.written[:1] == "+" else None


def _repeats(number: Number, before: str, after: str) -> bool:
    """Whether "three times" says how often something was done."""
    often = not number.spelled and number.times and _REPEATED.search(before)
    return bool(often) and not re.match(r"\s*(?:as|more|less|faster|higher|lower|the)", after)


def _is_amount(number: Number, before: str, after: str, text: str) -> bool:
    """Whether the words beside a number make it the size of a change."""
    if _BY.search(before) or _NOUN_OF.search(before) or _VERB.search(before) or _AFTER.match(after):
        return True
    if number.share and _AFTER_METRIC.match(after):
        return True
    return bool(_AGAINST.match(after) and re.search(rf"\b(?:{GOOD}|{DOWN}|{UP}|{BAD})\b", text[: number.start], re.I))


def _sign(number: Number, sentence: Sentence, text: str) -> str:
    """The nearest word that says which way: right after the number, then before it in its clause, then anywhere."""
    start, end = sentence.clause(number.start)
    near = re.match(r"(?:(?!\b(?:and|but|while|from|to|with|for|where|on)\b)[^,;.]){0,28}", text[number.end :])
    places = [
        (near[0] if near else "", min),
        (text[start : number.start], max),
        (text[number.end : end], min),
        (text[: number.start], max),
    ]
    if number.times and re.match(r"\s*(?:the|that|those|as|what)\b", text[number.end :]):
        return ""
    if number.spelled:
        places.insert(0, (number.written, min))
    for place, choose in places:
        found = [
            (m.start(), name)
            for name, pattern in _SIGNS
            for m in re.finditer(rf"\b(?:{pattern})\b", place, re.IGNORECASE)
        ]
        if found:
            return choose(found)[1]
    return ""


_SIGNS = (("faster", FASTER), ("slower", SLOWER), ("down", DOWN), ("up", UP), ("good", GOOD), ("bad", BAD))


def pair_of(number: Number, sentence: Sentence, binder: Binder) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """The two runs a derived number compares: the one it is about, and the one it is compared with."""
    runs = sentence.of("run")
    reference = binder.reference(sentence, number.start)
    about = binder.run_of(number, sentence)
    if about is None or about.kind != "run" or (reference is not None and set(about.targets) == set(reference.targets)):
        others = [m for m in runs if reference is None or m.targets != reference.targets]
        about = others[0] if others else binder.carried_run(sentence) or binder.method(sentence)
    if about is not None and reference is not None and set(about.targets) == set(reference.targets):
        about = binder.method(sentence)
    if reference is None and about is not None:
        reference = _reference_unsaid(sentence, about, binder)
    base = reference or binder.baseline()
    return about.targets if about else (), base.targets if base else ()


def _reference_unsaid(sentence: Sentence, about: Mention, binder: Binder) -> Mention | None:
    """The other side where no word says it: a baseline of the sentence, its one other run, what was compared with before."""
    baselines = binder.ledger.baselines
    others = [m for m in sentence.of("run") if not set(m.targets) & set(about.targets)]
    named = next((m for m in others if set(m.targets) <= set(baselines)), None)
    if named is None and len(baselines) != 1 and len({m.targets for m in others}) == 1:
        named = others[0]
    return named or _reference_said_before(sentence, binder)


def _reference_said_before(sentence: Sentence, binder: Binder) -> Mention | None:
    """A change said without the other side in a sentence that names no run is against the one named before."""
    if any(set(m.targets) & set(binder.ledger.baselines) for m in sentence.of("run")):
        return None
    return next(
        (found for earlier in reversed(sentence.before) if (found := binder.reference(earlier, 0)) is not None), None
    )


def fits(number: Number, change: Change, a: str, b: str, metric: str, ledger: Ledger) -> str:
    """The derivation by which the number is right for a against b; empty where there is none."""
    first, second = ledger.mean(a, metric), ledger.mean(b, metric)
    if first is None or second is None:
        return ""
    if not _fits(number, change, first, second, metric, ledger):
        return ""
    several = len(ledger.values(a, metric)) + len(ledger.values(b, metric)) > 2
    return f"{change.kind} of {metric} between {a} and {b} ({'means' if several else 'values'})"


def _fits(number: Number, change: Change, x: float, y: float, metric: str, ledger: Ledger) -> bool:
    if change.kind == "ratio":
        return _ratio_fits(number, change, x, y, metric, ledger)
    delta = x - y
    if not _sign_fits(number, change, delta, metric, ledger):
        return False
    size = replace(number, value=abs(number.value))
    share = is_fraction(ledger, metric)
    percent_metric = measure(unit_of(ledger, metric)) == "share"
    if change.kind == "relative change":
        relative = y != 0 and rounds_to(size, abs(100 * delta / y))
        return relative or (percent_metric and rounds_to(size, abs(delta)))
    if measure(number.unit) == "points":
        return rounds_to(size, abs(delta) * (1 if percent_metric else 100 if share else 1))
    return rounds_to(size, abs(delta))


def _sign_fits(number: Number, change: Change, delta: float, metric: str, ledger: Ledger) -> bool:
    if delta == 0:
        return number.value == 0
    if number.signed:
        written_up = number.written[0] == "+"
        if change.sign == "" and written_up != (delta > 0):
            return False
        if change.sign != "" and not written_up:
            return False
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
    if halving and number.bound == "over":
        return 0.25 < up <= number.value
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
