"""Goes through a paper and judges every number, macro, comparison and name."""

from __future__ import annotations

import re
from bisect import bisect_right
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from itertools import product

from orchestrator.evidence.claims.binding import Binder, Binding
from orchestrator.evidence.claims.cells import claims_of_table
from orchestrator.evidence.claims.changes import Change, change_in, fits, mean_over_runs, pair_of
from orchestrator.evidence.claims.comparisons import comparisons, timing
from orchestrator.evidence.claims.holders import directly_after
from orchestrator.evidence.claims.lexicon import Lexicon, Mention
from orchestrator.evidence.claims.names import names
from orchestrator.evidence.claims.numbers import Number
from orchestrator.evidence.claims.plain import Plain, setting_fits
from orchestrator.evidence.claims.reading import read
from orchestrator.evidence.claims.records import CITE, STRICT, Block, Claim, Document, Judged, Kind, Text
from orchestrator.evidence.claims.sentences import Sentence, Use, sentences
from orchestrator.evidence.claims.values import half_problem, is_value, readings, unit_of
from orchestrator.evidence.ledger import Ledger, humanised
from orchestrator.records import Evidence, Metric

_RESULT_WORDS = re.compile(
    r"\b(?:we (?:find|observe|see|obtain|measure|achieve|report)|achiev\w+|reach\w+|obtain\w+|attain\w+"
    r"|outperform\w+|improv\w+|results?|yield\w*|scores?|reduc(?:es|ed)|increas(?:es|ed)|decreas(?:es"
    r"|ed)|speed-?ups?|faster|slower)\b",
    re.IGNORECASE,
)
_FAILED = re.compile(
    r"\b(?:fail\w*|crash\w*|diverg\w*|excluded?|not quoted|unusable|NaN|stopped|timed? out|discard\w*|attempts?)\b",
    re.IGNORECASE,
)
_EXACT_P = re.compile(r"\bp\s*(?:-value)?\s*(?P<sign>=|<|>|≈|≤|of)\s*$", re.IGNORECASE)


