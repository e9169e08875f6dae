"""A weight for every pair of features, in a table of fixed size."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import combinations, product

import torch
from torch import Tensor, nn

from ctr.blocks.lookup import lookup_sum
from ctr.blocks.memory import check_pairs, check_weights
from ctr.blocks.pairs import pair_indices
from ctr.errors import UserError
from ctr.schema import FeatureSchema

FEWER = "choose pairs of fields, or give the fields fewer slots"


class HashedPairs(nn.Module):
    """sum_{i<j} w_{h(i,j)} x_i x_j over the slots: ids, values (B, S) -> (B,). All weights start at 0.

    h sends the two ids of a pair, in either order, to one of `num_buckets` weights, on every machine the same; pairs
    that meet in one bucket share its weight. With `pairs`, each of two field names, the sum runs over the slots of one
    and the other alone; a field with itself stands for the pairs of its own slots. Pairs of fields that share their
    features share their weights as well.
    Juan et al., "Field-aware Factorization Machines for CTR Prediction", RecSys 2016, equation 2.
    """

    reads_ids = True
    left: Tensor
    right: Tensor

    def __init__(self, schema: FeatureSchema, num_buckets: int, pairs: Sequence[Sequence[str]] | None = None):
        super().__init__()
        if num_buckets < 1:
            raise UserError(f"num_buckets must be at least 1, found {num_buckets}")
        check_weights(num_buckets, f"num_buckets={num_buckets}", "take fewer buckets")
        left, right = _slot_pairs(schema, pairs)
        self.register_buffer("left", left.contiguous(), persistent=False)  # (P,) slots
        self.register_buffer("right", right.contiguous(), persistent=False)
        self.table = nn.Embedding(num_buckets, 1)
        nn.init.zeros_(self.table.weight)

    def forward(self, ids: Tensor, values: Tensor) -> Tensor:
        return lookup_sum(self.table.weight, self.buckets(ids), values[:, self.left] * values[:, self.right])

    def buckets(self, ids: Tensor) -> Tensor:
        """Where the weight of each pair is: (B, S) -> (B, P)."""
        return pair_buckets(ids[:, self.left], ids[:, self.right], len(self.table.weight))

    def extra_repr(self) -> str:
        return f"num_pairs={len(self.left)}"


def _slot_pairs(schema: FeatureSchema, pairs: Sequence[Sequence[str]] | None) -> Tensor:
    """The slots that meet, (2, P)."""
    if pairs is None:
        num = schema.num_slots
        check_pairs(num * (num - 1) // 2, f"{num} slots in pairs", FEWER)
        return pair_indices(num)
    if not pairs:
        raise UserError("a list of pairs must name one or more pairs of fields; null stands for all pairs")
    chosen: set[tuple[int, int]] = set()
    for names in pairs:
        if isinstance(names, str) or len(names) != 2:
            raise UserError(f"a pair is a list of two field names, [user, item]; found {names!r}")
        left, right = (schema.slots([name]) for name in names)
        met = combinations(left, 2) if left == right else product(left, right)
        before = len(chosen)
        chosen |= {(min(two), max(two)) for two in met}
        if left == right and len(left) == 1:
            raise UserError(f"field {names[0]!r} has one slot, which makes no pair with itself")
        check_pairs(len(chosen), "the chosen pairs of fields", FEWER)
        if len(chosen) == before:
            raise UserError(f"the pair {' and '.join(names)} is listed twice")
    return torch.tensor(sorted(chosen)).T


def pair_buckets(one: Tensor, other: Tensor, num_buckets: int) -> Tensor:
    """h: the bucket of each pair of ids (any shape, below 2^32), whichever comes first.

    The two ids, as one number of 64 bits, are stirred as in Steele, Lea and Flood, "Fast Splittable Pseudorandom Number
    Generators", OOPSLA 2014, with the constants of its 64-bit generator (splitmix64, whose first draw from the seed
    `smaller * 2^32 + larger` this is). int64 wraps around as unsigned numbers do.
    """
    one, other = one.long(), other.long()
    bits = (torch.minimum(one, other) << 32) | torch.maximum(one, other)
    bits = bits + _signed(0x9E3779B97F4A7C15)
    bits = (bits ^ _shift(bits, 30)) * _signed(0xBF58476D1CE4E5B9)
    bits = (bits ^ _shift(bits, 27)) * _signed(0x94D049BB133111EB)
    bits = bits ^ _shift(bits, 31)
    return _shift(bits, 1) % num_buckets


def _signed(bits: int) -> int:
    return bits - (1 << 64) if bits >> 63 else bits


def _shift(bits: Tensor, by: int) -> Tensor:
    """To the right, with zeros from the left, where torch would repeat the sign."""
    return (bits >> by) & ((1 << (64 - by)) - 1)
