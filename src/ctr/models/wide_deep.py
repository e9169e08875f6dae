"""A wide linear part and a deep network side by side."""

from collections.abc import Sequence

from torch import Tensor, nn

from ctr.blocks import MLP, FeatureEmbedding, FeatureLinear, FieldPool, HashedPairs, LogitSum
from ctr.blocks.mlp import Activation, xavier_linear
from ctr.schema import FeatureSchema


class WideDeep(nn.Module):
    """logit = w_wide^T [x; phi(x)] + w_deep^T a + b, a = MLP([e_1; ...; e_F]), phi(x) = x_i x_j for the crossed pairs.

    Cheng et al., "Wide & Deep Learning for Recommender Systems", DLRS 2016, equations 1 to 3. `crosses` names pairs of
    fields whose features are crossed, [[user, item], ...], null for all pairs; weights of crosses share `num_buckets`
    by hashing. [] crosses none: so are the NFM paper's and BARS's Wide & Deep, and the DeepFM paper's LR & DNN
    (lr_dnn.yaml). b is w_0 (`bias`) or the last layer's (`head_bias`, as in FuxiCTR). The authors train the wide part
    by FTRL and the deep part by AdaGrad. `linear_fields` and `deep_fields` name the fields that x and the network take,
    null for all; the crosses are of the fields that `crosses` names. `weigh_logits` learns a weight for each part.
    """

    def __init__(
        self,
        schema: FeatureSchema,
        *,
        embedding_dim: int,
        init_std: float,
        bias: bool,
        crosses: Sequence[Sequence[str]] | None,
        num_buckets: int,
        hidden_dims: Sequence[int],
        activation: Activation,
        dropout: float,
        batch_norm: bool,
        head_bias: bool,
        linear_fields: Sequence[str] | None,
        deep_fields: Sequence[str] | None,
        weigh_logits: bool,
    ):
        super().__init__()
        self.linear = FeatureLinear(schema, bias=bias, fields=linear_fields)
        self.crosses = HashedPairs(schema, num_buckets, crosses) if crosses is None or crosses else None
        self.embedding = FeatureEmbedding(schema, embedding_dim, init_std=init_std)
        self.fields = FieldPool(schema, deep_fields)
        in_features = self.fields.num_fields * embedding_dim
        self.mlp = MLP(in_features, hidden_dims, activation=activation, dropout=dropout, batch_norm=batch_norm)
        self.head = xavier_linear(self.mlp.out_features, 1, bias=head_bias)
        self.sum = LogitSum(2, weighted=weigh_logits)

    def forward(self, ids: Tensor, values: Tensor) -> Tensor:
        wide = self.linear(ids, values)  # (B,)
        if self.crosses is not None:
            wide = wide + self.crosses(ids, values)
        fields = self.fields(self.embedding(ids, values))  # (B, F, D)
        logits: Tensor = self.sum(wide, self.head(self.mlp(fields.flatten(1))).squeeze(-1))  # (B,)
        return logits
