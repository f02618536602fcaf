"""Which metric and which run a number in a sentence speaks of."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace

from orchestrator.evidence.claims.holders import (
    REFERENCE,
    facet_holder,
    listed,
    number_list,
    references,
    run_holder,
    subject,
)
from orchestrator.evidence.claims.lexicon import Lexicon, Mention
from orchestrator.evidence.claims.numbers import Number
from orchestrator.evidence.claims.sentences import Sentence
from orchestrator.evidence.claims.spelling import IDLE, akin, alike, name_words
from orchestrator.evidence.claims.units import measure
from orchestrator.evidence.claims.values import is_fraction, unit_of

_LINK_BEFORE = re.compile(
    r"[\s:=≈~(,]*(?:\b(?:of|is|was|were|are|at|to|by|from|as|about|around|roughly|approximately"
    r"|nearly|only|just|over|under|than|above|below|score|scores|value|values|equal|equals"
    r"|reaches|reached|stays|remains|becomes|falls|rises|drops|fell|rose|dropped|increases|decreases"
    r"|improves|grows|goes|went|up|down|further|a|an|the|mean|average|between|in|stands|on|for|with"
    r"|level|rate|be|more|less|most|least|exceeds|exactly|loss|error"
    r"|coefficient|set|fixed|had|has|have|been|increased|decreased|improved|reduced|loses|gains)\b[\s:=≈~(]*){0,6}[<"
    r">≤≥=\[{(]*\s*"
)
_SETTING_BEFORE = re.compile(
    r"[\s:=≈(]*(?:\b(?:of|is|was|are|at|to|set|fixed|equal|be|as|size|value|rate|a|the|about)\b[\s:=≈(]*){0,4}[=∈\[{(]*\s*"
)
_LINK_AFTER = re.compile(
    r"[\s)-]*(?:\b(?:in|of|the|its|their|lower|higher|better|worse|less|fewer|more|greater|smaller"
    r"|larger|relative|absolute|reduction|increase|improvement|drop|gain|decrease|rise|mean|average"
    r"|points?"
    r"|percentage|change|difference|gap|for|a|decline|growth|saving|speed-?up|test|final|total|loss"
    r"|active|distinct|different|as|low|high|much|random|training|hidden|environment|parallel|initial"
    r"|peak)\b[\s)-]*){0,6}"
)

_LEADS_ON = re.compile(rf"{REFERENCE.pattern}|\b(?:of|for)\s+(?:the\s+)?$", re.IGNORECASE)
_PLAIN = re.compile(r"\b(?:to|at)\s*$")
"""What stands before a value rather than a change."""
_VERSUS = re.compile(r"\b(?:vs\.?|versus|against|compared|to)\b|→|–")


@dataclass(frozen=True)
class Binding:
    """Candidates of metric and run; more than one: the text leaves open which."""

    metrics: tuple[str, ...] = ()
    runs: tuple[str, ...] = ()
    setting: tuple[str, ...] = ()
    failed: str = ""
    attached: bool = False
    """Whether the quantity stands right beside the number."""
    named: bool = False
    """Whether the run is named in the sentence, and not only spoken of before."""
    also: tuple[str, ...] = ()
    """Metrics that the words of a setting may mean as well."""


class Binder:
    """Binds numbers to what the sentence says. `hero`: the runs that "our method" is where nothing names one."""

    def __init__(self, lexicon: Lexicon, hero: tuple[str, ...]) -> None:
        self.lexicon = lexicon
        self.ledger = lexicon.ledger
        self.hero = hero

    def bind(self, number: Number, sentence: Sentence) -> Binding:
        quantity, attached = self._quantity(number, sentence)
        run = self.run_of(number, sentence)
        failed = run.targets[0] if run is not None and run.kind == "failed" else ""
        runs = run.targets if run is not None and not failed else ()
        named = run is not None and run.end > 0 and run in sentence.mentions
        if quantity is None:
            return Binding((), runs, (), failed, named=named)
        if quantity.kind == "setting":
            also = [
                t for m in sentence.of("metric") if m.start < quantity.end and quantity.start < m.end for t in m.targets
            ]
            return Binding((), runs, quantity.targets, failed, attached, named, tuple(also))
        metrics = self._specific(quantity, number, sentence)
        return Binding(self.narrowed(metrics, number, sentence), runs, (), failed, attached, named)

    def _specific(self, quantity: Mention, number: Number, sentence: Sentence) -> tuple[str, ...]:
        """Of metrics whose names hold the mention's, the one whose further words stand in the clause too.

        "The worst client has an accuracy of 0.5" speaks of worst_client_accuracy.
        """
        start, _ = sentence.clause(number.start)
        stop = max((n.end for n in sentence.numbers if n.end <= number.start and n.end > start), default=start)
        words = [w.lower() for w in re.findall(r"[^\W_]+", sentence.text[stop : number.start])]
        base = {w for t in quantity.targets for w in name_words(t)}
        found: dict[str, int] = {}
        for metric in self.ledger.declared:
            further = [w for w in name_words(metric) if w not in base]
            if (
                metric not in quantity.targets
                and base <= set(name_words(metric))
                and further
                and all(any(alike(w, f) for w in words) for f in further)
            ):
                found[metric] = len(further)
        return (max(found, key=found.__getitem__),) if found else quantity.targets

    def narrowed(self, metrics: tuple[str, ...], number: Number, sentence: Sentence) -> tuple[str, ...]:
        """Of several metrics those of the data set or part the sentence speaks of, and of the number's unit."""
        if len(metrics) < 2:
            return metrics
        facets = [m for m in sentence.of("facet") if self.lexicon.having(metrics, m.targets)]
        holder = facet_holder(number, sentence, facets) if facets else self._carried_facet(sentence, metrics)
        if holder is not None:
            metrics = self.lexicon.having(metrics, holder.targets) or metrics
        return self._of_unit(metrics, number, sentence) or metrics

    def _carried_facet(self, sentence: Sentence, metrics: tuple[str, ...]) -> Mention | None:
        for earlier in reversed(sentence.before):
            found = [m for m in earlier.of("facet") if self.lexicon.having(metrics, m.targets)]
            if found:
                return found[-1] if len({m.targets for m in found}) == 1 else None
        return None

    def _of_unit(self, metrics: Sequence[str], number: Number, sentence: Sentence) -> tuple[str, ...]:
        kind = measure(number.unit)
        if kind in ("", "points") or (kind == "share" and not _PLAIN.search(sentence.text[: number.start])):
            return ()
        if kind == "share":
            return tuple(m for m in metrics if unit_of(self.ledger, m) == "%" or is_fraction(self.ledger, m))
        return tuple(m for m in metrics if measure(unit_of(self.ledger, m)) == kind)

    def _quantity(self, number: Number, sentence: Sentence) -> tuple[Mention | None, bool]:
        """The metric or setting a number is of, and whether it stands beside it."""
        beside = listed(number, sentence, sentence.of("metric")) or _attached(number, sentence)
        if beside is not None:
            return beside, True
        if _counts_things(number, sentence):
            return None, False
        ordered = self._in_order(number, sentence) or _of_list(number, sentence)
        return (ordered, True) if ordered is not None else (self._near(number, sentence), False)

    def _in_order(self, number: Number, sentence: Sentence) -> Mention | None:
        """ "(1 and 2)" after a clause that named two metrics in this order."""
        numbers = number_list(number, sentence)
        bounds = sentence.parenthesis(number.start) or sentence.clause(number.start)
        metrics = sentence.of("metric")
        if len(numbers) < 2 or any(bounds[0] <= m.start < bounds[1] for m in metrics):
            return None
        ahead = list({m.targets: m for m in metrics if m.end <= numbers[0].start}.values())
        return (
            ahead[numbers.index(number)]
            if len(ahead) == len(numbers) and not _VERSUS.search(sentence.text[numbers[0].end : numbers[1].start])
            else None
        )

    def _near(self, number: Number, sentence: Sentence) -> Mention | None:
        """The nearest metric that the unit allows: in its brackets, before it, after it, in the sentences before."""
        metrics = sentence.of("metric")
        allowed = self._of_unit(self.ledger.metric_names[:500], number, sentence)
        if allowed:
            metrics = [m for m in metrics if set(m.targets) & set(allowed)]
        start, end = sentence.clause(number.start)
        own_clause = [m for m in metrics if start <= m.start < end]
        found = _nearest(number, sentence, own_clause) or self._by_words(number, sentence)
        found = found or _nearest(number, sentence, metrics) or self._parallel(number, sentence)
        if found is not None:
            return found
        for earlier in reversed(sentence.before):
            named = [m for m in earlier.of("metric") if not allowed or set(m.targets) & set(allowed)]
            if named:
                return named[-1] if len({m.targets for m in named}) == 1 else _merged(named)
        declared = [m for m in allowed if m in self.ledger.declared]
        return Mention("metric", tuple(declared), 0, 0, True) if declared else None

    def _by_words(self, number: Number, sentence: Sentence) -> Mention | None:
        """A metric all of whose name's words stand in the clause in some form: "collides in 3 %" is the collision rate."""
        start, end = sentence.clause(number.start)
        text = sentence.masked("run", "setting")
        return self._named_in(text[start:end]) or (self._named_in(text) if not sentence.of("metric") else None)

    def _named_in(self, text: str) -> Mention | None:
        words = [w.lower() for w in re.findall(r"[^\W_]+", text)]
        found: dict[str, int] = {}
        for metric in self.ledger.declared:
            wanted = [w for w in name_words(metric) if w not in IDLE and len(w) > 2]
            if wanted and all(any(akin(w, name) for w in words) for name in wanted):
                found[metric] = len(wanted)
        best = tuple(m for m, n in found.items() if n == max(found.values()))
        return Mention("metric", best, 0, 0, True) if best else None

    def _parallel(self, number: Number, sentence: Sentence) -> Mention | None:
        """A list of numbers without metrics after a sentence that gave the same count of metrics a number each."""
        numbers = number_list(number, sentence)
        if len(numbers) < 2 or sentence.of("metric"):
            return None
        for earlier in reversed(sentence.before):
            metrics = list({m.targets: m for m in earlier.of("metric")}.values())
            if metrics:
                return metrics[numbers.index(number)] if len(metrics) == len(numbers) else None
        return None

    def run_of(self, number: Number, sentence: Sentence) -> Mention | None:
        """The run whose number this is; the one spoken of before, or the paper's method, where the sentence names none."""
        runs = sentence.of("run", "failed")
        found, other_side = run_holder(number, sentence, runs)
        if found is not None:
            return self.heroic(found)
        if other_side:
            return self.baseline()
        return self.carried_run(sentence) or self.method(sentence)

    def about(self, sentence: Sentence, at: int) -> Mention | None:
        """The run that a comparison at a place is about."""
        runs = sentence.of("run", "failed")
        found = subject(Number(at, at, "", 0.0, 1.0), sentence, runs)
        if found is None and not runs:
            found = self.carried_run(sentence)
        return self.heroic(found) if found is not None else None

    def reference(self, sentence: Sentence, at: int) -> Mention | None:
        """The run that a number or comparison at a place is compared with."""
        found = references(sentence, sentence.of("run"))
        if not found:
            return None
        after = [m for m in found if m.start >= at]
        before = [m for m in found if m.end <= at]
        near = [m for m in after if not any(at + 1 < n.start < m.start for n in sentence.numbers)]
        close = [m for m in near if not before or _LEADS_ON.search(sentence.text[at : m.start])]
        chosen = close[0] if close else before[-1] if before else after[0]
        return min((m for m in found if m.start == chosen.start), key=lambda m: m.weak)

    def heroic(self, mention: Mention) -> Mention:
        """A role such as "our method" that several runs have means the paper's own."""
        if (
            mention.kind == "run"
            and mention.role
            and len(mention.targets) > 1
            and set(self.hero) <= set(mention.targets)
        ):
            return replace(mention, targets=self.hero)
        return mention

    def baseline(self) -> Mention | None:
        baselines = tuple(self.ledger.baselines)
        return Mention("run", baselines, 0, 0, True) if baselines else None

    def method(self, sentence: Sentence) -> Mention | None:
        others = self.hero or tuple(run for run in self.ledger.runs if run not in self.ledger.baselines)
        return Mention("run", others, 0, 0, True) if others else self.baseline()

    def carried_run(self, sentence: Sentence) -> Mention | None:
        for earlier in reversed(sentence.before):
            runs = earlier.of("run", "failed")
            others = {m.start for m in references(earlier, runs)}
            subjects = [m for m in runs if m.start not in others]
            if subjects:
                return self.heroic(subjects[0])
            if runs:
                return None
        return None


