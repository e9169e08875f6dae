"""Cross features of learnt orders."""

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from ctr.blocks import MLP, FeatureEmbedding, FieldPool, LogarithmicTransform
from ctr.blocks.mlp import Activation, xavier_linear
from ctr.schema import FeatureSchema


class AFN(nn.Module):
    """logit = head(MLP([y_1; ...; y_L])), y_l = exp(sum_f w_lf ln |e_f|) = prod_f |e_f|^w_lf.

    Cheng, Shen and Huang, "Adaptive Factorization Network: Learning Adaptive-Order Feature Interactions", AAAI 2020.
    With `ensemble` this is AFN+, w_1 logit + w_2 logit' + b, where logit' is that of a network on a table of its own
    (`deep_hidden_dims`, `deep_dropout`). w starts at 1/2 and all is trained together, as in FuxiCTR, whose w starts at
    random; the authors' code trains both parts by losses of their own, and w and b alone by the sum's. It clips |e_f|
    at 1e-4, FuxiCTR at 1e-5 (`min_magnitude`).
    """

    def __init__(
        self,
        schema: FeatureSchema,
        *,
        embedding_dim: int,
        init_std: float,
        num_neurons: int,
        min_magnitude: float,
        hidden_dims: Sequence[int],
        activation: Activation,
        dropout: float,
        batch_norm: bool,
        ensemble: bool,
        deep_hidden_dims: Sequence[int],
        deep_dropout: float,
    ):
        super().__init__()
        self.embedding = FeatureEmbedding(schema, embedding_dim, init_std=init_std)
        self.fields = FieldPool(schema)
        self.transform = LogarithmicTransform(schema.num_fields, num_neurons, min_magnitude=min_magnitude)
        in_features = num_neurons * embedding_dim
        self.mlp = MLP(in_features, hidden_dims, activation=activation, dropout=dropout, batch_norm=batch_norm)
        self.head = xavier_linear(self.mlp.out_features, 1)
        self.ensemble = ensemble
        if ensemble:
            self.deep_embedding = FeatureEmbedding(schema, embedding_dim, init_std=init_std)
            in_features = schema.num_fields * embedding_dim
            self.deep_mlp = MLP(
                in_features, deep_hidden_dims, activation=activation, dropout=deep_dropout, batch_norm=batch_norm
            )
            self.deep_head = xavier_linear(self.deep_mlp.out_features, 1)
            self.sum = xavier_linear(2, 1)
            nn.init.constant_(self.sum.weight, 0.5)

    def forward(self, ids: Tensor, values: Tensor) -> Tensor:
        crossed = self.transform(self.fields(self.embedding(ids, values))).flatten(1)  # (B, L * D)
        logits: Tensor = self.head(self.mlp(crossed))  # (B, 1)
        if self.ensemble:
            vectors = self.fields(self.deep_embedding(ids, values)).flatten(1)  # (B, F * D)
            logits = self.sum(torch.cat([logits, self.deep_head(self.deep_mlp(vectors))], dim=-1))
        return logits.squeeze(-1)
