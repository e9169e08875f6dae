"""Tokens by their hash: no vocabulary, nothing fitted, and different tokens may meet."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from ctr.data.columns.base import MISSING, Slots, Staged, at_least
from ctr.data.vocabulary import Vocabulary
from ctr.errors import UserError
from ctr.schema import Field, FieldKind


class Hashed:
    """Token t has id 1 + hash(t) mod `buckets`; id 0 is a missing value.

    The hash is FNV-1a of 64 bits over the token's UTF-8 bytes, its halves folded together; `seed` starts another.
    """

    of_numbers = False

    def __init__(self, *, buckets: int, seed: int = 0):
        at_least("buckets", buckets, 1)
        at_least("seed", seed, 0)
        if seed >= 2**63:
            raise UserError(f"seed must be below 2^63, found {seed}")
        self.buckets, self.seed = buckets, seed

    def stage(self, cells: pa.Array) -> Staged:
        empty = pc.equal(cells.dictionary, "").to_numpy(zero_copy_only=False)
        hashes = fnv1a(cells.dictionary, self.seed) % np.uint64(self.buckets)
        ids = np.where(empty, 0, hashes.astype(np.int64) + 1)
        return Staged(pa.array(ids[cells.indices.to_numpy(zero_copy_only=False)]), [])

    def fit(self, name: str, train: Iterable[pa.Array], everything: Iterable[pa.Array]) -> FittedHashed:
        return FittedHashed(name, self.buckets, self.seed)

    def restore(self, name: str, state: Mapping[str, Any], vocabulary: Vocabulary | None) -> FittedHashed:
        return FittedHashed(name, self.buckets, self.seed)


def fnv1a(tokens: pa.Array, seed: int = 0) -> np.ndarray:
    """FNV-1a of 64 bits (Fowler, Noll, Vo) of each token, the upper half XORed into the lower: (n,) uint64."""
    text = tokens.cast(pa.large_binary())
    hashes = np.full(len(text), 0xCBF29CE484222325 ^ seed, dtype=np.uint64)
    _, offsets, data = text.buffers()
    if data is None or not len(text):
        return hashes ^ (hashes >> np.uint64(32))
    starts = np.frombuffer(offsets, dtype=np.int64)[text.offset : text.offset + len(text) + 1]
    lengths, letters = np.diff(starts), np.frombuffer(data, dtype=np.uint8)
    for place in range(int(lengths.max())):
        longer = np.flatnonzero(lengths > place)
        hashes[longer] = (hashes[longer] ^ letters[starts[longer] + place]) * np.uint64(0x100000001B3)
    return hashes ^ (hashes >> np.uint64(32))


class FittedHashed:
    zero = MISSING
    vocabulary = None

    def __init__(self, name: str, buckets: int, seed: int):
        self.field = Field(name, FieldKind.CATEGORICAL, buckets + 1, 1, f"fnv1a-{seed}")

    def slots(self, staged: pa.Array, table: np.ndarray | None) -> Slots:
        return Slots(staged.to_numpy()[:, None], None)

    def state(self) -> dict[str, Any]:
        return {}


KIND = Hashed
