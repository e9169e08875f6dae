"""All pairs of slots, or of fields."""

from typing import Literal

import torch
from torch import Tensor, nn

from ctr.blocks.memory import check_pairs, check_weights

PairWeights = Literal["scalar", "vector", "matrix"]


def pair_indices(num: int) -> Tensor:
    """All i < j below `num`, as (2, P) with P = num (num - 1) / 2: (0, 1), (0, 2), ..., (1, 2), ..."""
    return torch.triu_indices(num, num, offset=1)


class Pairs(nn.Module):
    """Both sides of all pairs: (B, N, ...) -> two of (B, P, ...), in the order of `pair_indices`."""

    left: Tensor
    right: Tensor

    def __init__(self, num: int):
        super().__init__()
        check_pairs(num * (num - 1) // 2, f"{num} slots or fields", "give the fields fewer slots, or leave some out")
        left, right = pair_indices(num)
        self.register_buffer("left", left.contiguous(), persistent=False)  # (P,)
        self.register_buffer("right", right.contiguous(), persistent=False)
        self.num_pairs = len(left)

    def forward(self, things: Tensor) -> tuple[Tensor, Tensor]:
        return things.index_select(1, self.left), things.index_select(1, self.right)

    def extra_repr(self) -> str:
        return f"num_pairs={self.num_pairs}"


class WeightedPairs(nn.Module):
    """sum_{f<g} <e_f M_fg, e_g>, M_fg of weights that are learnt for each pair of fields: (B, F, D) -> (B,).

    M_fg is r_fg I for `scalar` (Pan et al., "Field-weighted Factorization Machines for Click-Through Rate Prediction in
    Display Advertising", WWW 2018), diagonal for `vector` and free for `matrix` (Sun et al., "FM2:
    Field-matrixed Factorization Machines for Recommender Systems", WWW 2021). It starts as I, where the sum
    is FM's. The pairs of a batch are never written out: the weights are laid out as one square matrix over all fields,
    which is 0 where f >= g.
    """

    left: Tensor
    right: Tensor

    def __init__(self, num_fields: int, embedding_dim: int, weights: PairWeights):
        super().__init__()
        self.num_fields, self.weights = num_fields, weights
        num_pairs = num_fields * (num_fields - 1) // 2
        starts = {"scalar": torch.ones(()), "vector": torch.ones(embedding_dim), "matrix": torch.eye(embedding_dim)}
        check_weights(
            num_pairs * starts[weights].numel(),
            f"a {weights} for each of {num_pairs:,} pairs of fields",
            "take a smaller embedding_dim or fewer fields",
        )
        left, right = pair_indices(num_fields)
        self.register_buffer("left", left.contiguous(), persistent=False)  # (P,)
        self.register_buffer("right", right.contiguous(), persistent=False)
        self.weight = nn.Parameter(starts[weights].repeat(num_pairs, *[1] * starts[weights].dim()))  # (P, ...)

    def forward(self, fields: Tensor) -> Tensor:
        square = self.weight.new_zeros(self.num_fields, self.num_fields, *self.weight.shape[1:])
        square = square.index_put((self.left, self.right), self.weight)  # (F, F, ...)
        if self.weights == "scalar":
            return (fields * (square @ fields)).sum(dim=(1, 2))
        if self.weights == "vector":
            by_dim = fields.permute(2, 1, 0)  # (D, F, B)
            return (by_dim * (square.permute(2, 0, 1) @ by_dim)).sum(dim=(0, 1))
        flat = fields.flatten(1)  # (B, F D)
        return ((flat @ square.transpose(1, 2).flatten(2).flatten(0, 1)) * flat).sum(dim=1)

    def extra_repr(self) -> str:
        return f"num_fields={self.num_fields}, weights={self.weights}"
