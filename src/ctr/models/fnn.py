"""Factorisation-machine supported neural networks."""

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from ctr.blocks import MLP, FeatureEmbedding, FeatureLinear, FieldPool
from ctr.blocks.mlp import Activation, xavier_linear
from ctr.schema import FeatureSchema


class FNN(nn.Module):
    """logit = head(MLP(z)), z = [w_0; (w_1, v_1); ...; (w_F, v_F)], where a trained FM gives w_0, w and V.

    Zhang, Du and Wang, "Deep Learning over Multi-field Categorical Data", ECIR 2016, equations 1 to 4 and 8. All
    of it is fine-tuned. The authors' released code keeps w_0 fixed (`train_w_0: false`) and starts the last layer
    at zero (`zero_head: true`), so that every first prediction is the same, 1/2 with `start=zero`; it has two hidden
    layers, the paper three.
    """

    def __init__(
        self,
        schema: FeatureSchema,
        *,
        embedding_dim: int,
        init_std: float,
        train_w_0: bool,
        hidden_dims: Sequence[int],
        activation: Activation,
        dropout: float,
        batch_norm: bool,
        zero_head: bool,
    ):
        super().__init__()
        self.linear = FeatureLinear(schema)
        self.linear.bias.requires_grad_(train_w_0)
        self.embedding = FeatureEmbedding(schema, embedding_dim, init_std=init_std)
        self.fields = FieldPool(schema)
        in_features = 1 + schema.num_fields * (1 + embedding_dim)
        self.mlp = MLP(in_features, hidden_dims, activation=activation, dropout=dropout, batch_norm=batch_norm)
        self.head = xavier_linear(self.mlp.out_features, 1)
        if zero_head:
            nn.init.zeros_(self.head.weight)

    def z(self, ids: Tensor, values: Tensor) -> Tensor:
        """(B, 1 + F * (1 + D)): the network's input."""
        w = self.linear.weight(ids, values)  # (B, S, 1)
        v = self.embedding(ids, values)  # (B, S, D)
        rows = self.fields(torch.cat([w, v], dim=-1)).flatten(1)  # (B, F * (1 + D))
        w_0 = self.linear.bias.expand(ids.shape[0], 1)  # (B, 1)
        return torch.cat([w_0, rows], dim=-1)

    def forward(self, ids: Tensor, values: Tensor) -> Tensor:
        logits: Tensor = self.head(self.mlp(self.z(ids, values))).squeeze(-1)  # (B,)
        return logits
