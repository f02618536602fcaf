"""Numbers that claim no result: years, references, sizes that the settings state, counts, enumerations, constants."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property

from orchestrator.evidence.claims.numbers import Number, find_numbers
from orchestrator.evidence.claims.records import CITE, REF
from orchestrator.evidence.claims.sentences import Sentence
from orchestrator.evidence.claims.spelling import alike, name_spellings, name_words
from orchestrator.evidence.claims.units import UNITS
from orchestrator.evidence.claims.values import rounds_to
from orchestrator.evidence.ledger import Ledger


def _words(text: str) -> set[str]:
    return set(text.split())


_POINTER = re.compile(
    r"\b(?:sections?|sec\.?|§|figures?|figs?\.?|tables?|tab\.?|equations?|eqs?\.?|appendix|app\."
    r"|algorithm|alg\.|theorem|lemma|proposition|corollary|definition|assumption|chapter|line|lines"
    r"|footnote|page|pages|pp?\.|version|v"
    r"|python|pytorch|cuda|phase|stage|step \(|part|hypothesis|question|contribution|experiment"
    r"|case|type|id|arxiv:?|level|tier|panel|item|issue|week|day)[\s~(#]*$",
    re.IGNORECASE,
)
_LIST_MARK = re.compile(r"(?:^|[\s:;,])\(?$")
_CONFIDENCE = re.compile(
    r"^\s*-?(?:confidence|CI\b|bootstrap|credible|interval|level|t-interval|Student)|^\s*\\?%?\s*(?:confidence|CI\b|interval)",
    re.I,
)
_SIGNIFICANCE = re.compile(
    r"(?:\bα|alpha|significance level(?: of)?|level of significance)\s*(?:=|of|at)?\s*$|\bat (?:the )?$", re.I
)
_BOUNDED = re.compile(
    r"(?:∈|\bin the (?:range|interval)|\bbounded|\bbetween|\brang(?:es|ing)|\bscale|\bfrom|\bvalues?"
    r"|\bmaximum(?: possible)?|\bperfect|\bnormali[sz]ed|\bprobabilit|\bbest possible)[^.;]{0,24}$",
    re.I,
)
_COUNTED = re.compile(
    r"^[\s-]*(?:(?:random|independent|different|fresh|separate|training|sound|successful|planned"
    r"|numbered|completed|failed|non-baseline|baseline|distinct|further|additional|more|such|of"
    r" (?:the|our|these|those)?|whole|full|ablation|experimental|new|replicate)\s+)*"
    r"(?P<what>seeds?|runs?|repetitions?|replicates?|repeats|trials|attempts|baselines?|executions"
    r"|variants|configurations|methods|metrics|experiments|ablations|conditions|models|settings)\b",
    re.IGNORECASE,
)
_HARDWARE = re.compile(
    r"^[\s-]*(?:\b(?:NVIDIA|Nvidia|AMD|Intel|Google|Apple|a|single|shared|parallel|GB|TB|of)\b\s*)*(?:GPUs?"
    r"|TPUs?|CPUs?|A100s?|H100s?|H200s?|V100s?|T4s?|P100s?|RTX|GTX|TITAN|Tesla|cores?|nodes?|workers?\b"
    r"|(?:GB |TB )?(?:of )?(?:RAM|memory|VRAM))",
    re.IGNORECASE,
)
_WORD = re.compile(r"[^\W_]+")
_CODE_NUMBER = re.compile(r"(?<![\w.])\d[\d_]*(?:\.\d+)?(?:e-?\d{1,2})?(?![\w.])")
_MOST_CODE = 400_000
"""Characters of a text of settings that are read."""
_LEVELS = (90, 95, 99, 68, 0.95, 0.9, 0.99)
_IDLE_WORDS = _words(
    """
