"""Tokens of a categorical column and their ids."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Vocabulary:
    """The tokens of one field: token i has id i + 1; id 0 is OOV, for tokens that are rare or not in train.

    A missing value is the empty token: with an id of its own where train has missing values, else OOV.
    """

    tokens: tuple[str, ...]

    @classmethod
    def fit(cls, counts: Mapping[str, int], min_count: int) -> Vocabulary:
        """The tokens of the train split that occur at least `min_count` times, most frequent first."""
        kept = (token for token, count in counts.items() if count >= min_count)
        return cls(tuple(sorted(kept, key=lambda token: (-counts[token], token))))

    @property
    def num_features(self) -> int:
        return len(self.tokens) + 1

    @property
    def encoding(self) -> str:
        return hashlib.sha256(json.dumps(self.tokens).encode()).hexdigest()[:16]

    def ids(self, tokens: Sequence[str]) -> np.ndarray:
        """(len(tokens),) int64."""
        known = {token: i + 1 for i, token in enumerate(self.tokens)}
        return np.fromiter((known.get(token, 0) for token in tokens), dtype=np.int64, count=len(tokens))


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
