"""Numbers in text that may be results: a value, a change between two runs, a mean over runs, a p-value."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from dataclasses import replace
from itertools import product

from orchestrator.evidence.claims.binding import Binder, Binding
from orchestrator.evidence.claims.changes import Change, change_in, fits, mean_over_runs, pair_of
from orchestrator.evidence.claims.comparisons import timing
from orchestrator.evidence.claims.facts import Facts
from orchestrator.evidence.claims.numbers import Number
from orchestrator.evidence.claims.plain import Plain
from orchestrator.evidence.claims.records import Judged
from orchestrator.evidence.claims.sentences import Sentence
from orchestrator.evidence.claims.values import is_value

_FAILED = re.compile(
    r"\b(?:fail\w*|crash\w*|diverg\w*|excluded?|not quoted|unusable|NaN|stopped|timed? out|discard\w*|attempts?)\b",
    re.IGNORECASE,
)
_TARGET_BEFORE = re.compile(r"\b(?:target|goal|threshold)\b[^,;]*$", re.IGNORECASE)
_TARGET_AFTER = re.compile(r"\s*(?:target|goal|threshold)\b", re.IGNORECASE)
_MACROS = {"difference": "diff", "ratio": "ratio", "relative change": "relchange"}
Triple = tuple[str, str, str]
"""Two runs and a metric."""


class Results:
    """Judges numbers that a sentence gives to a metric and a run."""

    def __init__(self, binder: Binder, plain: Plain) -> None:
        self.binder = binder
        self.plain = plain
        self.ledger = binder.ledger
        self.facts = Facts(binder.ledger)

    def judge(self, number: Number, binding: Binding, sentence: Sentence) -> Judged:
        if binding.failed and (binding.metrics or not _FAILED.search(sentence.text)):
            return Judged("", f"{binding.failed} failed, and a failed run's numbers are never quoted")
        change = change_in(number, sentence)
        if change is not None and change.kind != "mean over runs":
            changed = self._changed(number, change, binding, sentence)
            if not changed.problem or not (change.doubtful and self._may_be_negative(binding.metrics)):
                return changed
        if not binding.metrics:
            return self._without_metric(number, binding)
        if change is not None and change.kind == "mean over runs" and self._mean_of_some(number, binding):
            return Judged(f"mean of {binding.metrics[0]} over runs")
        target = self._target(number, binding, sentence)
        return target or self.facts.value(number, binding.metrics, binding.runs, sentence.text)

    def _may_be_negative(self, metrics: Sequence[str]) -> bool:
        return any(v < 0 for m in metrics for r in self.ledger.runs for v in self.ledger.values(r, m))

    def _without_metric(self, number: Number, binding: Binding) -> Judged:
        setting = self.plain.some_setting(number)
        if setting or binding.failed:
            return Judged(setting)
        return Judged("", "no metric is named that this could be a value of", self.facts.near(number))

    def _mean_of_some(self, number: Number, binding: Binding) -> bool:
        baselines = self.ledger.baselines
        others = [run for run in self.ledger.runs if run not in baselines]
        groups = (binding.runs, others, self.ledger.runs, baselines)
        return any(mean_over_runs(number, runs, m, self.ledger) for m in binding.metrics for runs in groups)

    def _target(self, number: Number, binding: Binding, sentence: Sentence) -> Judged | None:
        before = sentence.text[max(0, number.start - 28) : number.start]
        if not _TARGET_BEFORE.search(before) and not _TARGET_AFTER.match(sentence.text[number.end :]):
            return None
        for metric in binding.metrics:
            target = self.ledger.metric(metric).target
            if target is not None and is_value(number, target, self.ledger, metric):
                return Judged(f"target of {metric}")
        return None

    def _changed(self, number: Number, change: Change, binding: Binding, sentence: Sentence) -> Judged:
        timed = timing(self.ledger)
        if change.sign in ("faster", "slower") and not binding.attached and timed:
            binding = replace(binding, metrics=(timed,))
        if not binding.metrics:
            return Judged("", "it is not said of which metric this is a change", self.facts.near(number))
        first, second = pair_of(number, sentence, self.binder)
        triples = [t for t in product(first, second, binding.metrics) if self._comparable(t)]
        right = self._fitting(number, change, triples)
        if not right and change.sign == "" and not number.signed:
            right = self._fitting(number, change, [(b, a, m) for a, b, m in triples])
        if right and len(right) == len(triples):
            return Judged(next(iter(right.values())))
        return self._wrong_change(change, list(right), triples)

    def _comparable(self, triple: Triple) -> bool:
        a, b, metric = triple
        return a != b and bool(self.ledger.values(a, metric)) and bool(self.ledger.values(b, metric))

    def _fitting(self, number: Number, change: Change, triples: Sequence[Triple]) -> dict[Triple, str]:
        return {t: how for t in triples if (how := fits(number, change, *t, self.ledger))}

    def _wrong_change(self, change: Change, right: list[Triple], triples: list[Triple]) -> Judged:
        macros = tuple(rf"\{_MACROS[change.kind]}{{{a}}}{{{b}}}{{{m}}}" for a, b, m in (right or triples)[:3])
        if right:
            return Judged("", "it is not said between which two runs", macros)
        said = "; ".join(self._change_said(change, t) for t in triples[:2])
        return Judged("", f"the {change.kind} is {said}" if said else "there are not two sound runs to compare", macros)

    def _change_said(self, change: Change, triple: Triple) -> str:
        a, b, metric = triple
        x, y = self.ledger.mean(a, metric) or 0.0, self.ledger.mean(b, metric) or 0.0
        ratio, relative = (x / y, 100 * (x - y) / abs(y)) if y else (math.inf, math.inf)
        value = {"difference": x - y, "ratio": ratio, "relative change": relative}[change.kind]
        return f"{value:.4g}{' %' if change.kind == 'relative change' else ''} ({metric}, {a} against {b})"

    def p_value(self, number: Number, sign: str, sentence: Sentence) -> Judged:
        """A p-value: of the test between the two runs, on the metric, that the sentence speaks of."""
        spoken = [sentence, *reversed(sentence.before)]
        metrics = next((found for s in spoken if (found := [t for m in s.of("metric") for t in m.targets])), [])
        first, second = pair_of(number, sentence, self.binder)
        tests = {t: p for t in product(first, second, dict.fromkeys(metrics)) if (p := self._p(t)) is not None}
        for (a, b, metric), p in tests.items():
            if _p_holds(number, sign, p):
                return Judged(f"p = {p:.3g} of {metric} between {a} and {b}")
        said = "; ".join(f"p = {p:.3g} of {m} between {a} and {b}" for (a, b, m), p in list(tests.items())[:3])
        return Judged("", f"the tests give {said}" if said else "no test of the evidence gives a p-value here")

    def _p(self, triple: Triple) -> float | None:
        found = self.ledger.difference(*triple) if triple[0] != triple[1] else None
        return None if found is None else found.p


def _p_holds(number: Number, sign: str, p: float) -> bool:
    if sign in "<≤":
        return p < number.value
    return p > number.value if sign == ">" else abs(p - number.value) <= number.step / 2
