"""Factorization machines."""

from torch import Tensor, nn

from ctr.blocks import Dropout, FeatureEmbedding, FeatureLinear, FMInteraction
from ctr.schema import FeatureSchema


class FM(nn.Module):
    """logit = w_0 + sum_i w_i x_i + sum_{i<j} <v_i, v_j> x_i x_j.

    Rendle, "Factorization Machines", ICDM 2010, equation 1. `embedding_dropout` is ours; `bias: false` leaves out
    w_0. FuxiCTR's FM is this one with init_std 1e-4.
    """

    def __init__(
        self, schema: FeatureSchema, *, embedding_dim: int, init_std: float, bias: bool, embedding_dropout: float
    ):
        super().__init__()
        self.linear = FeatureLinear(schema, bias=bias)
        self.embedding = FeatureEmbedding(schema, embedding_dim, init_std=init_std)
        self.dropout = Dropout(embedding_dropout)
        self.interaction = FMInteraction()

    def forward(self, ids: Tensor, values: Tensor) -> Tensor:
        xv = self.dropout(self.embedding(ids, values))  # (B, S, D)
        logits: Tensor = self.linear(ids, values) + self.interaction(xv)  # (B,)
        return logits
