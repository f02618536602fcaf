"""What a training run writes as it goes: `metrics.jsonl`, checkpoints, `final_info.json`."""

from __future__ import annotations

import json
import math
import os
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from corpus import SetupError
from torch import Tensor, nn

TOLD_EVERY = 5.0  # seconds between two lines on stdout


class RunLog:
    """Losses and throughput of a run, and checkpoints that let it go on after an interruption.

    A checkpoint goes to `ORCH_CHECKPOINT_DIR`; without it there is none. It is renamed into place, so it is whole or absent.
    """

    def __init__(self, out_dir: Path, model: nn.Module, optimiser: torch.optim.Optimizer) -> None:
        folder = os.environ.get("ORCH_CHECKPOINT_DIR")
        self._checkpoint = Path(folder) / "checkpoint.pt" if folder else None
        self._path, self._model, self._optimiser = out_dir / "metrics.jsonl", model, optimiser
        self._seconds_before, self._began, self._told = 0.0, time.perf_counter(), 0.0
        self.summary: dict[str, float] = {"steps": 0, "tokens": 0}
        self.first_step = self._resume()
        self._start = [p.detach().clone() for p in model.parameters()]

    @property
    def seconds(self) -> float:
        """Spent on training, before interruptions too."""
        return self._seconds_before + time.perf_counter() - self._began

    def step(self, step: int, tokens: int, *, every: int, last: bool, **numbers: Any) -> None:
        """Notes a step that was taken; every so many steps a line is written, of `numbers` (one of them `loss`).

        Raises SetupError where a number is not finite.
        """
        self.summary["steps"] = step + 1
        self.summary["tokens"] += tokens
        if step % every and not last:
            return
        values = {
            name: float(value.detach() if isinstance(value, Tensor) else value) for name, value in numbers.items()
        }
        for name, value in values.items():
            if not math.isfinite(value):
                raise SetupError(f"{name} is {value} at step {step + 1}: training has diverged")
        self.summary.setdefault("first_loss", values["loss"])
        self.summary["final_loss"] = values["loss"]
        line = {
            "step": step + 1,
            **values,
            "tokens_per_second": round(self.summary["tokens"] / self.seconds, 1),
        }
        with self._path.open("a", encoding="utf-8") as file:
            file.write(json.dumps(line) + "\n")
        if last or self.seconds - self._told > TOLD_EVERY:
            self._told = self.seconds
            shown = ", ".join(f"{name} {value:.4g}" for name, value in values.items())
            print(f"step {step + 1}: {shown}, {self.seconds:.1f} s", flush=True)

    def checkpoint(self, step: int) -> None:
        """Keeps all that is needed to go on after `step`."""
        if self._checkpoint is None:
            return
        self.summary["seconds"] = self.seconds
        state = {
            "step": step + 1,
            "summary": self.summary,
            "model": self._model.state_dict(),
            "optimiser": self._optimiser.state_dict(),
            "random": torch.get_rng_state(),
        }
        self._checkpoint.parent.mkdir(parents=True, exist_ok=True)
        partial = self._checkpoint.with_suffix(".partial")
        torch.save(state, partial)
        partial.replace(self._checkpoint)

    def finish(self) -> dict[str, float]:
        """What to tell of the training. Raises SetupError where there was none."""
        if self.summary["steps"] == 0:
            raise SetupError("nothing was trained: 0 steps were taken")
        parameters = list(self._model.parameters())
        if self.first_step == 0 and all(torch.equal(a, b) for a, b in zip(self._start, parameters, strict=True)):
            raise SetupError("nothing was trained: every weight is what it was at the start")
        self.summary["seconds"] = round(self.seconds, 3)
        return self.summary

    def _resume(self) -> int:
        if self._checkpoint is None or not self._checkpoint.exists():
            self._path.unlink(missing_ok=True)
            return 0
        state = torch.load(self._checkpoint, weights_only=True)
        self._model.load_state_dict(state["model"])
        self._optimiser.load_state_dict(state["optimiser"])
        torch.set_rng_state(state["random"])
        self.summary, self._seconds_before = state["summary"], state["summary"]["seconds"]
        self._cut_log(state["step"])
        print(f"going on after step {state['step']}", flush=True)
        return int(state["step"])

    def _cut_log(self, last: int) -> None:
        """Lines of steps that will be taken again are dropped."""
        lines = self._path.read_text(encoding="utf-8").splitlines() if self._path.exists() else []
        kept = [line for line in lines if line.endswith("}") and json.loads(line)["step"] <= last]
        self._path.write_text("".join(f"{line}\n" for line in kept), encoding="utf-8")


def write_json(path: Path, data: Any) -> None:
    """Written beside its place and renamed into it, so that it is whole or absent."""
    partial = path.with_name(f"{path.name}.partial")
    partial.write_text(json.dumps(data, indent=1, allow_nan=False) + "\n", encoding="utf-8")
    partial.replace(path)


def told(main: Callable[[], None]) -> int:
    """Runs `main`; an error of the user's is one line on stderr and exit status 1."""
    try:
        main()
    except SetupError as error:
        print(error, file=sys.stderr)
        return 1
    return 0
