"""What a text speaks of: metrics, runs and settings, found by their names and the ways people write them."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from functools import cached_property
from itertools import permutations
from typing import Literal

from orchestrator.evidence.ledger import CATEGORIES, Ledger
from orchestrator.records import run_number

MentionKind = Literal["metric", "run", "failed", "setting", "facet"]
_WORD = re.compile(r"[^\W_]+")
_LONGEST = 9
"""No name has more words than this."""
_SYNONYMS = {
    "acc": ("accuracy",), "accuracy": ("acc",), "mse": ("mean squared error", "mean square error"), "mae": ("mean absolute error", "error", "absolute error"),
    "rmse": ("root mean squared error", "root mean square error", "error"), "nll": ("negative log likelihood",), "ppl": ("perplexity",),
    "perplexity": ("ppl",), "ce": ("cross entropy",), "cross entropy": ("ce",), "kl": ("kl divergence", "kullback leibler divergence"),
    "kl div": ("kl divergence", "kl"), "cossim": ("cosine similarity", "cosine sim"), "cosine similarity": ("cossim", "cosine sim"), "cos sim": ("cosine similarity",),
    "val": ("validation",), "validation": ("val",), "dev": ("development",), "auc": ("area under the curve",), "auroc": ("auc", "roc auc", "area under the roc curve"),
    "f1": ("f1 score", "f score", "f1 measure"), "wer": ("word error rate",), "cer": ("character error rate",), "r2": ("r squared", "coefficient of determination"),
    "psnr": ("peak signal to noise ratio",), "ssim": ("structural similarity",), "fid": ("frechet inception distance", "fréchet inception distance"),
    "iou": ("intersection over union",), "miou": ("mean iou",), "map": ("mean average precision",), "ndcg": ("normalized discounted cumulative gain",),
    "mrr": ("mean reciprocal rank",), "ece": ("expected calibration error", "calibration error"), "lr": ("learning rate",), "bs": ("batch size",), "wd": ("weight decay",),
    "frac": ("fraction", "fraction of", "share of"), "pct": ("percentage", "percent"), "num": ("number of",), "n": ("number of",), "avg": ("average", "mean"),
    "mean": ("average",), "std": ("standard deviation",), "max": ("maximum",), "min": ("minimum",), "temp": ("temperature",), "mem": ("memory",), "params": ("parameters",),
    "tok": ("tokens",), "sec": ("second",), "ms": ("milliseconds",), "lm": ("language model",), "dim": ("dimension",), "d sae": ("dictionary size", "latents", "sae width", "dictionary"),
    "d in": ("input dimension",), "d model": ("model dimension", "hidden size", "width"), "loss score": ("loss recovered",), "ce loss score": ("loss recovered", "ce loss recovered", "cross entropy loss score"),
    "latency": ("inference time", "delay"), "tokens per second": ("throughput",), "throughput": ("tokens per second",), "wall time": ("wall clock time", "training time", "run time"), "train": ("training",), "rew": ("reward",),
    "ret": ("return",), "err": ("error",), "corr": ("correlation",), "explained variance": ("variance explained", "ev"), "frac alive": ("alive fraction", "fraction of alive features", "alive features", "alive latents"),
    "bleu": ("bleu score",), "rouge": ("rouge score",), "gpu": ("gpu",), "peak mem": ("peak memory",), "k": ("top k",), "ctx len": ("context length",), "seq len": ("sequence length",),
    "iters": ("iterations", "steps"), "n embd": ("embedding size", "embedding dimension", "model width"), "embd": ("embedding",), "n layer": ("layers",), "n head": ("heads", "attention heads"), "comm": ("communication", "communication cost", "traffic"), "rtf": ("real time factor",), "epochs": ("epoch",), "seconds": ("time",), "minutes": ("time",), "lambda": ("λ",), "l1 coeff": ("l1 coefficient", "sparsity coefficient", "sparsity penalty"), "hr": ("hit rate",), "success rate": ("success",),
}  # fmt: skip
_UNIT_WORDS = {
    "ms",
    "s",
    "sec",
    "secs",
    "seconds",
    "pct",
    "percent",
    "gb",
    "mb",
    "kb",
    "db",
    "min",
    "minutes",
    "hours",
    "h",
    "m",
    "k",
}
_DROPPABLE = {
    "mean",
    "avg",
    "average",
    "score",
    "final",
    "test",
    "eval",
    "total",
    "overall",
    "value",
    "rate",
    "metric",
    "best",
    "num",
    "n",
    "val",
    "global",
}
_DROPPABLE_SETTING = {
    "num",
    "n",
    "max",
    "size",
    "name",
    "total",
    "coeff",
    "coefficient",
    "lm",
    "target",
    "path",
    "type",
    "deg",
    "h",
    "s",
    "ms",
    "gb",
    "mb",
}
_GENERIC = {
    "the", "a", "an", "of", "with", "and", "or", "to", "in", "on", "for", "by", "from", "at", "as", "is", "are", "be", "it", "its", "plus", "no", "not", "only", "using", "use",
    "method", "model", "models", "approach", "run", "runs", "experiment", "training", "train", "trained", "new", "our", "ours", "this", "that", "more", "less", "without", "add",
    "adds", "added", "change", "all", "both", "each", "per", "loss", "data", "network", "default", "version", "variant", "baseline", "baselines", "sae", "full", "standard",
    "vs", "than", "one", "two", "three", "same", "after", "before", "set", "value", "values", "higher", "lower", "better", "best", "original", "proposed", "result", "results",
    "larger", "smaller", "high", "low", "first", "second", "final", "improved", "increase", "decrease", "reduced", "increased", "combined", "combination", "rate", "size", "learning",
    "features", "feature", "test", "time", "step", "steps",
}  # fmt: skip
_FILLERS = {
    "model",
    "method",
    "sae",
    "network",
    "variant",
    "baseline",
    "run",
    "approach",
    "version",
    "the",
    "a",
    "with",
    "and",
    "plus",
    "using",
}
_STOP = {
    "the",
    "a",
    "an",
    "of",
    "with",
    "and",
    "or",
    "to",
    "in",
    "on",
    "for",
    "by",
    "from",
    "at",
    "as",
    "is",
    "no",
    "without",
    "plus",
    "using",
}
_METHOD = (
    "our method", "our approach", "our model", "our proposed method", "the proposed method", "the proposed approach", "our proposal", "proposed method", "our variant",
    "our system", "our algorithm", "the proposed model", "our technique", "our architecture", "ours", "our full method", "our full model", "proposed", "our sae", "our framework",
    "our estimator", "our policy", "our network", "our classifier", "our agent", "our scheme", "our implementation", "the new method",
)  # fmt: skip
_BASELINE = (
    "the baseline",
    "baseline",
    "the baselines",
    "baselines",
    "the control",
    "the unmodified baseline",
    "our baseline",
    "the baseline model",
    "baseline model",
    "the reference",
)

_ROLES = {"".join(_WORD.findall(phrase)) for phrase in (*_METHOD, *_BASELINE)}


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
        words = [(m[0].lower(), m.start(), m.end()) for m in _WORD.finditer(text)]
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
                if word not in _FILLERS or n in (0, count - 1)
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
        names = {run: ["".join(_WORD.findall(t.lower())) for t in self.titles(run)] for run in self.ledger.runs}
        return {
            run: tuple(
                r for r in names if r != run and any(a and a in b and a != b for a in names[run] for b in names[r])
            )
            for run in names
        }

    def _put(self, phrase: str, kind: MentionKind, target: str, weak: bool = False) -> None:
        key = "".join(_WORD.findall(phrase.lower()))
        if len(key) < 2 and kind != "setting":
            return
        entries = self.names.setdefault(key, [])
        if (kind, target, weak) not in entries and (kind, target, False) not in entries:
            entries.append((kind, target, weak))

    def _add_metric(self, metric: str) -> None:
        levels = [level for level in metric.split(".") if level not in CATEGORIES]
        full = " ".join(" ".join(_split(level)) for level in levels)
        self._put(metric, "metric", metric)
        for phrase in _spellings(_split(full)):
            self._put(phrase, "metric", metric)
        last = _split(metric.rsplit(".", 1)[-1])
        for phrase in _spellings(last):
            self._put(phrase, "metric", metric)
            if phrase.split()[-1] in _DROPPABLE and len(phrase.split()) > 2:
                self._put(phrase.rsplit(" ", 1)[0], "metric", metric, weak=True)
        for words in _reordered(last):
            for phrase in _spellings(words):
                self._put(phrase, "metric", metric, weak=True)
        for words in _shortened(last, _DROPPABLE | _UNIT_WORDS):
            for phrase in _spellings(words):
                self._put(phrase, "metric", metric, weak=True)
        declared = self.ledger.declared.get(metric)
        if declared:
            self._add_unit(metric, declared.unit)
            for phrase in _reading_names(declared.reading):
                self._put(phrase, "metric", metric, weak=len(_WORD.findall(declared.reading)) > 4)

    def _add_unit(self, metric: str, unit: str) -> None:
        """A unit that is a countable thing names its metric: 87 active features."""
        words = _WORD.findall(unit.lower())
        if words and words[0] not in _UNIT_WORDS and len(unit) > 3 and unit.isascii():
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
                words = _WORD.findall(phrase)
                self._put(
                    " ".join(w for n, w in enumerate(words) if w.lower() not in _FILLERS or n in (0, len(words) - 1)),
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
        for phrase in _METHOD:
            for run in others:
                self._put(phrase, "run", run, weak=True)
        for phrase in _BASELINE:
            for run in baselines:
                self._put(phrase, "run", run, weak=True)

    def _add_partial_titles(self) -> None:
        """Words of a title that no other run's title has."""
        phrases: dict[str, set[tuple[MentionKind, str]]] = {}
        for run in [*self.ledger.runs, *self.ledger.failed]:
            kind: MentionKind = "run" if run in self.ledger.runs else "failed"
            for title in self.titles(run):
                for phrase in _parts(title):
                    phrases.setdefault(phrase, set()).add((kind, run))
        for phrase, named in phrases.items():
            owners = {(k, r) for k, r in named if " " not in phrase or not any(r in self._extended.get(o, ()) for _, o in named)}
            if len(owners) == 1 and "".join(phrase.split()) not in self.names:
                kind, run = next(iter(owners))
                self._put(phrase, kind, run, weak=True)

    def _add_facets(self) -> None:
        """The levels above a metric's own name: data sets, splits, variables."""
        levels = {level for metric in self.ledger.metric_names[:3000] for level in metric.split(".")[:-1]}
        for level in sorted(levels - set(CATEGORIES)):
            alone = [m for m in self.ledger.declared if level in m.split(".")[:-1]]
            shared = [m for m in self.ledger.declared if alone and m.rsplit(".", 1)[-1] == alone[0].rsplit(".", 1)[-1]]
            for phrase in _spellings(_split(level)) if len(alone) == len(shared) == 1 else []:
                if "".join(phrase.split()) not in self.names:
                    self._put(phrase, "metric", alone[0], weak=True)
            for phrase in _spellings(_split(level)):
                self._put(phrase, "facet", level)
            for shorter in _shortened(_split(level), {"data", "dataset", "char", "set", "eval"}):
                self._put(" ".join(shorter), "facet", level, weak=True)

    def _add_partial_metrics(self) -> None:
        """Parts of metrics' names that no other declared metric has."""
        owners: dict[str, set[str]] = {}
        for metric in self.ledger.declared or self.ledger.metric_names[:300]:
            for phrase in _sub_phrases(_split(metric.rsplit(".", 1)[-1])):
                owners.setdefault(phrase, set()).add(metric)
        for phrase, metrics in owners.items():
            same_name = len({m.rsplit(".", 1)[-1] for m in metrics}) == 1
            if same_name and "".join(phrase.split()) not in self.names:
                for metric in metrics:
                    self._put(phrase, "metric", metric, weak=True)

    def _add_settings(self) -> None:
        keys = {key for run in self.ledger.runs for key in self.ledger.executions(run)[0].settings}
        for key in sorted(keys)[:2000]:
            words = _split(key.rsplit(".", 1)[-1])
            for phrase in _spellings(words):
                self._put(phrase, "setting", key)
            for shorter in _shortened(words, _DROPPABLE_SETTING):
                for phrase in _spellings(shorter):
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
            role = "".join(_WORD.findall(written.lower())) in _ROLES
            found.append(
                Mention(
                    kind, tuple(targets), start, end, not strong, plural or written.lower().endswith("baselines"), role
                )
            )  # type: ignore[arg-type]
    return found


