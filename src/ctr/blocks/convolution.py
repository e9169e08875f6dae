"""Convolutions over the sequence of fields, and the pooling that keeps their largest values."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import cast

import torch
from torch import Tensor, nn
from torch.nn import functional

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
        if inputs.dtype == torch.float64:
            places = inputs.detach().argsort(dim=-1, descending=True, stable=True)[..., : self.p]
        else:
            places = _ranked(inputs.detach()).topk(self.p, dim=-1, sorted=False).indices
        return inputs.gather(-1, places.sort(dim=-1).values)

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
        for convolution, pool in zip(self.convolutions, self.pools, strict=True):
            assert isinstance(convolution, nn.Conv1d)
            maps = self.activation(pool(self._wide(maps, convolution)))
        return maps

    def _wide(self, maps: Tensor, convolution: nn.Conv1d) -> Tensor:
        """(B, D, C, n) -> (B, D, C', n + omega - 1), as one product with the matrix that the filters make of n values:
        fields are few, and so narrow a convolution is several times slower."""
        filters = convolution.weight.unflatten(0, (self.groups, -1))  # (groups, C', C, omega)
        matrix = _banded(filters, maps.shape[3])  # (groups, C', C, n, n + omega - 1)
        matrix = matrix.permute(0, 2, 3, 1, 4).flatten(3).flatten(1, 2)  # (groups, C n, C' (n + omega - 1))
        assert convolution.bias is not None
        bias = convolution.bias.view(self.groups, -1, 1)  # (groups, C', 1)
        sums: Tensor = maps.flatten(2).transpose(0, 1) @ matrix  # (D, B, C' (n + omega - 1))
        return cast(Tensor, sums.transpose(0, 1).unflatten(2, (bias.shape[1], -1))) + bias


def _banded(filters: Tensor, n: int) -> Tensor:
    """(..., omega) -> (..., n, n + omega - 1): row i is the reversed filter from column i on, and 0 elsewhere, so that
    values times the matrix are their wide convolution with the filter."""
    width = filters.shape[-1]
    rows = functional.pad(filters.flip(-1), (0, n)).unsqueeze(-2)  # a row, and one 0 more: the next starts a place on
    laid_out = rows.expand(*rows.shape[:-2], n, n + width).flatten(-2)[..., : n * (n + width - 1)]
    return cast(Tensor, laid_out.unflatten(-1, (n, -1)))


def _ranked(numbers: Tensor) -> Tensor:
    """Whole numbers in the order of float32 numbers (..., n), and of equal ones the first is the largest. What is no
    number counts as infinite, and is not lost from sight."""
    known = numbers.float().nan_to_num(nan=math.inf, posinf=math.inf, neginf=-math.inf)
    bits = (known + 0.0).view(torch.int32)  # -0 becomes 0
    ordered = bits ^ ((bits >> 31) & 0x7FFFFFFF)  # of a negative number all bits but the sign count downwards
    n = numbers.shape[-1]
    return ordered.long() * n + torch.arange(n - 1, -1, -1, device=numbers.device)


def flexible_p(layer: int, num_layers: int, num_fields: int) -> int:
    """How many values a layer keeps, counted from 1."""
    if layer == num_layers:
        return 3
    return max(3, int((1 - (layer / num_layers) ** (num_layers - layer)) * num_fields))
