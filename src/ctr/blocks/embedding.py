"""From slots to vectors: the feature table, and the sum of each field's slots."""

from collections.abc import Sequence

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
    """Sums the slots of each field, for models that think in fields: (B, S, D) -> (B, F, D).

    With `fields`, names of some of the schema's, F counts these alone.
    """

    members: Tensor

    def __init__(self, schema: FeatureSchema, fields: Sequence[str] | None = None):
        super().__init__()
        chosen = schema.select(fields)
        members = torch.zeros(schema.num_fields, schema.num_slots)
        members[list(schema.slot_fields), torch.arange(schema.num_slots)] = 1.0
        self.register_buffer("members", members[list(chosen)], persistent=False)  # (F, S)
        self.num_fields = len(chosen)
        self.is_identity = self.num_fields == schema.num_slots

    def forward(self, xv: Tensor) -> Tensor:
        return xv if self.is_identity else self.members.to(xv.dtype) @ xv

    def extra_repr(self) -> str:
        return f"num_fields={self.num_fields}"


class SlotSelect(nn.Module):
    """The slots of some fields, for models that think in slots: (B, S, ...) -> (B, S', ...). With no list, all."""

    chosen: Tensor

    def __init__(self, schema: FeatureSchema, fields: Sequence[str] | None):
        super().__init__()
        slots = schema.slots(fields)
        self.register_buffer("chosen", torch.tensor(slots), persistent=False)  # (S',)
        self.is_identity = len(slots) == schema.num_slots

    def forward(self, slots: Tensor) -> Tensor:
        return slots if self.is_identity else slots.index_select(1, self.chosen)

    def extra_repr(self) -> str:
        return f"num_slots={len(self.chosen)}"