def _split(name: str) -> list[str]:
    """`explainedVariance`, `explained_variance` as words."""
    spaced = re.sub(r"(?<=[a-z])(?=[A-Z])", " ", name)
    return [word.lower() for word in _WORD.findall(spaced)]


def name_words(name: str) -> list[str]:
    """The words of the last part of a flattened key."""
    return _split(name.rsplit(".", 1)[-1])


def name_spellings(name: str, idle: set[str]) -> list[list[str]]:
    """The words of each way to write the last part of a key, idle words left out."""
    return [[w for w in phrase.split() if w not in idle] for phrase in _spellings(name_words(name))]


IDLE = _DROPPABLE | _UNIT_WORDS | {"frac", "per", "second", "the"}
"""Words of a metric's name that need not be said."""


def akin(word: str, name: str) -> bool:
    """Alike, or of one stem: collides and collision, dropped and drops."""
    common = next((i for i, (a, b) in enumerate(zip(word, name, strict=False)) if a != b), min(len(word), len(name)))
    return alike(word, name) or (common >= 4 and common * 2 >= max(len(word), len(name)))


def alike(word: str, name: str) -> bool:
    """Whether one is the other, its plural or its beginning, or a way to write it."""
    a, b = word.removesuffix("s"), name.removesuffix("s")
    short, long = sorted((a, b), key=len)
    return (
        a == b
        or (len(short) >= 3 and long.startswith(short))
        or word in _SYNONYMS.get(name, ())
        or name in _SYNONYMS.get(word, ())
    )


