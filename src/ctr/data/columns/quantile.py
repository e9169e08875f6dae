"""Quantile bins of a number, as a categorical field."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from ctr.data.columns.base import MISSING, Slots, Staged, at_least, numbers, to_numpy, train_numbers
from ctr.data.vocabulary import Vocabulary
from ctr.schema import Field, FieldKind


class Quantile:
    """`bins` bins that hold about equally many rows of train; equal numbers stay together, so there may be fewer.
    Bin b has id b + 1: edge_b <= x < edge_(b+1), the outer bins open-ended. A missing value has id 0.

    The edges are exact up to 4 million train rows, and those of an even sample of that many beyond.
    """

    of_numbers = True

    def __init__(self, *, bins: int):
        at_least("bins", bins, 2)
        self.bins = bins

    def stage(self, cells: pa.Array) -> Staged:
        return numbers(cells)

    def fit(self, name: str, train: Iterable[pa.Array], everything: Iterable[pa.Array]) -> FittedQuantile:
        x = train_numbers(name, train)
        inner = np.quantile(x, np.arange(1, self.bins) / self.bins, method="higher")
        return FittedQuantile(name, [float(edge) for edge in np.unique(inner) if edge > x.min()])

    def restore(self, name: str, state: Mapping[str, Any], vocabulary: Vocabulary | None) -> FittedQuantile:
        return FittedQuantile(name, state["edges"])


class FittedQuantile:
    zero = MISSING
    vocabulary = None

    def __init__(self, name: str, edges: list[float]):
        self.edges = edges  # between the bins
        self.field = Field(name, FieldKind.CATEGORICAL, len(edges) + 2, 1, repr(edges))

    def slots(self, staged: pa.Array, table: np.ndarray | None) -> Slots:
        ids = np.searchsorted(np.array(self.edges), to_numpy(staged), side="right") + 1
        ids[pc.is_null(staged).to_numpy(zero_copy_only=False)] = 0
        return Slots(ids[:, None], None)

    def state(self) -> dict[str, Any]:
        return {"edges": self.edges}


KIND = Quantile
