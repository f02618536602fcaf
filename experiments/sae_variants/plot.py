"""Figures of the runs named in `labels`: `figures/*.pdf` for the paper and `figures/*.png` for people.

    python plot.py      in the session's folder

Reads `evaluation.json` (the metrics that count) and `metrics.jsonl` (the training's course) of each run. Only runs in `labels`
are drawn. A key that a run lacks stops the script: nothing is drawn as 0 because it is missing.
"""

import json
import sys
from pathlib import Path

import matplotlib

matplotlib.use("Agg")
import matplotlib.pyplot as plt

# The folder of each run that is drawn, and what it is called in the figures.
labels = {
    "run_0/standard": "Standard (L1)",
    "run_0/topk": "TopK",
}

# Metrics drawn as dots, one panel each: key in evaluation.json, and axis label; the arrow says which way is better.
METRICS = {
    "core.explained_variance": "Explained variance ↑",
    "core.ce_loss_score": "CE loss score ↑",
    "core.l0": "L0, active latents a token",
    "core.frac_alive": "Share of latents alive ↑",
    "core.mse": "Mean squared error ↓",
    "sparse_probing.sae_top_1_test_accuracy": "Probing accuracy, 1 latent ↑",
}

FIGURES = Path("figures")
COLOURS = ["#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000", "#F0E442"]
STYLE = {
    "font.size": 9,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "pdf.fonttype": 42,
    "savefig.dpi": 200,
}


def read_metric(run: str, key: str) -> float:
    """The number under a key such as `core.mse` in a run's evaluation.json."""
    path = Path(run) / "evaluation.json"
    value = json.loads(path.read_text(encoding="utf-8"))
    for part in key.split("."):
        if not isinstance(value, dict) or part not in value:
            raise KeyError(f"{path} has no {key}")
        value = value[part]
    return float(value)


def read_course(run: str, key: str) -> tuple[list[float], list[float]]:
    """Steps, and the values of a key of metrics.jsonl at them."""
    path = Path(run) / "metrics.jsonl"
    lines = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
    if not lines or key not in lines[0]:
        raise KeyError(f"{path} has no {key}")
    return [line["step"] for line in lines], [line[key] for line in lines]


def save(figure: plt.Figure, name: str) -> None:
    FIGURES.mkdir(exist_ok=True)
    # No creation date, so that the same data give the same file.
    figure.savefig(FIGURES / f"{name}.pdf", bbox_inches="tight", metadata={"CreationDate": None})
    figure.savefig(FIGURES / f"{name}.png", bbox_inches="tight")
    plt.close(figure)


def plot_metrics() -> None:
    """One panel a metric, one row a run. The axes need not start at 0, because dots, unlike bars, do not show a length."""
    columns = 3
    rows = -(-len(METRICS) // columns)
    height = rows * (0.9 + 0.22 * len(labels))
    figure, axes = plt.subplots(rows, columns, figsize=(7.5, height), sharey=True, squeeze=False, layout="constrained")
    names = list(labels.values())
    for axis, (key, title) in zip(axes.flat, METRICS.items(), strict=False):
        values = [read_metric(run, key) for run in labels]
        for place, value in enumerate(values):
            axis.plot(value, place, "o", color=COLOURS[place % len(COLOURS)], markersize=6)
            axis.annotate(f"{value:.3g}", (value, place), (0, 5), textcoords="offset points", ha="center", fontsize=7)
        axis.set_xlabel(title, fontsize=7.5)
        axis.set_yticks(range(len(names)), names)
        axis.set_ylim(len(names) - 0.4, -0.7)
        axis.margins(x=0.25)
        axis.tick_params(axis="x", labelsize=7)
        axis.grid(axis="y", linewidth=0.4, alpha=0.5)
    for axis in axes.flat[len(METRICS) :]:
        axis.set_visible(False)
    save(figure, "metrics")


def plot_course(key: str, title: str, name: str) -> None:
    figure, axis = plt.subplots(figsize=(5, 3), layout="constrained")
    for place, (run, label) in enumerate(labels.items()):
        steps, values = read_course(run, key)
        axis.plot(steps, values, label=label, color=COLOURS[place % len(COLOURS)], linewidth=1.3)
    axis.set_xlabel("Training step")
    axis.set_ylabel(title)
    axis.set_yscale("log")
    axis.legend(frameon=False, fontsize=8)
    save(figure, name)


def plot_tradeoff() -> None:
    """Reconstruction against sparsity: only at the same L0 does a higher point mean a better autoencoder."""
    figure, axis = plt.subplots(figsize=(5, 3), layout="constrained")
    for place, (run, label) in enumerate(labels.items()):
        l0, variance = read_metric(run, "core.l0"), read_metric(run, "core.explained_variance")
        axis.plot(l0, variance, "o", label=label, color=COLOURS[place % len(COLOURS)], markersize=7)
    axis.set_xlabel("L0, active latents a token")
    axis.set_ylabel("Explained variance")
    axis.margins(0.2)
    axis.legend(frameon=False, fontsize=8)
    save(figure, "tradeoff")


def main() -> None:
    plt.rcParams.update(STYLE)
    plot_metrics()
    plot_course("loss", "Training loss (each variant's own)", "loss")
    plot_course("l0", "L0 in training", "l0")
    plot_tradeoff()


if __name__ == "__main__":
    try:
        main()
    except (OSError, KeyError) as error:
        sys.exit(f"plot.py: {error.args[0] if isinstance(error, KeyError) else error}")
