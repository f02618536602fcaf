"""What the evidence says to a number: by which reading it is right, what would be, and where it is true instead."""

from __future__ import annotations

from collections.abc import Sequence

from orchestrator.evidence.claims.numbers import Number
from orchestrator.evidence.claims.records import Judged
from orchestrator.evidence.claims.values import half_problem, is_value, readings, unit_of
from orchestrator.evidence.ledger import Ledger, humanised

Pair = tuple[str, str]
"""A metric and a run."""


class Facts:
    """Numbers against the ledger."""

    def __init__(self, ledger: Ledger) -> None:
        self.ledger = ledger

    def reading(self, number: Number, metric: str, run: str, text: str) -> str:
        """By which aggregation the number is the metric's value in the run; empty where by none."""
        for reading in readings(self.ledger, run, metric, text):
            if is_value(number, reading.value, self.ledger, metric, text):
                return reading.aggregation
        return ""

    def value(self, number: Number, metrics: Sequence[str], runs: Sequence[str], text: str) -> Judged:
        """A number that is said to be the value of one of these metrics in one of these runs: it must be of each."""
        pairs = [(m, r) for m in metrics for r in runs if self.ledger.values(r, m)]
        if not pairs:
            return Judged("", "no sound run has a value of this", self.near(number, metrics))
        right = {(m, r): a for m, r in pairs if (a := self.reading(number, m, r, text))}
        if not right:
            return Judged("", self.wrong(number, pairs, text), self.near(number, metrics, runs))
        if len(right) < len(set(pairs)):
            either = " or ".join(dict.fromkeys(f"{r}/{m}" for m, r in pairs[:3]))
            macros = tuple(rf"\res{{{r}/{m}}}" for m, r in list(right)[:3])
            return Judged("", f"it is not said which is meant: {either}", macros)
        (metric, run), aggregation = next(iter(right.items()))
        bad = half_problem(number, self.ledger, run, metric, text)
        if bad:
            return Judged("", bad, (rf"\resci{{{run}/{metric}}}",))
        return Judged(f"{aggregation} of {metric} in {self.at(run)}")

    def wrong(self, number: Number, pairs: Sequence[Pair], text: str) -> str:
        """What the value is that the number should be, and where the number is true."""
        metric, run = pairs[0]
        mean, unit = self.ledger.mean(run, metric), unit_of(self.ledger, metric)
        value = "not known" if mean is None else f"{mean:.6g} {unit}".strip()
        elsewhere = self._elsewhere(number, pairs, text)
        of_other = f"; the number is that of {elsewhere}" if elsewhere else ""
        return f"{humanised(metric)} of {self.ledger.title(run)} ({run}) is {value}{of_other}"

    def _elsewhere(self, number: Number, pairs: Sequence[Pair], text: str) -> str:
        metrics = list(self.ledger.declared) or self.ledger.metric_names[:200]
        others = ((m, r) for r in self.ledger.runs for m in metrics if (m, r) not in pairs)
        return next((f"{r}/{m}" for m, r in others if self.reading(number, m, r, text)), "")

    def near(self, number: Number, metrics: Sequence[str] = (), runs: Sequence[str] = ()) -> tuple[str, ...]:
        """Macros of the three values nearest to a number."""
        found: list[tuple[float, str]] = []
        for metric in list(metrics) or list(self.ledger.declared) or self.ledger.metric_names[:50]:
            for run in list(runs) or self.ledger.runs:
                mean = self.ledger.mean(run, metric)
                if mean is not None:
                    found.append((abs(mean - number.value) / (abs(mean) + 1e-9), rf"\res{{{run}/{metric}}}"))
        return tuple(macro for _, macro in sorted(found)[:3])

    def at(self, run: str) -> str:
        """The run and the commit it is of."""
        commit = self.ledger.commit(run)
        return f"{run} at {commit[:10]}" if commit else run
