"""Columns to slots: one class for each kind of column. Fitted on the train split, applied to all."""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal, Protocol

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import torch
from torch import Tensor

from ctr.data.module import slot_places
from ctr.data.reader import Place, float32, numbers
from ctr.data.vocabulary import Vocabulary
from ctr.errors import UserError, nearest
from ctr.schema import Field, FieldKind


class Encoder(Protocol):
    """A fitted column."""

    field: Field

    def encode(self, column: pa.ChunkedArray, place: Place) -> tuple[Tensor, Tensor]:
        """The ids within the field, (N, slots) int64, and the values, (N, slots) float32."""
        ...


class Categorical:
    """One token a cell. Tokens that occur less than `min_count` times in train share the OOV id."""

    def __init__(self, *, min_count: int = 1):
        _at_least_one("min_count", min_count)
        self.min_count = min_count

    def fit(self, name: str, column: pa.ChunkedArray, place: Place) -> Encoder:
        return FittedCategorical(name, Vocabulary.fit(_counts(column), self.min_count))


class FittedCategorical:
    def __init__(self, name: str, vocabulary: Vocabulary):
        self.vocabulary = vocabulary
        self.field = Field(name, FieldKind.CATEGORICAL, vocabulary.num_features, 1, vocabulary.encoding)

    def encode(self, column: pa.ChunkedArray, place: Place) -> tuple[Tensor, Tensor]:
        ids = torch.from_numpy(_ids(column, self.vocabulary)).unsqueeze(1)
        return ids, torch.ones(ids.shape)


class MultiValued:
    """Several tokens a cell, divided by `separator`, each with a slot of its own.

    `max_items`: slots kept, null for as many as the longest cell of train has; tokens beyond them are dropped from
    the end of the cell and counted. `pooling`: "sum" gives every token the value 1, "mean" 1/n.
    """

    def __init__(
        self,
        *,
        separator: str,
        max_items: int | None = None,
        pooling: Literal["sum", "mean"] = "sum",
        min_count: int = 1,
    ):
        if pooling not in ("sum", "mean"):
            raise UserError(f"pooling must be sum or mean, found {pooling!r}")
        if not isinstance(separator, str) or not separator:
            raise UserError(f"separator must be text and not be empty, found {separator!r}")
        if max_items is not None:
            _at_least_one("max_items", max_items)
        _at_least_one("min_count", min_count)
        self.separator, self.max_items, self.pooling, self.min_count = separator, max_items, pooling, min_count

    def fit(self, name: str, column: pa.ChunkedArray, place: Place) -> Encoder:
        tokens, lengths = _split(column, self.separator)
        vocabulary = Vocabulary.fit(_counts(tokens), self.min_count)
        num_slots = self.max_items or max(1, int(lengths.max(initial=0)))
        return FittedMultiValued(name, vocabulary, num_slots, self.separator, self.pooling)


class FittedMultiValued:
    def __init__(self, name: str, vocabulary: Vocabulary, num_slots: int, separator: str, pooling: str):
        self.vocabulary, self.separator, self.pooling = vocabulary, separator, pooling
        encoding = f"{vocabulary.encoding}-{pooling}"
        self.field = Field(name, FieldKind.MULTIVALUED, vocabulary.num_features, num_slots, encoding)
        self.dropped = 0

    def encode(self, column: pa.ChunkedArray, place: Place) -> tuple[Tensor, Tensor]:
        tokens, lengths = _split(column, self.separator)
        rows, slots = slot_places(lengths)
        kept = slots < self.field.num_slots
        self.dropped += int((~kept).sum())
        ids = np.zeros((len(lengths), self.field.num_slots), dtype=np.int64)
        values = np.zeros(ids.shape, dtype=np.float32)
        ids[rows[kept], slots[kept]] = _ids(tokens, self.vocabulary)[kept]
        counted = np.minimum(lengths, self.field.num_slots)
        values[rows[kept], slots[kept]] = 1.0 if self.pooling == "sum" else 1.0 / counted[rows[kept]]
        return torch.from_numpy(ids), torch.from_numpy(values)


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


