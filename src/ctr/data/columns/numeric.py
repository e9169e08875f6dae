"""A number a cell: one feature with value x, which takes part in FM as x_i v_i."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass
from typing import Any, Literal

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from ctr.data.columns.base import Slots, Staged, as_float32, numbers, one_of, to_numpy
from ctr.data.vocabulary import Vocabulary
from ctr.errors import UserError
from ctr.schema import Field, FieldKind

TRANSFORMS = ("raw", "z_score", "min_max", "log")


class Numeric:
    """An empty cell has the value 0 after the transform: it is absent.

    `transform`: "raw"; "z_score", (x - mean) / standard deviation; "min_max", (x - min) / (max - min), which leaves
    [0, 1] where x leaves train's range; "log", log(x + 1) where x > -1 and -1 elsewhere. Mean, deviation, min and max
    are those of train.
    """

    of_numbers = True

    def __init__(self, *, transform: Literal["raw", "z_score", "min_max", "log"] = "raw"):
        one_of("transform", transform, TRANSFORMS)
        self.transform = transform

    def stage(self, cells: pa.Array) -> Staged:
        return numbers(cells)

    def fit(self, name: str, train: Iterable[pa.Array], everything: Iterable[pa.Array]) -> FittedNumeric:
        if self.transform in ("raw", "log"):
            return FittedNumeric(name, Scale(log=self.transform == "log"))
        count, low, high, sums = 0, np.inf, -np.inf, []
        for x in regrouped(train):
            count, low, high = count + len(x), min(low, x.min()), max(high, x.max())
            sums.append(float(x.sum()))
        if count == 0:
            raise UserError(f"field {name!r}: every cell of train is empty; {self.transform} needs numbers")
        if low == high:
            return FittedNumeric(name, Scale(log=False, mean=float(low)))
        if self.transform == "min_max":
            return FittedNumeric(name, Scale(log=False, mean=float(low), std=float(high - low)))
        mean = math.fsum(sums) / count
        squares = math.fsum(float(np.square(x - mean).sum()) for x in regrouped(train))
        return FittedNumeric(name, Scale(log=False, mean=float(mean), std=float(np.sqrt(squares / count))))

    def restore(self, name: str, state: Mapping[str, Any], vocabulary: Vocabulary | None) -> FittedNumeric:
        return FittedNumeric(name, Scale(**state))


@dataclass(frozen=True)
class Scale:
    """x -> (log(x + 1) or x, less `mean`) / `std`."""

    log: bool
    mean: float = 0.0
    std: float = 1.0

    def __call__(self, x: np.ndarray) -> np.ndarray:
        if self.log:
            x = np.log1p(x, where=x > -1, out=np.full(x.shape, -1.0))
        scaled: np.ndarray = (x - self.mean) / self.std
        return scaled


def regrouped(blocks: Iterable[pa.Array], size: int = 2**16) -> Iterator[np.ndarray]:
    """The numbers without missing ones, `size` at a time as float64: sums of them do not depend on the blocks."""
    waiting = np.zeros(0)
    for block in blocks:
        waiting = np.concatenate([waiting, block.drop_null().to_numpy().astype(np.float64)])
        whole = len(waiting) // size * size
        yield from waiting[:whole].reshape(-1, size)
        waiting = waiting[whole:]
    if len(waiting):
        yield waiting


class FittedNumeric:
    zero = None
    vocabulary = None

    def __init__(self, name: str, scale: Scale):
        self.scale = scale
        self.field = Field(name, FieldKind.NUMERIC, 1, 1, repr(scale))

    def slots(self, staged: pa.Array, table: np.ndarray | None) -> Slots:
        x = self.scale(to_numpy(staged))
        x[pc.is_null(staged).to_numpy(zero_copy_only=False)] = 0.0
        return Slots(None, as_float32(self.field.name, x)[:, None])

    def state(self) -> dict[str, Any]:
        return asdict(self.scale)


KIND = Numeric