num n max size name total train the of config coeff h deg s ms count value dim dims units weight
"""
)
_ORDINARY = re.compile(
    r"^[\s-]*(?:(?:main|key|core|simple|new|novel|major|important|complementary|common|separate"
    r"|different|distinct|further|standard|well-known|general|broad|practical|primary|open|independent)\s+)*"
    r"(?:contributions?|reasons?|ways?|parts?|components?|steps?|stages?|questions?|phases?|aspects?"
    r"|challenges?|issues?|problems?|limitations?|sections?|kinds?|types?|families|groups?|cases?"
    r"|factors?|goals?|points? (?:are|stand)|observations?|findings?|directions?|mechanisms?|terms?"
    r"|panels?|columns?|rows?|figures?|tables?|categories|dimensions?|-dimensional|d\b|decades?"
    r"|years?|pages?|sentences?|authors?)\b",
    re.IGNORECASE,
)


@dataclass
class Plain:
    """Tells numbers that are no claim of a result apart. `texts`: the code and other texts that state settings."""

    ledger: Ledger
    texts: tuple[str, ...] = ()

    def reason(self, number: Number, sentence: Sentence) -> str:
        """Why a number claims nothing that was measured; empty where it may."""
        before = sentence.text[max(0, number.start - 40) : number.start]
        after = sentence.text[number.end : number.end + 40]
        whole = number.value == int(number.value) and not number.unit
        reasons = {
            "a reference": _is_reference(number, before, after),
            "a year": _is_year(number, before, after),
            "the level of an interval": bool(_CONFIDENCE.search(after)) and number.value in _LEVELS,
            "a level of significance": _is_level(number, before) and not sentence.of("metric"),
            "an enumeration": _is_list_mark(number, before, after),
            "a part of a metric's name": self._in_metric_name(number, sentence),
            "a bound of a scale": whole
            and number.value in (0, 1)
            and number.step == 1
            and bool(_BOUNDED.search(before)),
            "a count of things in the paper": whole
            and not number.times
            and 0 < number.value <= 20
            and bool(_ORDINARY.match(after)),
        }
        return next((reason for reason, holds in reasons.items() if holds), "")

    def _in_metric_name(self, number: Number, sentence: Sentence) -> bool:
        """Whether the number is in the name of a metric of which another word stands beside it: rounds to 80 % accuracy."""
        if number.step != 1 or number.spelled:
            return False
        before = sentence.text[max(0, number.start - 30) : number.start]
        words = [] if re.search(r"\bby\s*$", before) else [w.lower() for w in _WORD.findall(before)][-2:]
        for metric in self.ledger.declared or ():
            names = name_words(metric)
            if f"{number.value:.0f}" in names and any(
                alike(w, n) for w in words for n in names if len(n) > 2 and not n.isdigit()
            ):
                return True
        return False

    def hardware(self, number: Number, sentence: Sentence) -> tuple[str, bool] | None:
        """Whether the hardware a sentence counts is what the runs recorded; None where it counts none."""
        if not _HARDWARE.match(
            sentence.text[number.end :] if not number.unit else number.unit + sentence.text[number.end :]
        ):
            return None
        if sentence.of("metric"):
            return None
        known = {
            v
            for run in self.ledger.runs
            for e in self.ledger.executions(run)
            for v in e.provenance.hardware.values()
            if isinstance(v, int | float)
        }
        setting = self.some_setting(number)
        if setting:
            return setting, True
        scale = UNITS.get(number.unit, ("", 1.0))[1]
        right = any(
            rounds_to(number, float(v)) or rounds_to(number, float(v), scale) or rounds_to(number, float(v) / scale)
            for v in known
        )
        return ("the hardware recorded with the runs", True) if right else ("no run recorded such hardware", False)

    def count(self, number: Number, sentence: Sentence) -> tuple[str, bool] | None:
        """Whether a number of seeds, runs, baselines or attempts is right; None where nothing of the kind is counted."""
        match = _COUNTED.match(sentence.text[number.end : number.end + 60])
        given = re.search(r"\bn\s*=\s*$", sentence.text[: number.start])
        if (not match and not given) or number.unit or number.times:
            return None
        what = "seed" if match is None else match["what"].lower().rstrip("s")
        known = self._counts(what, sentence.text[number.end : number.end + 60])
        if known is None:
            return None
        said = ", ".join(str(k) for k in sorted(known))
        return f"{what}s: {said}", number.value in known

    def _counts(self, what: str, after: str) -> set[int] | None:
        """What the evidence counts of this kind; None where it counts nothing of it."""
        if what in ("seed", "repetition", "replicate", "repeat", "trial"):
            return {len(self.ledger.executions(run)) for run in self.ledger.runs}
        if what in ("run", "execution", "experiment"):
            return self._counts_of_runs(after)
        counts = {
            "attempt": {self.ledger.attempts} | {e.attempts for e in self.ledger.evidence},
            "baseline": {len(self.ledger.baselines)},
            "metric": {len(self.ledger.declared)} if "declared" in after else None,
        }
        return counts.get(what)

    def _counts_of_runs(self, after: str) -> set[int]:
        ledger = self.ledger
        if re.match(r"[\s-]*(?:\w+\s+)?failed|[\s-]*runs? (?:have |had )?failed", after):
            return {len(ledger.failed), sum(1 for e in ledger.evidence if e.status == "failed")}
        replicates = {len(ledger.executions(run)) for run in ledger.runs}
        every, sound, baselines = len({e.run for e in ledger.evidence}), len(ledger.runs), len(ledger.baselines)
        executed = sum(len(ledger.executions(run)) for run in ledger.runs)
        return replicates | {sound - baselines, sound, every, executed, every - baselines, ledger.attempts}

    def setting(
        self, number: Number, keys: Iterable[str], runs: Iterable[str], exact: bool = False
    ) -> tuple[str, bool]:
        """Whether the number is the value of a setting of that name in the runs, or, unless `exact`, in any sound run."""
        keys = list(keys)
        wanted = [r for r in runs if r in self.ledger.runs] or self.ledger.runs
        values = {(run, key): v for run in wanted for key in keys if (v := self.value_of(run, key)) is not None}
        fitting = [(run, key) for (run, key), v in values.items() if setting_fits(number, v)]
        if fitting:
            run, key = fitting[0]
            return f"setting {key} of {run}", True
        if wanted != self.ledger.runs and not exact:
            everywhere = self.setting(number, keys, ())
            if everywhere[1]:
                return everywhere
        said = ", ".join(sorted({f"{key} = {v:g}" for (_, key), v in values.items()})[:3])
        return said, False

    def value_of(self, run: str, key: str) -> float | None:
        value = self.ledger.setting(run, key)
        return float(value) if isinstance(value, int | float) and not isinstance(value, bool) else None

    def loosely_named(self, number: Number, sentence: Sentence) -> tuple[str, ...]:
        """Settings all of whose name's words stand near the number in its clause: "the embedding has size 128"."""
        start, end = sentence.clause(number.start)
        before = [w.lower() for w in _WORD.findall(sentence.text[start : number.start])][-6:]
        after = [w.lower() for w in _WORD.findall(sentence.text[number.end : end])][:4]
        stop = max((n.end for n in sentence.numbers if n.end <= number.start), default=0)
        if stop > start:
            before = [w.lower() for w in _WORD.findall(sentence.text[stop : number.start])][-6:]
        best: dict[str, int] = {}
        for key in {key for run in self.ledger.runs for key in self.ledger.executions(run)[0].settings}:
            for names in name_spellings(key, _IDLE_WORDS):
                near = [*before[-3:], *after[:2]] if len(names) == 1 else [*before, *after]
                if names and all(any(alike(w, n) for w in near) for n in names) and self._is_number(key):
                    best[key] = max(len(names), best.get(key, 0))
        return tuple(key for key, n in best.items() if n == max(best.values()))

    def _is_number(self, key: str) -> bool:
        return any(self.value_of(run, key) is not None for run in self.ledger.runs)

    def some_setting(self, number: Number) -> str:
        """Which setting of any name has the number's value; empty where none has."""
        for run in self.ledger.runs:
            for key in self.ledger.executions(run)[0].settings:
                value = self.value_of(run, key)
                if value is not None and value not in (0, 1) and setting_fits(number, value):
                    return f"setting {key} of {run}"
                named = self.ledger.setting(run, key)
                if (
                    isinstance(named, str)
                    and number.step >= 1
                    and number.value > 1
                    and f"{number.value:.0f}" in re.findall(r"\d+", named)
                ):
                    return f"setting {key} = {named} of {run}"
        return ""

    def in_texts(self, number: Number) -> bool:
        """Whether the number stands in the code or another text that states settings."""
        return any(setting_fits(number, value) for value in self._written)

    @cached_property
    def _written(self) -> set[float]:
        texts = [text[:_MOST_CODE] for text in self.texts]
        in_code = {float(m[0].replace("_", "")) for text in texts for m in _CODE_NUMBER.finditer(text)}
        return in_code | {n.value for text in texts for n in find_numbers(text)}


