"""The metrics that are reported, computed from what a run left behind, on text that no training saw.

    python evaluate.py --out_dir=run_1

Reads `sae.safetensors` and `sae_config.json` of the run, runs none of its code, and writes `evaluation.json`. Notation: x is
the residual stream after block `layer` at one token, x̂ the autoencoder's reconstruction, f its latents. The first position of
each sequence, the start token, keeps its own activation and is counted nowhere. Over all evaluation tokens, in float32 with
float64 sums, under the keys of SAEBench:

    core.ce_loss_score     (CE_zero − CE_sae) / (CE_zero − CE): next-token loss with x, with x̂ and with 0 in x's place
    core.kl_div_score      (KL_zero − KL_sae) / KL_zero: KL divergence of the predictions from the unchanged model's
    core.explained_variance    1 − Σ‖x − x̂‖² / Σ‖x − mean(x)‖²: sums over all tokens, not a mean of ratios
    core.mse               mean over tokens and dimensions of (x − x̂)², in the units of x
    core.cossim            mean cosine of the angle between x and x̂
    core.l0                mean number of latents that are not 0
    core.l1                mean of Σ|f|
    core.l2_ratio          mean of ‖x̂‖ / ‖x‖
    core.relative_reconstruction_bias    E‖x̂‖² / E[x · x̂]
    core.dead_features     number of latents that are 0 on every evaluation token; core.frac_alive the share of the others
    core.dense_features    number of latents that are not 0 on more than a tenth of them
    sparse_probing.*       see probing.py

A metric that cannot be computed is absent.
"""

from __future__ import annotations

import argparse
import json
import math
import sys
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

HERE = str(Path(__file__).resolve().parent)
# Siblings are found beside this file, wherever it is run from, and shadow no installed package.
sys.path = [entry for entry in sys.path if entry not in ("", HERE)] + [HERE]

import torch  # noqa: E402
from activations import EvaluationText, default_source, evaluation_text, fix_threads, is_smoke, load_model  # noqa: E402
from corpus import SetupError  # noqa: E402
from language_model import LanguageModel  # noqa: E402
from probing import probe  # noqa: E402
from torch import Tensor  # noqa: E402

ENCODERS = ("relu", "topk", "jumprelu", "gated")
CORE_SEQUENCES = 256  # of the evaluation text, for the core metrics
CHUNK = 64  # sequences at once
DENSE_SHARE = 0.1


@dataclass(frozen=True)
class Encoder:
    """A run's autoencoder, rebuilt from its file: x ≈ f W_dec + b_dec. W_enc and W_dec are [d_sae, d_in]."""

    kind: str
    k: int
    scale: float
    """x is multiplied by it before it is encoded, x̂ divided by it."""
    tensors: dict[str, Tensor]

    @property
    def d_sae(self) -> int:
        return len(self.tensors["b_enc"])

    def encode(self, x: Tensor) -> Tensor:
        """f [tokens, d_sae] of raw activations x [tokens, d_in]."""
        t = self.tensors
        p = (x * self.scale - t["b_dec"]) @ t["W_enc"].T
        if self.kind == "gated":
            return (p * t["r_mag"].exp() + t["b_enc"]).relu() * (p + t["b_gate"] > 0)
        p = p + t["b_enc"]
        if self.kind == "topk":
            values, index = p.topk(self.k, dim=-1)
            return torch.zeros_like(p).scatter(-1, index, values.relu())
        if self.kind == "jumprelu":
            return p.relu() * (p > t["threshold"])
        return p.relu()

    def decode(self, f: Tensor) -> Tensor:
        """x̂ [tokens, d_in] in the units of raw activations."""
        return (f @ self.tensors["W_dec"] + self.tensors["b_dec"]) / self.scale


def load_encoder(out_dir: Path, config: dict[str, Any], d_in: int) -> Encoder:
    """Raises SetupError where the file does not hold a sound autoencoder of `d_in` dimensions."""
    from safetensors import SafetensorError
    from safetensors.torch import load_file

    path = out_dir / "sae.safetensors"
    try:
        tensors = {name: tensor.float() for name, tensor in load_file(path).items()}
    except (OSError, SafetensorError) as error:
        raise SetupError(f"{path} cannot be read ({error}): save the trained weights there") from None
    kind = config.get("encoder")
    if kind not in ENCODERS:
        raise SetupError(f"{out_dir / 'sae_config.json'}: encoder is {kind!r}; evaluate.py knows {', '.join(ENCODERS)}")
    _check_tensors(path, kind, tensors, d_in)
    k, scale = config.get("k", 0), config.get("input_scale", 1.0)
    if kind == "topk" and not (isinstance(k, int) and 0 < k <= len(tensors["b_enc"])):
        raise SetupError(f"{out_dir / 'sae_config.json'}: k is {k!r}, not a whole number from 1 to d_sae")
    if not (isinstance(scale, float | int) and math.isfinite(scale) and scale > 0):
        raise SetupError(f"{out_dir / 'sae_config.json'}: input_scale is {scale!r}, not a number above 0")
    return Encoder(kind, k, float(scale), tensors)


