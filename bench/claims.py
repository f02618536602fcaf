"""How well the checker of claims tells true from wrong: `python bench/claims.py [--papers DIR] [--seed N] [--show]`.

Reads labelled papers (bench/corpus/README.md says how they are labelled) and prints, over the papers as they stand and
over single mutations of their true numbers (a digit changed, the sign flipped, two numbers swapped, a random number of the
metric's range put in place): recall of wrong numbers, false alarms, accepted random numbers.
"""

from __future__ import annotations

import argparse
import random
import re
import sys
import tomllib
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

from orchestrator.evidence.claims import Claim, check
from orchestrator.records import Evidence, Metric, Provenance

CORPUS = Path(__file__).parent / "corpus"
_MARK = re.compile(r"⟦([!?><]?)(.*?)⟧", re.DOTALL)
RANDOM = "random number of the metric's range"
_KINDS = {"": "true", "!": "wrong", "?": "no claim", ">": "holds", "<": "does not hold"}


@dataclass(frozen=True)
class Label:
    start: int
    end: int
    kind: str
    text: str


@dataclass(frozen=True)
class Paper:
    name: str
    tex: str
    labels: tuple[Label, ...]
    evidence: list[Evidence]
    metrics: list[Metric]
    names: dict[str, str]

    def check(self, tex: str | None = None) -> list[Claim]:
        return check(self.tex if tex is None else tex, self.evidence, self.metrics, labels=self.names)


def load(folder: Path) -> list[Paper]:
    return [_paper(path) for path in sorted(folder.glob("*.tex"))]


def _paper(path: Path) -> Paper:
    data = tomllib.loads(path.with_suffix(".toml").read_text(encoding="utf-8"))
    tex, labels = unmarked(path.read_text(encoding="utf-8"))
    evidence = [e for run, given in data["runs"].items() for e in _executions(run, given, data)]
    names = {run: given["label"] for run, given in data["runs"].items() if "label" in given}
    return Paper(path.stem, tex, tuple(labels), evidence, [Metric(**m) for m in data["metrics"]], names)


def _executions(run: str, given: dict[str, Any], data: dict[str, Any]) -> Iterator[Evidence]:
    settings = {**data.get("settings", {}), **given.get("settings", {})}
    if given.get("failed"):
        yield Evidence(
            run=run, title=given["title"], status="failed", attempts=given.get("attempts", 1), settings=settings
        )
        return
    seeds = given.get("seeds", data["seeds"])
    for seed in range(seeds):
        metrics = {name: _value(v, seed - (seeds - 1) / 2) for name, v in given["metrics"].items()}
        yield Evidence(
            run=run,
            seed=seed,
            title=given["title"],
            metrics=metrics,
            settings=settings,
            provenance=Provenance(commit="0" * 40),
        )


def _value(given: float | list[float], steps: float) -> float:
    return given[0] + steps * given[1] if isinstance(given, list) else float(given)


def unmarked(marked: str) -> tuple[str, list[Label]]:
    """The LaTeX without its marks, and where the marked stretches then are."""
    tex, labels, last = "", [], 0
    for mark in _MARK.finditer(marked):
        tex += marked[last : mark.start()]
        labels.append(Label(len(tex), len(tex) + len(mark[2]), _KINDS[mark[1]], mark[2]))
        tex += mark[2]
        last = mark.end()
    return tex + marked[last:], labels


def overlapping(claims: list[Claim], start: int, end: int) -> list[Claim]:
    return [c for c in claims if c.start < end and start < c.end]


def flagged(claims: list[Claim], start: int, end: int) -> list[Claim]:
    return [c for c in overlapping(claims, start, end) if not c.supported]


