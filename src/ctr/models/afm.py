"""Attentional factorization machines."""

from torch import Tensor, nn

from ctr.blocks import Dropout, FeatureEmbedding, FeatureLinear, PairAttention, Pairs
from ctr.blocks.mlp import xavier_linear
from ctr.schema import FeatureSchema


class AFM(nn.Module):
    """logit = w_0 + sum_i w_i x_i + p^T sum_{i<j} a_ij z_ij, z_ij = x_i v_i * x_j v_j, a = softmax(h^T relu(W z + b)).

    Xiao et al., "Attentional Factorization Machines: Learning the Weight of Feature Interactions via Attention
    Networks", IJCAI 2017, equations 4 to 6. The softmax is over the pairs of features with a value, so that an unused
    slot takes no attention from the others; FuxiCTR's is over all pairs of fields. `attention_dropout` drops attention
    weights, `pooling_dropout` the pooled vector, as in the authors' code. There p starts at 1; here it is `head` and
    starts Xavier-normal, as in FuxiCTR.
    """

    def __init__(
        self,
        schema: FeatureSchema,
        *,
        embedding_dim: int,
        init_std: float,
        bias: bool,
        attention_dim: int,
        attention_dropout: float,
        pooling_dropout: float,
    ):
        super().__init__()
        self.linear = FeatureLinear(schema, bias=bias)
        self.pairs = Pairs(schema.num_slots)
        self.embedding = FeatureEmbedding(schema, embedding_dim, init_std=init_std)
        self.attention = PairAttention(embedding_dim, attention_dim, dropout=attention_dropout)
        self.dropout = Dropout(pooling_dropout)
        self.head = xavier_linear(embedding_dim, 1, bias=False)

    def forward(self, ids: Tensor, values: Tensor) -> Tensor:
        left, right = self.pairs(self.embedding(ids, values))  # (B, P, D)
        used = self.pairs(values != 0)  # (B, P)
        pooled = self.dropout(self.attention(left * right, used[0] & used[1]))  # (B, D)
        logits: Tensor = self.linear(ids, values) + self.head(pooled).squeeze(-1)  # (B,)
        return logits