def _check_tensors(path: Path, kind: str, tensors: dict[str, Tensor], d_in: int) -> None:
    d_sae = tensors["b_enc"].numel() if "b_enc" in tensors else 0
    shapes = {"W_enc": [(d_sae, d_in)], "W_dec": [(d_sae, d_in)], "b_enc": [(d_sae,)], "b_dec": [(d_in,)]}
    if kind == "jumprelu":
        shapes["threshold"] = [(), (1,), (d_sae,)]
    if kind == "gated":
        shapes |= {"r_mag": [(d_sae,)], "b_gate": [(d_sae,)]}
    for name, allowed in shapes.items():
        if name not in tensors:
            raise SetupError(f"{path} lacks the tensor {name}, which the encoder {kind} needs")
        if tuple(tensors[name].shape) not in allowed:
            raise SetupError(f"{path}: {name} has the shape {tuple(tensors[name].shape)}, not {allowed[-1]}")
        if not torch.isfinite(tensors[name]).all():
            raise SetupError(f"{path}: {name} holds values that are not finite")


@dataclass
class Sums:
    """Running float64 sums over tokens, from which the metrics of reconstruction and sparsity are made."""

    d_in: int
    d_sae: int
    tokens: int = 0
    total: dict[str, float] = field(default_factory=dict)
    x: Tensor = field(init=False)
    active: Tensor = field(init=False)

    def __post_init__(self) -> None:
        self.x = torch.zeros(self.d_in, dtype=torch.float64)
        self.active = torch.zeros(self.d_sae, dtype=torch.int64)

    def add(self, x: Tensor, x_hat: Tensor, f: Tensor) -> None:
        """x, x̂ [tokens, d_in], f [tokens, d_sae]."""
        self.tokens += len(x)
        self.active += (f != 0).sum(0).cpu()
        a, b = x.double(), x_hat.double()
        self.x += a.sum(0).cpu()
        self._add("xx", a.square())
        self._add("hh", b.square())
        self._add("xh", a * b)
        self._add("error", (a - b).square())
        self._add("cosine", torch.nn.functional.cosine_similarity(a, b, dim=1))
        self._add("ratio", b.norm(dim=1) / a.norm(dim=1))
        self._add("l1", f.abs().sum(1).double())

    def _add(self, name: str, values: Tensor) -> None:
        self.total[name] = self.total.get(name, 0.0) + values.sum().item()

    def metrics(self) -> dict[str, float]:
        """Those that are finite: a ratio over 0 is left out."""
        n, s = self.tokens, self.total
        dead = int((self.active == 0).sum())
        variance = s["xx"] - self.x.square().sum().item() / n
        found = {
            "explained_variance": 1 - _ratio(s["error"], variance),
            "mse": s["error"] / (n * self.d_in),
            "cossim": s["cosine"] / n,
            "l0": self.active.sum().item() / n,
            "l1": s["l1"] / n,
            "l2_ratio": s["ratio"] / n,
            "relative_reconstruction_bias": _ratio(s["hh"], s["xh"]),
            "dead_features": float(dead),
            "frac_alive": 1 - dead / self.d_sae,
            "dense_features": float((self.active > DENSE_SHARE * n).sum()),
        }
        return finite(found)


@torch.inference_mode()
def core_metrics(model: LanguageModel, layer: int, encoder: Encoder, tokens: Tensor) -> dict[str, float]:
    """The core metrics on sequences of tokens [sequences, context]."""
    sums = Sums(model.d_in, encoder.d_sae)
    totals = {"ce": 0.0, "ce_sae": 0.0, "ce_zero": 0.0, "kl_sae": 0.0, "kl_zero": 0.0}

    def reconstruct(residual: Tensor) -> Tensor:
        x = residual[:, 1:].flatten(0, 1).float()
        f = encoder.encode(x)
        x_hat = encoder.decode(f)
        sums.add(x, x_hat, f)
        return _with_start(residual, x_hat.view_as(residual[:, 1:]).to(residual.dtype))

    for begin in range(0, len(tokens), CHUNK):
        chunk = tokens[begin : begin + CHUNK].to(model.device).long()
        clean = model.logits(chunk)
        totals["ce"] += _cross_entropy(clean, chunk)
        for name, change in (("sae", reconstruct), ("zero", _ablated)):
            with model.edited(layer, change):
                changed = model.logits(chunk)
            totals[f"ce_{name}"] += _cross_entropy(changed, chunk)
            totals[f"kl_{name}"] += _divergence(clean, changed)
    scores = {
        "ce_loss_score": _ratio(totals["ce_zero"] - totals["ce_sae"], totals["ce_zero"] - totals["ce"]),
        "kl_div_score": _ratio(totals["kl_zero"] - totals["kl_sae"], totals["kl_zero"]),
    }
    return finite(scores) | sums.metrics()


