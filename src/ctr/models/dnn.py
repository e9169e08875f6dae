"""A network on the embeddings of the fields, and nothing else."""

from collections.abc import Sequence

from torch import Tensor, nn

from ctr.blocks import MLP, FeatureEmbedding, FieldPool
from ctr.blocks.mlp import Activation, xavier_linear
from ctr.schema import FeatureSchema


class DNN(nn.Module):
    """logit = head(MLP([e_1; ...; e_F])), e_f the sum of x_i v_i over the slots of field f.

    Covington, Adams and Sargin, "Deep Neural Networks for YouTube Recommendations", RecSys 2016, has such a network
    rank; here every field is one vector, numbers too. It is the deep part of DeepFM and Wide & Deep, and what
    DeepCTR, RecBole and the PNN authors' code call FNN: without the FM stage and the first-order weights of FNN.
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
        in_features = schema.num_fields * embedding_dim
        self.mlp = MLP(in_features, hidden_dims, activation=activation, dropout=dropout, batch_norm=batch_norm)
        self.head = xavier_linear(self.mlp.out_features, 1)

    def forward(self, ids: Tensor, values: Tensor) -> Tensor:
        fields = self.fields(self.embedding(ids, values))  # (B, F, D)
        logits: Tensor = self.head(self.mlp(fields.flatten(1))).squeeze(-1)  # (B,)
        return logits
