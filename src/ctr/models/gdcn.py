"""A deep and a gated cross network."""

from collections.abc import Sequence
from typing import Literal

import torch
from torch import Tensor, nn

from ctr.blocks import MLP, FeatureEmbedding, FieldPool, GatedCrossNetwork
from ctr.blocks.mlp import Activation, xavier_linear
from ctr.schema import FeatureSchema


class GDCN(nn.Module):
    """logit = head([x_L; MLP(x_0)]), x_0 = [e_1; ...; e_F], x_{l+1} = x_0 * (W_l x_l + b_l) * sigmoid(U_l x_l) + x_l.

    Wang et al., "Towards Deeper, Lighter and Interpretable Cross Network for CTR Prediction", CIKM 2023, equation 1.
    That is GDCN-P, `structure: parallel`; GDCN-S, `stacked`, is head(MLP(x_L)). With `hidden_dims: []` either is
    the cross network alone, GCN. The paper's learnt width for each field (FDO) is left out.
    """

    def __init__(
        self,
        schema: FeatureSchema,
        *,
        embedding_dim: int,
        init_std: float,
        structure: Literal["parallel", "stacked"],
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
        self.cross = GatedCrossNetwork(in_features, num_cross_layers)
        self.mlp = MLP(in_features, hidden_dims, activation=activation, dropout=dropout, batch_norm=batch_norm)
        self.parallel = structure == "parallel" and bool(hidden_dims)
        self.head = xavier_linear(self.mlp.out_features + (in_features if self.parallel else 0), 1)

    def forward(self, ids: Tensor, values: Tensor) -> Tensor:
        x = self.fields(self.embedding(ids, values)).flatten(1)  # (B, F * D)
        crossed = self.cross(x)  # (B, F * D)
        hidden = torch.cat([crossed, self.mlp(x)], dim=-1) if self.parallel else self.mlp(crossed)
        logits: Tensor = self.head(hidden).squeeze(-1)  # (B,)
        return logits