def setting_fits(number: Number, value: float) -> bool:
    """A setting is quoted exactly, as a share in percent, or rounded where it is large."""
    if rounds_to(number, value) and (
        value == number.value or abs(value) >= 1000 or number.step < abs(value) * 0.02 or number.bound == "about"
    ):
        return True
    return number.share and rounds_to(number, value * 100) and abs(value) <= 1


def _is_reference(number: Number, before: str, after: str) -> bool:
    if _POINTER.search(before) and not number.unit:
        return True
    return bool(re.search(rf"[{REF}{CITE}](?:[(\s]*)$", before)) and bool(re.match(r"[)\]]", after))


def _is_level(number: Number, before: str) -> bool:
    return bool(_SIGNIFICANCE.search(before)) and number.value in (0.05, 0.01, 0.001, 5, 1, 95)


def _is_year(number: Number, before: str, after: str) -> bool:
    if not (
        1900 <= number.value <= 2099
        and number.step == 1
        and "," not in number.written
        and not number.unit
        and not number.times
    ):
        return False
    near = re.search(
        rf"\b(?:in|since|of|from|by|during|until|late|early|mid|year|and|to|–)\s*$|[({CITE},'’]\s*$|[A-Z][a-z]+\.?,?\s*$",
        before,
    )
    return bool(near) and not re.match(r"\s*(?:steps|tokens|samples|features|latents|examples|units)", after)


def _is_list_mark(number: Number, before: str, after: str) -> bool:
    if (
        number.value != int(number.value)
        or not 0 <= number.value <= 20
        or number.unit
        or number.spelled
        or number.step != 1
    ):
        return False
    return bool(
        (re.search(r"(?:^|[\s:;,])\($", before) and after.startswith(")") and re.match(r"\)\s+[A-Za-z]", after))
        or (not before.strip() and re.match(r"[.)]\s", after))
    )
