"""Activations of the language model's residual stream, computed once and kept on disk, and the evaluation text.

    python activations.py         prepares both for the experiment, in its full form and in its smoke form

Training reads `train/…`: the activations of the training documents. Evaluation reads `evaluation/…`: tokens of other
documents. They are separate folders, so that the second can be hidden from a training job.

The first position of each sequence is left out everywhere: it holds the start token, whose activation is always the same.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import sys
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from cache import built, cache_folder, digest, python_version
from corpus import Document, Part, SetupError, load_documents
from language_model import LOCAL_MODEL, LanguageModel, load_language_model, weights_key
from torch import Tensor

THREADS = 2  # sums depend on how many threads share them, so that all runs use as many
CHUNK = 64  # sequences that pass through the language model at once
HELD_OUT = 0.02  # this share of the training activations is given to no training step
SPARE_BYTES = 200_000_000  # left free on the disk


def fix_threads() -> None:
    """Makes results on one machine repeatable, to the last digit where torch can."""
    torch.set_num_threads(min(THREADS, os.cpu_count() or 1))
    torch.use_deterministic_algorithms(True, warn_only=True)
    os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")


@dataclass(frozen=True)
class Source:
    """Which activations: of which model, which layer, on which text."""

    lm_name: str = LOCAL_MODEL
    layer: int = 2
    """The residual stream after this block, counted from 0."""
    dataset: str = "stdlib"
    revision: str = "main"
    context: int = 128
    """Tokens a sequence, start token included."""
    train_tokens: int = 524_288
    evaluation_tokens: int = 131_072
    precision: str = "bfloat16"
    """Of the stored activations; `float32` doubles the store."""


def default_source(smoke: bool | None = None) -> Source:
    """The source that `ORCH_LM`, `ORCH_LM_LAYER` and `ORCH_DATASET` ask for; a tiny one under `ORCH_SMOKE`.

    Raises SetupError where `ORCH_LM_LAYER` is not a number.
    """
    layer = os.environ.get("ORCH_LM_LAYER", "2")
    if not layer.isdigit():
        raise SetupError(f"ORCH_LM_LAYER is not the number of a layer: {layer!r}")
    name, dataset = os.environ.get("ORCH_LM", LOCAL_MODEL), os.environ.get("ORCH_DATASET", "stdlib")
    source = Source(lm_name=name, layer=int(layer), dataset=dataset)
    if is_smoke() if smoke is None else smoke:
        local = f"{name}-smoke" if name == LOCAL_MODEL else name
        return replace(source, lm_name=local, train_tokens=32_768, evaluation_tokens=16_384)
    return source


def is_smoke() -> bool:
    return os.environ.get("ORCH_SMOKE", "") not in ("", "0")


@dataclass
class Batch:
    """Activations with where they come from. Leading shape [tokens] in shuffled batches, [lanes, time] in ordered ones."""

    x: Tensor
    """[…, d_in] float32, scaled to unit mean square."""
    tokens: Tensor
    """[…] the token that was read."""
    documents: Tensor
    """[…] number of its document."""
    positions: Tensor
    """[…] its place in the sequence, from 1."""

    def to(self, device: str) -> Batch:
        return Batch(*(part.to(device) for part in (self.x, self.tokens, self.documents, self.positions)))


class Store:
    """Training activations on disk, memory-mapped: [sequences, time, d_in]."""

    def __init__(self, folder: Path) -> None:
        self.info: dict[str, Any] = json.loads((folder / "info.json").read_text(encoding="utf-8"))
        self.d_in: int = self.info["d_in"]
        self.scale: float = self.info["scale"]
        """What raw activations are multiplied by to have unit mean square."""
        self._time: int = self.info["context"] - 1
        shape = (self.info["sequences"], self._time, self.d_in)
        # Copy-on-write, for torch accepts no read-only array without a warning.
        kind = np.int16 if self.info["precision"] == "bfloat16" else np.float32
        raw = torch.from_numpy(np.memmap(folder / "activations.bin", dtype=kind, mode="c", shape=shape))
        self._x = raw.view(torch.bfloat16) if kind is np.int16 else raw
        self._tokens = torch.from_numpy(np.load(folder / "tokens.npy"))
        self._documents = torch.from_numpy(np.load(folder / "documents.npy"))
        self._held_out = max(1, int(shape[0] * HELD_OUT))
        self._sequences = shape[0] - self._held_out

    @property
    def training_tokens(self) -> int:
        return self._sequences * self._time

    @property
    def mean(self) -> Tensor:
        """[d_in] the mean of the training activations, scaled."""
        return torch.tensor(self.info["mean"])

    def shuffled(self, batch_size: int, seed: int, start: int = 0) -> Iterator[Batch]:
        """Batches of single tokens in random order, epoch after epoch, without end: x is [batch_size, d_in].

        The first `start` batches are left out.
        """
        generator = torch.Generator().manual_seed(seed)
        size = min(batch_size, self.training_tokens)
        epoch, begin = divmod(start, self.training_tokens // size)
        for _ in range(epoch):
            torch.randperm(self.training_tokens, generator=generator)
        while True:
            order = torch.randperm(self.training_tokens, generator=generator)
            for first in range(begin * size, len(order) - size + 1, size):
                yield self._tokens_at(order[first : first + size])
            begin = 0

    def ordered(self, lanes: int, seed: int, start: int = 0) -> Iterator[Batch]:
        """Batches of whole sequences in reading order, without end: x is [lanes, time, d_in].

        The text is laid out in `lanes` strips. Lane i of the next batch continues lane i of this one, so that a state can
        be carried from step to step; where `documents` changes along a lane, another document has begun. `seed` says
        where in its strip each lane starts; the first `start` batches are left out.
        """
        generator = torch.Generator().manual_seed(seed)
        lanes = min(lanes, self._sequences)
        length = self._sequences // lanes
        begin = (int(torch.randint(length, (), generator=generator)) + start) % length
        while True:
            yield self._rows(torch.arange(lanes) * length + begin)
            begin = (begin + 1) % length

    def held_out(self) -> Batch:
        """Activations of the training text that no training batch holds: x is [tokens, d_in]."""
        batch = self._rows(torch.arange(self._sequences, self._sequences + self._held_out))
        return Batch(
            batch.x.flatten(0, 1),
            batch.tokens.flatten(),
            batch.documents.flatten(),
            batch.positions.flatten(),
        )

    def _tokens_at(self, index: Tensor) -> Batch:
        row, time_step = index // self._time, index % self._time
        x = self._x.view(-1, self.d_in)[index].float() * self.scale
        return Batch(x, self._tokens[row, time_step], self._documents[row], time_step + 1)

    def _rows(self, rows: Tensor) -> Batch:
        tokens = self._tokens[rows]
        positions = torch.arange(1, self._time + 1).expand_as(tokens)
        documents = self._documents[rows].unsqueeze(1).expand_as(tokens)
        return Batch(self._x[rows].float() * self.scale, tokens, documents, positions)


def open_store(source: Source) -> Store:
    """The training activations, computed first where the cache lacks them.

    Raises SetupError for a layer that does not exist, a model or data set that is not in reach, a full disk.
    """
    folder = _folder(source, "train")
    return Store(built(folder, lambda target: _write_store(source, target), _store_intact))


@dataclass
class EvaluationText:
    """Sequences of documents that training never saw."""

    tokens: Tensor
    """[sequences, context]"""
    documents: Tensor
    """[sequences] number of the document."""
    kinds: list[str]
    """Of each document: `package/source` or `package/docstrings`."""
    texts: list[str]
    """Of each sequence: what its tokens say."""

    @property
    def fingerprint(self) -> str:
        """sha256 of the tokens."""
        return hashlib.sha256(self.tokens.numpy().astype("<i4").tobytes()).hexdigest()


def evaluation_text(source: Source) -> EvaluationText:
    """The evaluation tokens, made first where the cache lacks them. Raises SetupError as `open_store` does."""
    folder = _folder(source, "evaluation")
    built(folder, lambda target: _write_evaluation(source, target), _evaluation_intact)
    tokens, owners = np.load(folder / "tokens.npy"), np.load(folder / "documents.npy")
    info = json.loads((folder / "info.json").read_text(encoding="utf-8"))
    return EvaluationText(torch.from_numpy(tokens), torch.from_numpy(owners), info["kinds"], info["texts"])


def load_model(source: Source) -> LanguageModel:
    """The language model of a source. Raises SetupError where it, or the layer, does not exist."""
    model = load_language_model(source.lm_name, source.dataset, source.revision)
    model.check_layer(source.layer)
    return model


def _folder(source: Source, part: Part) -> Path:
    weights = weights_key(source.lm_name, source.dataset, source.revision)
    settings = {key: value for key, value in asdict(source).items() if not key.endswith("_tokens")}
    settings["tokens"] = source.train_tokens if part == "train" else source.evaluation_tokens
    if part == "evaluation":  # tokens only: they do not depend on the layer
        del settings["layer"], settings["precision"]
    name = source.lm_name.replace("/", "--")
    return cache_folder(part) / f"{name}-{digest(weights, settings, python_version())}"


def _store_intact(folder: Path) -> bool:
    try:
        info = json.loads((folder / "info.json").read_text(encoding="utf-8"))
        size = (folder / "activations.bin").stat().st_size
    except (OSError, ValueError):
        return False
    return bool(size == info["bytes"] and (folder / "tokens.npy").exists() and (folder / "documents.npy").exists())


def _evaluation_intact(folder: Path) -> bool:
    return all((folder / name).exists() for name in ("info.json", "tokens.npy", "documents.npy"))


def _sequences(source: Source, model: LanguageModel, part: Part) -> tuple[np.ndarray, np.ndarray, list[Document]]:
    documents = load_documents(source.dataset, part)
    limit = source.train_tokens if part == "train" else source.evaluation_tokens
    tokens, owners = model.sequences(documents, source.context, limit)
    return tokens, owners, documents


def _write_store(source: Source, folder: Path) -> None:
    model = load_model(source)
    tokens, owners, _ = _sequences(source, model, "train")
    width = 2 if source.precision == "bfloat16" else 4
    size = len(tokens) * (source.context - 1) * model.d_in * width
    if shutil.disk_usage(folder).free < size + SPARE_BYTES:
        raise SetupError(f"the disk is too full for the activations: {size / 1e9:.1f} GB at {folder.parent}")
    total, squares, count = torch.zeros(model.d_in, dtype=torch.float64), 0.0, 0
    told = time.monotonic()
    with (folder / "activations.bin").open("wb") as file:
        for begin in range(0, len(tokens), CHUNK):
            x = model.residual(torch.from_numpy(tokens[begin : begin + CHUNK]), source.layer)[:, 1:].cpu()
            total, count = total + x.double().sum((0, 1)), count + x.shape[0] * x.shape[1]
            squares += x.double().square().sum().item()
            file.write(_raw(x, source.precision))
            if time.monotonic() - told > 2:
                told = time.monotonic()
                print(f"activations: {begin + len(x)} of {len(tokens)} sequences", flush=True)
    np.save(folder / "tokens.npy", tokens[:, 1:])
    np.save(folder / "documents.npy", owners)
    info = {**asdict(source), "sequences": len(tokens), "d_in": model.d_in, "bytes": size}
    info["scale"] = (count * model.d_in / squares) ** 0.5
    info["mean"] = (total / count * info["scale"]).tolist()
    (folder / "info.json").write_text(json.dumps(info, indent=1) + "\n", encoding="utf-8")


def _raw(x: Tensor, precision: str) -> bytes:
    kept = x.to(torch.bfloat16).view(torch.int16) if precision == "bfloat16" else x.float()
    return bytes(kept.contiguous().numpy().tobytes())


def _write_evaluation(source: Source, folder: Path) -> None:
    model = load_model(source)
    tokens, owners, documents = _sequences(source, model, "evaluation")
    np.save(folder / "tokens.npy", tokens)
    np.save(folder / "documents.npy", owners)
    kinds = [document.kind for document in documents[: int(owners.max()) + 1]]
    info = {**asdict(source), "kinds": kinds, "texts": [model.decode(row.tolist()) for row in tokens]}
    (folder / "info.json").write_text(json.dumps(info) + "\n", encoding="utf-8")


def main() -> int:
    """Prepares the caches, and says how long each part took. 1 where that cannot be done."""
    fix_threads()
    try:
        for smoke in (False, True):
            source = default_source(smoke)
            began = time.monotonic()
            print(f"{source.lm_name}: language model, activations of layer {source.layer}", flush=True)
            store = open_store(source)
            evaluation = evaluation_text(source)
            print(
                f"{source.lm_name}: {store.training_tokens} training tokens, {evaluation.tokens.numel()} for "
                f"evaluation, ready after {time.monotonic() - began:.1f} s",
                flush=True,
            )
    except SetupError as error:
        print(error, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
