"""The checker on the labelled papers of bench/: the figures that bench/claims.py prints, held."""

from __future__ import annotations

import importlib.util
import random
import sys
from collections import Counter
from pathlib import Path
from types import ModuleType

import pytest

BENCH = Path(__file__).parents[2] / "bench" / "claims.py"


@pytest.fixture(scope="module")
def bench() -> ModuleType:
    spec = importlib.util.spec_from_file_location("bench_claims", BENCH)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules["bench_claims"] = module
    spec.loader.exec_module(module)
    return module


def test_labels_are_told_apart(bench: ModuleType) -> None:
    score: Counter[str] = Counter()
    for paper in bench.load(bench.CORPUS):
        bench.judge_labels(paper, paper.check(), score, show=False)
    true, wrong, idle = (score[f"labels: {kind}"] for kind in ("true", "wrong", "no claim"))
    alarms = score["misjudged: true"] + score["misjudged: no claim"] + score["unlabelled: number"]
    assert true + wrong + idle >= 300
    assert score["misjudged: wrong"] == 0
    assert alarms <= 0.03 * (true + idle)


@pytest.mark.slow
def test_single_mutations_are_found(bench: ModuleType) -> None:
    score: Counter[str] = Counter()
    chance = random.Random(0)
    for paper in bench.load(bench.CORPUS):
        bench.judge_mutations(paper, paper.check(), chance, score, show=False)
    mutated = sum(n for kind, n in score.items() if kind.startswith("mutated"))
    accepted = sum(n for kind, n in score.items() if kind.startswith("accepted"))
    assert mutated > 2000
    assert accepted <= 0.01 * mutated
    assert score[f"accepted: {bench.RANDOM}"] <= 0.02 * score[f"mutated: {bench.RANDOM}"]