def _attached(number: Number, sentence: Sentence) -> Mention | None:
    named = sentence.of("metric", "setting")
    before, after = _attached_before(number, sentence, named), _attached_after(number, sentence, named)
    if before is not None and (after is None or before.kind == "metric" or after.kind == "setting"):
        return before
    return None if after is not None and after.kind == "setting" and number.share else after


def _of_list(number: Number, sentence: Sentence) -> Mention | None:
    """The metric that stands before the first number of an enumeration."""
    head = number_list(number, sentence)[0]
    found = _attached_before(head, sentence, sentence.of("metric", "setting")) if head is not number else None
    return found if found is not None and found.kind == "metric" else None


def _attached_before(number: Number, sentence: Sentence, named: Sequence[Mention]) -> Mention | None:
    ahead = [m for m in named if m.end <= number.start]
    if not ahead:
        return None
    best = min((m for m in ahead if m.end == max(a.end for a in ahead)), key=lambda m: (m.weak, m.kind != "metric"))
    between = sentence.without(best.end, number.start, "run", "failed", "facet")
    bare = re.sub(r"[↑↓%]|\((?:[^()]{0,12})\)|['’]s\b", " ", between)
    link = _LINK_BEFORE if best.kind == "metric" else _SETTING_BEFORE
    return best if link.fullmatch(bare) else None


