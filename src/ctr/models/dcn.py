"""Deep & cross networks."""

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from ctr.blocks import MLP, CrossNet, FeatureEmbedding, FieldPool
from ctr.blocks.mlp import Activation, xavier_linear
from ctr.schema import FeatureSchema


class DCN(nn.Module):
    """logit = head([x_L; MLP(x_0)]), x_{l+1} = x_0 (x_l^T w_l) + b_l + x_l, x_0 = [e_1; ...; e_F].

    Wang et al., "Deep & Cross Network for Ad Click Predictions", ADKDD 2017, equations 3 to 5. The paper puts numbers
    into x_0 as they are, and makes a field's vector wider the more features it has; here a number is x_i v_i, as
    everywhere, and all vectors are `embedding_dim` wide. With no hidden layer it is the cross network alone, as in
    FuxiCTR, whose DCN is this one.
    """

    def __init__(
        self,
        schema: FeatureSchema,
        *,
        embedding_dim: int,
        init_std: float,
        num_cross_layers: int,
        hidden_dims: Sequence[int],
        activation: Activation,
        dropout: float,
        batch_norm: bool,
    ):
        super().__init__()
        self.embedding = FeatureEmbedding(schema, embedding_dim, init_std=init_std)
        self.fields = FieldPool(schema)
        in_features = schema.num_fields * embedding_dim
        self.cross = CrossNet(in_features, num_cross_layers)
        self.mlp = MLP(in_features, hidden_dims, activation=activation, dropout=dropout, batch_norm=batch_norm)
        self.is_deep = bool(hidden_dims)
        self.head = xavier_linear(in_features + (self.mlp.out_features if self.is_deep else 0), 1)

    def forward(self, ids: Tensor, values: Tensor) -> Tensor:
        x = self.fields(self.embedding(ids, values)).flatten(1)  # (B, F * D)
        last = self.cross(x)  # (B, F * D)
        if self.is_deep:
            last = torch.cat([last, self.mlp(x)], dim=-1)  # (B, F * D + H)
        logits: Tensor = self.head(last).squeeze(-1)  # (B,)
        return logits
