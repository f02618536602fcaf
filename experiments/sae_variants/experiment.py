"""Sparse autoencoders on a language model's residual stream: settings, model, losses, training. Edit it freely.

    python experiment.py --out_dir=run_1

You may change: the settings, the losses, schedules, initialisation, optimiser, what happens to dead latents, state that is
carried from step to step, the order in which activations are read. What must stay: the command; `save` (below), because
evaluate.py, which cannot be edited, computes the reported metrics from `sae.safetensors` and `sae_config.json` and runs
none of this file. So a change counts only where it alters the saved weights. The evaluator knows these encoders, each
followed by x̂ = f W_dec + b_dec, with one row a latent in W_enc and W_dec:

    relu       f = max(0, p)                         p = (x - b_dec) W_encᵀ + b_enc
    topk       f = max(0, p) on the k largest p      `k` in sae_config.json
    jumprelu   f = p where p > threshold, else 0     tensor `threshold`: one number, or one a latent
    gated      f = max(0, p · exp(r_mag) + b_enc) where p + b_gate > 0, else 0     here p = (x - b_dec) W_encᵀ

Activations: `store.shuffled(...)` gives single tokens in random order, x [tokens, d_in]; `store.ordered(...)` gives whole
sequences, x [lanes, time, d_in], lane i of a batch continuing lane i of the batch before. Both carry `tokens`, `documents`
and `positions` of the same leading shape; a state over time starts anew where `documents` changes. x has unit mean square.
Environment: ORCH_SEED, ORCH_SMOKE=1 (the whole script, tiny), ORCH_BASELINE (a name of BASELINES), ORCH_CHECKPOINT_DIR.
"""

import argparse
import math
import os
import sys
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import torch
from activations import Batch, Source, Store, default_source, fix_threads, is_smoke, open_store
from corpus import SetupError
from runs import RunLog, told, write_json
from safetensors.torch import save_file
from sparse import decode_topk, encode_topk
from torch import Tensor, nn


@dataclass
class Config:
    variant: str = "topk"  # topk, standard, batchtopk, matryoshka, jumprelu, gated
    d_sae: int = 1024
    k: int = 16  # active latents a token (topk kinds), or the L0 aimed at (jumprelu)
    steps: int = 400
    batch_size: int = 2048  # tokens a step
    learning_rate: float = 2e-3
    beta1: float = 0.9
    warmup: float = 0.05  # share of the steps in which the learning rate rises
    decay: float = 0.2  # share of the steps, the last ones, in which it falls to 0
    clip: float = 1.0  # largest norm of the gradient
    sparsity_weight: float = 0.0  # λ: of the L1 norm (standard, gated), of the L0 term (jumprelu)
    sparsity_warmup: float = 0.25  # share of the steps in which λ rises from 0
    aux_weight: float = 1 / 4  # α of AuxK (topk kinds); 1/32 in the paper, whose training is far longer
    dead_steps: int = 10  # a latent is dead when it was silent for so many steps
    bandwidth: float = 0.1  # ε of the straight-through estimator (jumprelu)
    resample_at: tuple[float, ...] = ()  # shares of the steps after which dead latents are resampled (standard)
    log_every: int = 10
    checkpoint_every: int = 100


BASELINES = {
    "topk": Config(),
    "standard": Config(variant="standard", sparsity_weight=1.8),
    "batchtopk": Config(variant="batchtopk"),
    "matryoshka": Config(variant="matryoshka"),
    "jumprelu": Config(variant="jumprelu", sparsity_weight=1.0),
    "gated": Config(variant="gated", sparsity_weight=1.8),
}
GROUPS = (
    1 / 32,
    1 / 16,
    1 / 8,
    1 / 4,
    17 / 32,
)  # of matryoshka: shares of the latents, each with those before it


