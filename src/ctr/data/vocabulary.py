"""Tokens of a categorical column and their ids."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc


@dataclass(frozen=True)
class Vocabulary:
    """The tokens of one field: token i has id i + 1; id 0 is OOV, for tokens that are rare or not in train.

    A missing value is the empty token: with an id of its own where train has missing values, else OOV.
    """

    tokens: pa.Array  # large_string
    counts: np.ndarray  # int64, how often each stands in train

    @classmethod
    def fit(cls, tokens: pa.Array, counts: np.ndarray, min_count: int, max_features: int | None = None) -> Vocabulary:
        """The tokens that occur at least `min_count` times, most frequent first, then by their text; at most
        `max_features` ids, OOV included."""
        kept = np.flatnonzero(counts >= max(1, min_count))
        tokens, counts = tokens.take(pa.array(kept)), counts[kept]
        by_text = pc.sort_indices(tokens).to_numpy()
        order = by_text[np.argsort(-counts[by_text], kind="stable")][
            : None if max_features is None else max_features - 1
        ]
        return cls(tokens.take(pa.array(order)), counts[order])

    @property
    def num_features(self) -> int:
        return len(self.tokens) + 1

    @property
    def encoding(self) -> str:
        lengths = pc.binary_length(self.tokens).to_numpy(zero_copy_only=False).astype("<i8")
        return hashlib.sha256(lengths.tobytes() + _bytes(self.tokens)).hexdigest()[:16]

    def ids(self, tokens: pa.Array) -> np.ndarray:
        """(len(tokens),) uint32."""
        found = pc.index_in(tokens.cast(pa.large_string()), value_set=self.tokens)
        ids: np.ndarray = (pc.fill_null(found, -1).to_numpy(zero_copy_only=False) + 1).astype(np.uint32)
        return ids


def merge(dictionaries: Sequence[pa.Array]) -> tuple[pa.Array, list[np.ndarray]]:
    """All different tokens of these arrays, in order of appearance, and the place there of each array's tokens."""
    if not dictionaries:
        return pa.array([], pa.large_string()), []
    coded = pa.concat_arrays([array.cast(pa.large_string()) for array in dictionaries]).dictionary_encode()
    indices = coded.indices.to_numpy(zero_copy_only=False)
    return coded.dictionary, np.split(indices, np.cumsum([len(array) for array in dictionaries])[:-1])


def _bytes(tokens: pa.Array) -> bytes:
    """The text of all tokens, end to end."""
    _, offsets, data = tokens.buffers()
    if not len(tokens) or data is None:
        return b""
    bounds = np.frombuffer(offsets, dtype=np.int64)[tokens.offset : tokens.offset + len(tokens) + 1]
    return bytes(memoryview(data)[bounds[0] : bounds[-1]])


@dataclass(frozen=True)
class IdVocabulary:
    """The integer ids of one field, for data that comes numbered: known[i] has id i + 1; id 0 is OOV."""

    known: np.ndarray  # sorted, int64

    @classmethod
    def fit(cls, train: np.ndarray) -> IdVocabulary:
        return cls(np.unique(train))

    @property
    def num_features(self) -> int:
        return len(self.known) + 1

    @property
    def encoding(self) -> str:
        return hashlib.sha256(self.known.astype("<i8").tobytes()).hexdigest()[:16]

    def ids(self, raw: np.ndarray) -> np.ndarray:
        """The shape of `raw`, int64."""
        if not len(self.known):
            return np.zeros(raw.shape, dtype=np.int64)
        place = np.minimum(np.searchsorted(self.known, raw), len(self.known) - 1)
        return np.where(self.known[place] == raw, place + 1, 0)