class Numeric:
    """A number a cell: one feature with value x. An empty cell has the value 0 after the transform: it is absent.

    `transform`: "raw"; "z_score" with the mean and standard deviation of train; "log", log(x + 1) where x > -1 and
    -1 elsewhere.
    """

    def __init__(self, *, transform: Literal["raw", "z_score", "log"] = "raw"):
        if transform not in ("raw", "z_score", "log"):
            raise UserError(f"transform must be raw, z_score or log, found {transform!r}")
        self.transform = transform

    def fit(self, name: str, column: pa.ChunkedArray, place: Place) -> Encoder:
        if self.transform != "z_score":
            return FittedNumeric(name, Scale(log=self.transform == "log"))
        x = numbers(column, place).drop_null().to_numpy()
        if len(x) == 0:
            raise UserError(f"{place}: every cell of train is empty; z_score needs numbers")
        if x.min() == x.max():
            return FittedNumeric(name, Scale(log=False, mean=float(x[0])))
        return FittedNumeric(name, Scale(log=False, mean=float(x.mean()), std=float(x.std())))


class FittedNumeric:
    def __init__(self, name: str, scale: Scale):
        self.scale = scale
        self.field = Field(name, FieldKind.NUMERIC, 1, 1, repr(scale))

    def encode(self, column: pa.ChunkedArray, place: Place) -> tuple[Tensor, Tensor]:
        x = numbers(column, place)
        values = np.where(x.is_null().to_numpy(), 0.0, self.scale(pc.fill_null(x, 0.0).to_numpy()))
        scaled = torch.from_numpy(float32(values, column, place)).unsqueeze(1)
        return torch.zeros(scaled.shape, dtype=torch.int64), scaled


KINDS: dict[str, type[Categorical | MultiValued | Numeric]] = {
    "categorical": Categorical,
    "multivalued": MultiValued,
    "numeric": Numeric,
}


def column_recipe(name: str, spec: str | Mapping[str, Any]) -> Categorical | MultiValued | Numeric:
    """The recipe of a column from its line in the config: a kind, or a kind with options.

    Raises UserError for an unknown kind or option, with the nearest known one.
    """
    options = dict(spec) if isinstance(spec, Mapping) else {"kind": spec}
    kind = options.pop("kind", None)
    if not isinstance(kind, str) or kind not in KINDS:
        raise UserError(f"field {name!r}: kind must be one of {', '.join(KINDS)}, found {kind!r}{nearest(kind, KINDS)}")
    known = list(inspect.signature(KINDS[kind]).parameters)
    for option in options:
        if option not in known:
            meant = nearest(option, known)
            raise UserError(f"field {name!r}: a {kind} field has no option {option!r}, only {', '.join(known)}{meant}")
    if kind == "multivalued" and "separator" not in options:
        raise UserError(
            f"field {name!r}: a multivalued field needs its separator: {{kind: multivalued, separator: '|'}}"
        )
    try:
        return KINDS[kind](**options)
    except UserError as error:
        raise UserError(f"field {name!r}: {error}") from error


def _at_least_one(name: str, value: object) -> None:
    if not isinstance(value, int) or value < 1:
        raise UserError(f"{name} must be a whole number of at least 1, found {value!r}")


def _counts(column: pa.ChunkedArray | pa.Array) -> dict[str, int]:
    counted = pc.value_counts(column)
    return dict(zip(counted.field("values").to_pylist(), counted.field("counts").to_pylist(), strict=True))


def _ids(column: pa.ChunkedArray | pa.Array, vocabulary: Vocabulary) -> np.ndarray:
    if isinstance(column, pa.ChunkedArray):
        column = column.combine_chunks()
    coded = column.dictionary_encode()
    ids: np.ndarray = vocabulary.ids(coded.dictionary.to_pylist())[coded.indices.to_numpy(zero_copy_only=False)]
    return ids


def _split(column: pa.ChunkedArray, separator: str) -> tuple[pa.Array, np.ndarray]:
    """All tokens of the column in one array, and how many each cell has; an empty cell has none."""
    cells = pc.split_pattern(column, separator).combine_chunks()
    tokens = cells.flatten()
    lengths = pc.list_value_length(cells).to_numpy(zero_copy_only=False).astype(np.int64)
    empty = pc.equal(column, "").combine_chunks().to_numpy(zero_copy_only=False)  # "" splits into one empty token
    if empty.any():
        tokens = tokens.filter(pa.array(~np.repeat(empty, lengths)))
        lengths = np.where(empty, 0, lengths)
    return tokens, lengths
