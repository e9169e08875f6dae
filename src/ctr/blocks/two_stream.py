"""Two networks side by side: what each reads of the features, and how their outputs are fused."""

from collections.abc import Sequence
from dataclasses import replace

import torch
from torch import Tensor, nn

from ctr.blocks.embedding import FeatureEmbedding, FieldPool, SlotSelect
from ctr.blocks.mlp import MLP, xavier_linear
from ctr.errors import UserError
from ctr.schema import FeatureSchema


class ContextEmbedding(nn.Module):
    """The vectors of some fields, side by side, from a table that has rows for these alone: (B, S) -> (B, F' * D).

    With no field it is a constant that is learnt, and starts as a row does: (1, D). FuxiCTR's starts at 0, where no
    gradient reaches it through relu layers. The table's rows are numbered from 0, so the block looks at the ids
    themselves.
    """

    shifts: Tensor

    def __init__(self, schema: FeatureSchema, embedding_dim: int, *, fields: Sequence[str], init_std: float):
        super().__init__()
        self.constant, self.out_features = None, embedding_dim
        if not fields:
            self.constant = nn.Parameter(torch.randn(1, embedding_dim) * init_std)
            return
        self.reads_ids = True
        part, lowered = _alone(schema, fields)
        shifts = torch.tensor([lowered[f] for f in part.slot_fields])  # (S',)
        self.register_buffer("shifts", shifts, persistent=False)
        self.select = SlotSelect(schema, fields)
        self.embedding = FeatureEmbedding(part, embedding_dim, init_std=init_std)
        self.fields = FieldPool(part)
        self.out_features = part.num_fields * embedding_dim

    def forward(self, ids: Tensor, values: Tensor) -> Tensor:
        if self.constant is not None:
            return self.constant
        x = self.select(values)  # (B, S')
        local = torch.where(x != 0, self.select(ids) - self.shifts, 0)  # under a zero value may stand any id
        vectors: Tensor = self.fields(self.embedding(local, x))  # (B, F', D)
        return vectors.flatten(1)


def _alone(schema: FeatureSchema, names: Sequence[str]) -> tuple[FeatureSchema, list[int]]:
    """These fields as a schema of their own, and by how much the ids of each have to be lowered for it."""
    owners: dict[int, str] = {}  # by their first ids: fields that share their features go on doing so
    fields = []
    for f in schema.select(names):
        field = schema.fields[f]
        owner = owners.setdefault(schema.offsets[f], field.name)
        fields.append(replace(field, shares=None if owner == field.name else owner))
    part = FeatureSchema(tuple(fields))
    return part, [schema.offsets[f] - first for f, first in zip(schema.select(names), part.offsets, strict=True)]


class FeatureGate(nn.Module):
    """2 sigmoid(head(MLP(context))) * inputs: (B, H), and (B, C) or (1, C) for all -> (B, H). The layers are relu.

    Mao et al., "FinalMLP", AAAI 2023, stream-specific feature selection.
    """

    def __init__(self, in_features: int, context_features: int, hidden_dims: Sequence[int]):
        super().__init__()
        self.mlp = MLP(context_features, hidden_dims)
        self.head = xavier_linear(self.mlp.out_features, in_features)

    def forward(self, inputs: Tensor, context: Tensor) -> Tensor:
        gates: Tensor = 2 * self.head(self.mlp(context)).sigmoid()
        return gates * inputs


class BilinearFusion(nn.Module):
    """w_1^T x + b_1 + w_2^T y + b_2 + sum_k x_k^T W_k y_k: (B, H), (B, H') -> (B,). x and y are cut into `num_heads`.

    Mao et al., "FinalMLP", AAAI 2023, multi-head bilinear fusion. One head is the whole form x^T W y. The paper has one
    bias; that each linear form has its own is FuxiCTR's.
    """

    def __init__(self, first_features: int, second_features: int, num_heads: int):
        super().__init__()
        if num_heads < 1 or first_features % num_heads or second_features % num_heads:
            raise UserError(
                f"num_heads must divide the width of both networks' last layers, {first_features} and "
                f"{second_features}; found {num_heads}"
            )
        self.first, self.second = xavier_linear(first_features, 1), xavier_linear(second_features, 1)
        shape = num_heads, first_features // num_heads, second_features // num_heads
        xavier_std = (2 / (num_heads * shape[1] * shape[2] + 1)) ** 0.5  # of one sum of so many products
        self.pairs = nn.Parameter(torch.randn(shape) * xavier_std)  # (K, H / K, H' / K)

    def forward(self, x: Tensor, y: Tensor) -> Tensor:
        heads = len(self.pairs)
        products = torch.einsum("bki,kij,bkj->b", x.unflatten(1, (heads, -1)), self.pairs, y.unflatten(1, (heads, -1)))
        logits: Tensor = (self.first(x) + self.second(y)).squeeze(-1) + products
        return logits
