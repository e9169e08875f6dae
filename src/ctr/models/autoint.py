"""Self-attention over fields, with or without a network beside it."""

from collections.abc import Sequence
from functools import partial

from torch import Tensor, nn

from ctr.blocks import MLP, FeatureEmbedding, FeatureLinear, FieldAttention, FieldPool, LogitSum
from ctr.blocks.mlp import Activation, xavier_linear
from ctr.errors import UserError
from ctr.schema import FeatureSchema


class AutoInt(nn.Module):
    """logit = attention_head([a_1; ...; a_F]) + head(MLP([e_1; ...; e_F])), a = attention layers on e_1 .. e_F.

    Song et al., "AutoInt: Automatic Feature Interaction Learning via Self-Attentive Neural Networks", CIKM 2019,
    equations 5 to 9; with hidden layers it is the paper's AutoInt+. `attention_dim` is the paper's d', of one head:
    the authors' code and FuxiCTR name num_heads * d'. `scale` is of that code and not of the paper; its ReLU and bias
    on queries, keys and values are left out, as in both the paper and FuxiCTR, and `layer_norm` comes before the ReLU
    of a layer, as in FuxiCTR. `linear: true` adds sum_i w_i x_i, FuxiCTR's `use_wide`. A field without a value is a
    zero vector, which the others attend to like any other. `linear_fields` and `deep_fields` name the fields that w and
    the embeddings take, null for all; `weigh_logits` learns a weight for each part.

    Raises UserError for `linear_fields` without `linear`.
    """

    def __init__(
        self,
        schema: FeatureSchema,
        *,
        embedding_dim: int,
        init_std: float,
        linear: bool,
        num_attention_layers: int,
        num_heads: int,
        attention_dim: int,
        scale: bool,
        residual: bool,
        layer_norm: bool,
        attention_dropout: float,
        hidden_dims: Sequence[int],
        activation: Activation,
        dropout: float,
        batch_norm: bool,
        linear_fields: Sequence[str] | None,
        deep_fields: Sequence[str] | None,
        weigh_logits: bool,
    ):
        super().__init__()
        if linear_fields is not None and not linear:
            raise UserError("linear_fields is of the linear part, which linear=true adds")
        self.linear = FeatureLinear(schema, bias=False, fields=linear_fields) if linear else None
        self.embedding = FeatureEmbedding(schema, embedding_dim, init_std=init_std)
        self.fields = FieldPool(schema, deep_fields)
        kind = partial(FieldAttention, scale=scale, residual=residual, layer_norm=layer_norm, dropout=attention_dropout)
        widths = [embedding_dim, *[num_heads * attention_dim] * num_attention_layers]
        self.attention = nn.Sequential(*(kind(width, attention_dim, num_heads) for width in widths[:-1]))
        self.attention_head = xavier_linear(self.fields.num_fields * widths[-1], 1)
        self.is_deep = bool(hidden_dims)
        if self.is_deep:
            in_features = self.fields.num_fields * embedding_dim
            self.mlp = MLP(in_features, hidden_dims, activation=activation, dropout=dropout, batch_norm=batch_norm)
            self.head = xavier_linear(self.mlp.out_features, 1)
        self.sum = LogitSum(1 + self.is_deep + linear, weighted=weigh_logits)

    def forward(self, ids: Tensor, values: Tensor) -> Tensor:
        x = self.fields(self.embedding(ids, values))  # (B, F, D)
        parts = [self.attention_head(self.attention(x).flatten(1)).squeeze(-1)]  # (B,) each
        if self.is_deep:
            parts.append(self.head(self.mlp(x.flatten(1))).squeeze(-1))
        if self.linear is not None:
            parts.append(self.linear(ids, values))
        logits: Tensor = self.sum(*parts)
        return logits
