"""Self-attention over the fields of an example."""

import math

from torch import Tensor, nn

from ctr.blocks.dropout import Dropout
from ctr.blocks.mlp import xavier_linear
from ctr.errors import UserError


class FieldAttention(nn.Module):
    """ReLU([sum_k a^1_mk V^1 e_k; ...; sum_k a^H_mk V^H e_k] + R e_m), a^h_mk = softmax_k <Q^h e_m, K^h e_k>.

    e (B, F, in_features) -> (B, F, out_features), with a row for every field m and `attention_dim` components of every
    head h. Song et al., "AutoInt", CIKM 2019, equations 5 to 8. R is the identity where the widths agree, and left out
    without `residual`. `scale` divides the inner products by the root of attention_dim; `dropout` thins the a^h_mk;
    `layer_norm` comes before the ReLU.
    """

    def __init__(
        self,
        in_features: int,
        attention_dim: int,
        num_heads: int,
        *,
        scale: bool,
        residual: bool,
        layer_norm: bool,
        dropout: float,
    ):
        super().__init__()
        if attention_dim < 1 or num_heads < 1:
            raise UserError(f"attention_dim and num_heads must be at least 1, found {attention_dim} and {num_heads}")
        self.num_heads, self.out_features = num_heads, num_heads * attention_dim
        self.query = xavier_linear(in_features, self.out_features, bias=False)
        self.key = xavier_linear(in_features, self.out_features, bias=False)
        self.value = xavier_linear(in_features, self.out_features, bias=False)
        self.factor = 1 / math.sqrt(attention_dim) if scale else 1.0
        self.dropout = Dropout(dropout)
        self.residual: nn.Module | None = None
        if residual:
            fits = in_features == self.out_features
            self.residual = nn.Identity() if fits else xavier_linear(in_features, self.out_features, bias=False)
        self.norm = nn.LayerNorm(self.out_features) if layer_norm else nn.Identity()

    def forward(self, xv: Tensor) -> Tensor:
        query, key, value = (self.heads(project(xv)) for project in (self.query, self.key, self.value))
        scores = query @ key.transpose(-2, -1) * self.factor  # (B, heads, F, F)
        weights = self.dropout(scores.softmax(dim=-1))
        attended: Tensor = (weights @ value).transpose(1, 2).flatten(2)  # (B, F, out_features)
        if self.residual is not None:
            attended = attended + self.residual(xv)
        hidden: Tensor = self.norm(attended)
        return hidden.relu()

    def heads(self, projected: Tensor) -> Tensor:
        """(B, F, heads * attention_dim) -> (B, heads, F, attention_dim)."""
        split: Tensor = projected.unflatten(-1, (self.num_heads, -1))
        return split.transpose(1, 2)

    def extra_repr(self) -> str:
        return f"num_heads={self.num_heads}, factor={self.factor:g}"
