"""Pairs in which a feature has another vector for every field that it meets."""

import torch
from torch import Tensor, nn

from ctr.blocks.embedding import FieldPool
from ctr.blocks.memory import check_weights
from ctr.blocks.pairs import pair_indices
from ctr.errors import UserError
from ctr.schema import FeatureSchema


class FieldAware(nn.Module):
    """sum_{i<j} <v_{i,f(j)}, v_{j,f(i)}> x_i x_j: (B, S, V D) -> (B,), where a slot's row is its V vectors in turn.

    Juan et al., "Field-aware Factorization Machines for CTR Prediction", RecSys 2016, equation 4. The vectors of a
    feature are those for the fields in order. Its own field is among them only where some field has several slots: two
    slots of one field meet by the vectors for that field, as in LIBFFM. Else V = F - 1, as FuxiCTR counts.
    Slots are summed by field first, so that the cost grows with S + F^2 and not with S^2.
    """

    left: Tensor
    right: Tensor
    own: Tensor

    def __init__(self, schema: FeatureSchema, embedding_dim: int):
        super().__init__()
        num_fields = schema.num_fields
        self.meets_itself = schema.num_slots > num_fields
        self.num_vectors = num_fields if self.meets_itself else num_fields - 1
        if self.num_vectors == 0:
            raise UserError("a single field of one slot makes no pairs; train model=lr, or add fields")
        self.embedding_dim = embedding_dim
        check_weights(
            schema.num_features * self.num_vectors * embedding_dim,
            f"{schema.num_features:,} features with {self.num_vectors} vectors of {embedding_dim}",
            "take a smaller embedding_dim, hash or cut the vocabularies, or train model=fm or model=fwfm, which have "
            "one vector a feature",
        )
        self.fields = FieldPool(schema)
        f, g = pair_indices(num_fields)  # f < g: v_{f,g} is one place further to the left where f has no vector for f
        left = f * self.num_vectors + g - (0 if self.meets_itself else 1)
        self.register_buffer("left", left, persistent=False)  # (P,) where v_{f,g} stands among all F V
        self.register_buffer("right", g * self.num_vectors + f, persistent=False)
        slots = torch.arange(schema.num_slots) * self.num_vectors
        self.register_buffer("own", slots + torch.tensor(schema.slot_fields), persistent=False)  # (S,)

    def forward(self, xv: Tensor) -> Tensor:
        fields: Tensor = (
            self.fields(xv).unflatten(-1, (self.num_vectors, self.embedding_dim)).flatten(1, 2)
        )  # (B, F V, D)
        pairs = (fields.index_select(1, self.left) * fields.index_select(1, self.right)).sum(dim=(1, 2))
        if not self.meets_itself:
            return pairs
        vectors = xv.unflatten(-1, (self.num_vectors, self.embedding_dim)).flatten(1, 2)  # (B, S V, D)
        own: Tensor = vectors.index_select(1, self.own)  # (B, S, D)
        pooled: Tensor = self.fields(own)  # (B, F, D)
        return pairs + 0.5 * (pooled.square().sum(dim=(1, 2)) - own.square().sum(dim=(1, 2)))

    def extra_repr(self) -> str:
        return f"num_vectors={self.num_vectors}, embedding_dim={self.embedding_dim}"