class Checker:
    """One paper against one session's evidence."""

    def __init__(self, tex: str, evidence: Iterable[Evidence], metrics: Iterable[Metric], texts: Sequence[str],
                 labels: Mapping[str, str], file: str) -> None:  # fmt: skip
        self.tex = tex
        self.file = file
        self.ledger = Ledger(evidence, metrics, labels)
        self.lexicon = Lexicon(self.ledger)
        self.texts = tuple(texts)
        self.plain = Plain(self.ledger, self.texts)
        self.binder = Binder(self.lexicon, ())
        self._lines = [0, *(m.end() for m in re.finditer("\n", tex))]

    def claims(self) -> list[Claim]:
        document = read(self.tex)
        found = [self._unread(at, problem) for at, problem in document.problems]
        self.binder.hero = hero(document, self.lexicon)
        if not self.tex.strip():
            found.append(self._unread(0, "the paper is empty"))
        for block in document.blocks:
            if block.section == "appendix":
                continue
            for sentence in self._sentences(block):
                found += self._in_sentence(sentence)
        for table in document.tables:
            found += claims_of_table(self, table)
        return sorted(found, key=lambda c: (c.start, c.kind))

    def _unread(self, at: int, problem: str) -> Claim:
        return Claim(file=self.file, line=self.line(at), text=self.tex[at : at + 80].strip(), written="", kind="tex",
                     supported=False, problem=problem, start=at, end=at)  # fmt: skip

    def _sentences(self, block: Block) -> list[Sentence]:
        found = sentences(block, self.lexicon, self.ledger)
        for sentence in found:
            self._runs_by_settings(sentence)
        if block.lead and found:
            led = sentences(Block(_plain_text(block.lead), block.section), self.lexicon, self.ledger)
            for sentence in found:
                sentence.before = [*led, *sentence.before]
        return found

    def _runs_by_settings(self, sentence: Sentence) -> None:
        """ "With 8 bits" names the runs whose setting that is, where the runs differ in it."""
        for number in list(sentence.numbers):
            keys = self.binder.bind(number, sentence).setting
            runs = [
                r
                for r in self.ledger.runs
                if any((v := self.plain.value_of(r, k)) is not None and setting_fits(number, v) for k in keys)
            ]
            named = directly_after(number, sentence, sentence.of("run", "failed"))
            if 0 < len(runs) < len(self.ledger.runs) and self._varies(keys) and named is None:
                sentence.numbers.remove(number)
                sentence.parameters.append(number)
                sentence.mentions.append(Mention("run", tuple(runs), number.start, number.end, True))
        sentence.mentions.sort(key=lambda m: m.start)

    def _varies(self, keys: Iterable[str]) -> bool:
        """Whether runs that are no baselines differ in one of these settings."""
        others = [r for r in self.ledger.runs if r not in self.ledger.baselines]
        return any(len({self.ledger.setting(r, k) for r in others}) > 1 for k in keys)

    def line(self, at: int) -> int:
        return bisect_right(self._lines, at)

    def claim(self, sentence: Sentence, start: int, end: int, kind: Kind, judged: Judged, text: str = "") -> Claim:
        source = sentence.source
        at, until = source.at[start], max(source.ends[start:end] or [source.at[start]])
        return Claim(
            file=self.file, line=self.line(at), text=text or _shown(sentence.text), written=self.tex[at:until], kind=kind,
            supported=not judged.problem, support=judged.support, problem=judged.problem, nearest=list(judged.nearest),
            start=at, end=until,
        )  # fmt: skip

    def _in_sentence(self, sentence: Sentence) -> Iterator[Claim]:
        for use in sentence.uses:
            yield self.claim(sentence, use.at, use.at + 1, "macro", self.macro(use, sentence))
        for number in sentence.parameters:
            yield self.claim(sentence, number.start, number.end, "number", Judged("a setting by which runs differ"))
        for number in sentence.numbers:
            judged = self.number(number, sentence)
            if judged.support or judged.problem:
                yield self.claim(sentence, number.start, number.end, "number", judged)
        section = sentence.block.section
        if section in (*STRICT, "setup", "method") and sentence.block.kind != "heading":
            for said in comparisons(sentence, self.binder):
                judged = Judged(said.support, said.problem, said.nearest)
                yield self.claim(sentence, said.start, said.end, "comparison", judged)
        if section in (*STRICT, "setup"):
            for start, end, where, problem in names(sentence, self.ledger, self.texts):
                yield self.claim(sentence, start, end, "name", Judged(where, problem))

    def macro(self, use: Use, sentence: Sentence) -> Judged:
        """A macro's name must be known, and be of the metric and unit that the words beside it name."""
        meaning = use.meaning
        if meaning.problem:
            return Judged("", self._why_unknown(use, meaning.problem), meaning.nearest)
        if meaning.metric and meaning.kind in ("value", "mean"):
            problem = self._macro_beside(use, sentence)
            if problem:
                return Judged("", problem, (f"\\{use.atom.name} of the metric that is named",))
        where = ", ".join(self.at(run) for run in meaning.runs)
        return Judged(f"{meaning.kind} {meaning.metric} {where}".strip() or meaning.kind)

    def _why_unknown(self, use: Use, problem: str) -> str:
        failed = next(
            (r for r in self.ledger.failed if any(a.startswith(f"{r}/") or a == r for a in use.atom.arguments)), ""
        )
        return f"{failed} failed, and a failed run is never quoted" if failed else problem

    def _macro_beside(self, use: Use, sentence: Sentence) -> str:
        metric = use.meaning.metric
        after = sentence.text[use.at + 1 :]
        if re.match(r"\s?%", after) and unit_of(self.ledger, metric) != "%":
            return f"{metric} is not in percent"
        others = [m for m in sentence.of("metric") if m.end <= use.at and not m.weak and m.end - m.start > 1]
        if not others:
            return ""
        between = sentence.text[others[-1].end : use.at]
        beside = re.fullmatch(r"\s*(?:of|is|was|=|:|reaches|score of|value of)?\s*(?:the |a |about )?", between)
        wrong = beside and metric not in others[-1].targets
        return (
            f"the text says {sentence.text[others[-1].start : others[-1].end]!r}, the macro is of {metric}"
            if wrong
            else ""
        )

    def number(self, number: Number, sentence: Sentence) -> Judged:
        """One number in a sentence."""
        section = sentence.block.section
        strict = section in STRICT or sentence.block.kind == "caption"
        if CITE in sentence.text and self._cited(number, sentence):
            return Judged("cited, not measured")
        if self.plain.reason(number, sentence):
            return Judged()
        hardware = self.plain.hardware(number, sentence)
        if hardware is not None:
            return Judged(hardware[0]) if hardware[1] else Judged("", hardware[0])
        p = _EXACT_P.search(sentence.text[: number.start])
        if p:
            return self._p_value(number, p["sign"], sentence) if strict else Judged()
        counted = self.plain.count(number, sentence)
        if counted is not None:
            said, right = counted
            if right or not (strict or section == "setup"):
                return Judged(said)
            return Judged("", f"the evidence counts {said}")
        if number.word:
            return Judged()
        binding = self.binder.bind(number, sentence)
        if binding.setting and not number.times:
            return self._setting(number, binding, sentence)
        if not binding.attached and not number.spelled and not (strict and binding.metrics):
            loose = self.plain.loosely_named(number, sentence)
            if loose:
                return self._setting(number, replace(binding, setting=loose), sentence)
        if number.times and number.spelled and not binding.metrics:
            return Judged()
        results_like = strict or bool(binding.metrics and (_RESULT_WORDS.search(sentence.text) or sentence.of("run")))
        if not results_like:
            return self._outside_results(number, section)
        return self.bound(number, binding, sentence)

    def _cited(self, number: Number, sentence: Sentence) -> bool:
        """Whether a sentence with a citation tells of others' work: in these sections, or where it names nothing of ours."""
        if sentence.block.section in ("related", "background"):
            return True
        ours = [m for m in sentence.of("run") if not set(m.targets) <= set(self.ledger.baselines)]
        return (
            sentence.block.section == "introduction"
            and not ours
            and (not sentence.of("metric", "setting") or re.match(rf"[^.;]{{0,25}}{CITE}", sentence.text[number.end :]))
            and not re.search(r"\b(?:[Ww]e|[Oo]urs?)\b", sentence.text)
        )

    def _outside_results(self, number: Number, section: str) -> Judged:
        """In method, background and set-up a number is a setting or no claim; a set-up states nothing else."""
        setting = self.plain.some_setting(number)
        if setting:
            return Judged(setting)
        if section != "setup" or self.plain.in_texts(number) or self._from_two_settings(number):
            return Judged()
        if (number.value in (0, 1, 2) and not number.unit) or number.times:
            return Judged()
        return Judged("", "no run's settings and no code state this number")

    def _from_two_settings(self, number: Number) -> bool:
        values = {v for run in self.ledger.runs for key in self.ledger.executions(run)[0].settings
                  if (v := self.plain.value_of(run, key)) not in (None, 0)}  # fmt: skip
        some = [v for v in values if v is not None][:60]
        return any(
            setting_fits(number, a * b) or setting_fits(number, a / b)
            for a, b in product(some, some)
            if a != b and abs(a) > 1 and abs(b) > 1
        )

    def _setting(self, number: Number, binding: Binding, sentence: Sentence) -> Judged:
        said, right = self.plain.setting(
            number, binding.setting, binding.runs, binding.named and len(binding.runs) == 1
        )
        if right:
            return Judged(said)
        if binding.also:
            judged = self.bound(number, replace(binding, setting=(), metrics=binding.also), sentence)
            if not judged.problem:
                return judged
        if not said or (self.plain.in_texts(number) and sentence.block.section not in STRICT):
            return self._outside_results(number, "method") if not said and sentence.block.section not in STRICT else (
                self.bound(number, replace(binding, setting=()), sentence) if not said else Judged())  # fmt: skip
        return Judged(
            "",
            f"the settings in force are {said}",
            tuple(rf"\setting{{{self.ledger.runs[0]}/{key}}}" for key in binding.setting[:2]),
        )

    def _p_value(self, number: Number, sign: str, sentence: Sentence) -> Judged:
        metrics = [t for m in sentence.of("metric") for t in m.targets] or [
            t for s in sentence.before for m in s.of("metric") for t in m.targets
        ]
        first, second = pair_of(number, sentence, self.binder)
        found = [(a, b, m, d.p) for a, b, m in product(first, second, dict.fromkeys(metrics)) if a != b
                 and (d := self.ledger.difference(a, b, m)) is not None and d.p is not None]  # fmt: skip
        for a, b, metric, p in found:
            if (
                (sign in "<≤" and p < number.value)
                or (sign == ">" and p > number.value)
                or (sign not in "<≤>" and abs(p - number.value) <= number.step / 2)
            ):
                return Judged(f"p = {p:.3g} of {metric} between {a} and {b}")
        said = "; ".join(f"p = {p:.3g} of {metric} between {a} and {b}" for a, b, metric, p in found[:3])
        return Judged("", f"the tests give {said}" if said else "no test of the evidence gives a p-value here")

    def bound(self, number: Number, binding: Binding, sentence: Sentence) -> Judged:
        """A number that may be a result: of the metric and run its sentence gives it."""
        if binding.failed and not (binding.failed and not binding.metrics and _FAILED.search(sentence.text)):
            return Judged("", f"{binding.failed} failed, and a failed run's numbers are never quoted")
        change = change_in(number, sentence)
        if change is not None and change.kind != "mean over runs":
            changed = self._changed(number, change, binding, sentence)
            negative = any(v < 0 for m in binding.metrics for r in self.ledger.runs for v in self.ledger.values(r, m))
            if not changed.problem or not (change.doubtful and negative):
                return changed
        if not binding.metrics:
            setting = self.plain.some_setting(number)
            if setting:
                return Judged(setting)
            if binding.failed:
                return Judged()
            return Judged("", "no metric is named that this could be a value of", self.near(number))
        if (
            change is not None
            and change.kind == "mean over runs"
            and any(
                mean_over_runs(number, runs, m, self.ledger) for m in binding.metrics for runs in self._groups(binding)
            )
        ):
            return Judged(f"mean of {binding.metrics[0]} over runs")
        target = self._target(number, binding, sentence)
        return target or self._valued(number, binding, sentence)

    def _groups(self, binding: Binding) -> list[tuple[str, ...]]:
        baselines = tuple(self.ledger.baselines)
        return [
            binding.runs,
            tuple(r for r in self.ledger.runs if r not in baselines),
            tuple(self.ledger.runs),
            baselines,
        ]

    def _target(self, number: Number, binding: Binding, sentence: Sentence) -> Judged | None:
        before, after = (
            sentence.text[max(0, number.start - 28) : number.start],
            sentence.text[number.end : number.end + 12],
        )
        if not re.search(r"\b(?:target|goal|threshold)\b[^,;]*$", before, re.IGNORECASE) and not re.match(
            r"\s*(?:target|goal|threshold)\b", after
        ):
            return None
        for metric in binding.metrics:
            target = self.ledger.metric(metric).target
            if target is not None and is_value(number, target, self.ledger, metric):
                return Judged(f"target of {metric}")
        return None

    def _valued(self, number: Number, binding: Binding, sentence: Sentence, context: str = "") -> Judged:
        runs = self._narrowed(binding.runs, sentence)
        pairs = [(m, r) for m in binding.metrics for r in runs if self.ledger.values(r, m)]
        if not pairs:
            return Judged("", "no sound run has a value of this", self.near(number, binding.metrics))
        text = f"{sentence.text} {context}"
        right = [(m, r, a) for m, r in pairs if (a := self.reading(number, m, r, text))]
        if not right:
            return Judged("", self.wrong(number, pairs, text), self.near(number, binding.metrics, runs))
        if len({(m, r) for m, r, _ in right}) < len(pairs):
            of = " or ".join(dict.fromkeys(f"{r}/{m}" for m, r in pairs[:3]))
            return Judged(
                "", f"it is not said which is meant: {of}", tuple(rf"\res{{{r}/{m}}}" for m, r, _ in right[:3])
            )
        metric, run, aggregation = right[0]
        bad = half_problem(number, self.ledger, run, metric, text)
        if bad:
            return Judged("", bad, (rf"\resci{{{run}/{metric}}}",))
        return Judged(f"{aggregation} of {metric} in {self.at(run)}")

    def reading(self, number: Number, metric: str, run: str, text: str) -> str:
        """By which aggregation the number is the metric's value in the run; empty where by none."""
        for reading in readings(self.ledger, run, metric, text):
            if is_value(number, reading.value, self.ledger, metric, text):
                return reading.aggregation
        return ""

    def _narrowed(self, runs: tuple[str, ...], sentence: Sentence) -> tuple[str, ...]:
        """Of several runs those whose settings are as the sentence says: "with k = 64"."""
        if len(runs) < 2 and runs:
            return runs
        wanted = runs or tuple(self.ledger.runs)
        for number in sentence.numbers:
            keys = self.binder.bind(number, sentence).setting
            for key in keys:
                fitting = tuple(
                    r for r in wanted if (v := self.plain.value_of(r, key)) is not None and setting_fits(number, v)
                )
                if fitting and len(fitting) < len(wanted):
                    wanted = fitting
        return wanted if runs or len(wanted) < len(self.ledger.runs) else runs

    def _changed(self, number: Number, change: Change, binding: Binding, sentence: Sentence) -> Judged:
        first, second = pair_of(number, sentence, self.binder)
        timed = timing(self.ledger)
        if change.sign in ("faster", "slower") and not binding.attached and timed:
            binding = replace(binding, metrics=(timed,))
        if not binding.metrics:
            return Judged("", "it is not said of which metric this is a change", self.near(number))
        pairs = [
            (a, b, m)
            for a, b, m in product(first, second, binding.metrics)
            if a != b and self.ledger.values(a, m) and self.ledger.values(b, m)
        ]
        right = [(a, b, m, how) for a, b, m in pairs if (how := fits(number, change, a, b, m, self.ledger))]
        if right and len(right) == len(pairs):
            return Judged(right[0][3])
        if change.sign == "" and not right and not number.signed:
            right = [(a, b, m, how) for a, b, m in pairs if (how := fits(number, change, b, a, m, self.ledger))]
            if right and len(right) == len(pairs):
                return Judged(right[0][3])
        macro = {"difference": "diff", "ratio": "ratio", "relative change": "relchange"}[change.kind]
        nearest = tuple(rf"\{macro}{{{a}}}{{{b}}}{{{m}}}" for a, b, m in ([r[:3] for r in right] or pairs)[:3])
        if right:
            return Judged("", "it is not said between which two runs", nearest)
        said = "; ".join(self._change_said(change, a, b, m) for a, b, m in pairs[:2])
        return Judged(
            "", f"the {change.kind} is {said}" if said else "there are not two sound runs to compare", nearest
        )

    def _change_said(self, change: Change, a: str, b: str, metric: str) -> str:
        x, y = self.ledger.mean(a, metric) or 0.0, self.ledger.mean(b, metric) or 0.0
        value = {
            "difference": x - y,
            "ratio": x / y if y else float("inf"),
            "relative change": 100 * (x - y) / abs(y) if y else float("inf"),
        }[change.kind]
        return f"{value:.4g}{' %' if change.kind == 'relative change' else ''} ({metric}, {a} against {b})"

    def wrong(self, number: Number, pairs: Sequence[tuple[str, str]], text: str) -> str:
        metric, run = pairs[0]
        mean = self.ledger.mean(run, metric)
        said = f"{humanised(metric)} of {self.ledger.title(run)} ({run}) is {f'{mean:.6g}' if mean is not None else 'not known'}"
        unit = unit_of(self.ledger, metric)
        elsewhere = next((f"{r}/{m}" for r in self.ledger.runs for m in self.ledger.declared or self.ledger.metric_names[:200]
                          if (m, r) not in pairs and self.reading(number, m, r, text)), "")  # fmt: skip
        return said + (f" {unit}" if unit else "") + (f"; the number is that of {elsewhere}" if elsewhere else "")

    def near(self, number: Number, metrics: Sequence[str] = (), runs: Sequence[str] = ()) -> tuple[str, ...]:
        """Macros of the evidence nearest to a number."""
        names = list(metrics) or list(self.ledger.declared) or self.ledger.metric_names[:50]
        found = [(abs(v - number.value) / (abs(v) + 1e-9), rf"\res{{{r}/{m}}}")
                 for m in names for r in (list(runs) or self.ledger.runs) if (v := self.ledger.mean(r, m)) is not None]  # fmt: skip
        return tuple(macro for _, macro in sorted(found)[:3])

    def at(self, run: str) -> str:
        commit = self.ledger.commit(run)
        return f"{run} at {commit[:10]}" if commit else run


