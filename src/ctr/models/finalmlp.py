"""Two networks on gated features, fused."""

from collections.abc import Sequence
from functools import partial

from torch import Tensor, nn

from ctr.blocks import MLP, BilinearFusion, ContextEmbedding, FeatureEmbedding, FeatureGate, FieldPool
from ctr.blocks.mlp import Activation
from ctr.schema import FeatureSchema


class FinalMLP(nn.Module):
    """logit = b + w_1^T o_1 + w_2^T o_2 + sum_k o_1k^T W_k o_2k, o_i = MLP_i(2 sigmoid(g_i(c_i)) * [e_1; ...; e_F]).

    Mao et al., "FinalMLP: An Enhanced Two-Stream MLP Model for CTR Prediction", AAAI 2023: stream-specific feature
    selection and multi-head bilinear fusion. The context c_i is the vectors of the fields `first_context` and
    `second_context`, from tables of their own, or, where a list is empty, a constant that is learnt. Each gate g_i has
    layers of `gate_hidden_dims`, relu, and one output for each component of [e_1; ...; e_F]. Without
    `feature_selection` both networks read [e_1; ...; e_F] itself. b is a sum of two, as in FuxiCTR.
    """

    def __init__(
        self,
        schema: FeatureSchema,
        *,
        embedding_dim: int,
        init_std: float,
        feature_selection: bool,
        first_context: Sequence[str],
        second_context: Sequence[str],
        gate_hidden_dims: Sequence[int],
        first_hidden_dims: Sequence[int],
        second_hidden_dims: Sequence[int],
        activation: Activation,
        first_dropout: float,
        second_dropout: float,
        first_batch_norm: bool,
        second_batch_norm: bool,
        num_heads: int,
    ):
        super().__init__()
        self.embedding = FeatureEmbedding(schema, embedding_dim, init_std=init_std)
        self.fields = FieldPool(schema)
        width = schema.num_fields * embedding_dim
        self.feature_selection = feature_selection
        if feature_selection:
            context = partial(ContextEmbedding, schema, embedding_dim, init_std=init_std)
            self.first_context_embedding = context(fields=first_context)
            self.second_context_embedding = context(fields=second_context)
            self.first_gate = FeatureGate(width, self.first_context_embedding.out_features, gate_hidden_dims)
            self.second_gate = FeatureGate(width, self.second_context_embedding.out_features, gate_hidden_dims)
        self.first_mlp = MLP(
            width, first_hidden_dims, activation=activation, dropout=first_dropout, batch_norm=first_batch_norm
        )
        self.second_mlp = MLP(
            width, second_hidden_dims, activation=activation, dropout=second_dropout, batch_norm=second_batch_norm
        )
        self.head = BilinearFusion(self.first_mlp.out_features, self.second_mlp.out_features, num_heads)

    def forward(self, ids: Tensor, values: Tensor) -> Tensor:
        first = second = self.fields(self.embedding(ids, values)).flatten(1)  # (B, F * D)
        if self.feature_selection:
            first = self.first_gate(first, self.first_context_embedding(ids, values))
            second = self.second_gate(second, self.second_context_embedding(ids, values))
        logits: Tensor = self.head(self.first_mlp(first), self.second_mlp(second))  # (B,)
        return logits
