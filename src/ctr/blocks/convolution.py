"""Convolutions over the sequence of fields, and the pooling that keeps their largest values."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, cast

from torch import Tensor, nn

from ctr.blocks.mlp import ACTIVATIONS, Activation
from ctr.errors import UserError


class PMaxPool(nn.Module):
    """The p largest values of a sequence, in the sequence's order: (..., n) -> (..., p). Of equal values the first.

    Kalchbrenner, Grefenstette and Blunsom, "A Convolutional Neural Network for Modelling Sentences", ACL 2014, where it
    is k-max pooling.
    """

    def __init__(self, p: int):
        super().__init__()
        self.p = p

    def forward(self, inputs: Tensor) -> Tensor:
        order = inputs.detach().argsort(dim=-1, descending=True, stable=True)
        return inputs.gather(-1, order[..., : self.p].sort(dim=-1).values)

    def extra_repr(self) -> str:
        return f"p={self.p}"


class FieldConvolutions(nn.Module):
    """l layers of act(p-max(w * x + b)), wide convolutions along the fields: (B, F, D) -> (B, D, C, p_l).

    Each dimension of the embeddings is a sequence of F values, and has filters of its own; `shared_filters` gives all
    dimensions the same ones. A layer has `channels` C and `kernel_widths` omega: from n values it makes n + omega - 1,
    with zeros beyond the ends, of which the p_i largest remain: p_i = (1 - (i / l)^(l - i)) F, rounded down and at
    least 3, in layer i < l, and p_l = 3; all of them where there are fewer. Filters start Xavier-normal, b at 0.

    Liu et al., "A Convolutional Click Prediction Model", CIKM 2015.
    """

    def __init__(
        self,
        num_fields: int,
        embedding_dim: int,
        *,
        channels: Sequence[int],
        kernel_widths: Sequence[int],
        shared_filters: bool,
        activation: Activation,
    ):
        super().__init__()
        if not channels or len(channels) != len(kernel_widths) or min(*channels, *kernel_widths) < 1:
            raise UserError(
                f"channels and kernel_widths need one number for each layer, 1 or more, found {list(channels)} and "
                f"{list(kernel_widths)}"
            )
        self.groups = 1 if shared_filters else embedding_dim
        self.convolutions, self.pools = nn.ModuleList(), nn.ModuleList()
        length, before = num_fields, 1
        for layer, (after, width) in enumerate(zip(channels, kernel_widths, strict=True), start=1):
            sizes = self.groups * before, self.groups * after, width
            convolution = nn.Conv1d(*sizes, padding=width - 1, groups=self.groups)
            nn.init.normal_(convolution.weight, std=(2 / (width * (before + after))) ** 0.5)
            nn.init.zeros_(cast(Tensor, convolution.bias))
            self.convolutions.append(convolution)
            length = min(flexible_p(layer, len(channels), num_fields), length + width - 1)
            self.pools.append(PMaxPool(length))
            before = after
        self.activation = ACTIVATIONS[activation]()
        self.out_features = embedding_dim * before * length

    def forward(self, fields: Tensor) -> Tensor:
        maps = fields.transpose(1, 2).unsqueeze(2)  # (B, D, C, n), with one channel C
        num_dims = maps.shape[1]
        layers: list[tuple[Any, Any]] = list(zip(self.convolutions, self.pools, strict=True))
        for convolution, pool in layers:
            sequences = maps.reshape(-1, convolution.in_channels, maps.shape[3])  # (B, D * C, n), or (B * D, C, n)
            maps = self.activation(pool(convolution(sequences)))
            maps = maps.reshape(-1, num_dims, convolution.out_channels // self.groups, pool.p)
        return maps


def flexible_p(layer: int, num_layers: int, num_fields: int) -> int:
    """How many values a layer keeps, counted from 1."""
    if layer == num_layers:
        return 3
    return max(3, int((1 - (layer / num_layers) ** (num_layers - layer)) * num_fields))
