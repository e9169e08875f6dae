"""From slots to vectors: the feature table, and the sum of each field's slots."""

import torch
from torch import Tensor, nn

from ctr.blocks.lookup import lookup
from ctr.schema import FeatureSchema


class FeatureEmbedding(nn.Module):
    """x_i * v_i for every slot: one table over all features, each row scaled by its value.

    ids, values (B, S) -> (B, S, D). A slot with value 0 embeds to zero and sends no gradient, so padding needs
    no mask anywhere else. Rows start as N(0, init_std^2).
    """

    def __init__(self, schema: FeatureSchema, embedding_dim: int, *, init_std: float = 0.01):
        super().__init__()
        if embedding_dim < 1 or init_std < 0:
            raise ValueError(f"embedding_dim must be at least 1 and init_std 0, found {embedding_dim} and {init_std}")
        self.table = nn.Embedding(schema.num_features, embedding_dim)
        nn.init.normal_(self.table.weight, std=init_std)

    def forward(self, ids: Tensor, values: Tensor) -> Tensor:
        return lookup(self.table.weight, ids, values)


class FieldPool(nn.Module):
    """Sums the slots of each field, for models that think in fields: (B, S, D) -> (B, F, D)."""

    members: Tensor

    def __init__(self, schema: FeatureSchema):
        super().__init__()
        members = torch.zeros(schema.num_fields, schema.num_slots)
        members[list(schema.slot_fields), torch.arange(schema.num_slots)] = 1.0
        self.register_buffer("members", members, persistent=False)  # (F, S)
        self.one_slot_each = schema.num_slots == schema.num_fields

    def forward(self, xv: Tensor) -> Tensor:
        return xv if self.one_slot_each else self.members.to(xv.dtype) @ xv
