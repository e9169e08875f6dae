"""A number's embedding as a piecewise linear function of it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from ctr.data.columns.base import Slots, Staged, at_least, numbers, to_numpy, train_numbers
from ctr.data.vocabulary import Vocabulary
from ctr.schema import Field, FieldKind


class PiecewiseLinear:
    """Knots at the quantiles of train, a feature for each knot. x between the knots t and t + 1 fills two slots with
    the values 1 - a and a, a = (x - knot_t) / (knot_(t+1) - knot_t), so that the field's embedding moves on a straight
    line from one knot's vector to the next. Outside train's range it stays at the end's. A missing value is absent.

    The functions are those of a linear layer on the piecewise linear encoding of Gorishniy, Rubachev and Babenko, "On
    Embeddings for Numerical Features in Tabular Deep Learning", NeurIPS 2022, section 3.2 (between the outer knots), in
    the basis of hats: two features a row in place of `bins`. Models of slots (FM, NFM) let the two interact.
    """

    of_numbers = True

    def __init__(self, *, bins: int):
        at_least("bins", bins, 1)
        self.bins = bins

    def stage(self, cells: pa.Array) -> Staged:
        return numbers(cells)

    def fit(self, name: str, train: Iterable[pa.Array], everything: Iterable[pa.Array]) -> FittedPiecewiseLinear:
        knots = np.unique(np.quantile(train_numbers(name, train), np.linspace(0, 1, self.bins + 1)))
        return FittedPiecewiseLinear(name, knots.tolist())

    def restore(self, name: str, state: Mapping[str, Any], vocabulary: Vocabulary | None) -> FittedPiecewiseLinear:
        return FittedPiecewiseLinear(name, state["knots"])


class FittedPiecewiseLinear:
    zero = None
    vocabulary = None

    def __init__(self, name: str, knots: list[float]):
        self.knots = knots
        self.field = Field(name, FieldKind.NUMERIC, max(2, len(knots)), 2, repr(knots))

    def slots(self, staged: pa.Array, table: np.ndarray | None) -> Slots:
        if len(self.knots) == 1:
            values = np.tile(np.array([1, 0], dtype=np.float32), (len(staged), 1))
            values[pc.is_null(staged).to_numpy(zero_copy_only=False)] = 0.0
            return Slots(np.tile(np.array([0, 1], dtype=np.uint8), (len(staged), 1)), values)
        knots = np.array(self.knots)
        x = np.clip(to_numpy(staged), knots[0], knots[-1])
        left = np.clip(np.searchsorted(knots, x, side="right") - 1, 0, len(knots) - 2)
        a = (x - knots[left]) / (knots[left + 1] - knots[left])
        values = np.stack([1 - a, a], axis=1)
        values[pc.is_null(staged).to_numpy(zero_copy_only=False)] = 0.0
        return Slots(np.stack([left, left + 1], axis=1), values.astype(np.float32))

    def state(self) -> dict[str, Any]:
        return {"knots": self.knots}


KIND = PiecewiseLinear
