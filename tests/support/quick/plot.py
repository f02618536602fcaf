"""Draws the error of each run in `labels`."""

import json
from pathlib import Path

import matplotlib

matplotlib.use("Agg")
import matplotlib.pyplot as plt

labels = {"run_0": "Baseline"}

values = [json.loads((Path(run) / "evaluation.json").read_text())["core"]["mse"] for run in labels]
figure, axes = plt.subplots(figsize=(4, 3))
axes.bar(list(labels.values()), values)
axes.set_xlabel("run")
axes.set_ylabel("mean squared error")
figure.tight_layout()
Path("figures").mkdir(exist_ok=True)
for kind in ("pdf", "png"):
    figure.savefig(f"figures/mse.{kind}")
