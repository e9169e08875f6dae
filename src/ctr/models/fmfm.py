"""Field-matrixed factorization machines."""

from typing import Literal

from torch import Tensor, nn

from ctr.blocks import FeatureEmbedding, FeatureLinear, FieldPool, WeightedPairs
from ctr.schema import FeatureSchema


class FmFM(nn.Module):
    """logit = w_0 + sum_i w_i x_i + sum_{f<g} <e_f M_fg, e_g>, e_f = sum of x_i v_i over the slots of field f.

    Sun et al., "FM2: Field-matrixed Factorization Machines for Recommender Systems", WWW 2021. With `weights: vector`
    M_fg is diagonal, the paper's FvFM. Slots of one field do not meet. M starts as I, which is FM's; the authors draw
    it from N(0, .01^2), FuxiCTR Xavier-normal. Fields of different widths, which the paper also has, are not offered.
    """

    def __init__(
        self,
        schema: FeatureSchema,
        *,
        embedding_dim: int,
        init_std: float,
        bias: bool,
        weights: Literal["vector", "matrix"],
    ):
        super().__init__()
        self.linear = FeatureLinear(schema, bias=bias)
        self.embedding = FeatureEmbedding(schema, embedding_dim, init_std=init_std)
        self.fields = FieldPool(schema)
        self.interaction = WeightedPairs(schema.num_fields, embedding_dim, weights)

    def forward(self, ids: Tensor, values: Tensor) -> Tensor:
        fields = self.fields(self.embedding(ids, values))  # (B, F, D)
        logits: Tensor = self.linear(ids, values) + self.interaction(fields)  # (B,)
        return logits
