"""The compressed interaction network: products of whole vectors, one degree more a layer."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch.autograd.function import once_differentiable

from ctr.blocks.mlp import xavier_linear
from ctr.blocks.pieces import pieces
from ctr.errors import UserError


class CIN(nn.Module):
    """X^k_h = sum_{i,j} W^k_{hij} (X^{k-1}_i * X^0_j), h = 1 .. H_k, and of every X^k_h the sum of its components.

    (B, F, D) -> (B, out_features), X^0 being the input. Lian et al., "xDeepFM", KDD 2018, equations 6 and 7, whose
    layers have no bias and no activation. With `split_half` the first half of a layer's vectors goes to the next
    layer alone and the second half to the output alone, as in the authors' code; all of the last layer is output.
    """

    def __init__(self, num_fields: int, dims: Sequence[int], *, bias: bool = False, split_half: bool = False):
        super().__init__()
        if not dims or min(dims) < 1 or (split_half and any(dim % 2 for dim in dims[:-1])):
            raise UserError(
                f"cin_dims must list the vectors of at least one layer, at least 1 each, and an even number in all but "
                f"the last where split_half is true; found {list(dims)}, split_half {str(split_half).lower()}"
            )
        self.handed_on = [dim // 2 if split_half else dim for dim in dims[:-1]]
        inputs = [num_fields, *self.handed_on]
        layers = [xavier_linear(count * num_fields, dim, bias=bias) for count, dim in zip(inputs, dims, strict=True)]
        self.layers = nn.ModuleList(layers)
        self.split_half = split_half
        self.out_features = sum(dims) - (sum(self.handed_on) if split_half else 0)

    def forward(self, xv: Tensor) -> Tensor:
        first = xv.transpose(1, 2).flatten(0, 1)  # (B * D, F)
        x, outputs = first, []
        for depth, layer in enumerate(self.layers):
            assert isinstance(layer, nn.Linear)
            x = crossed(x, first, layer.weight)  # (B * D, H_k)
            x = output = x if layer.bias is None else x + layer.bias
            if self.split_half and depth < len(self.handed_on):
                x, output = x.chunk(2, dim=-1)
            outputs.append(output.unflatten(0, (xv.shape[0], xv.shape[2])).sum(dim=1))
        return torch.cat(outputs, dim=-1)

    def extra_repr(self) -> str:
        return f"split_half={self.split_half}"


def crossed(x: Tensor, y: Tensor, w: Tensor) -> Tensor:
    """sum_{i,j} w_hij x_i y_j for every h: rows x (N, H) and y (N, F), w (H', H * F) -> (N, H').

    The products x_i y_j are H F / (H + F) times as large as x and y. They are made piece by piece, anew for the
    gradient, and never stored.
    """
    if torch.is_autocast_enabled(x.device.type):
        w = w.to(torch.get_autocast_dtype(x.device.type))
    if torch.compiler.is_compiling():
        return _products(x, y).to(w.dtype) @ w.T
    run: Callable[..., Tensor] = _Crossed.apply
    return run(x, y, w)


def _products(x: Tensor, y: Tensor) -> Tensor:
    return (x.unsqueeze(2) * y.unsqueeze(1)).flatten(1)  # (N, H * F)


class _Crossed(torch.autograd.Function):
    """Products of matrices in w's precision, all others in that of x and y."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, y: Tensor, w: Tensor) -> Tensor:
        ctx.save_for_backward(x, y, w)
        out = w.new_empty(len(x), len(w))
        with torch.autocast(x.device.type, enabled=False):
            for x_piece, y_piece, sums in pieces(w.shape[1], x, y, out):
                torch.mm(_products(x_piece, y_piece).to(w.dtype), w.T, out=sums)
        return out

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        x, y, w = ctx.saved_tensors
        of_x, of_y, of_w = torch.empty_like(x), torch.empty_like(y), torch.zeros_like(w, dtype=y.dtype)
        with torch.autocast(x.device.type, enabled=False):
            for x_piece, y_piece, of_sums, of_x_piece, of_y_piece in pieces(w.shape[1], x, y, grad, of_x, of_y):
                of_w += of_sums.T @ _products(x_piece, y_piece).to(w.dtype)
                of_products = (of_sums @ w).to(y.dtype).unflatten(1, (x.shape[1], y.shape[1]))
                of_x_piece.copy_((of_products @ y_piece.unsqueeze(2)).squeeze(2))
                of_y_piece.copy_((x_piece.to(y.dtype).unsqueeze(1) @ of_products).squeeze(1))
        return of_x, of_y, of_w.to(w.dtype)