def judge_labels(paper: Paper, claims: list[Claim], score: Counter[str], show: bool) -> None:
    """Counts the labelled numbers and comparisons, and everything flagged that no label covers."""
    for label in paper.labels:
        numeric = label.kind in ("true", "wrong", "no claim")
        found = [c for c in flagged(claims, label.start, label.end) if (c.kind == "comparison") != numeric]
        score[f"labels: {label.kind}"] += 1
        if bool(found) == (label.kind in ("wrong", "does not hold")):
            continue
        score[f"misjudged: {label.kind}"] += 1
        if show:
            said = [c.problem for c in found] or "not flagged"
            print(f"{paper.name}: {label.kind} {label.text!r}: {said} in {_around(paper.tex, label)}")
    for claim in claims:
        if claim.supported or any(claim.start < label.end and label.start < claim.end for label in paper.labels):
            continue
        score[f"unlabelled: {'comparison' if claim.kind == 'comparison' else 'number'}"] += 1
        if show:
            where = f"unlabelled {claim.kind} {claim.written!r} line {claim.line}"
            print(f"{paper.name}: {where}: {claim.problem}: {claim.text[:160]}")


def _around(tex: str, label: Label) -> str:
    return repr(tex[max(0, label.start - 90) : label.end + 60])


@dataclass(frozen=True)
class Mutation:
    kind: str
    tex: str
    spans: tuple[tuple[int, int], ...]
    """Where the now wrong numbers stand."""


def mutations(paper: Paper, claims: list[Claim], chance: random.Random) -> Iterator[Mutation]:
    true = [label for label in paper.labels if label.kind == "true" and re.search(r"\d", label.text)]
    for label in true:
        yield _changed(paper, label, _other_digit(label.text, chance), "one digit changed")
        if re.search(r"[1-9]", label.text) and "e" not in label.text.lower() and "10^" not in label.text:
            yield _changed(paper, label, _flipped(label.text), "sign flipped")
        drawn = _drawn(paper, label, claims, chance)
        if drawn is not None:
            yield _changed(paper, label, drawn, RANDOM)
    for a, b in pairwise(true):
        if (
            _first_number(a.text) != _first_number(b.text)
            and b.start - a.end < 120
            and ("\\pm" in a.text) == ("\\pm" in b.text)
        ):
            yield _swapped(paper, a, b)


def _changed(paper: Paper, label: Label, text: str, kind: str) -> Mutation:
    tex = paper.tex[: label.start] + text + paper.tex[label.end :]
    return Mutation(kind, tex, ((label.start, label.start + len(text)),))


def _swapped(paper: Paper, a: Label, b: Label) -> Mutation:
    tex = paper.tex[: a.start] + b.text + paper.tex[a.end : b.start] + a.text + paper.tex[b.end :]
    first = (a.start, a.start + len(b.text))
    return Mutation("two numbers swapped", tex, (first, (b.end - len(a.text), b.end)))


def _number_span(text: str) -> re.Match[str]:
    found = re.search(r"\d(?:\d|\{?,\}?(?=\d)|\\,(?=\d))*(?:\.\d+)?|\.\d+", text)
    assert found is not None
    return found


def _first_number(text: str) -> float:
    return float(re.sub(r"[^\d.]", "", _number_span(text)[0]))


def _other_digit(text: str, chance: random.Random) -> str:
    span = _number_span(text)
    places = [i for i in range(span.start(), span.end()) if text[i].isdigit()]
    place = chance.choice(places)
    choices = [d for d in "0123456789" if d != text[place] and not (d == "0" and place == places[0])]
    return text[:place] + chance.choice(choices) + text[place + 1 :]


def _flipped(text: str) -> str:
    span = _number_span(text)
    before = text[: span.start()]
    if before.endswith(("-", "−")):
        return before[:-1] + text[span.start() :]
    return before.removesuffix("+") + "-" + text[span.start() :]


