"""A linear model, a compressed interaction network and a network side by side on one embedding table."""

from collections.abc import Sequence

from torch import Tensor, nn

from ctr.blocks import CIN, MLP, FeatureEmbedding, FeatureLinear, FieldPool, LogitSum
from ctr.blocks.mlp import Activation, xavier_linear
from ctr.schema import FeatureSchema


class XDeepFM(nn.Module):
    """logit = sum_i w_i x_i + cin_head(CIN(e)) + head(MLP([e_1; ...; e_F])).

    Lian et al., "xDeepFM: Combining Explicit and Implicit Feature Interactions for Recommender Systems", KDD 2018,
    equations 6 and 7 and section 3.3. The heads' biases stand for the paper's one b; `bias: true` adds a w_0.
    `cin_dims` are the vectors of each CIN layer. `cin_bias: true` gives each of them a bias, as FuxiCTR does;
    `split_half: true` hands half of them on and puts out the other half, as the authors' code does where it is not told
    otherwise. With no hidden layer the network is left out: CIN alone. `linear_fields` and `deep_fields` name the
    fields that w and the embeddings take, null for all; `weigh_logits` learns a weight for each part.
    """

    def __init__(
        self,
        schema: FeatureSchema,
        *,
        embedding_dim: int,
        init_std: float,
        bias: bool,
        cin_dims: Sequence[int],
        cin_bias: bool,
        split_half: bool,
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
        self.cin = CIN(self.fields.num_fields, cin_dims, bias=cin_bias, split_half=split_half)
        self.cin_head = xavier_linear(self.cin.out_features, 1)
        self.is_deep = bool(hidden_dims)
        if self.is_deep:
            in_features = self.fields.num_fields * embedding_dim
            self.mlp = MLP(in_features, hidden_dims, activation=activation, dropout=dropout, batch_norm=batch_norm)
            self.head = xavier_linear(self.mlp.out_features, 1)
        self.sum = LogitSum(2 + self.is_deep, weighted=weigh_logits)

    def forward(self, ids: Tensor, values: Tensor) -> Tensor:
        x = self.fields(self.embedding(ids, values))  # (B, F, D)
        parts = [self.linear(ids, values), self.cin_head(self.cin(x)).squeeze(-1)]  # (B,) each
        if self.is_deep:
            parts.append(self.head(self.mlp(x.flatten(1))).squeeze(-1))
        logits: Tensor = self.sum(*parts)
        return logits
