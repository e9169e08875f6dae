"""One token a cell."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np
import pyarrow as pa

from ctr.data.columns.base import UNSEEN, Slots, Staged, at_least
from ctr.data.vocabulary import Vocabulary
from ctr.schema import Field, FieldKind


class Categorical:
    """A feature for every token that occurs at least `min_count` times in train, the most frequent `max_features` - 1
    of them where that is set; all others share id 0, OOV."""

    of_numbers = False

    def __init__(self, *, min_count: int = 1, max_features: int | None = None):
        at_least("min_count", min_count, 1)
        if max_features is not None:
            at_least("max_features", max_features, 2)
        self.min_count, self.max_features = min_count, max_features

    def stage(self, cells: pa.Array) -> Staged:
        return Staged(cells, [])

    def tokens(self, staged: pa.Array) -> pa.DictionaryArray:
        return staged

    def vocabulary(self, tokens: pa.Array, counts: np.ndarray) -> Vocabulary:
        return Vocabulary.fit(tokens, counts, self.min_count, self.max_features)

    def fit_tokens(
        self, name: str, vocabulary: Vocabulary, owner: str | None, train: Iterable[pa.Array]
    ) -> FittedCategorical:
        return FittedCategorical(name, vocabulary, owner)

    def restore(self, name: str, state: Mapping[str, Any], vocabulary: Vocabulary | None) -> FittedCategorical:
        assert vocabulary is not None
        return FittedCategorical(name, vocabulary, state["owner"])


class FittedCategorical:
    zero = UNSEEN

    def __init__(self, name: str, vocabulary: Vocabulary, owner: str | None = None):
        self.vocabulary, self.owner = vocabulary, owner
        self.field = Field(name, FieldKind.CATEGORICAL, vocabulary.num_features, 1, vocabulary.encoding, owner)

    def slots(self, staged: pa.Array, table: np.ndarray | None) -> Slots:
        assert table is not None
        return Slots(table[staged.indices.to_numpy(zero_copy_only=False)][:, None], None)

    def state(self) -> dict[str, Any]:
        return {"owner": self.owner}


KIND = Categorical
