"""The first-order part, and the sum of a model's parts."""

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from ctr.blocks.embedding import FeatureEmbedding, SlotSelect
from ctr.blocks.lookup import lookup_sum
from ctr.schema import FeatureSchema


class FeatureLinear(nn.Module):
    """w_0 + sum_i w_i x_i: ids, values (B, S) -> (B,). Without `bias` there is no w_0. All weights start at 0.

    With `fields`, names of some of the schema's, the sum runs over their features alone.
    Rendle, "Factorization Machines", ICDM 2010, the first two terms of equation 1.
    """

    bias: Tensor

    def __init__(self, schema: FeatureSchema, *, bias: bool = True, fields: Sequence[str] | None = None):
        super().__init__()
        self.weight = FeatureEmbedding(schema, 1, init_std=0.0)
        self.select = SlotSelect(schema, fields)
        if bias:
            self.bias = nn.Parameter(torch.zeros(1))
        else:
            self.register_buffer("bias", torch.zeros(1), persistent=False)  # w_0 = 0, and no parameter

    def forward(self, ids: Tensor, values: Tensor) -> Tensor:
        return self.bias + lookup_sum(self.weight.table.weight, self.select(ids), self.select(values))


class LogitSum(nn.Module):
    """The logits of a model's parts, added: each (B,) -> (B,).

    `weighted` gives each part a weight that is learnt, and starts at 1.
    """

    def __init__(self, num_parts: int, *, weighted: bool):
        super().__init__()
        self.weights = nn.Parameter(torch.ones(num_parts)) if weighted else None

    def forward(self, *parts: Tensor) -> Tensor:
        if self.weights is None:
            return sum(parts[1:], start=parts[0])
        return torch.stack(parts, dim=-1) @ self.weights
