"""Dropout whose masks cost little on a CPU."""

import torch
from torch import Tensor, nn
from torch.nn import functional

LEVELS = 1 << 16


class Dropout(nn.Module):
    """Zeroes each entry with probability p while training, and scales the others by 1 / (1 - p).

    Torch draws a CPU's mask one entry at a time on one thread, which is the largest single cost of training a small
    network with dropout. Here one random int64 decides four entries, so p is met to 1 / 65536.
    """

    def __init__(self, p: float):
        super().__init__()
        if not 0 <= p < 1:
            raise ValueError(f"dropout must be at least 0 and below 1, found {p}")
        self.p = p
        self.dropped = min(round(p * LEVELS), LEVELS - 1)  # of the LEVELS values that 16 random bits take

    def forward(self, inputs: Tensor) -> Tensor:
        if not self.training or self.dropped == 0:
            return inputs
        if inputs.device.type != "cpu":
            return functional.dropout(inputs, self.p)
        draws = torch.empty((inputs.numel() + 3) // 4, dtype=torch.int64).random_(-(1 << 63), None)
        kept = draws.view(torch.int16)[: inputs.numel()].view(inputs.shape) >= self.dropped - LEVELS // 2
        return inputs * (kept.to(inputs.dtype) * (LEVELS / (LEVELS - self.dropped)))

    def extra_repr(self) -> str:
        return f"p={self.p}"
