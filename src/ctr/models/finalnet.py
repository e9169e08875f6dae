"""Networks of layers that multiply what they add up."""

from collections.abc import Sequence
from functools import partial

from torch import Tensor, nn

from ctr.blocks import FactorizedMLP, FeatureEmbedding, FieldGate, FieldPool, LogitMean
from ctr.blocks.factorized import Residual
from ctr.blocks.mlp import Activation, xavier_linear
from ctr.schema import FeatureSchema


class FinalNet(nn.Module):
    """logit = (y_1 + y_2) / 2, y_i = head_i(B_i(x_i)), a block B's layers x -> relu([h; h * g]), h and g linear in x.

    Zhu et al., "FINAL: Factorized Interaction Layer for CTR Prediction", SIGIR 2023. x_2 = [e_1; ...; e_F], and x_1 is
    that beside a multiple of it (`field_gate`). Without `second_hidden_dims` there is one block, and logit = y_1
    (FINAL-1B). `residual: sum` is h + h * g, with twice the weights. With `distillation` each y_i is also taught by
    the mean of both, as in the paper and FuxiCTR: by its gradient, so the printed loss is without it. That goes with
    the log loss, averaged over the batch, as the tasks of clicks have it.
    """

    def __init__(
        self,
        schema: FeatureSchema,
        *,
        embedding_dim: int,
        init_std: float,
        field_gate: bool,
        first_hidden_dims: Sequence[int],
        second_hidden_dims: Sequence[int],
        residual: Residual,
        activation: Activation,
        first_dropout: float,
        second_dropout: float,
        batch_norm: bool,
        distillation: bool,
    ):
        super().__init__()
        self.embedding = FeatureEmbedding(schema, embedding_dim, init_std=init_std)
        self.fields = FieldPool(schema)
        width = schema.num_fields * embedding_dim
        self.gate = FieldGate(schema.num_fields) if field_gate else nn.Identity()
        block = partial(FactorizedMLP, residual=residual, activation=activation, batch_norm=batch_norm)
        self.first_mlp = block(2 * width if field_gate else width, first_hidden_dims, dropout=first_dropout)
        self.first_head = xavier_linear(self.first_mlp.out_features, 1)
        self.two_blocks = bool(second_hidden_dims)
        if self.two_blocks:
            self.second_mlp = block(width, second_hidden_dims, dropout=second_dropout)
            self.second_head = xavier_linear(self.second_mlp.out_features, 1)
            self.mean = LogitMean(distillation=distillation)

    def forward(self, ids: Tensor, values: Tensor) -> Tensor:
        vectors = self.fields(self.embedding(ids, values))  # (B, F, D)
        logits: Tensor = self.first_head(self.first_mlp(self.gate(vectors).flatten(1))).squeeze(-1)  # (B,)
        if self.two_blocks:
            logits = self.mean(logits, self.second_head(self.second_mlp(vectors.flatten(1))).squeeze(-1))
        return logits
