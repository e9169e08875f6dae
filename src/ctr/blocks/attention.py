"""Self-attention over the fields of an example."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, cast

import torch
from torch import Tensor, nn
from torch.autograd.function import once_differentiable
from torch.nn import functional

from ctr import native
from ctr.blocks.dropout import Dropout
from ctr.blocks.mlp import xavier_linear
from ctr.errors import UserError
from ctr.native import calls


class FieldAttention(nn.Module):
    """ReLU([sum_k a^1_mk V^1 e_k; ...; sum_k a^H_mk V^H e_k] + R e_m), a^h_mk = softmax_k <Q^h e_m, K^h e_k>.

    e (B, F, in_features) -> (B, F, out_features), with a row for every field m and `attention_dim` components of every
    head h. Song et al., "AutoInt", CIKM 2019, equations 5 to 8. R is the identity where the widths agree, and left out
    without `residual`. `scale` divides the inner products by the root of attention_dim; `dropout` thins the a^h_mk;
    `layer_norm` comes before the ReLU.
    """

    def __init__(
        self,
        in_features: int,
        attention_dim: int,
        num_heads: int,
        *,
        scale: bool,
        residual: bool,
        layer_norm: bool,
        dropout: float,
    ):
        super().__init__()
        if attention_dim < 1 or num_heads < 1:
            raise UserError(f"attention_dim and num_heads must be at least 1, found {attention_dim} and {num_heads}")
        self.num_heads, self.out_features = num_heads, num_heads * attention_dim
        self.query = xavier_linear(in_features, self.out_features, bias=False)
        self.key = xavier_linear(in_features, self.out_features, bias=False)
        self.value = xavier_linear(in_features, self.out_features, bias=False)
        self.factor = 1 / math.sqrt(attention_dim) if scale else 1.0
        self.dropout = Dropout(dropout)
        self.residual: nn.Module | None = None
        if residual:
            fits = in_features == self.out_features
            self.residual = nn.Identity() if fits else xavier_linear(in_features, self.out_features, bias=False)
        self.norm = nn.LayerNorm(self.out_features) if layer_norm else nn.Identity()

    def forward(self, xv: Tensor) -> Tensor:
        projections = torch.cat([self.query.weight, self.key.weight, self.value.weight])
        packed = functional.linear(xv, projections)  # (B, F, 3 * out_features), in one product
        attended = attend(packed, self.num_heads, self.factor, self.dropout)
        if self.residual is not None:
            attended = attended + self.residual(xv)
        hidden: Tensor = self.norm(attended)
        return hidden.relu()

    def extra_repr(self) -> str:
        return f"num_heads={self.num_heads}, factor={self.factor:g}"


def attend(packed: Tensor, num_heads: int, factor: float, dropout: Dropout) -> Tensor:
    """dropout(softmax(factor Q K^T)) V, head by head, for Q, K and V side by side in `packed`:
    (B, F, 3 * heads * attention_dim) -> (B, F, heads * attention_dim).

    Fields are few, so that on a CPU a head of an example is one pass in the cache, forward and backward.
    """
    if native.serves(packed, bf16=True) and packed.numel():
        factors = None
        if dropout.training and dropout.p > 0:
            factors = dropout(torch.ones(len(packed), num_heads, packed.shape[1], packed.shape[1]))
        run: Callable[..., Tensor] = _Attended.apply
        return run(packed, factors, num_heads, factor)
    query, key, value = packed.unflatten(-1, (3, num_heads, -1)).permute(2, 0, 3, 1, 4)  # each (B, heads, F, dim)
    scores = query @ key.transpose(-2, -1) * factor  # (B, heads, F, F)
    weights = dropout(scores.softmax(dim=-1))
    return cast(Tensor, (weights @ value).transpose(1, 2).flatten(2))


class _Attended(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, packed: Tensor, factors: Tensor | None, num_heads: int, factor: float) -> Tensor:
        rows, fields, width = packed.shape[0], packed.shape[1], packed.shape[2] // 3
        out = packed.new_empty(rows, fields, width)
        ctx.settings = (rows, fields, num_heads, width // num_heads, factor)
        calls.call(calls.of_dtype("attend", packed), packed, factors, *ctx.settings, out)
        ctx.save_for_backward(packed, factors)
        return out

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor | None, ...]:
        packed, factors = ctx.saved_tensors
        out = torch.empty_like(packed)
        calls.call(calls.of_dtype("attend_backward", packed), packed, factors, grad.contiguous(), *ctx.settings, out)
        return out, None, None, None
