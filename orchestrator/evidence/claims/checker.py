"""Goes through a paper and judges every number, macro, comparison and name."""

from __future__ import annotations

import re
from bisect import bisect_right
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence

from orchestrator.evidence.claims.binding import Binder
from orchestrator.evidence.claims.cells import claims_of_table
from orchestrator.evidence.claims.comparisons import comparisons
from orchestrator.evidence.claims.facts import Facts
from orchestrator.evidence.claims.holders import directly_after
from orchestrator.evidence.claims.judging import Judge
from orchestrator.evidence.claims.lexicon import Lexicon, Mention
from orchestrator.evidence.claims.names import names
from orchestrator.evidence.claims.plain import Plain
from orchestrator.evidence.claims.reading import read
from orchestrator.evidence.claims.records import STRICT, Block, Claim, Document, Judged, Kind, Text
from orchestrator.evidence.claims.sentences import Sentence, sentences
from orchestrator.evidence.claims.uses import judge_use
from orchestrator.evidence.ledger import Ledger
from orchestrator.records import Evidence, Metric


class Checker:
    """One paper against one session's evidence."""

    def __init__(
        self,
        tex: str,
        evidence: Iterable[Evidence],
        metrics: Iterable[Metric],
        texts: Sequence[str],
        labels: Mapping[str, str],
        file: str,
    ) -> None:
        self.tex = tex
        self.file = file
        self.texts = tuple(texts)
        self.ledger = Ledger(evidence, metrics, labels)
        self.lexicon = Lexicon(self.ledger)
        self.facts = Facts(self.ledger)
        self.plain = Plain(self.ledger, self.texts)
        self.document = read(tex)
        self.binder = Binder(self.lexicon, hero(self.document, self.lexicon))
        self.judge = Judge(self.binder, self.plain)
        self._lines = [0, *(m.end() for m in re.finditer("\n", tex))]

    def claims(self) -> list[Claim]:
        """Every claim in the order of the source."""
        found = [self._unread(at, problem) for at, problem in self.document.problems]
        if not self.tex.strip():
            found.append(self._unread(0, "the paper is empty"))
        for block in self.document.blocks:
            if block.section != "appendix":
                found += [claim for sentence in self.sentences(block) for claim in self._in_sentence(sentence)]
        for table in self.document.tables:
            found += claims_of_table(self, table)
        return sorted(found, key=lambda c: (c.start, c.kind))

    def _unread(self, at: int, problem: str) -> Claim:
        text = self.tex[at : at + 80].strip()
        return Claim(
            file=self.file, line=self.line(at), text=text, written="", kind="tex", supported=False, problem=problem,
            start=at, end=at,
        )  # fmt: skip

    def sentences(self, block: Block) -> list[Sentence]:
        """The block's sentences; those of a list's item come after the sentence that leads into the list."""
        found = sentences(block, self.lexicon, self.ledger)
        led = sentences(Block(_plain_text(block.lead), block.section), self.lexicon, self.ledger) if block.lead else []
        for sentence in found:
            self._runs_by_settings(sentence)
            sentence.before = [*led, *sentence.before]
        return found

    def _runs_by_settings(self, sentence: Sentence) -> None:
        """ "With 8 bits" names the runs whose setting that is, where the runs differ in it."""
        for number in list(sentence.numbers):
            keys = self.binder.bind(number, sentence).setting
            runs = self._with_setting(keys, number.value)
            if runs and directly_after(number, sentence, sentence.of("run", "failed")) is None:
                sentence.numbers.remove(number)
                sentence.parameters.append(number)
                name = min(
                    (m for m in sentence.of("setting") if m.targets == keys), key=lambda m: abs(m.start - number.start)
                )
                sentence.mentions.remove(name)
                start, end = min(name.start, number.start), max(name.end, number.end)
                sentence.mentions.append(Mention("run", runs, start, end, True))
        sentence.mentions.sort(key=lambda m: m.start)

    def _with_setting(self, keys: Iterable[str], value: float) -> tuple[str, ...]:
        """The runs that have the value in one of these settings, if the settings tell runs apart; else none."""
        others = [run for run in self.ledger.runs if run not in self.ledger.baselines]
        telling = [key for key in keys if len({self.ledger.setting(run, key) for run in others}) > 1]
        return tuple(run for run in self.ledger.runs if any(self.plain.value_of(run, key) == value for key in telling))

    def line(self, at: int) -> int:
        return bisect_right(self._lines, at)

    def claim(self, sentence: Sentence, start: int, end: int, kind: Kind, judged: Judged, text: str = "") -> Claim:
        """A judgement on a stretch of a sentence, with its place in the source."""
        source = sentence.source
        at, until = source.at[start], max(source.ends[start:end] or [source.at[start]])
        return Claim(
            file=self.file, line=self.line(at), text=text or _shown(sentence.text), written=self.tex[at:until], kind=kind,
            supported=not judged.problem, support=judged.support, problem=judged.problem, nearest=list(judged.nearest),
            start=at, end=until,
        )  # fmt: skip

    def _in_sentence(self, sentence: Sentence) -> Iterator[Claim]:
        for use in sentence.uses:
            yield self.claim(sentence, use.at, use.at + 1, "macro", judge_use(use, sentence, self.facts))
        for number in sentence.parameters:
            yield self.claim(sentence, number.start, number.end, "number", Judged("a setting by which runs differ"))
        for number in sentence.numbers:
            judged = self.judge.number(number, sentence)
            if judged.support or judged.problem:
                yield self.claim(sentence, number.start, number.end, "number", judged)
        yield from self._words(sentence)

    def _words(self, sentence: Sentence) -> Iterator[Claim]:
        section = sentence.block.section
        if section in (*STRICT, "setup", "method") and sentence.block.kind != "heading":
            for said in comparisons(sentence, self.binder):
                judged = Judged(said.support, said.problem, said.nearest)
                yield self.claim(sentence, said.start, said.end, "comparison", judged)
        if section in (*STRICT, "setup"):
            for start, end, where, problem in names(sentence, self.ledger, self.texts):
                yield self.claim(sentence, start, end, "name", Judged(where, problem))


def hero(document: Document, lexicon: Lexicon) -> tuple[str, ...]:
    """The run that the paper is about: the only one besides the baselines, or the one that title and abstract name most.

    Of several named equally often it is the best by the first declared metric; empty where none is named.
    """
    ledger = lexicon.ledger
    others = [run for run in ledger.runs if run not in ledger.baselines]
    if len(others) < 2:
        return tuple(others)
    texts = [block.text.chars for block in document.blocks if block.section in ("title", "abstract")]
    mentions = [m for text in texts for m in lexicon.find(text) if m.kind == "run" and len(m.targets) == 1]
    named = Counter(m.targets[0] for m in mentions if m.targets[0] in others)
    tied = [run for run, times in named.items() if times == max(named.values())]
    return tuple(tied) if len(tied) < 2 else _best_of(tied, ledger)


def _best_of(runs: Sequence[str], ledger: Ledger) -> tuple[str, ...]:
    primary = next((m for m in ledger.declared.values() if m.direction), None)
    ranked = {run: mean for run in runs if primary and (mean := ledger.mean(run, primary.name)) is not None}
    if primary is None or len(ranked) < len(runs):
        return ()
    choose = max if primary.direction == "max" else min
    return (choose(ranked, key=lambda run: ranked[run]),)


def _plain_text(chars: str) -> Text:
    text = Text()
    text.add(chars, 0, 0)
    return text


def _shown(text: str) -> str:
    return re.sub(r"\s+", " ", re.sub("[\ue000-\ue002]", "…", text)).strip()[:300]
