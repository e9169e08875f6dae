"""A recurrent network over the fields."""

from torch import Tensor, nn

from ctr.blocks import Dropout, FeatureEmbedding, FieldPool
from ctr.blocks.mlp import xavier_linear
from ctr.schema import FeatureSchema


class RNN(nn.Module):
    """logit = head(h_F), h_f = GRU(h_{f-1}, e_f), h_0 = 0, over the fields in the order of the schema.

    Cho et al., "Learning Phrase Representations using RNN Encoder-Decoder", EMNLP 2014, for the GRU. It is torch's
    form, with two biases where the paper has none, and the reset gate after the product with h instead of before.
    A baseline of ours, for completeness: fields have no order, so the one they are read in is arbitrary, and another
    makes another model. Zhang et al., "Sequential Click Prediction for Sponsored Search with Recurrent Neural
    Networks", AAAI 2014, run over a user's earlier impressions instead, which rows of this kind do not hold.
    """

    def __init__(
        self,
        schema: FeatureSchema,
        *,
        embedding_dim: int,
        init_std: float,
        hidden_dim: int,
        num_layers: int,
        dropout: float,
    ):
        super().__init__()
        self.embedding = FeatureEmbedding(schema, embedding_dim, init_std=init_std)
        self.fields = FieldPool(schema)
        self.gru = nn.GRU(embedding_dim, hidden_dim, num_layers=num_layers, batch_first=True)
        self.dropout = Dropout(dropout)
        self.head = xavier_linear(hidden_dim, 1)

    def forward(self, ids: Tensor, values: Tensor) -> Tensor:
        states, _ = self.gru(self.fields(self.embedding(ids, values)))  # (B, F, H) of the last layer
        logits: Tensor = self.head(self.dropout(states[:, -1])).squeeze(-1)  # (B,)
        return logits
