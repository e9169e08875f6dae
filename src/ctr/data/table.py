"""A dataset of CSV or Parquet files, one a split, described by its columns."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import torch
from torch import Tensor

from ctr.batch import Batch
from ctr.data.encoding import Encoder, FittedMultiValued, column_recipe
from ctr.data.module import InMemoryData, Labels, batch_of_slots, refuse_empty
from ctr.data.reader import Place, find, float32, numbers, read_columns
from ctr.errors import UserError
from ctr.schema import FeatureSchema, FieldKind


class Table:
    """CSV (plain or compressed) or Parquet files with a header.

    `fields` maps a column to its kind, "categorical", "numeric" or "multivalued", or to the kind with its options:
    `{kind: multivalued, separator: "|"}` (see ctr.data.encoding). `label`, `group` (whom GAUC groups by) and
    `weight` name columns, the last two may be null. `labels`: "binary" refuses all labels but 0 and 1. `source` is
    what a person without the files is told.
    """

    def __init__(
        self,
        *,
        root: str,
        train: str,
        valid: str,
        test: str,
        delimiter: str,
        label: str,
        labels: Labels,
        group: str | None,
        weight: str | None,
        fields: Mapping[str, Any],
        source: str,
    ):
        if len(delimiter) != 1:
            raise UserError(f'delimiter must be one character, found {delimiter!r}; in YAML a tab is "\\t"')
        if label in fields:
            raise UserError(f"the label column {label!r} is listed in fields; that would give the answer away")
        self.root, self.delimiter, self.source = root, delimiter, source
        self.files = {"train": train, "valid": valid, "test": test}
        self.label, self.labels, self.group, self.weight = label, labels, group, weight
        self.recipes = {name: column_recipe(name, spec) for name, spec in fields.items()}

    def open(self) -> InMemoryData:
        paths = {split: find(self.root, name, self.source) for split, name in self.files.items()}
        others = [name for name in (self.label, self.group, self.weight) if name is not None]
        columns = list(dict.fromkeys([*self.recipes, *others]))
        tables = {split: read_columns(path, columns, self.delimiter) for split, path in paths.items()}
        for split, table in tables.items():
            refuse_empty(split, table.num_rows, paths[split])

        encoders = {
            name: recipe.fit(name, tables["train"][name], Place(paths["train"], name))
            for name, recipe in self.recipes.items()
        }
        schema = FeatureSchema(tuple(encoder.field for encoder in encoders.values()))
        groups = _GroupNumbers()
        splits = {split: self._rows(table, paths[split], encoders, schema, groups) for split, table in tables.items()}
        return InMemoryData(
            schema,
            splits,
            labels=self.labels,
            source=f"{paths['train']}, column {self.label!r}",
            notes=_notes(splits, schema, encoders),
        )

    def _rows(
        self,
        table: pa.Table,
        path: Path,
        encoders: Mapping[str, Encoder],
        schema: FeatureSchema,
        groups: _GroupNumbers,
    ) -> Batch:
        slots = [encoder.encode(table[name], Place(path, name)) for name, encoder in encoders.items()]
        return batch_of_slots(
            slots,
            schema.offsets,
            _labels(table[self.label], self.labels, Place(path, self.label)),
            groups=None if self.group is None else groups.of(table[self.group]),
            weights=None if self.weight is None else _weights(table[self.weight], Place(path, self.weight)),
        )


def _labels(column: pa.ChunkedArray, labels: Labels, place: Place) -> Tensor:
    values = _present(column, place)
    if labels == "binary" and (wrong := np.flatnonzero((values != 0) & (values != 1))).size:
        row = int(wrong[0])
        raise UserError(
            f"{place.at(row)}: labels must be 0 or 1, found {column[row].as_py()!r} ({wrong.size:,} such rows). Map "
            f"them, or use task=regression"
        )
    return torch.from_numpy(float32(values, column, place))


def _weights(column: pa.ChunkedArray, place: Place) -> Tensor:
    values = _present(column, place)
    if (wrong := np.flatnonzero(values < 0)).size:
        row = int(wrong[0])
        raise UserError(f"{place.at(row)}: a weight must not be negative, found {column[row].as_py()!r}")
    if not (values > 0).any():
        raise UserError(f"{place}: all weights are 0; at least one must be above")
    return torch.from_numpy(float32(values, column, place))


def _present(column: pa.ChunkedArray, place: Place) -> np.ndarray:
    values = numbers(column, place)
    if (row := pc.index(pc.is_null(values), True).as_py()) >= 0:
        raise UserError(f"{place.at(row)}: the cell is empty; expected a number")
    result: np.ndarray = values.to_numpy()
    return result


class _GroupNumbers:
    """A number for every group name, the same in all splits."""

    def __init__(self) -> None:
        self.numbers: dict[str, int] = {}

    def of(self, column: pa.ChunkedArray) -> Tensor:
        coded = column.combine_chunks().dictionary_encode()
        known = [self.numbers.setdefault(name, len(self.numbers)) for name in coded.dictionary.to_pylist()]
        return torch.tensor(known, dtype=torch.int64)[torch.from_numpy(coded.indices.to_numpy().astype(np.int64))]


def _notes(splits: Mapping[str, Batch], schema: FeatureSchema, encoders: Mapping[str, Encoder]) -> tuple[str, ...]:
    """What the encoding did not keep as it was: unseen and rare tokens, tokens beyond max_items."""
    notes = []
    slot_fields = torch.tensor(schema.slot_fields)
    for f, field in enumerate(schema.fields):
        mine = slot_fields == f
        if field.kind != FieldKind.NUMERIC:
            oov = {
                split: int(((rows.ids[:, mine] == schema.offsets[f]) & (rows.values[:, mine] != 0)).sum())
                for split, rows in splits.items()
            }
            if found := [f"{count:,} in {split}" for split, count in oov.items() if count]:
                notes.append(f"{field.name}: unseen or rare tokens, counted as OOV: {', '.join(found)}")
        encoder = encoders[field.name]
        if isinstance(encoder, FittedMultiValued) and encoder.dropped:
            notes.append(
                f"{field.name}: {encoder.dropped:,} tokens beyond the first {field.num_slots} of a cell left out"
            )
    return tuple(notes)
