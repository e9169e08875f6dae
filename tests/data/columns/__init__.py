"""A column without files: cells staged in blocks, fitted and encoded as a preparation does it."""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from ctr.data.columns import FieldRecipe, field_recipe
from ctr.data.columns.base import Encoder
from ctr.data.columns.entries import ENTRY
from ctr.data.encoding import fit_family, key
from ctr.schema import Field


@dataclass(frozen=True)
class Block:
    """Stands in for a chunk on disk: staged columns by name."""

    columns: dict[str, pa.Array]

    @property
    def num_rows(self) -> int:
        return len(next(iter(self.columns.values())))

    def open(self) -> Block:
        return self

    def column(self, name: str) -> pa.Array:
        return self.columns[name]


@dataclass(frozen=True)
class Encoded:
    """A field and the slots of all cells, written out."""

    encoder: Encoder
    ids: list[list[int]]
    values: list[list[float]]
    dropped: int

    @property
    def field(self) -> Field:
        return self.encoder.field


def staged(recipe: FieldRecipe, cells: Sequence[Any]) -> pa.Array:
    array = cells if isinstance(cells, pa.Array) else pa.array(cells, pa.string()).dictionary_encode()
    array, problems = recipe.kind.stage(array)
    assert not problems, problems
    return array


def blocks_of(cells: Sequence[Any], cuts: Sequence[int]) -> list[Sequence[Any]]:
    """The cells cut before these places."""
    bounds = [0, *sorted(min(cut, len(cells)) for cut in cuts), len(cells)]
    return [cells[start:stop] for start, stop in pairwise(bounds)]


def encode_family(
    specs: dict[str, Any],
    train: dict[str, Sequence[Any]],
    other: dict[str, Sequence[Any]] | None = None,
    cuts: Sequence[int] = (),
) -> dict[str, Encoded]:
    """Fields of one vocabulary, fitted on the cells of train; the slots of those cells and of the others behind them.
    `cuts`: where a new block begins; rows of train and others may stand in one block."""
    recipes = [field_recipe(name, spec) for name, spec in specs.items()]
    cells = {name: _joined(train[name], (other or {}).get(name)) for name in specs}
    columns = [
        {key(recipe): staged(recipe, block) for recipe, block in zip(recipes, together, strict=True)}
        for together in zip(*(blocks_of(cells[name], cuts) for name in specs), strict=True)
    ]
    chunks: Any = [Block(column) for column in columns]
    num_rows, num_train = len(next(iter(cells.values()))), len(next(iter(train.values())))
    is_train = [np.array(part, dtype=bool) for part in blocks_of([i < num_train for i in range(num_rows)], cuts)]
    with tempfile.TemporaryDirectory() as folder:
        fitted = fit_family(0, recipes, chunks, is_train, Path(folder))
        encoded = {}
        for recipe in recipes:
            one = fitted[recipe.name]
            ids, values, dropped = [], [], 0
            for i, chunk in enumerate(chunks):
                slots = one.encoder.slots(chunk.column(key(recipe)), None if one.tables is None else one.tables.of(i))
                shape = chunk.num_rows, one.encoder.field.num_slots
                none = np.broadcast_to(np.arange(shape[1]), shape)
                ids += (none if slots.ids is None else slots.ids).tolist()
                values += (np.ones(shape) if slots.values is None else slots.values).tolist()
                dropped += slots.dropped
            encoded[recipe.name] = Encoded(one.encoder, ids, values, dropped)
    return encoded


def encode(spec: Any, train: Sequence[Any], other: Sequence[Any] | None = None, cuts: Sequence[int] = ()) -> Encoded:
    return encode_family({"f": spec}, {"f": train}, None if other is None else {"f": other}, cuts)["f"]


def entries_of(rows: Sequence[dict[int, float]]) -> pa.Array:
    """Cells of libFM text: numbered features with values."""
    return pa.array([[{"id": i, "value": float(x)} for i, x in row.items()] for row in rows], pa.list_(ENTRY))


def _joined(train: Sequence[Any], other: Sequence[Any] | None) -> Sequence[Any]:
    if isinstance(train, pa.Array):
        return train if other is None else pa.concat_arrays([train, other])
    return [*train, *(other or [])]