def _spellings(words: list[str]) -> list[str]:
    """The ways a name is written: each part of up to three words by its synonyms."""
    ways = [[]] if words else []
    found = [" ".join(words)]
    ways = [(0, "")]
    for _ in range(len(words)):
        ways = [(i + n, f"{text} {way}") for i, text in ways if i < len(words) for n, way in _next(words, i)][:60] + [
            (i, text) for i, text in ways if i >= len(words)
        ]
    found += [text.strip() for i, text in ways if i >= len(words)]
    return [phrase for phrase in dict.fromkeys(found) if phrase]


def _next(words: list[str], i: int) -> Iterable[tuple[int, str]]:
    yield 1, words[i]
    for count in (3, 2, 1):
        part = " ".join(words[i : i + count])
        if i + count <= len(words):
            for synonym in _SYNONYMS.get(part, ()):
                yield count, synonym


def _shortened(words: list[str], droppable: set[str]) -> list[list[str]]:
    """The name without words that are often left out."""
    if len(words) < 2:
        return []
    kept = [word for word in words if word not in droppable]
    ways = [kept, *([words[1:]] if words[0] in droppable else []), *([words[:-1]] if words[-1] in droppable else [])]
    return [way for way in ways if way and way != words]


def _reordered(words: list[str]) -> list[list[str]]:
    """The words of a short name in other orders, singular, without "at": MAE energy, energy MAE, NDCG@10."""
    kept = [word for word in words if word not in _UNIT_WORDS or len(words) == 1]
    bare = [word for word in kept if word != "at"]
    single = [word.removesuffix("s") if len(word) > 4 else word for word in bare]
    ways = [bare, single]
    if len(bare) in (2, 3) and not any(word.isdigit() for word in bare):
        ways += [list(way) for base in (bare, single) for way in permutations(base)]
    return [way for way in ways if way and way != words]


