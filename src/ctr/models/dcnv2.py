"""Deep & cross networks with a matrix in each cross layer."""

from collections.abc import Sequence
from typing import Literal

import torch
from torch import Tensor, nn

from ctr.blocks import MLP, CrossNetV2, FeatureEmbedding, FieldPool
from ctr.blocks.mlp import Activation, xavier_linear
from ctr.schema import FeatureSchema


class DCNv2(nn.Module):
    """logit = head([x_L; MLP(x_0)]), or stacked head(MLP(x_L)); x_{l+1} = x_0 * (W_l x_l + b_l) + x_l.

    Wang et al., "DCN V2: Improved Deep & Cross Network and Practical Lessons for Web-scale Learning to Rank Systems",
    WWW 2021, equation 1; x_0 = [e_1; ...; e_F]. `cross_rank: 0` is the full matrix W_l, another rank r makes it U V^T
    of r columns each. With `num_experts` above 1 it becomes the paper's mixture of low-rank experts, with tanh in
    between and a softmax gate, whose weights each layer has for itself; FuxiCTR shares them among the layers.
    With no hidden layer it is the cross network alone. Numbers are x_i v_i, as in DCN.
    """

    def __init__(
        self,
        schema: FeatureSchema,
        *,
        embedding_dim: int,
        init_std: float,
        structure: Literal["parallel", "stacked"],
        num_cross_layers: int,
        cross_rank: int,
        num_experts: int,
        hidden_dims: Sequence[int],
        activation: Activation,
        dropout: float,
        batch_norm: bool,
    ):
        super().__init__()
        self.embedding = FeatureEmbedding(schema, embedding_dim, init_std=init_std)
        self.fields = FieldPool(schema)
        in_features = schema.num_fields * embedding_dim
        self.cross = CrossNetV2(in_features, num_cross_layers, rank=cross_rank, num_experts=num_experts)
        self.mlp = MLP(in_features, hidden_dims, activation=activation, dropout=dropout, batch_norm=batch_norm)
        self.parallel = structure == "parallel" and bool(hidden_dims)
        self.head = xavier_linear(self.mlp.out_features + (in_features if self.parallel else 0), 1)

    def forward(self, ids: Tensor, values: Tensor) -> Tensor:
        x = self.fields(self.embedding(ids, values)).flatten(1)  # (B, F * D)
        crossed = self.cross(x)  # (B, F * D)
        last = torch.cat([crossed, self.mlp(x)], dim=-1) if self.parallel else self.mlp(crossed)  # (B, F * D + H or H)
        logits: Tensor = self.head(last).squeeze(-1)  # (B,)
        return logits
