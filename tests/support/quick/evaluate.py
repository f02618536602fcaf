"""The evaluator of the quick experiment: the error of the fitted line on points that training never saw."""

import argparse
import json
import random
from pathlib import Path

parser = argparse.ArgumentParser()
parser.add_argument("--out_dir", required=True)
out = Path(parser.parse_args().out_dir)
model = json.loads((out / "model.json").read_text())
source = random.Random(7)
xs = [source.uniform(-1, 1) for _ in range(500)]
points = [(x, 3.0 * x - 1.0 + source.gauss(0, 0.1)) for x in xs]
errors = [model["slope"] * x + model["offset"] - y for x, y in points]
mse = sum(e * e for e in errors) / len(errors)
mean = sum(y for _, y in points) / len(points)
variance = sum((y - mean) ** 2 for _, y in points) / len(points)
result = {"core": {"mse": mse, "explained_variance": 1 - mse / variance}, "data": "line-7-500"}
(out / "evaluation.json").write_text(json.dumps(result, indent=1))
