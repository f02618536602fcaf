"""The language model that is read: a small GPT-NeoX trained here once, or any causal model of the hub by name.

The local one, `stdlib-neox`, reads bytes: hidden size 128, 4 layers, trained on the training part of the standard library.
"""

from __future__ import annotations

import contextlib
import json
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from cache import built, cache_folder, digest, python_version
from corpus import Document, SetupError, load_documents
from torch import Tensor

LOCAL_MODEL = "stdlib-neox"
BYTE_START = 256  # the byte vocabulary's token for the start of a sequence
BLOCKS = ("gpt_neox.layers", "model.layers", "transformer.h", "model.decoder.layers")


@dataclass(frozen=True)
class Training:
    """How the local model is trained."""

    steps: int = 400
    batch: int = 16
    context: int = 128
    learning_rate: float = 4e-3
    hidden: int = 128
    layers: int = 4
    heads: int = 4


LOCAL_TRAINING = {LOCAL_MODEL: Training(), f"{LOCAL_MODEL}-smoke": Training(steps=20, batch=8)}


@dataclass(frozen=True)
class Tokenizer:
    """Text to tokens and back; `start` is the token that begins a sequence, if there is one."""

    encode: Callable[[str], list[int]]
    decode: Callable[[list[int]], str]
    start: int | None


