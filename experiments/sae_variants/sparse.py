"""TopK autoencoding that touches only k latents a token: in the decoder, and in every gradient.

Only the encoder's forward product is dense. The same numbers come from `values.new_zeros(…).scatter(…) @ W_dec`, slower.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from torch.autograd import Function


def encode_topk(x: Tensor, W_enc: Tensor, b_enc: Tensor, k: int) -> tuple[Tensor, Tensor]:
    """The k largest of x W_encᵀ + b_enc of each token: values [tokens, k], and which latents they are [tokens, k].

    x [tokens, d_in] gets no gradient; W_enc is [d_sae, d_in].
    """
    values, index = _EncodeTopK.apply(x, W_enc, b_enc, k)  # type: ignore[no-untyped-call]
    return values, index


def decode_topk(values: Tensor, index: Tensor, W_dec: Tensor) -> Tensor:
    """Σ_j values_j W_dec[index_j] of each token: [tokens, d_in]."""
    return torch.nn.functional.embedding_bag(index, W_dec, per_sample_weights=values, mode="sum")


class _EncodeTopK(Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor, W_enc: Tensor, b_enc: Tensor, k: int) -> tuple[Tensor, Tensor]:
        values, index = torch.addmm(b_enc, x, W_enc.T).topk(k, dim=1, sorted=False)
        ctx.save_for_backward(x, index)
        ctx.d_sae = len(b_enc)
        ctx.mark_non_differentiable(index)
        return values, index

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[None, Tensor, Tensor, None]:
        x, index = ctx.saved_tensors
        gradient = gradients[0].contiguous()
        bias = torch.zeros(ctx.d_sae, dtype=x.dtype, device=x.device)
        bias.index_add_(0, index.flatten(), gradient.flatten())
        return None, _weight_gradient(gradient, index, x, ctx.d_sae), bias, None


def _weight_gradient(gradient: Tensor, index: Tensor, x: Tensor, d_sae: int) -> Tensor:
    """Row j is the sum over tokens of their gradient at latent j times x: [d_sae, d_in].

    That is what an embedding bag gives its table, so its backward is used, with tokens and latents in each other's place.
    """
    with torch.enable_grad():
        table = torch.zeros(d_sae, x.shape[1], dtype=x.dtype, device=x.device, requires_grad=True)
        out = torch.nn.functional.embedding_bag(index, table, per_sample_weights=gradient, mode="sum")
        return torch.autograd.grad(out, table, x)[0]
