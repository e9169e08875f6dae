"""Which pairs count for an example."""

import torch
from torch import Tensor, nn

from ctr.blocks.dropout import Dropout
from ctr.blocks.mlp import xavier_linear


class PairAttention(nn.Module):
    """sum_p a_p z_p, a = softmax(h^T relu(W z_p + b)): pairs z (B, P, D) and which are used (B, P) -> (B, D).

    Xiao et al., "Attentional Factorization Machines", IJCAI 2017, equations 4 and 5, whose softmax is over the pairs of
    features that are there: a pair that is not used gets no attention. `dropout` drops attention weights.
    """

    def __init__(self, embedding_dim: int, attention_dim: int, *, dropout: float):
        super().__init__()
        self.hidden = xavier_linear(embedding_dim, attention_dim)
        self.score = xavier_linear(attention_dim, 1, bias=False)
        self.dropout = Dropout(dropout)

    def forward(self, pairs: Tensor, used: Tensor) -> Tensor:
        attention: Tensor = self.dropout(self.weights(pairs, used))
        return (attention.unsqueeze(-1) * pairs).sum(dim=1)

    def weights(self, pairs: Tensor, used: Tensor) -> Tensor:
        """a, (B, P)."""
        scores: Tensor = self.score(torch.relu(self.hidden(pairs))).squeeze(-1)  # (B, P)
        scores = scores.masked_fill(~used, torch.finfo(scores.dtype).min)  # where no pair is used, all z are 0
        return scores.softmax(dim=-1)
