"""All pairs of slots, or of fields."""

import torch
from torch import Tensor, nn

from ctr.blocks.memory import check_pairs


def pair_indices(num: int) -> Tensor:
    """All i < j below `num`, as (2, P) with P = num (num - 1) / 2: (0, 1), (0, 2), ..., (1, 2), ..."""
    return torch.triu_indices(num, num, offset=1)


class Pairs(nn.Module):
    """Both sides of all pairs: (B, N, ...) -> two of (B, P, ...), in the order of `pair_indices`."""

    left: Tensor
    right: Tensor

    def __init__(self, num: int):
        super().__init__()
        check_pairs(
            num * (num - 1) // 2, f"{num} slots or fields in pairs", "give the fields fewer slots, or leave some out"
        )
        left, right = pair_indices(num)
        self.register_buffer("left", left.contiguous(), persistent=False)  # (P,)
        self.register_buffer("right", right.contiguous(), persistent=False)
        self.num_pairs = len(left)

    def forward(self, things: Tensor) -> tuple[Tensor, Tensor]:
        return things.index_select(1, self.left), things.index_select(1, self.right)

    def extra_repr(self) -> str:
        return f"num_pairs={self.num_pairs}"
