"""The first-order part."""

import torch
from torch import Tensor, nn

from ctr.blocks.embedding import FeatureEmbedding
from ctr.blocks.lookup import lookup_sum
from ctr.schema import FeatureSchema


class FeatureLinear(nn.Module):
    """w_0 + sum_i w_i x_i: ids, values (B, S) -> (B,). Without `bias` there is no w_0. All weights start at 0.

    Rendle, "Factorization Machines", ICDM 2010, the first two terms of equation 1.
    """

    bias: Tensor

    def __init__(self, schema: FeatureSchema, *, bias: bool = True):
        super().__init__()
        self.weight = FeatureEmbedding(schema, 1, init_std=0.0)
        if bias:
            self.bias = nn.Parameter(torch.zeros(1))
        else:
            self.register_buffer("bias", torch.zeros(1), persistent=False)  # w_0 = 0, and no parameter

    def forward(self, ids: Tensor, values: Tensor) -> Tensor:
        return self.bias + lookup_sum(self.weight.table.weight, ids, values)
