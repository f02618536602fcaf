import json

import matplotlib.pyplot as plt

labels = {
    "run_0": "Baseline",
}

values = []
for run in labels:
    with open(f"{run}/final_info.json") as file:
        values.append(json.load(file)["toy"]["means"]["mean_loss"])
plt.bar(list(labels.values()), values)
plt.ylabel("mean loss")
plt.savefig("figures/loss.png")
plt.savefig("figures/loss.pdf")