class SAE(nn.Module):
    """x ≈ f W_dec + b_dec with few latents f active. W_enc and W_dec are [d_sae, d_in]; a row of W_dec has norm 1."""

    def __init__(self, cfg: Config, mean: Tensor) -> None:
        super().__init__()
        self.cfg = cfg
        directions = nn.functional.normalize(torch.randn(cfg.d_sae, len(mean)), dim=1)
        self.W_dec = nn.Parameter(directions.clone())
        self.W_enc = nn.Parameter(directions.clone())
        self.b_enc = nn.Parameter(torch.zeros(cfg.d_sae))
        self.b_dec = nn.Parameter(mean.clone())
        self.register_buffer("silent_steps", torch.zeros(cfg.d_sae))
        if cfg.variant in ("batchtopk", "matryoshka"):
            self.register_buffer("threshold", torch.tensor(0.0))
        if cfg.variant == "jumprelu":
            self.log_threshold = nn.Parameter(torch.full((cfg.d_sae,), math.log(0.1)))
        if cfg.variant == "gated":
            self.r_mag = nn.Parameter(torch.zeros(cfg.d_sae))
            self.b_gate = nn.Parameter(torch.zeros(cfg.d_sae))

    def preactivations(self, x: Tensor) -> Tensor:
        """p: [..., d_in] to [..., d_sae]. Gated has no bias here."""
        bias = 0.0 if self.cfg.variant == "gated" else self.b_enc
        return (x - self.b_dec) @ self.W_enc.T + bias

    def encode(self, x: Tensor) -> Tensor:
        """f: [..., d_in] to [..., d_sae], as the evaluator computes it. Changes no state."""
        p = self.preactivations(x)
        match self.cfg.variant:
            case "standard":
                return p.relu()
            case "topk":
                values, index = p.topk(self.cfg.k, dim=-1)
                return torch.zeros_like(p).scatter(-1, index, values.relu())
            case "batchtopk" | "matryoshka":
                return p.relu() * (p > self.threshold)
            case "jumprelu":
                return p * (p > self.log_threshold.exp())
            case "gated":
                return (p * self.r_mag.exp() + self.b_enc).relu() * (p + self.b_gate > 0)
        raise SetupError(f"no variant is called {self.cfg.variant!r}")

    def decode(self, f: Tensor) -> Tensor:
        return f @ self.W_dec + self.b_dec

    @torch.no_grad()
    def note_active(self, active: Tensor) -> None:
        """Counts for how many steps each latent has been silent. `active` [d_sae] is true where it was not."""
        self.silent_steps.add_(1).masked_fill_(active, 0)

    @property
    def dead(self) -> Tensor:
        return self.silent_steps >= self.cfg.dead_steps

    @torch.no_grad()
    def remove_parallel_gradient(self) -> None:
        """Takes from W_dec's gradient the part along its rows, which only changes their norm."""
        self.W_dec.grad -= (self.W_dec.grad * self.W_dec).sum(1, keepdim=True) * self.W_dec

    @torch.no_grad()
    def normalise_decoder(self) -> None:
        self.W_dec /= self.W_dec.norm(dim=1, keepdim=True)


# Losses. Each takes the model, a batch and the training progress in [0, 1], and gives the loss, a mean over tokens, and the
# mean number of active latents a token. Each notes which latents were active.


def squared_error(x: Tensor, x_hat: Tensor) -> Tensor:
    """‖x − x̂‖², mean over tokens."""
    return (x - x_hat).square().sum(-1).mean()


def topk_loss(sae: SAE, batch: Batch, progress: float) -> tuple[Tensor, Tensor]:
    """‖x − x̂‖² + α ‖e − ê‖², e = x − x̂. Gao et al. 2024 (arXiv 2406.04093), section 2.3 and appendix A.2."""
    x, k = batch.x, sae.cfg.k
    # The same as f = sae.encode(x); x_hat = sae.decode(f), several times faster; take those where f is needed.
    values, index = encode_topk(x, sae.W_enc, sae.b_enc - sae.W_enc @ sae.b_dec, k)
    values = values.relu()
    x_hat = decode_topk(values, index, sae.W_dec) + sae.b_dec
    active = torch.zeros_like(sae.silent_steps).index_add_(0, index.flatten(), values.detach().flatten()) > 0
    sae.note_active(active)
    return squared_error(x, x_hat) + aux_loss(sae, x, x_hat), (values > 0).sum(1).float().mean()


