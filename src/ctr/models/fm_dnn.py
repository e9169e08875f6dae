"""An FM and a network side by side, each with an embedding table of its own."""

from collections.abc import Sequence

from torch import Tensor, nn

from ctr.blocks import MLP, FeatureEmbedding, FeatureLinear, FieldPool, FMInteraction, LogitSum, SlotSelect
from ctr.blocks.mlp import Activation, xavier_linear
from ctr.schema import FeatureSchema


class FMDNN(nn.Module):
    """logit = w_0 + sum_i w_i x_i + sum_{i<j} <v_i, v_j> x_i x_j + head(MLP([e_1; ...; e_F])), e_f from vectors u_i.

    Guo et al., "DeepFM", IJCAI 2017, where it is the baseline FM & DNN: DeepFM whose parts do not share their vectors,
    `embedding` V of the FM and `deep_embedding` U of the network. `bias: false` leaves out w_0, as the paper's FM does.
    `linear_fields` and `deep_fields` name the fields that w and the vectors take, null for all; `weigh_logits` learns
    a weight for each part.
    """

    def __init__(
        self,
        schema: FeatureSchema,
        *,
        embedding_dim: int,
        init_std: float,
        bias: bool,
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
        self.deep_embedding = FeatureEmbedding(schema, embedding_dim, init_std=init_std)
        self.slots, self.fields = SlotSelect(schema, deep_fields), FieldPool(schema, deep_fields)
        self.interaction = FMInteraction()
        in_features = self.fields.num_fields * embedding_dim
        self.mlp = MLP(in_features, hidden_dims, activation=activation, dropout=dropout, batch_norm=batch_norm)
        self.head = xavier_linear(self.mlp.out_features, 1)
        self.sum = LogitSum(2, weighted=weigh_logits)

    def forward(self, ids: Tensor, values: Tensor) -> Tensor:
        fm = self.linear(ids, values) + self.interaction(self.slots(self.embedding(ids, values)))  # (B,)
        fields = self.fields(self.deep_embedding(ids, values))  # (B, F, D)
        logits: Tensor = self.sum(fm, self.head(self.mlp(fields.flatten(1))).squeeze(-1))  # (B,)
        return logits
