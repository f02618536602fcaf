"""A folder as The AI Scientist lays it out: no experiment.toml, results under dataset and means."""

import argparse
import json
import os
import random

parser = argparse.ArgumentParser()
parser.add_argument("--out_dir", type=str, default="run_0")
args = parser.parse_args()

rate = 0.1
random.seed(int(os.environ.get("ORCH_SEED", 0)))
guess = random.random()
losses = []
for step in range(50):
    guess -= rate * 2 * (guess - 3.0)
    losses.append((guess - 3.0) ** 2 + 0.01 * random.random())

os.makedirs(args.out_dir, exist_ok=True)
final_info = {"toy": {"means": {"final_loss": losses[-1], "mean_loss": sum(losses) / len(losses)}, "stderrs": {}}}
with open(os.path.join(args.out_dir, "final_info.json"), "w") as file:
    json.dump(final_info, file)