def aux_loss(sae: SAE, x: Tensor, x_hat: Tensor) -> Tensor:
    """AuxK: α ‖e − ê‖², where ê is made of the k_aux = d_in / 2 largest of the dead latents."""
    dead = sae.dead.nonzero().squeeze(1)
    if len(dead) == 0:
        return x.new_zeros(())
    p = (x - sae.b_dec) @ sae.W_enc[dead].T + sae.b_enc[dead]
    values, index = p.topk(min(x.shape[1] // 2, len(dead)), dim=1)
    e_hat = torch.zeros_like(p).scatter(1, index, values.relu()) @ sae.W_dec[dead]
    return sae.cfg.aux_weight * squared_error((x - x_hat).detach(), e_hat)


def standard_loss(sae: SAE, batch: Batch, progress: float) -> tuple[Tensor, Tensor]:
    """‖x − x̂‖² + λ ‖f‖₁ with λ warmed up. Bricken et al. 2023 (Towards Monosemanticity), with their unit-norm decoder."""
    f = sae.encode(batch.x)
    sae.note_active((f > 0).any(0))
    sparsity = sparsity_weight(sae.cfg, progress) * f.sum(-1).mean()
    return squared_error(batch.x, sae.decode(f)) + sparsity, (f > 0).sum(1).float().mean()


def batchtopk_features(sae: SAE, x: Tensor) -> Tensor:
    """f with the k · B largest of the batch kept. Bussmann et al. 2024 (arXiv 2412.06410), equations 5 and 6.

    The threshold of inference is the running mean of the smallest kept activation (their equation 7).
    """
    f = sae.preactivations(x).relu()
    smallest = f.flatten().topk(sae.cfg.k * len(x), sorted=False).values.min().detach()
    with torch.no_grad():
        sae.threshold += (smallest - sae.threshold) * (1.0 if sae.threshold == 0 else 0.05)
    f = f * (f >= smallest)
    sae.note_active((f > 0).any(0))
    return f


def batchtopk_loss(sae: SAE, batch: Batch, progress: float) -> tuple[Tensor, Tensor]:
    """‖x − x̂‖² + α ‖e − ê‖² on the features of the whole batch's top k · B."""
    f = batchtopk_features(sae, batch.x)
    x_hat = sae.decode(f)
    return squared_error(batch.x, x_hat) + aux_loss(sae, batch.x, x_hat), (f > 0).sum(1).float().mean()


def matryoshka_loss(sae: SAE, batch: Batch, progress: float) -> tuple[Tensor, Tensor]:
    """Mean over prefixes m of ‖x − x̂_m‖², + AuxK; x̂_m uses the first m latents. Bussmann et al. 2025 (arXiv 2503.17547)."""
    f = batchtopk_features(sae, batch.x)
    x_hat, begin, errors = sae.b_dec.expand_as(batch.x), 0, []
    for share in torch.tensor(GROUPS).cumsum(0).tolist():
        end = round(share * sae.cfg.d_sae)
        x_hat, begin = x_hat + f[:, begin:end] @ sae.W_dec[begin:end], end
        errors.append(squared_error(batch.x, x_hat))
    loss = torch.stack(errors).mean() + aux_loss(sae, batch.x, x_hat)
    return loss, (f > 0).sum(1).float().mean()


class JumpReLU(torch.autograd.Function):
    """z H(z − θ) and H(z − θ), with the pseudo-derivatives to θ of Rajamanoharan et al. 2024 (arXiv 2407.14435), eq. 11, 12.

    −θ/ε K((z − θ)/ε) for the first, −1/ε K((z − θ)/ε) for the second, K = 1 on [−½, ½].
    """

    @staticmethod
    def forward(ctx, z, threshold, bandwidth):
        on = (z > threshold).to(z.dtype)
        ctx.save_for_backward(z, threshold, on)
        ctx.bandwidth = bandwidth
        return z * on, on

    @staticmethod
    def backward(ctx, gradient, gradient_on):
        z, threshold, on = ctx.saved_tensors
        kernel = ((z - threshold).abs() < ctx.bandwidth / 2) / ctx.bandwidth
        return gradient * on, -((gradient * threshold + gradient_on) * kernel).sum(0), None


def jumprelu_loss(sae: SAE, batch: Batch, progress: float) -> tuple[Tensor, Tensor]:
    """‖x − x̂‖² + λ (L0 / k − 1)², L0 the mean over the batch. Rajamanoharan et al. 2024, with the target of appendix F."""
    p = sae.preactivations(batch.x)
    f, on = JumpReLU.apply(p, sae.log_threshold.exp(), sae.cfg.bandwidth)
    sae.note_active(on.any(0))
    l0 = on.sum(1).mean()
    sparsity = sparsity_weight(sae.cfg, progress) * (l0 / sae.cfg.k - 1).square()
    return squared_error(batch.x, sae.decode(f)) + sparsity, l0.detach()


def gated_loss(sae: SAE, batch: Batch, progress: float) -> tuple[Tensor, Tensor]:
    """‖x − x̂‖² + λ ‖g‖₁ + ‖x − x̂_g‖², g = max(0, π_gate), x̂_g by the frozen decoder. (arXiv 2404.16014, equation 8)"""
    x, f = batch.x, sae.encode(batch.x)
    gate = (sae.preactivations(x) + sae.b_gate).relu()
    sae.note_active((f > 0).any(0))
    frozen = gate @ sae.W_dec.detach() + sae.b_dec.detach()
    loss = squared_error(x, sae.decode(f)) + sparsity_weight(sae.cfg, progress) * gate.sum(-1).mean()
    return loss + squared_error(x, frozen), (f > 0).sum(1).float().mean()


LOSSES = {
    "topk": topk_loss,
    "standard": standard_loss,
    "batchtopk": batchtopk_loss,
    "matryoshka": matryoshka_loss,
    "jumprelu": jumprelu_loss,
    "gated": gated_loss,
}


def sparsity_weight(cfg: Config, progress: float) -> float:
    return cfg.sparsity_weight * min(1.0, progress / cfg.sparsity_warmup)


def learning_rate(cfg: Config, progress: float) -> float:
    """Rises, stays, and falls to 0 over the last part."""
    return cfg.learning_rate * min(1.0, (progress + 1 / cfg.steps) / cfg.warmup, (1 - progress) / cfg.decay)


@torch.no_grad()
def resample_dead(sae: SAE, optimiser: torch.optim.Optimizer, x: Tensor) -> int:
    """Points dead latents at inputs that are reconstructed badly, and clears their Adam state (Bricken et al. 2023)."""
    dead = sae.dead.nonzero().squeeze(1)
    if len(dead) == 0:
        return 0
    errors = (x - sae.decode(sae.encode(x))).square().sum(1)
    chosen = torch.multinomial(errors.square(), len(dead), replacement=True)
    directions = nn.functional.normalize(x[chosen] - sae.b_dec, dim=1)
    alive = sae.W_enc[~sae.dead].norm(dim=1).mean() if (~sae.dead).any() else 1.0
    sae.W_dec[dead], sae.W_enc[dead], sae.b_enc[dead] = directions, directions * 0.2 * alive, 0.0
    for parameter in (sae.W_dec, sae.W_enc, sae.b_enc):
        for name in ("exp_avg", "exp_avg_sq"):
            optimiser.state[parameter][name][dead] = 0.0
    sae.silent_steps[dead] = 0
    return len(dead)


def train(cfg: Config, store: Store, seed: int, out_dir: Path) -> tuple[SAE, dict]:
    """The training loop. Returns the model and what is known of its training: steps, tokens, losses, seconds."""
    device = "cuda" if torch.cuda.is_available() else "cpu"
    torch.manual_seed(seed)
    sae = SAE(cfg, store.mean).to(device)
    optimiser = torch.optim.Adam(sae.parameters(), lr=cfg.learning_rate, betas=(cfg.beta1, 0.999), fused=True)
    log = RunLog(out_dir, sae, optimiser)  # goes on from a checkpoint where there is one
    resampling = {round(share * cfg.steps) for share in cfg.resample_at}
    batches = store.shuffled(cfg.batch_size, seed, start=log.first_step)
    for step in range(log.first_step, cfg.steps):
        batch, progress, last = next(batches).to(device), step / cfg.steps, step == cfg.steps - 1
        loss, l0 = LOSSES[cfg.variant](sae, batch, progress)
        optimiser.zero_grad()
        loss.backward()
        sae.remove_parallel_gradient()
        nn.utils.clip_grad_norm_(sae.parameters(), cfg.clip)
        optimiser.param_groups[0]["lr"] = learning_rate(cfg, progress)
        optimiser.step()
        sae.normalise_decoder()
        if step in resampling:
            resample_dead(sae, optimiser, batch.x)
        log.step(step, len(batch.x), every=cfg.log_every, last=last, loss=loss, l0=l0, dead=sae.dead.sum())
        if (step + 1) % cfg.checkpoint_every == 0:
            log.checkpoint(step)
    return sae, log.finish()


@torch.no_grad()
def own_estimate(sae: SAE, x: Tensor) -> dict[str, float]:
    """A cheap look at activations of the training text that were held out: x [tokens, d_in]."""
    f = sae.encode(x.to(sae.W_dec.device))
    error = x.to(f.device) - sae.decode(f)
    variance = (x - x.mean(0)).square().sum().item()
    return {
        "explained_variance": 1 - error.square().sum().item() / variance,
        "mse": error.square().mean().item(),
        "l0": (f > 0).sum(1).float().mean().item(),
        "frac_alive": (f > 0).any(0).float().mean().item(),
    }


def save(sae: SAE, source: Source, scale: float, out_dir: Path) -> None:
    """What evaluate.py reads: the tensors, and which encoder they belong to."""
    tensors = {name: getattr(sae, name) for name in ("W_enc", "b_enc", "W_dec", "b_dec")}
    encoder = {"standard": "relu", "topk": "topk", "gated": "gated"}.get(sae.cfg.variant, "jumprelu")
    if encoder == "jumprelu":
        tensors["threshold"] = sae.log_threshold.exp() if sae.cfg.variant == "jumprelu" else sae.threshold
    if encoder == "gated":
        tensors |= {"r_mag": sae.r_mag, "b_gate": sae.b_gate}
    save_file({k: v.detach().cpu().contiguous() for k, v in tensors.items()}, out_dir / "sae.safetensors")
    described = {"encoder": encoder, "k": sae.cfg.k, "input_scale": scale, "variant": sae.cfg.variant}
    write_json(out_dir / "sae_config.json", {**described, "lm_name": source.lm_name, "layer": source.layer})


def check(cfg: Config, d_in: int) -> None:
    if cfg.variant not in LOSSES:
        raise SetupError(f"no variant is called {cfg.variant!r}: there are {', '.join(LOSSES)}")
    if cfg.d_sae < d_in:
        raise SetupError(f"d_sae = {cfg.d_sae} is less than the {d_in} dimensions of the activations")
    if not 0 < cfg.k <= cfg.d_sae:
        raise SetupError(f"k = {cfg.k} is not between 1 and d_sae = {cfg.d_sae}")


def main() -> None:
    parser = argparse.ArgumentParser(description="Trains one sparse autoencoder.")
    parser.add_argument("--out_dir", type=Path, required=True)
    out_dir = parser.parse_args().out_dir
    out_dir.mkdir(parents=True, exist_ok=True)
    fix_threads()
    baseline, seed, source = (
        os.environ.get("ORCH_BASELINE"),
        int(os.environ.get("ORCH_SEED", "0")),
        default_source(),
    )
    if baseline and baseline not in BASELINES:
        raise SetupError(f"ORCH_BASELINE: no baseline is called {baseline!r}: there are {', '.join(BASELINES)}")
    cfg = BASELINES[baseline] if baseline else Config()
    if is_smoke():
        cfg = replace(cfg, steps=20, batch_size=256, dead_steps=4, checkpoint_every=10)
    store = open_store(source)
    check(cfg, store.d_in)
    sae, training = train(cfg, store, seed, out_dir)
    save(sae, source, store.scale, out_dir)
    config = {**asdict(cfg), **asdict(source), "d_in": store.d_in, "seed": seed}
    core = own_estimate(sae, store.held_out().x)
    write_json(out_dir / "final_info.json", {"config": config, "training": training, "own_estimate": core})


if __name__ == "__main__":
    sys.exit(told(main))
