"""Interactions of any order, in time linear in the number of slots."""

import torch
from torch import Tensor, nn

from ctr.errors import UserError


class AnovaKernel(nn.Module):
    """sum over i_1 < ... < i_m and d of (x v)_{i_1 d} ... (x v)_{i_m d}, m = `order`: (B, S, D) -> (B,).

    Blondel et al., "Higher-Order Factorization Machines", NIPS 2016, by its dynamic programming: a_{s,t} = a_{s-1,t} +
    (x v)_s a_{s-1,t-1} is the kernel of order t over the first s slots. All s are found at once: no loop runs over
    slots, and nothing cancels.
    """

    def __init__(self, order: int):
        super().__init__()
        if order < 1:
            raise UserError(f"order must be at least 1, found {order}")
        self.order = order

    def forward(self, xv: Tensor) -> Tensor:
        terms = xv  # (B, S, D): the kernel's terms whose last slot is s
        for _ in range(self.order - 1):
            before = torch.cumsum(terms, dim=1)[:, :-1]  # (B, S - 1, D): of the slots before s
            terms = xv[:, 1:] * before
            xv = xv[:, 1:]
        return terms.sum(dim=(1, 2))

    def extra_repr(self) -> str:
        return f"order={self.order}"
