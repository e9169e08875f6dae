"""An FM and a network side by side on one embedding table."""

from collections.abc import Sequence
from typing import Literal

import torch
from torch import Tensor, nn

from ctr.blocks import MLP, BiInteraction, FeatureEmbedding, FeatureLinear, FieldPool, LogitSum, SlotSelect
from ctr.blocks.mlp import Activation, xavier_linear
from ctr.schema import FeatureSchema


class DeepFM(nn.Module):
    """logit = y_FM + y_DNN, y_FM = sum_i w_i x_i + sum_{i<j} <v_i, v_j> x_i x_j, y_DNN = head(MLP([e_1; ...; e_F])).

    Guo et al., "DeepFM", IJCAI 2017, equations 1, 2 and 4; V is shared. `fm_output: sum` is the paper's scalar
    y_FM; `vector` weighs its F first-order and D second-order components, as in ChenglongChen's implementation,
    with weights that start at 1, so that both forms start equal. `bias: true` adds w_0, which the paper leaves out.
    `linear_fields` and `deep_fields` name the fields that w and V take, null for all; `weigh_logits` learns a weight
    for each part.
    """

    def __init__(
        self,
        schema: FeatureSchema,
        *,
        embedding_dim: int,
        init_std: float,
        bias: bool,
        fm_output: Literal["sum", "vector"],
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
        self.slots, self.fields = SlotSelect(schema, deep_fields), FieldPool(schema, deep_fields)
        self.bi_interaction = BiInteraction()
        if fm_output == "vector":
            self.first = FieldPool(schema, linear_fields)
            self.fm_weights = nn.Parameter(torch.ones(self.first.num_fields + embedding_dim))
        self.fm_output = fm_output
        in_features = self.fields.num_fields * embedding_dim
        self.mlp = MLP(in_features, hidden_dims, activation=activation, dropout=dropout, batch_norm=batch_norm)
        self.head = xavier_linear(self.mlp.out_features, 1)
        self.sum = LogitSum(2, weighted=weigh_logits)

    def forward(self, ids: Tensor, values: Tensor) -> Tensor:
        xv = self.embedding(ids, values)  # (B, S, D)
        deep = self.head(self.mlp(self.fields(xv).flatten(1))).squeeze(-1)  # (B,)
        logits: Tensor = self.sum(self.fm(ids, values, xv), deep)
        return logits

    def fm(self, ids: Tensor, values: Tensor, xv: Tensor) -> Tensor:
        """y_FM, (B,)."""
        pairs = self.bi_interaction(self.slots(xv))  # (B, D)
        if self.fm_output == "sum":
            y: Tensor = self.linear(ids, values) + pairs.sum(dim=-1)
            return y
        first = self.first(self.linear.weight(ids, values)).squeeze(-1)  # (B, F)
        return self.linear.bias + torch.cat([first, pairs], dim=-1) @ self.fm_weights
