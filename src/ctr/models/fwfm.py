"""Field-weighted factorization machines."""

from typing import Literal

import torch
from torch import Tensor, nn

from ctr.blocks import FeatureEmbedding, FeatureLinear, FieldPool, WeightedPairs
from ctr.schema import FeatureSchema


class FwFM(nn.Module):
    """logit = w_0 + first order + sum_{f<g} r_fg <e_f, e_g>, e_f = sum of x_i v_i over the slots of field f.

    Pan et al., "Field-weighted Factorization Machines for Click-Through Rate Prediction in Display Advertising", WWW
    2018. Its first orders are sum_i w_i x_i (`first_order: LW`), sum_i <v_i, w_i> x_i with a vector w_i for each
    feature (`FeLV`) or one for each field (`FiLV`). Slots of one field do not meet. r starts at 1, which is FM's;
    Yahoo's code of FmFM, which has FwFM beside it, draws r from N(0, 1), FuxiCTR Xavier-normal.
    """

    def __init__(
        self,
        schema: FeatureSchema,
        *,
        embedding_dim: int,
        init_std: float,
        first_order: Literal["LW", "FeLV", "FiLV"],
    ):
        super().__init__()
        self.first_order = first_order
        self.embedding = FeatureEmbedding(schema, embedding_dim, init_std=init_std)
        self.fields = FieldPool(schema)
        self.interaction = WeightedPairs(schema.num_fields, embedding_dim, "scalar")
        if first_order == "LW":
            self.linear = FeatureLinear(schema)
        else:
            self.bias = nn.Parameter(torch.zeros(1))
        if first_order == "FeLV":
            self.first_embedding = FeatureEmbedding(schema, embedding_dim, init_std=init_std)
        if first_order == "FiLV":
            self.field_vectors = nn.Parameter(torch.empty(1, schema.num_fields * embedding_dim))
            nn.init.xavier_normal_(self.field_vectors)

    def forward(self, ids: Tensor, values: Tensor) -> Tensor:
        xv = self.embedding(ids, values)  # (B, S, D)
        fields = self.fields(xv)  # (B, F, D)
        logits: Tensor = self.first(ids, values, xv, fields) + self.interaction(fields)  # (B,)
        return logits

    def first(self, ids: Tensor, values: Tensor, xv: Tensor, fields: Tensor) -> Tensor:
        """w_0 and the first order, (B,)."""
        if self.first_order == "LW":
            first: Tensor = self.linear(ids, values)
            return first
        if self.first_order == "FeLV":
            w: Tensor = self.first_embedding(ids, torch.ones_like(values))  # (B, S, D); xv holds x_i already
            return self.bias + (xv * w).sum(dim=(1, 2))
        return self.bias + fields.flatten(1) @ self.field_vectors[0]
