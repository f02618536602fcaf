"""One number of a text: nothing, a count, a setting, or a result; and whether it is right."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace
from itertools import product

from orchestrator.evidence.claims.binding import Binder, Binding
from orchestrator.evidence.claims.numbers import Number
from orchestrator.evidence.claims.plain import Plain, setting_fits
from orchestrator.evidence.claims.records import CITE, STRICT, Judged
from orchestrator.evidence.claims.results import Results
from orchestrator.evidence.claims.sentences import Sentence

_RESULT_WORDS = re.compile(
    r"\b(?:we (?:find|observe|see|obtain|measure|achieve|report)|achiev\w+|reach\w+|obtain\w+|attain\w+|outperform\w+|improv\w+"
    r"|results?|yield\w*|scores?|reduc(?:es|ed)|increas(?:es|ed)|decreas(?:es|ed)|speed-?ups?|faster|slower)\b",
    re.IGNORECASE,
)
_P_VALUE = re.compile(r"\bp\s*(?:-value)?\s*(?P<sign>=|<|>|≈|≤|of)\s*$", re.IGNORECASE)
_OURS = re.compile(r"\b(?:[Ww]e|[Oo]urs?)\b")
Rule = Callable[[Number, Sentence], Judged | None]


class Judge:
    """Judges the numbers of sentences. A judgement without support and problem: the number claims nothing."""

    def __init__(self, binder: Binder, plain: Plain) -> None:
        self.binder = binder
        self.plain = plain
        self.ledger = binder.ledger
        self.results = Results(binder, plain)
        self._rules: tuple[Rule, ...] = (
            self._cited, self._no_claim, self._hardware, self._p_value, self._counted, self._of_setting,
        )  # fmt: skip

    def number(self, number: Number, sentence: Sentence) -> Judged:
        """The first rule that knows the number decides; what none knows may be a result."""
        for rule in self._rules:
            judged = rule(number, sentence)
            if judged is not None:
                return judged
        binding = self.binder.bind(number, sentence)
        spoken_of = binding.metrics and (_RESULT_WORDS.search(sentence.text) or sentence.of("run"))
        if is_strict(sentence) or spoken_of:
            return self.results.judge(number, binding, sentence)
        return self._outside_results(number, sentence)

    def _cited(self, number: Number, sentence: Sentence) -> Judged | None:
        """A sentence with a citation tells of others' work in these sections, or where it names nothing of ours."""
        if CITE not in sentence.text:
            return None
        section = sentence.block.section
        ours = any(not set(m.targets) <= set(self.ledger.baselines) for m in sentence.of("run"))
        named = ours or _OURS.search(sentence.text) or section != "introduction"
        beside = re.match(rf"[^.;]{{0,25}}{CITE}", sentence.text[number.end :])
        if section in ("related", "background") or (not named and (beside or not sentence.of("metric", "setting"))):
            return Judged("cited, not measured")
        return None

    def _no_claim(self, number: Number, sentence: Sentence) -> Judged | None:
        return Judged() if self.plain.reason(number, sentence) else None

    def _hardware(self, number: Number, sentence: Sentence) -> Judged | None:
        found = self.plain.hardware(number, sentence)
        if found is None:
            return None
        said, right = found
        return Judged(said) if right else Judged("", said)

    def _p_value(self, number: Number, sentence: Sentence) -> Judged | None:
        found = _P_VALUE.search(sentence.text[: number.start])
        if found is None:
            return None
        return self.results.p_value(number, found["sign"], sentence) if is_strict(sentence) else Judged()

    def _counted(self, number: Number, sentence: Sentence) -> Judged | None:
        counted = self.plain.count(number, sentence)
        if counted is None:
            return Judged() if number.word else None
        said, right = counted
        if right or not (is_strict(sentence) or sentence.block.section == "setup"):
            return Judged(said)
        return Judged("", f"the evidence counts {said}")

    def _of_setting(self, number: Number, sentence: Sentence) -> Judged | None:
        """A number beside a setting's name must be the setting in force."""
        binding = self.binder.bind(number, sentence)
        if binding.setting and not number.times:
            return self._setting(number, binding, sentence)
        loose_allowed = not binding.attached and not number.spelled and not (is_strict(sentence) and binding.metrics)
        loose = self.plain.loosely_named(number, sentence) if loose_allowed else ()
        if loose:
            return self._setting(number, replace(binding, setting=loose), sentence)
        return Judged() if number.times and number.spelled and not binding.metrics else None

    def _setting(self, number: Number, binding: Binding, sentence: Sentence) -> Judged:
        exact = binding.named and len(binding.runs) == 1
        said, right = self.plain.setting(number, binding.setting, binding.runs, exact)
        if right:
            return Judged(said)
        if binding.also:
            judged = self.results.judge(number, replace(binding, setting=(), metrics=binding.also), sentence)
            if not judged.problem:
                return judged
        if said:
            in_code = not is_strict(sentence) and self.plain.in_texts(number)
            macros = tuple(rf"\setting{{{self.ledger.runs[0]}/{key}}}" for key in binding.setting[:2])
            return Judged() if in_code else Judged("", f"the settings in force are {said}", macros)
        if is_strict(sentence):
            return self.results.judge(number, replace(binding, setting=()), sentence)
        return Judged()

    def _outside_results(self, number: Number, sentence: Sentence) -> Judged:
        """In method, background and set-up a number is a setting or no claim; a set-up states nothing else."""
        setting = self.plain.some_setting(number)
        if setting:
            return Judged(setting)
        small = (number.value in (0, 1, 2) and not number.unit) or number.times
        known = small or self.plain.in_texts(number) or self._from_two_settings(number)
        if sentence.block.section != "setup" or known:
            return Judged()
        return Judged("", "no run's settings and no code state this number")

    def _from_two_settings(self, number: Number) -> bool:
        """Whether the number is a product or quotient of two settings: an expansion factor, tokens a batch."""
        keys = {(run, key) for run in self.ledger.runs for key in self.ledger.executions(run)[0].settings}
        values = {v for run, key in keys if (v := self.plain.value_of(run, key)) is not None and abs(v) > 1}
        pairs = list(product(sorted(values)[:60], repeat=2))
        return any(setting_fits(number, a * b) or setting_fits(number, a / b) for a, b in pairs if a != b)


def is_strict(sentence: Sentence) -> bool:
    """Whether every number here is a claim unless it is shown to be none."""
    return sentence.block.section in STRICT or sentence.block.kind == "caption"