def _sub_phrases(words: list[str]) -> set[str]:
    """Stretches of two words and more, by their synonyms, and long single words that say something."""
    found: set[str] = set()
    for n in range(2, len(words) + 1):
        for i in range(len(words) - n + 1):
            part = words[i : i + n]
            if part[0] not in _STOP and part[-1] not in _STOP and not set(part) <= _GENERIC | _DROPPABLE:
                found |= set(_spellings(part))
    single = [
        w
        for w in words
        if len(w) >= 4
        and w not in _GENERIC | _DROPPABLE | _UNIT_WORDS | {"error", "tokens", "second", "score", "total"}
    ]
    return found | set(single) | ({f"{w[:-1]}ies" for w in single if w.endswith("y")})


def _parts(title: str) -> list[str]:
    """Pairs of words of a title, and single words that say something."""
    words = _WORD.findall(title.lower())
    found = [words[i : i + n] for n in (4, 3, 2) for i in range(len(words) - n + 1)]
    phrases = [
        " ".join(part) for part in found if part[0] not in _STOP and part[-1] not in _STOP and not set(part) <= _GENERIC
    ]
    return phrases + [w for w in words if w not in _GENERIC and len(w) >= 4 and not w.isdigit()]


def _reading_names(reading: str) -> list[str]:
    """Names a reading gives to its metric: two or three words at its beginning that say something."""
    first = re.split(r"[;:.,(]", reading)[0].lower()
    if 1 < len(_WORD.findall(first)) <= 4:
        return [first]
    words = [
        w for w in _WORD.findall(first) if w not in ("the", "a", "an", "mean", "average", "share", "fraction", "number")
    ]
    runs = [w for w in words if w not in _GENERIC]
    return [" ".join(runs[:n]) for n in (2, 3) if len(runs) >= n]