def _ablated(residual: Tensor) -> Tensor:
    return _with_start(residual, torch.zeros_like(residual[:, 1:]))


def _with_start(residual: Tensor, rest: Tensor) -> Tensor:
    return torch.cat([residual[:, :1], rest], dim=1)


def _cross_entropy(logits: Tensor, tokens: Tensor) -> float:
    """Sum over predictions made at all positions but the first: logits [sequences, context, vocabulary]."""
    flat = logits[:, 1:-1].flatten(0, 1)
    return torch.nn.functional.cross_entropy(flat, tokens[:, 2:].flatten(), reduction="none").double().sum().item()


def _divergence(clean: Tensor, changed: Tensor) -> float:
    """Sum over the same predictions of KL(clean ‖ changed), in nats."""
    p, q = clean[:, 1:-1].log_softmax(-1), changed[:, 1:-1].log_softmax(-1)
    return (p.exp() * (p - q)).sum(-1).double().sum().item()


def _ratio(above: float, below: float) -> float:
    return above / below if below != 0 else math.nan


def finite(metrics: dict[str, float]) -> dict[str, float]:
    return {name: value for name, value in metrics.items() if math.isfinite(value)}


@torch.inference_mode()
def probing_metrics(model: LanguageModel, layer: int, encoder: Encoder, text: EvaluationText) -> dict[str, float]:
    """Sparse probing on mean-pooled latents and, to compare, on the model's own mean-pooled activations."""
    latents, own = [], []
    for begin in range(0, len(text.tokens), CHUNK):
        x = model.residual(text.tokens[begin : begin + CHUNK], layer)[:, 1:]
        latents.append(encoder.encode(x.flatten(0, 1)).view(*x.shape[:2], -1).mean(1).cpu())
        own.append(x.mean(1).cpu())
    return finite(probe(torch.cat(latents), torch.cat(own), text))


def read_config(out_dir: Path) -> dict[str, Any]:
    """Raises SetupError where `sae_config.json` is missing or no JSON object with lm_name and layer."""
    path = out_dir / "sae_config.json"
    try:
        config = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise SetupError(f"{path} cannot be read ({error}): experiment.py must write it") from None
    if not isinstance(config, dict) or type(config.get("layer")) is not int or type(config.get("lm_name")) is not str:
        raise SetupError(f"{path} must be an object with lm_name (text) and layer (whole number)")
    return config


def evaluate(out_dir: Path) -> dict[str, Any]:
    """All that `evaluation.json` holds. Raises SetupError."""
    config = read_config(out_dir)
    source = replace(default_source(), lm_name=config["lm_name"], layer=config["layer"])
    model = load_model(source)
    encoder = load_encoder(out_dir, config, model.d_in)
    text = evaluation_text(source)
    tokens = text.tokens[:CORE_SEQUENCES]
    settings = {key: value for key, value in asdict(source).items() if key not in ("train_tokens", "precision")}
    counted = tokens.shape[0] * (tokens.shape[1] - 1)
    described = {"encoder": encoder.kind, "d_in": model.d_in, "d_sae": encoder.d_sae, "core_tokens": counted}
    result: dict[str, Any] = {
        "config": {**settings, **described, "smoke": is_smoke()},
        "core": core_metrics(model, source.layer, encoder, tokens),
        "sparse_probing": probing_metrics(model, source.layer, encoder, text),
        "data": {"fingerprint": text.fingerprint},
    }
    if encoder.kind == "topk":
        result["config"]["k"] = encoder.k
    return {key: value for key, value in result.items() if value}


def main() -> int:
    parser = argparse.ArgumentParser(description="Evaluates one trained sparse autoencoder.")
    parser.add_argument("--out_dir", type=Path, required=True)
    out_dir = parser.parse_args().out_dir
    fix_threads()
    try:
        result = evaluate(out_dir)
        partial = out_dir / "evaluation.json.partial"
        partial.write_text(json.dumps(result, indent=1, allow_nan=False) + "\n", encoding="utf-8")
        partial.replace(out_dir / "evaluation.json")
    except SetupError as error:
        print(error, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