def _attached_after(number: Number, sentence: Sentence, named: Sequence[Mention]) -> Mention | None:
    behind = [m for m in named if m.start >= number.end - 1]
    if not behind:
        return None
    start = min(m.start for m in behind)
    best = min((m for m in behind if m.start == start), key=lambda m: (m.weak, m.kind != "metric"))
    between = sentence.text[number.end : best.start]
    if not _LINK_AFTER.fullmatch(between):
        return None
    follower = next((n for n in sentence.numbers if n.start >= best.end), None)
    owns_next = follower is not None and re.fullmatch(
        r"\s*(?:of|is|=|:|at)\s*", sentence.text[best.end : follower.start]
    )
    return None if owns_next and between.strip() in ("", "for") else best


def _nearest(number: Number, sentence: Sentence, metrics: Sequence[Mention]) -> Mention | None:
    start, end = sentence.clause(number.start)
    parenthesis = sentence.parenthesis(number.start)
    inner = [m for m in metrics if parenthesis is not None and parenthesis[0] <= m.start < parenthesis[1]]
    groups = (
        [m for m in inner if m.end <= number.start][::-1],
        inner,
        [m for m in metrics if start <= m.start and m.end <= number.start][::-1],
        [m for m in metrics if number.end <= m.start < end],
        [m for m in metrics if m.end <= number.start][::-1],
        [m for m in metrics if m.start >= number.end],
    )
    for group in groups:
        if group:
            return min((m for m in group if m.start == group[0].start), key=lambda m: m.weak)
    return None


def _counts_things(number: Number, sentence: Sentence) -> bool:
    """Whether a whole number counts what follows it: 18 layers, 26 letters."""
    if number.unit or number.times or number.half or number.step < 1 or number.value < 1:
        return False
    noun = re.match(r"[\s-]+(?:[a-z]+[\s-])?(?P<noun>[a-z]{3,}s)\b", sentence.text[number.end :])
    if noun is None or noun["noun"] in (
        "points",
        "times",
        "versus",
        "less",
        "this",
        "its",
        "was",
        "has",
        "is",
        "across",
        "as",
        "seconds",
        "respectively",
        "towards",
        "plus",
        "perhaps",
    ):
        return False
    span = number.end + noun.start("noun"), number.end + noun.end("noun")
    return not any(m.start < span[1] and span[0] < m.end for m in sentence.of("metric", "run"))


def _merged(found: list[Mention]) -> Mention:
    last = found[-1]
    return Mention(last.kind, tuple(dict.fromkeys(t for m in found for t in m.targets)), last.start, last.end, True)
