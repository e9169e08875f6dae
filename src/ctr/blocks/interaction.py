"""Second-order interactions of slots, in time linear in their number."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn
from torch.autograd.function import once_differentiable

from ctr import native
from ctr.native import calls


class BiInteraction(nn.Module):
    """sum_{i<j} (x_i v_i) * (x_j v_j), element-wise, in O(S D): (B, S, D) -> (B, D).

    He and Chua, "Neural Factorization Machines for Sparse Predictive Analytics", SIGIR 2017, equations 3 and 4.
    Slots are entries of a list: an id that stands in two slots of a row interacts with itself, where libFM would
    first merge the two entries into one.
    """

    def forward(self, xv: Tensor) -> Tensor:
        if native.serves(xv) and xv.dtype == torch.float32:
            run: Callable[..., Tensor] = _Pairs.apply
            return run(xv)
        return 0.5 * (xv.sum(dim=1).square() - xv.square().sum(dim=1))


class FMInteraction(nn.Module):
    """sum_{i<j} <v_i, v_j> x_i x_j: (B, S, D) -> (B,).

    Rendle, "Factorization Machines", ICDM 2010, lemma 3.1.
    """

    def __init__(self) -> None:
        super().__init__()
        self.bi_interaction = BiInteraction()

    def forward(self, xv: Tensor) -> Tensor:
        pairs: Tensor = self.bi_interaction(xv).sum(dim=-1)
        return pairs


class _Pairs(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, xv: Tensor) -> Tensor:
        sums, pairs = xv.new_empty(len(xv), xv.shape[2]), xv.new_empty(len(xv), xv.shape[2])
        calls.call("bi_interaction", xv, *xv.shape, sums, pairs)
        ctx.save_for_backward(xv, sums)
        return pairs

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad: Tensor) -> Tensor:
        xv, sums = ctx.saved_tensors
        out = torch.empty_like(xv)
        if grad.stride() != (1, 0):  # (1, 0): the sum over the components sends the same gradient to each
            grad = grad.contiguous()
        calls.call("bi_interaction_backward", xv, sums, grad, grad.stride(0), *xv.shape, out)
        return out
