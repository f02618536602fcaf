"""Sparse probing: can a property of the text be read from a few latents?

Labels come from the text itself, a sequence at a time (`TASKS`). Latents are averaged over a sequence; the k with the largest
absolute difference between the two classes' means are chosen, and a logistic regression on them is scored by its accuracy on
sequences of other documents, with as many of either class (so 0.5 is chance). The method is SAEBench's; the tasks are ours.

    sparse_probing.sae_top_1_test_accuracy       mean over tasks, from 1 latent; as well from 2 and 5
    sparse_probing.llm_top_1_test_accuracy       the same from the model's own dimensions
    sparse_probing.llm_test_accuracy             from all of the model's dimensions

Tasks with too few sequences of a class are left out.
"""

from __future__ import annotations

import re
import warnings

import numpy as np
from activations import EvaluationText
from torch import Tensor

TASKS = {
    "function": re.compile(r"\bdef \w+"),
    "comment": re.compile(r"(^|\s)#", re.MULTILINE),
    "self": re.compile(r"\bself\."),
    "digit": re.compile(r"\d"),
    "condition": re.compile(r"\bif\b"),
    "return": re.compile(r"\breturn\b"),
}
KEPT = (1, 2, 5)
FEWEST = 40  # sequences of a class, on either side


def probe(latents: Tensor, own: Tensor, text: EvaluationText) -> dict[str, float]:
    """Mean accuracies over tasks; latents [sequences, d_sae], own activations [sequences, d_in], both averaged over time."""
    documents = text.documents.numpy()
    test = documents % 2 == 1
    f, x = latents.numpy(), own.numpy()
    found: dict[str, list[float]] = {}
    for label in _labels(text):
        train_rows, test_rows = (
            _balanced(label & ~test, ~label & ~test),
            _balanced(label & test, ~label & test),
        )
        if min(len(train_rows), len(test_rows)) < 2 * FEWEST:
            continue
        split = (label, train_rows, test_rows)
        for k in KEPT:
            found.setdefault(f"sae_top_{k}_test_accuracy", []).append(_accuracy(_top(f, k, split), split))
            found.setdefault(f"llm_top_{k}_test_accuracy", []).append(_accuracy(_top(x, k, split), split))
        found.setdefault("llm_test_accuracy", []).append(_accuracy(x, split))
    return {name: float(np.mean(values)) for name, values in found.items()}


Split = tuple[np.ndarray, np.ndarray, np.ndarray]


def _labels(text: EvaluationText) -> list[np.ndarray]:
    kinds = np.asarray([text.kinds[number].endswith("/docstrings") for number in text.documents.tolist()])
    marks = [np.asarray([bool(mark.search(part)) for part in text.texts]) for mark in TASKS.values()]
    return [kinds, *marks]


def _balanced(positive: np.ndarray, negative: np.ndarray) -> np.ndarray:
    """Rows of both classes, as many of each: the first ones, for documents are in mixed order."""
    rows = [np.flatnonzero(positive), np.flatnonzero(negative)]
    count = min(len(part) for part in rows)
    return np.concatenate([part[:count] for part in rows])


def _top(features: np.ndarray, k: int, split: Split) -> np.ndarray:
    label, rows, _ = split
    chosen, of_class = features[rows], label[rows]
    difference = np.abs(chosen[of_class].mean(0) - chosen[~of_class].mean(0))
    return features[:, np.argsort(-difference, kind="stable")[:k]]


def _accuracy(features: np.ndarray, split: Split) -> float:
    from sklearn.linear_model import LogisticRegression
    from sklearn.preprocessing import StandardScaler

    label, train_rows, test_rows = split
    scaler = StandardScaler().fit(features[train_rows])
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # that it stopped at its limit of iterations costs a little accuracy, no more
        model = LogisticRegression(max_iter=200).fit(scaler.transform(features[train_rows]), label[train_rows])
    return float(model.score(scaler.transform(features[test_rows]), label[test_rows]))
