"""Residual units on the embeddings of the fields."""

from collections.abc import Sequence

from torch import Tensor, nn

from ctr.blocks import FeatureEmbedding, FieldPool, ResidualUnit
from ctr.blocks.mlp import Activation, xavier_linear
from ctr.schema import FeatureSchema


class DeepCrossing(nn.Module):
    """logit = head(x_L), x_0 = [e_1; ...; e_F], x_l = act(x_{l-1} + W'_l act(W_l x_{l-1} + b_l) + b'_l).

    Shan et al., "Deep Crossing: Web-Scale Modeling without Manually Crafted Combinatorial Features", KDD 2016.
    `hidden_dims` are the widths inside the units. The paper's embeddings pass a ReLU of a weighted sum with a bias, and
    its narrow features enter as they are; here each field is a vector of the table, as in the NFM paper's DeepCross and
    in FuxiCTR. Dropout and batch norm are not the paper's; they stand where FuxiCTR has them.
    """

    def __init__(
        self,
        schema: FeatureSchema,
        *,
        embedding_dim: int,
        init_std: float,
        hidden_dims: Sequence[int],
        activation: Activation,
        dropout: float,
        batch_norm: bool,
    ):
        super().__init__()
        self.embedding = FeatureEmbedding(schema, embedding_dim, init_std=init_std)
        self.fields = FieldPool(schema)
        width = schema.num_fields * embedding_dim
        self.units = nn.Sequential(
            *(
                ResidualUnit(width, hidden, activation=activation, dropout=dropout, batch_norm=batch_norm)
                for hidden in hidden_dims
            )
        )
        self.head = xavier_linear(width, 1)

    def forward(self, ids: Tensor, values: Tensor) -> Tensor:
        x = self.fields(self.embedding(ids, values)).flatten(1)  # (B, F * D)
        logits: Tensor = self.head(self.units(x)).squeeze(-1)  # (B,)
        return logits
