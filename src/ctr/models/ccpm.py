"""The convolutional click prediction model."""

from collections.abc import Sequence

from torch import Tensor, nn

from ctr.blocks import FeatureEmbedding, FieldConvolutions, FieldPool
from ctr.blocks.mlp import Activation, xavier_linear
from ctr.schema import FeatureSchema


class CCPM(nn.Module):
    """logit = head(r_L), r_l = act(p_l-max(w_l * r_{l-1} + b_l)), r_0 = (e_1, ..., e_F), * along the fields.

    Liu et al., "A Convolutional Click Prediction Model", CIKM 2015. The convolutions are wide, each dimension of the
    embeddings has filters of its own, and p_l follows the paper's rule for flexible p-max pooling. FuxiCTR gives all
    dimensions the same filters (`shared_filters: true`); the PNN authors' code pads to equal length and runs along the
    dimensions as well. What stands side by side matters, and the order of fields is the schema's: an arbitrary one.
    """

    def __init__(
        self,
        schema: FeatureSchema,
        *,
        embedding_dim: int,
        init_std: float,
        channels: Sequence[int],
        kernel_widths: Sequence[int],
        shared_filters: bool,
        activation: Activation,
    ):
        super().__init__()
        self.embedding = FeatureEmbedding(schema, embedding_dim, init_std=init_std)
        self.fields = FieldPool(schema)
        self.convolutions = FieldConvolutions(
            schema.num_fields,
            embedding_dim,
            channels=channels,
            kernel_widths=kernel_widths,
            shared_filters=shared_filters,
            activation=activation,
        )
        self.head = xavier_linear(self.convolutions.out_features, 1)

    def forward(self, ids: Tensor, values: Tensor) -> Tensor:
        fields = self.fields(self.embedding(ids, values))  # (B, F, D)
        logits: Tensor = self.head(self.convolutions(fields).flatten(1)).squeeze(-1)  # (B,)
        return logits
