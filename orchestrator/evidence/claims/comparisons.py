"""Comparisons in words: whether direction, values and noise bear them out."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from orchestrator.evidence.claims.binding import Binder
from orchestrator.evidence.claims.lexicon import Mention
from orchestrator.evidence.claims.numbers import Number
from orchestrator.evidence.claims.records import CITE
from orchestrator.evidence.claims.sentences import Sentence
from orchestrator.evidence.claims.units import measure
from orchestrator.evidence.claims.values import unit_of
from orchestrator.evidence.ledger import Ledger

_WORDS = {
    "same": (
        r"comparable|on par|similar(?:ly)?|equivalent|indistinguishable|within (?:the )?noise"
        r"|no (?:significant |measurable |clear )?(?:difference|change|improvement|gain|effect)"
        r"|statistically tied|matches|match|matched|unchanged|as (?:good|accurate|low|high) as|the same"
    ),
    "best": (r"best|state[- ]of[- ]the[- ]art|superior to all|strongest|top-performing"),
    "worst": (r"worst|weakest|poorest"),
    "highest": (r"slowest|longest|highest|largest|greatest|most accurate"),
    "lowest": (r"shortest|lowest|smallest|fewest|least"),
    "better": (
        r"faster|quicker|better|outperform(?:s|ed|ing)?|improv(?:es?|ed|ing)|improvements?|beat(?:s|ing)?"
        r"|surpass(?:es|ed|ing)?|superior|gains?|wins?|stronger|more accurate"
    ),
    "worse": (
        r"slower|worse|underperform(?:s|ed|ing)?|degrad(?:es?|ed|ing)|degradation|inferior|hurts?|harms?"
        r"|deteriorat(?:es|ed|ing)|weaker|trails"
    ),
    "up": (
        r"longer|higher|larger|greater|increas(?:es?|ed|ing)|rais(?:es?|ed|ing)|ris(?:es?|ing)|rose|more"
        r"|exceed(?:s|ed|ing)?|grows?|grew|boost(?:s|ed|ing)?"
    ),
    "down": (
        r"shorter|lower(?:s|ed|ing)?|smaller|fewer|less|reduc(?:es?|ed|ing)|reductions?|decreas(?:es?|ed|ing)"
        r"|drop(?:s|ped|ping)?|falls?|fell|cuts?|declin(?:es?|ed|ing)|shrinks"
    ),
}
_PATTERN = re.compile("|".join(rf"(?P<{name}>\b(?:{words})\b)" for name, words in _WORDS.items()), re.IGNORECASE)
_SUPPOSED = re.compile(
    r"\b(?:aims?|aimed|aiming|designed|hope|hoped|expect(?:ed|s)?|hypothesi[sz]e[sd]?|hypothesis"
    r"|could|can|may|might|would|should|whether|if|intend(?:ed|s)?|seeks?|try|tries|tried|goal|objective"
    r"|question|to test|in order to|attempts? to"
    r"|propose[sd]? to|will|potentially|possible|promis\w+|future|encourag\w+|let us|we ask|unlike|suppose)\b[^.;]*$",
    re.IGNORECASE,
)
_PURPOSE = re.compile(r"\bto (?:\w+ly )?$")
_DEFINITION = re.compile(
    r"\b(?:is|are|being|means?) (?:always )?(?:better|worse|best)\b|(?:higher|lower|larger|smaller)"
    r" is\b|\b(?:better|best) when|[↑↓]|higher values|lower values (?:are|mean|indicate)",
    re.IGNORECASE,
)
_NEGATED = re.compile(
    r"\b(?:not|no|never|neither|nor|cannot|fails? to|failed to|without|n't|does not|did not|hardly|nowhere)\s+(?:\w+\s+){0,3}$",
    re.IGNORECASE,
)
_SIGNIFICANT = re.compile(r"\bsignificant(?:ly)?\b", re.IGNORECASE)
_NOT_SAID = re.compile(
    r"^\s*(?:than (?:chance|expected|usual|zero|random|one|half|an?\b|\d)|-level|-order|-dimensional"
    r"|bound|and lower|limit|understanding|practices?|of our knowledge|fit|suited|or (?:less|more))"
    r"|^\s*(?:\w+\s+)?(?:trade-?off)",
    re.IGNORECASE,
)
_ABOUT_A_CHANGE = re.compile(
    r"\b(?:gap|difference|margin|effect|gain|improvement|advantage|spread|variance|cost|benefit)s?\s+(?:is"
    r"|was|becomes|grows|are|were)\s+(?:\w+\s+)?$",
    re.IGNORECASE,
)
_ORDINARY = re.compile(r"\s*(?:or equal|bounds?|layers?|models?|than (?:\d|one|two|three))")
_MORE_OF = re.compile(
    r"\s+(?:than(?!\s+(?:the|our))|recent|general|stable|interpretable|robust|and|broad|work|seeds|runs|detail)"
)
_EVERY = re.compile(r"\b(?:all|every|each|both|any|across)\b", re.IGNORECASE)
_CLOSE = 0.02
"""A relative difference up to this may be called comparable where no noise is known."""


@dataclass(frozen=True)
class Said:
    """A comparison as written and as judged."""

    start: int
    end: int
    word: str
    problem: str
    support: str
    nearest: tuple[str, ...] = ()


def comparisons(sentence: Sentence, binder: Binder) -> Iterator[Said]:
    """Every comparison in a sentence that can be judged."""
    if _DEFINITION.search(sentence.text) and not sentence.of("run"):
        return
    judged: set[tuple[str, str, tuple[str, ...]]] = set()
    for match in _PATTERN.finditer(sentence.text):
        if _is_no_claim(match, sentence):
            continue
        said = _judge(match, sentence, binder)
        if said is not None and (said.word, said.problem, said.nearest) not in judged:
            judged.add((said.word, said.problem, said.nearest))
            yield said


def _is_no_claim(match: re.Match[str], sentence: Sentence) -> bool:
    """Whether the word compares nothing: inside a name, supposed, an aim, a definition, the work of others."""
    before, after = sentence.text[: match.start()], sentence.text[match.end() :]
    start, _ = sentence.clause(match.start())
    inside = any(m.start <= match.start() < m.end for m in sentence.mentions)
    cited = CITE in sentence.text and not sentence.of("run")
    supposed = _SUPPOSED.search(before[start:]) or _PURPOSE.search(before) or _NOT_SAID.search(after)
    ordinary = match.lastgroup in ("up", "down") and _ORDINARY.match(after)
    more = match[0].lower() == "more" and _MORE_OF.match(after)
    return bool(
        inside or cited or supposed or ordinary or more or _ABOUT_A_CHANGE.search(before) or _is_amount(match, sentence)
    )


def _is_amount(match: re.Match[str], sentence: Sentence) -> bool:
    """A noun such as "gain" whose size follows: the number is judged instead."""
    noun = re.fullmatch(r"(?:improvement|gain|reduction)s?", match[0], re.IGNORECASE)
    _, end = sentence.clause(match.start())
    return bool(noun) and any(match.end() <= n.start < end for n in sentence.numbers)


def _judge(match: re.Match[str], sentence: Sentence, binder: Binder) -> Said | None:
    kind = match.lastgroup or ""
    ledger = binder.ledger
    metrics = _metric_for(match, sentence, ledger, kind)
    if metrics is None:
        return None
    metrics = binder.narrowed(metrics, Number(match.start(), match.end(), "", 0.0, 1.0), sentence)
    runs = sentence.of("run")
    reference = binder.reference(sentence, match.start())
    about = _about(match, sentence, binder, runs, reference)
    if about is None:
        return None
    if kind in _EXTREMES:
        return _judge_extreme(match, kind, metrics, about, ledger)
    against = reference if reference is not None and reference.targets != about.targets else _other(runs, about, binder)
    if against is None or set(against.targets) == set(about.targets):
        return None
    return _judge_pair(match, kind, metrics, about, against, sentence, ledger)


def _metric_for(match: re.Match[str], sentence: Sentence, ledger: Ledger, kind: str) -> tuple[str, ...] | None:
    """The metric the word is about: right after it or before it in the clause; else what the sentence leaves no doubt of."""
    if match[0].lower() in ("faster", "quicker", "slower"):
        timed = timing(ledger)
        return (timed,) if timed else None
    after, before = _metrics_around(match, sentence)
    if match[0].lower() == "the same" and not any(m.start - match.end() <= 2 for m in after):
        return None
    leads = kind in (*_EXTREMES, "better", "worse") or match[0].lower().endswith(_LEADING)
    beside = [*after[:1], *before[-1:]] if leads else [*before[-1:], *after[:1]]
    return beside[0].targets if beside else _metric_of_sentence(sentence, ledger, kind)


def _metrics_around(match: re.Match[str], sentence: Sentence) -> tuple[list[Mention], list[Mention]]:
    """The metrics of the clause after the word, with nothing between that leads away, and those before it."""
    start, end = sentence.clause(match.start())
    named = sentence.of("metric")
    behind = [m for m in named if match.end() <= m.start < end]
    between = {m: sentence.text[match.end() : m.start] for m in behind}
    after = [m for m in behind if not _APART.search(between[m]) and not _PATTERN.search(between[m])]
    return after, [m for m in named if start <= m.start and m.end <= match.start()]


def _metric_of_sentence(sentence: Sentence, ledger: Ledger, kind: str) -> tuple[str, ...] | None:
    named = {m.targets for m in sentence.of("metric")}
    if named:
        return next(iter(named)) if len(named) == 1 and kind not in ("up", "down") else None
    if kind in ("better", "worse", "best", "worst") and sentence.of("run"):
        primary = next((m.name for m in ledger.declared.values() if m.direction), None)
        return (primary,) if primary else None
    return None


_EXTREMES = ("best", "worst", "highest", "lowest")
_LEADING = ("er", "more", "less", "es", "ed", "ing", "ions", "ion")
"""Endings of words that stand before their metric: higher accuracy, reduces the loss."""
_APART = re.compile(r"[,;(]|\b(?:while|and|than|but)\b")


def timing(ledger: Ledger) -> str | None:
    """The one declared metric that says how long something takes, or how fast it is; None where there are several."""
    kinds = [
        m
        for m in ledger.declared
        if measure(unit_of(ledger, m)) == "time"
        or re.search(
            r"/s$|per_second|throughput|speed|rtf|latency|runtime|real.?time",
            f"{m} {unit_of(ledger, m)} {ledger.metric(m).reading}".lower(),
        )
    ]
    return kinds[0] if len(kinds) == 1 else None


def _about(
    match: re.Match[str], sentence: Sentence, binder: Binder, runs: Sequence[Mention], reference: Mention | None
) -> Mention | None:
    found = binder.about(sentence, match.start())
    if found is not None and found.kind == "run" and (reference is None or found.targets != reference.targets):
        return found
    others = [m for m in runs if reference is None or m.targets != reference.targets]
    if others:
        return others[0] if len({m.targets for m in others}) == 1 and reference is not None else None
    if reference is not None or re.search(r"\b[Ww]e\b|\b[Oo]ur\b", sentence.text):
        return binder.method(sentence)
    return None


def _other(runs: Sequence[Mention], about: Mention, binder: Binder) -> Mention | None:
    """The other side where no word names it: the baseline, or the one other run of the sentence."""
    others = [m for m in runs if not set(m.targets) & set(about.targets)]
    baselines = binder.ledger.baselines
    named = next((m for m in others if set(m.targets) <= set(baselines)), None)
    if named is not None or (len(baselines) == 1 and set(about.targets) != set(baselines)):
        return named or binder.baseline()
    return others[0] if others else binder.baseline()


def _judge_extreme(
    match: re.Match[str], kind: str, metrics: tuple[str, ...], about: Mention, ledger: Ledger
) -> Said | None:
    metric = metrics[0]
    direction = ledger.metric(metric).direction
    if kind in ("best", "worst") and direction is None:
        return None
    high = kind == "highest" or (kind == "best" and direction == "max") or (kind == "worst" and direction == "min")
    means = {run: mean for run in ledger.runs if (mean := ledger.mean(run, metric)) is not None}
    wanted = [run for run in about.targets if run in means]
    if len(means) < 2 or not wanted:
        return None
    first = (max if high else min)(means.values())
    holders = tuple(run for run, mean in means.items() if mean == first)
    if (len(wanted) == 1 and wanted[0] in holders) or (about.weak and len(wanted) > 1 and set(wanted) & set(holders)):
        return Said(match.start(), match.end(), match[0], "", f"{holders[0]} has the {kind} {metric}")
    problem = f"{wanted[0]} does not have the {kind} {metric} ({means[wanted[0]]:.4g}); {holders[0]} has ({first:.4g})"
    return Said(match.start(), match.end(), match[0], problem, "", tuple(rf"\res{{{h}/{metric}}}" for h in holders))


def _judge_pair(
    match: re.Match[str],
    kind: str,
    metrics: tuple[str, ...],
    about: Mention,
    against: Mention,
    sentence: Sentence,
    ledger: Ledger,
) -> Said | None:
    start, _ = sentence.clause(match.start())
    negated = bool(_NEGATED.search(sentence.text[start : match.start()])) and kind != "same"
    significant = bool(_SIGNIFICANT.search(sentence.text[max(0, match.start() - 30) : match.end() + 30]))
    results = [
        (run, other, metric, problem)
        for metric in metrics for run in about.targets for other in against.targets if run != other
        if (problem := _problem(kind, run, other, metric, ledger, negated, significant)) is not None
    ]  # fmt: skip
    if not results:
        return None
    wrong = [r for r in results if r[3]]
    if not wrong:
        run, other, metric, _ = results[0]
        return Said(match.start(), match.end(), match[0], "", _support(run, other, metric, ledger))
    run, other, metric, problem = wrong[0]
    if len(wrong) < len(results) and not _EVERY.search(sentence.text):
        problem = f"it is not said which run, baseline or metric is meant, and it does not hold for each: {problem}"
    return Said(match.start(), match.end(), match[0], problem, "", (rf"\diff{{{run}}}{{{other}}}{{{metric}}}",))


def _support(run: str, other: str, metric: str, ledger: Ledger) -> str:
    found = ledger.difference(run, other, metric)
    noise = "" if found is None else f"; {found.verdict}" + (f", p = {found.p:.3g}" if found.p is not None else "")
    return f"{metric}: {run} {ledger.mean(run, metric):.4g}, {other} {ledger.mean(other, metric):.4g}{noise}"


def _problem(
    kind: str, run: str, other: str, metric: str, ledger: Ledger, negated: bool, significant: bool
) -> str | None:
    """What is wrong with saying that `run` is so against `other`; '' where it holds, None where it cannot be said."""
    found = ledger.difference(run, other, metric)
    if found is None:
        return None
    said = _support(run, other, metric, ledger)
    quiet = found.verdict == "within noise"
    if kind == "same":
        close = quiet or abs(found.delta) <= _CLOSE * abs(ledger.mean(other, metric) or 1.0)
        return "" if close else f"they differ: {said}"
    holds = _holds(kind, found.delta, metric, ledger)
    if holds is None:
        return None
    if negated:
        return f"it does: {said}" if holds and not quiet else ""
    doubts = {
        "they are equal": found.delta == 0,
        "it is the other way round": not holds,
        "the difference is within the noise": quiet,
        "nothing shows that it is significant, each ran once": significant and found.verdict == "unknown",
    }
    return next((f"{doubt}: {said}" for doubt, applies in doubts.items() if applies), "")


def _holds(kind: str, delta: float, metric: str, ledger: Ledger) -> bool | None:
    if kind in ("up", "down"):
        return (delta > 0) == (kind == "up") and delta != 0
    better = ledger.metric(metric).better(delta, 0.0)
    if ledger.metric(metric).direction is None:
        return None
    return bool(better) if kind == "better" else delta != 0 and not better
