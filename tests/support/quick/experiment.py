"""Fits a line through noisy points by gradient descent, in plain Python: an experiment that takes a blink.

Saves slope and offset in model.json for the evaluator. Settings stand at the top.
"""

import argparse
import json
import os
import random
from dataclasses import asdict, dataclass
from pathlib import Path


@dataclass
class Settings:
    steps: int = 40
    lr: float = 0.05
    momentum: float = 0.0
    points: int = 200


def points(count, seed):
    source = random.Random(seed)
    xs = [source.uniform(-1, 1) for _ in range(count)]
    return [(x, 3.0 * x - 1.0 + source.gauss(0, 0.1)) for x in xs]


def train(settings, seed, log):
    data = points(settings.points, 1000 + seed)
    slope, offset = random.Random(seed).gauss(0, 0.1), 0.0
    speed_slope = speed_offset = 0.0
    for step in range(settings.steps):
        errors = [(slope * x + offset - y, x) for x, y in data]
        loss = sum(e * e for e, _ in errors) / len(errors)
        log.write(json.dumps({"step": step, "loss": loss}) + "\n")
        grad_slope = sum(2 * e * x for e, x in errors) / len(errors)
        grad_offset = sum(2 * e for e, _ in errors) / len(errors)
        speed_slope = settings.momentum * speed_slope - settings.lr * grad_slope
        speed_offset = settings.momentum * speed_offset - settings.lr * grad_offset
        slope += speed_slope
        offset += speed_offset
    return slope, offset, loss


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--out_dir", required=True)
    out = Path(parser.parse_args().out_dir)
    out.mkdir(parents=True, exist_ok=True)
    settings = Settings()
    if os.environ.get("ORCH_SMOKE"):
        settings.steps = 2
    with (out / "metrics.jsonl").open("w") as log:
        slope, offset, loss = train(settings, int(os.environ.get("ORCH_SEED", "0")), log)
    (out / "model.json").write_text(json.dumps({"slope": slope, "offset": offset}))
    info = {"config": asdict(settings), "training": {"steps": settings.steps, "final_loss": loss}}
    (out / "final_info.json").write_text(json.dumps(info, indent=1))


if __name__ == "__main__":
    main()