class LanguageModel:
    """A causal model with its tokens; `layer` counts blocks from 0, and its residual stream is that block's output."""

    def __init__(self, name: str, model: Any, tokenizer: Tokenizer) -> None:
        self.name, self.model = name, model.eval().requires_grad_(False)
        self.encode, self.decode, self.start = tokenizer.encode, tokenizer.decode, tokenizer.start
        self.blocks = _blocks(name, model)
        self.d_in = int(model.config.hidden_size)

    @property
    def device(self) -> torch.device:
        return next(self.model.parameters()).device

    def check_layer(self, layer: int) -> None:
        if not 0 <= layer < len(self.blocks):
            raise SetupError(f"{self.name} has no layer {layer}: its layers are 0 to {len(self.blocks) - 1}")

    def sequences(self, documents: list[Document], context: int, limit: int) -> tuple[np.ndarray, np.ndarray]:
        """Tokens [n, context] of whole sequences, and the number of the document each comes from [n].

        Where the model has a start token, each sequence begins with it. A document's rest that fills no sequence is
        left out. `limit` is the number of tokens wanted.
        """
        head = [] if self.start is None else [self.start]
        size = context - len(head)
        rows: list[list[int]] = []
        owners: list[int] = []
        for number, document in enumerate(documents):
            tokens = self.encode(document.text)
            for begin in range(0, len(tokens) - size + 1, size):
                rows.append(head + tokens[begin : begin + size])
                owners.append(number)
            if len(rows) * context >= limit:
                break
        if not rows:
            raise SetupError(f"the data set is empty: no text is {context} tokens long")
        count = max(1, limit // context)
        return np.asarray(rows[:count], dtype=np.int32), np.asarray(owners[:count], dtype=np.int32)

    @torch.inference_mode()
    def residual(self, tokens: Tensor, layer: int) -> Tensor:
        """The residual stream after block `layer`: [sequences, context, d_in], float32."""
        kept: list[Tensor] = []

        def keep(residual: Tensor) -> Tensor:
            kept.append(residual)
            return residual

        with self.edited(layer, keep):
            self.model.base_model(input_ids=tokens.to(self.device).long(), use_cache=False)
        return kept[0].float()

    @torch.inference_mode()
    def logits(self, tokens: Tensor) -> Tensor:
        """[sequences, context, vocabulary], float32."""
        output = self.model(input_ids=tokens.to(self.device).long(), use_cache=False)
        return torch.as_tensor(output.logits).float()

    @contextlib.contextmanager
    def edited(self, layer: int, change: Callable[[Tensor], Tensor]) -> Iterator[None]:
        """While this lasts, block `layer`'s output is what `change` makes of it."""

        def hook(_module: Any, _inputs: Any, output: Any) -> Any:
            if isinstance(output, tuple):
                return (change(output[0]), *output[1:])
            return change(output)

        handle = self.blocks[layer].register_forward_hook(hook)
        try:
            yield
        finally:
            handle.remove()


def load_language_model(name: str, dataset: str, revision: str = "main") -> LanguageModel:
    """Trains the local model first where it is not in the cache yet.

    Raises SetupError where a model of the hub is not in reach.
    """
    if name in LOCAL_TRAINING:
        return _local(name, dataset)
    from transformers import AutoModelForCausalLM, AutoTokenizer

    try:
        tokenizer = AutoTokenizer.from_pretrained(name, revision=revision)
        model = AutoModelForCausalLM.from_pretrained(name, revision=revision, torch_dtype=torch.float32)
    except Exception as error:  # the hub's client raises many kinds, and each means the same here
        first = (str(error).strip().splitlines() or [type(error).__name__])[0][:160]
        raise SetupError(
            f"model {name!r} is not in reach ({first}); without a hub use lm_name = {LOCAL_MODEL!r}"
        ) from None
    device = "cuda" if torch.cuda.is_available() else "cpu"
    return LanguageModel(name, model.to(device), _of_the_hub(tokenizer))


def _of_the_hub(tokenizer: Any) -> Tokenizer:
    return Tokenizer(
        encode=lambda text: list(tokenizer.encode(text, add_special_tokens=False, verbose=False)),
        decode=lambda tokens: str(tokenizer.decode(tokens, skip_special_tokens=True)),
        start=tokenizer.bos_token_id,
    )


def weights_key(name: str, dataset: str, revision: str) -> str:
    """Names the weights: another model, data set or training gives another key."""
    if name not in LOCAL_TRAINING:
        return digest(name, revision)
    return digest(name, dataset, asdict(LOCAL_TRAINING[name]), python_version())


def local_model_folder(name: str, dataset: str) -> Path:
    return cache_folder("models") / f"{name}-{weights_key(name, dataset, 'main')}"


def _local(name: str, dataset: str) -> LanguageModel:
    training = LOCAL_TRAINING[name]
    folder = local_model_folder(name, dataset)
    built(folder, lambda target: _train(training, dataset, target, name), intact=_readable)
    from safetensors.torch import load_file

    model = _network(training)
    model.load_state_dict(load_file(folder / "model.safetensors"))
    return LanguageModel(name, model, BYTES)


def _readable(folder: Path) -> bool:
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(folder / "model.safetensors", framework="pt") as weights:
            return bool(weights.keys())
    except (OSError, SafetensorError):
        return False


BYTES = Tokenizer(
    encode=lambda text: list(text.encode()),
    decode=lambda tokens: bytes(token for token in tokens if token != BYTE_START).decode(errors="replace"),
    start=BYTE_START,
)


def _network(training: Training) -> Any:
    from transformers import GPTNeoXConfig, GPTNeoXForCausalLM

    config = GPTNeoXConfig(
        vocab_size=BYTE_START + 1,
        hidden_size=training.hidden,
        intermediate_size=4 * training.hidden,
        num_hidden_layers=training.layers,
        num_attention_heads=training.heads,
        max_position_embeddings=training.context,
        bos_token_id=BYTE_START,
        eos_token_id=BYTE_START,
        use_cache=False,
    )
    return GPTNeoXForCausalLM(config)


def _train(training: Training, dataset: str, folder: Path, name: str) -> None:
    from safetensors.torch import save_model

    text = "\n".join(document.text for document in load_documents(dataset, "train")).encode()
    data = np.frombuffer(text, dtype=np.uint8)
    if len(data) <= training.context:
        raise SetupError(f"data set {dataset!r} is too small to train {name} on: {len(data)} bytes")
    with torch.random.fork_rng():
        torch.manual_seed(0)
        model = _network(training)
    optimiser = torch.optim.AdamW(model.parameters(), lr=training.learning_rate, betas=(0.9, 0.95), weight_decay=0.1)
    schedule = torch.optim.lr_scheduler.OneCycleLR(
        optimiser, training.learning_rate, total_steps=training.steps, pct_start=0.1
    )
    draw, began, losses = np.random.default_rng(0), time.monotonic(), []
    for step in range(1, training.steps + 1):
        loss = _language_loss(model, _windows(data, draw, training))
        optimiser.zero_grad(set_to_none=True)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimiser.step()
        schedule.step()
        losses.append(loss.item())
        if step % 50 == 0 or step == training.steps:
            print(
                f"{name}: step {step} of {training.steps}, loss {losses[-1]:.3f}, {time.monotonic() - began:.0f} s",
                flush=True,
            )
    save_model(model, str(folder / "model.safetensors"))
    record = {
        "training": asdict(training),
        "first_loss": losses[0],
        "final_loss": float(np.mean(losses[-20:])),
    }
    (folder / "info.json").write_text(json.dumps(record, indent=1) + "\n", encoding="utf-8")


def _windows(data: np.ndarray, draw: np.random.Generator, training: Training) -> Tensor:
    """[batch, context] windows of text at random places, each after the start token."""
    size = training.context - 1
    begins = draw.integers(0, len(data) - size, training.batch)
    rows = np.stack([data[begin : begin + size] for begin in begins]).astype(np.int64)
    return torch.from_numpy(np.pad(rows, ((0, 0), (1, 0)), constant_values=BYTE_START))


def _language_loss(model: Any, tokens: Tensor) -> Tensor:
    logits = model(input_ids=tokens, use_cache=False).logits[:, :-1]
    return torch.nn.functional.cross_entropy(logits.reshape(-1, logits.shape[-1]), tokens[:, 1:].reshape(-1))


def _blocks(name: str, model: Any) -> Any:
    for path in BLOCKS:
        with contextlib.suppress(AttributeError):
            return model.get_submodule(path)
    raise SetupError(f"{name} has none of the known lists of blocks: {', '.join(BLOCKS)}")
