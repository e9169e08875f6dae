"""Neural factorization machines."""

from collections.abc import Sequence

from torch import Tensor, nn

from ctr.blocks import MLP, BiInteraction, Dropout, FeatureEmbedding, FeatureLinear, LogitSum, SlotSelect
from ctr.blocks.mlp import Activation, xavier_linear
from ctr.schema import FeatureSchema


class NFM(nn.Module):
    """logit = w_0 + sum_i w_i x_i + h^T MLP(f_BI(V_x)).

    He and Chua, "Neural Factorization Machines for Sparse Predictive Analytics", SIGIR 2017, equations 2 to 6.
    With no hidden layer h starts at 1, and at h = 1 this is FM. Batch norm, then dropout follow the
    Bi-Interaction, as in the authors' code. FuxiCTR's NFM is `bias: false`, `head_bias: true`,
    `pooling_batch_norm: false` and `pooling_dropout: 0`. `linear_fields` and `deep_fields` name the fields that the
    first-order part and the Bi-Interaction take, null for all; `weigh_logits` learns a weight for each part.
    """

    def __init__(
        self,
        schema: FeatureSchema,
        *,
        embedding_dim: int,
        init_std: float,
        bias: bool,
        pooling_batch_norm: bool,
        pooling_dropout: float,
        hidden_dims: Sequence[int],
        activation: Activation,
        hidden_dropout: float,
        hidden_batch_norm: bool,
        batch_norm_eps: float,
        head_bias: bool,
        linear_fields: Sequence[str] | None,
        deep_fields: Sequence[str] | None,
        weigh_logits: bool,
    ):
        super().__init__()
        self.linear = FeatureLinear(schema, bias=bias, fields=linear_fields)
        self.embedding = FeatureEmbedding(schema, embedding_dim, init_std=init_std)
        self.slots = SlotSelect(schema, deep_fields)
        self.pooling = nn.Sequential(
            BiInteraction(),
            nn.BatchNorm1d(embedding_dim, eps=batch_norm_eps) if pooling_batch_norm else nn.Identity(),
            Dropout(pooling_dropout),
        )
        self.mlp = MLP(
            embedding_dim,
            hidden_dims,
            activation=activation,
            dropout=hidden_dropout,
            batch_norm=hidden_batch_norm,
            batch_norm_eps=batch_norm_eps,
        )
        self.head = xavier_linear(self.mlp.out_features, 1, bias=head_bias)
        if not hidden_dims:
            nn.init.ones_(self.head.weight)
        self.sum = LogitSum(2, weighted=weigh_logits)

    def forward(self, ids: Tensor, values: Tensor) -> Tensor:
        pooled = self.pooling(self.slots(self.embedding(ids, values)))  # (B, D)
        logits: Tensor = self.sum(self.linear(ids, values), self.head(self.mlp(pooled)).squeeze(-1))  # (B,)
        return logits