def _drawn(paper: Paper, label: Label, claims: list[Claim], chance: random.Random) -> str | None:
    """A number of the same form, drawn from the range that the metric has over all runs."""
    support = next((c.support for c in overlapping(claims, label.start, label.end) if c.supported), "")
    metric = max((m.name for m in paper.metrics if m.name in support), key=len, default="")
    if not metric:
        return None
    values = [e.metrics[metric] for e in paper.evidence if metric in e.metrics]
    true = _first_number(label.text)
    derived = re.search(r"difference|ratio|relative change|over runs", support)
    size = max(abs(v) for v in values)
    scale = (
        1.0
        if derived
        else min(
            (0.001, 0.01, 1.0, 100.0, 1000.0),
            key=lambda s: abs(true - min(abs(v) * s for v in values)) / (size * s) if size else 0,
        )
    )
    low, high = (0.3 * true, 3 * true) if derived else (min(values) * scale, max(values) * scale)
    span = _number_span(label.text)
    places = len(span[0].rsplit(".", 1)[1]) if "." in span[0] else 0
    for _ in range(20):
        drawn = f"{abs(chance.uniform(low, high)):.{places}f}"
        if float(drawn) != true and high - low > 2 * 10.0**-places:
            return label.text[: span.start()] + drawn + label.text[span.end() :]
    return None


def judge_mutations(paper: Paper, claims: list[Claim], chance: random.Random, score: Counter[str], show: bool) -> None:
    for mutation in mutations(paper, claims, chance):
        found = paper.check(mutation.tex)
        for start, end in mutation.spans:
            score[f"mutated: {mutation.kind}"] += 1
            if flagged(found, start, end):
                continue
            score[f"accepted: {mutation.kind}"] += 1
            if show:
                why = [c.support for c in overlapping(found, start, end)]
                around = mutation.tex[max(0, start - 100) : end + 50]
                print(f"{paper.name}: {mutation.kind}: {mutation.tex[start:end]!r} accepted {why}: {around!r}")


def report(score: Counter[str]) -> bool:
    """Prints the figures; whether the goals are met."""
    true, wrong_as_labelled, idle = (score[f"labels: {kind}"] for kind in ("true", "wrong", "no claim"))
    alarms = score["misjudged: true"] + score["misjudged: no claim"] + score["unlabelled: number"]
    kinds = sorted(k.removeprefix("mutated: ") for k in score if k.startswith("mutated: "))
    wrong = wrong_as_labelled + sum(score[f"mutated: {k}"] for k in kinds)
    missed = score["misjudged: wrong"] + sum(score[f"accepted: {k}"] for k in kinds)
    print(
        f"{true + wrong_as_labelled + idle} labelled numbers: {true} true, {wrong_as_labelled} wrong, {idle} no claim"
    )
    _line("false alarms", alarms, true + idle, "goal ≤ 2 %")
    _line("wrong numbers as labelled, missed", score["misjudged: wrong"], wrong_as_labelled)
    for kind in kinds:
        _line(f"{kind}, accepted", score[f"accepted: {kind}"], score[f"mutated: {kind}"])
    _line("recall of wrong numbers", wrong - missed, wrong, "goal ≥ 99 %")
    drawn = score[f"mutated: {RANDOM}"]
    _line("random numbers, accepted", score[f"accepted: {RANDOM}"], drawn, "goal ≤ 2 %")
    compared = score["labels: holds"] + score["labels: does not hold"]
    _line("comparisons misjudged", score["misjudged: holds"] + score["misjudged: does not hold"], compared)
    print(f"comparisons flagged that are not labelled: {score['unlabelled: comparison']}")
    few_alarms = alarms <= 0.02 * (true + idle)
    return few_alarms and missed <= 0.01 * wrong and score[f"accepted: {RANDOM}"] <= 0.02 * drawn


def _line(what: str, part: int, whole: int, goal: str = "") -> None:
    print(f"{what:45s} {part:5d} of {whole:5d}  {part / whole if whole else 0.0:8.2%}  {goal}".rstrip())


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--papers", type=Path, default=CORPUS)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--show", action="store_true", help="print every misjudgement")
    parser.add_argument("--labels-only", action="store_true", help="leave the mutations out")
    options = parser.parse_args()
    score: Counter[str] = Counter()
    chance = random.Random(options.seed)
    for paper in load(options.papers):
        claims = paper.check()
        judge_labels(paper, claims, score, options.show)
        if not options.labels_only:
            judge_mutations(paper, claims, chance, score, options.show)
    return 0 if report(score) else 1


if __name__ == "__main__":
    sys.exit(main())
