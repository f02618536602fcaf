"""What a text speaks of: metrics, runs and settings, found by their names and the ways people write them."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Literal

from orchestrator.evidence.claims.spelling import (
    WORD,
    reading_names,
    reordered,
    shortened,
    spellings,
    split_name,
    sub_phrases,
    title_parts,
)
from orchestrator.evidence.claims.vocabulary import BASELINE, DROPPABLE, DROPPABLE_SETTING, FILLERS, METHOD, UNIT_WORDS
from orchestrator.evidence.ledger import CATEGORIES, Ledger
from orchestrator.records import run_number

MentionKind = Literal["metric", "run", "failed", "setting", "facet"]
_LONGEST = 9
"""No name has more words than this."""

_ROLES = {"".join(WORD.findall(phrase)) for phrase in (*METHOD, *BASELINE)}


@dataclass(frozen=True)
class Mention:
    """A stretch of text that names something. Several targets: it is not said which."""

    kind: MentionKind
    targets: tuple[str, ...]
    start: int
    end: int
    weak: bool = False
    """Named only in part, or only by a role such as "the baseline"."""
    plural: bool = False
    role: bool = False
    """Named by what it is to the paper: "our method", "the baseline"."""
    extended_by: tuple[str, ...] = ()
    """Runs whose names hold this run's name and more."""


