"""Fields weighed by their importance, and bilinear products of their pairs."""

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from ctr.blocks import MLP, BilinearPairs, FeatureEmbedding, FeatureLinear, FieldPool, LogitSum, SqueezeExcitation
from ctr.blocks.mlp import Activation, xavier_linear
from ctr.blocks.squeeze import BilinearType
from ctr.schema import FeatureSchema


class FiBiNET(nn.Module):
    """logit = w_0 + sum_i w_i x_i + head(MLP([p; q])), p_ij = (e_i W) * e_j, q_ij = (v_i W) * v_j, v = SENET(e).

    Huang, Zhang and Zhang, "FiBiNET: Combining Feature Importance and Bilinear feature Interaction for Click-Through
    Rate Prediction", RecSys 2019, sections 3.2 to 3.6. With no hidden layer the head starts at 1, where it is the
    paper's shallow model. `share_bilinear: true` takes the same matrices for p and q, as FuxiCTR 1 did; false gives
    each its own, as FuxiCTR 2 does. FuxiCTR's has no w_0 (`bias: false`). `linear_fields` and `deep_fields` name the
    fields that w and the embeddings take, null for all; `weigh_logits` learns a weight for each part.
    """

    def __init__(
        self,
        schema: FeatureSchema,
        *,
        embedding_dim: int,
        init_std: float,
        bias: bool,
        reduction_ratio: int,
        bilinear_type: BilinearType,
        share_bilinear: bool,
        hidden_dims: Sequence[int],
        activation: Activation,
        dropout: float,
        batch_norm: bool,
        linear_fields: Sequence[str] | None,
        deep_fields: Sequence[str] | None,
        weigh_logits: bool,
    ):
        super().__init__()
        self.linear = FeatureLinear(schema, bias=bias, fields=linear_fields)
        self.embedding = FeatureEmbedding(schema, embedding_dim, init_std=init_std)
        self.fields = FieldPool(schema, deep_fields)
        num_fields = self.fields.num_fields
        self.senet = SqueezeExcitation(num_fields, reduction_ratio)
        self.bilinear = BilinearPairs(num_fields, embedding_dim, bilinear_type)
        self.own = None if share_bilinear else BilinearPairs(num_fields, embedding_dim, bilinear_type)
        in_features = 2 * self.bilinear.pairs.num_pairs * embedding_dim
        self.mlp = MLP(in_features, hidden_dims, activation=activation, dropout=dropout, batch_norm=batch_norm)
        self.head = xavier_linear(self.mlp.out_features, 1)
        if not hidden_dims:
            nn.init.ones_(self.head.weight)
        self.sum = LogitSum(2, weighted=weigh_logits)

    def forward(self, ids: Tensor, values: Tensor) -> Tensor:
        e = self.fields(self.embedding(ids, values))  # (B, F, D)
        p = self.bilinear(e)  # (B, P, D)
        q = (self.bilinear if self.own is None else self.own)(self.senet(e))  # (B, P, D)
        deep = self.head(self.mlp(torch.cat([p, q], dim=1).flatten(1))).squeeze(-1)  # (B,)
        logits: Tensor = self.sum(self.linear(ids, values), deep)
        return logits