def hero(document: Document, lexicon: Lexicon) -> tuple[str, ...]:
    """The run that the paper is about: the only one besides the baselines, or the one that title and abstract name most."""
    ledger = lexicon.ledger
    others = [run for run in ledger.runs if run not in ledger.baselines]
    if len(others) < 2:
        return tuple(others)
    named: Counter[str] = Counter()
    for block in document.blocks:
        if block.section in ("title", "abstract"):
            named.update(
                m.targets[0]
                for m in lexicon.find(block.text.chars)
                if m.kind == "run" and len(m.targets) == 1 and m.targets[0] in others
            )
    most = named.most_common()
    tied = [run for run, times in most if times == most[0][1]]
    primary = next((m.name for m in ledger.declared.values() if m.direction), "")
    ranked = {run: mean for run in tied if (mean := ledger.mean(run, primary)) is not None}
    if len(tied) > 1 and len(ranked) == len(tied):
        choose = max if ledger.metric(primary).direction == "max" else min
        return (choose(ranked, key=lambda run: ranked[run]),)
    return (tied[0],) if len(tied) == 1 else ()


def _plain_text(chars: str) -> Text:
    text = Text()
    text.add(chars, 0, 0)
    return text


def _shown(text: str) -> str:
    return re.sub(r"\s+", " ", re.sub("[\ue000-\ue002]", "…", text)).strip()[:300]