@dataclass
class Lexicon:
    """The names to look for: their letters and digits run together, to what they name."""

    ledger: Ledger
    names: dict[str, list[tuple[MentionKind, str, bool]]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for metric in self.ledger.metric_names[:3000]:
            self._add_metric(metric)
        for run in self.ledger.runs:
            self._add_run(run, "run")
        for run in self.ledger.failed:
            self._add_run(run, "failed")
        self._add_roles()
        self._add_partial_metrics()
        self._add_partial_titles()
        self._add_settings()
        self._add_facets()

    def having(self, metrics: Iterable[str], facets: Iterable[str]) -> tuple[str, ...]:
        """Of these metrics those with one of these levels in their name."""
        wanted = set(facets)
        return tuple(m for m in metrics if wanted & set(m.split(".")[:-1]))

    def find(self, text: str) -> list[Mention]:
        """Every mention in order; where two overlap the longer one stands."""
        words = [(m[0].lower(), m.start(), m.end()) for m in WORD.finditer(text)]
        found: list[Mention] = []
        i = 0
        while i < len(words):
            mentions, count = self._longest(words, i, text)
            found += mentions
            i += count
        return found

    def _longest(self, words: list[tuple[str, int, int]], i: int, text: str) -> tuple[list[Mention], int]:
        for count in range(min(_LONGEST, len(words) - i), 0, -1):
            start, end = words[i][1], words[i + count - 1][2]
            if re.search(r"[.!?;,:()%\ue000-\ue002]\s|[,;()\ue000-\ue002]|\n\s*\n", text[start:end]):
                continue
            joined = "".join(word for word, _, _ in words[i : i + count])
            bare = "".join(
                word
                for n, (word, _, _) in enumerate(words[i : i + count])
                if word not in FILLERS or n in (0, count - 1)
            )
            entries = self.names.get(joined) or self.names.get(joined.removesuffix("s")) or self.names.get(bare)
            if entries:
                plural = joined.endswith("s") and joined not in self.names
                found = _mentions(entries, start, end, plural, text[start:end])
                return [
                    replace(m, extended_by=self._extended.get(m.targets[0], ())) if m.kind == "run" else m
                    for m in found
                ], count
        return [], 1

    @cached_property
    def _extended(self) -> dict[str, tuple[str, ...]]:
        names = {run: ["".join(WORD.findall(t.lower())) for t in self.titles(run)] for run in self.ledger.runs}
        return {
            run: tuple(
                r for r in names if r != run and any(a and a in b and a != b for a in names[run] for b in names[r])
            )
            for run in names
        }

    def _put(self, phrase: str, kind: MentionKind, target: str, weak: bool = False) -> None:
        key = "".join(WORD.findall(phrase.lower()))
        if len(key) < 2 and kind != "setting":
            return
        entries = self.names.setdefault(key, [])
        if (kind, target, weak) not in entries and (kind, target, False) not in entries:
            entries.append((kind, target, weak))

    def _add_metric(self, metric: str) -> None:
        levels = [level for level in metric.split(".") if level not in CATEGORIES]
        full = " ".join(" ".join(split_name(level)) for level in levels)
        self._put(metric, "metric", metric)
        for phrase in spellings(split_name(full)):
            self._put(phrase, "metric", metric)
        last = split_name(metric.rsplit(".", 1)[-1])
        for phrase in spellings(last):
            self._put(phrase, "metric", metric)
            if phrase.split()[-1] in DROPPABLE and len(phrase.split()) > 2:
                self._put(phrase.rsplit(" ", 1)[0], "metric", metric, weak=True)
        for words in reordered(last):
            for phrase in spellings(words):
                self._put(phrase, "metric", metric, weak=True)
        for words in shortened(last, DROPPABLE | UNIT_WORDS):
            for phrase in spellings(words):
                self._put(phrase, "metric", metric, weak=True)
        declared = self.ledger.declared.get(metric)
        if declared:
            self._add_unit(metric, declared.unit)
            for phrase in reading_names(declared.reading):
                self._put(phrase, "metric", metric, weak=len(WORD.findall(declared.reading)) > 4)

    def _add_unit(self, metric: str, unit: str) -> None:
        """A unit that is a countable thing names its metric: 87 active features."""
        words = WORD.findall(unit.lower())
        if words and words[0] not in UNIT_WORDS and len(unit) > 3 and unit.isascii():
            self._put(unit, "metric", metric, weak=True)

    def _add_run(self, run: str, kind: MentionKind) -> None:
        number = run_number(run)
        self._put(run, kind, run)
        if "/" not in run:
            self._put(f"run {number}", kind, run)
            self._put(f"run number {number}", kind, run)
        else:
            self._put(run.split("/", 1)[1], kind, run)
            self._put(run.split("/", 1)[1] + " baseline", kind, run)
        for title in self.titles(run):
            bare = re.sub(r"\(.*?\)", " ", title)
            for phrase in {title, bare}:
                self._put(phrase, kind, run)
                words = WORD.findall(phrase)
                self._put(
                    " ".join(w for n, w in enumerate(words) if w.lower() not in FILLERS or n in (0, len(words) - 1)),
                    kind,
                    run,
                )
                if len(words) > 1 and words[-1].lower() in (
                    "baseline",
                    "sae",
                    "model",
                    "method",
                    "variant",
                    "run",
                    "network",
                    "ours",
                ):
                    self._put(" ".join(words[:-1]), kind, run)
            for inside in re.findall(r"\((.*?)\)", title):
                self._put(inside, kind, run, weak=True)

    def titles(self, run: str) -> list[str]:
        """What the run is called by the paper and by the plan."""
        planned = [e.title for e in self.ledger.evidence if e.run == run and e.title]
        return list(dict.fromkeys([*([self.ledger.labels[run]] if run in self.ledger.labels else []), *planned]))

    def _add_roles(self) -> None:
        baselines = self.ledger.baselines
        others = [run for run in self.ledger.runs if run not in baselines]
        for phrase in METHOD:
            for run in others:
                self._put(phrase, "run", run, weak=True)
        for phrase in BASELINE:
            for run in baselines:
                self._put(phrase, "run", run, weak=True)

    def _add_partial_titles(self) -> None:
        """Words of a title that no other run's title has."""
        phrases: dict[str, set[tuple[MentionKind, str]]] = {}
        for run in [*self.ledger.runs, *self.ledger.failed]:
            kind: MentionKind = "run" if run in self.ledger.runs else "failed"
            for title in self.titles(run):
                for phrase in title_parts(title):
                    phrases.setdefault(phrase, set()).add((kind, run))
        for phrase, named in phrases.items():
            owners = {
                (k, r)
                for k, r in named
                if " " not in phrase or not any(r in self._extended.get(o, ()) for _, o in named)
            }
            if len(owners) == 1 and "".join(phrase.split()) not in self.names:
                kind, run = next(iter(owners))
                self._put(phrase, kind, run, weak=True)

    def _add_facets(self) -> None:
        """The levels above a metric's own name: data sets, splits, variables."""
        levels = {level for metric in self.ledger.metric_names[:3000] for level in metric.split(".")[:-1]}
        for level in sorted(levels - set(CATEGORIES)):
            alone = [m for m in self.ledger.declared if level in m.split(".")[:-1]]
            shared = [m for m in self.ledger.declared if alone and m.rsplit(".", 1)[-1] == alone[0].rsplit(".", 1)[-1]]
            for phrase in spellings(split_name(level)) if len(alone) == len(shared) == 1 else []:
                if "".join(phrase.split()) not in self.names:
                    self._put(phrase, "metric", alone[0], weak=True)
            for phrase in spellings(split_name(level)):
                self._put(phrase, "facet", level)
            for shorter in shortened(split_name(level), {"data", "dataset", "char", "set", "eval"}):
                self._put(" ".join(shorter), "facet", level, weak=True)

    def _add_partial_metrics(self) -> None:
        """Parts of metrics' names that no other declared metric has."""
        owners: dict[str, set[str]] = {}
        for metric in self.ledger.declared or self.ledger.metric_names[:300]:
            for phrase in sub_phrases(split_name(metric.rsplit(".", 1)[-1])):
                owners.setdefault(phrase, set()).add(metric)
        for phrase, metrics in owners.items():
            same_name = len({m.rsplit(".", 1)[-1] for m in metrics}) == 1
            if same_name and "".join(phrase.split()) not in self.names:
                for metric in metrics:
                    self._put(phrase, "metric", metric, weak=True)

    def _add_settings(self) -> None:
        keys = {key for run in self.ledger.runs for key in self.ledger.executions(run)[0].settings}
        for key in sorted(keys)[:2000]:
            words = split_name(key.rsplit(".", 1)[-1])
            for phrase in spellings(words):
                self._put(phrase, "setting", key)
            for shorter in shortened(words, DROPPABLE_SETTING):
                for phrase in spellings(shorter):
                    self._put(phrase, "setting", key, weak=True)


def _mentions(
    entries: list[tuple[MentionKind, str, bool]], start: int, end: int, plural: bool, written: str
) -> list[Mention]:
    """One mention a kind; those named in full leave out those named in part."""
    found = []
    named = {k for k, _, weak in entries if not weak}
    for kind in ("metric", "run", "failed", "setting", "facet"):
        same = [(target, weak) for k, target, weak in entries if k == kind]
        if kind == "setting" and named & {"run", "failed", "metric"}:
            continue
        strong = [target for target, weak in same if not weak]
        targets = strong or [target for target, _ in same]
        if targets:
            role = "".join(WORD.findall(written.lower())) in _ROLES
            found.append(
                Mention(
                    kind, tuple(targets), start, end, not strong, plural or written.lower().endswith("baselines"), role
                )
            )
    return found
