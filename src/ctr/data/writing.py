"""The last step of preparation: staged chunks into rows of slots, and into the shards of their splits."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from ctr.batch import SPLITS
from ctr.data.encoding import FittedField, Tables, key
from ctr.data.recipe import Meter, Recipe
from ctr.data.rows import Layout, narrowest
from ctr.data.shards import ShardWriter
from ctr.data.staging import Chunk, ChunkColumn
from ctr.data.vocabulary import merge
from ctr.schema import FeatureSchema


class Encoded(NamedTuple):
    """A chunk's rows."""

    arrays: dict[str, np.ndarray]
    zeros: np.ndarray  # (fields, splits + 1): how often id 0 stands in the rows of no split, train, valid, test
    dropped: np.ndarray  # (fields,): items that had no slot


class Writing:
    """Encodes chunks, and counts what the encoding did not keep as it was."""

    def __init__(
        self,
        recipe: Recipe,
        fields: Sequence[FittedField],
        chunks: Sequence[Chunk],
        splits: Sequence[np.ndarray],
        signed: Callable[[np.ndarray], np.ndarray],
        folder: Path,
    ):
        self.recipe, self.fields, self.chunks, self.splits, self.signed = recipe, fields, chunks, splits, signed
        self.schema = FeatureSchema(tuple(field.encoder.field for field in fields))
        self.groups = None if recipe.group is None else _group_tables(chunks, folder)
        self.stored = [
            _stored(field, ChunkColumn(chunks, key(one))) for field, one in zip(fields, recipe.fields, strict=True)
        ]
        self.layout = _layout(self.schema, self.stored)
        self.zeros = np.zeros((len(fields), len(SPLITS) + 1), dtype=np.int64)
        self.dropped = np.zeros(len(fields), dtype=np.int64)

    def run(
        self, folder: Path, counts: Mapping[str, int], threads: int, meter: Meter
    ) -> tuple[dict[str, dict[str, int | str]], dict[str, list[str]]]:
        """Writes all shards; the files with their sizes and hashes, and the shards of each split."""
        arrays = self._arrays()
        writers = [ShardWriter(folder, split, counts[split], arrays) for split in SPLITS]
        waiting: deque[Future[Encoded]] = deque()
        done, total = 0, sum(chunk.num_rows for chunk in self.chunks)
        with ThreadPoolExecutor(threads) as pool:
            for i in range(len(self.chunks) + threads):
                if i < len(self.chunks):
                    waiting.append(pool.submit(self._encode, i))
                if i >= threads and waiting:
                    encoded, mine = waiting.popleft().result(), self.splits[i - threads]
                    for s, writer in enumerate(writers):
                        rows = mine == s
                        if rows.all():
                            writer.append(encoded.arrays)
                        elif rows.any():
                            writer.append({name: array[rows] for name, array in encoded.arrays.items()})
                    self.zeros += encoded.zeros
                    self.dropped += encoded.dropped
                    done += len(mine)
                    meter("writing", done, total)
        files = {name: told for writer in writers for name, told in writer.files.items()}
        return files, {split: writer.names for split, writer in zip(SPLITS, writers, strict=True)}

    def notes(self) -> list[str]:
        """Unseen and rare tokens, missing values, and tokens beyond the slots, field by field."""
        notes = []
        for field, zeros, dropped in zip(self.fields, self.zeros, self.dropped.tolist(), strict=True):
            name, num_slots = field.encoder.field.name, field.encoder.field.num_slots
            found = [f"{count:,} in {split}" for split, count in zip(SPLITS, zeros[1:].tolist(), strict=True) if count]
            if field.encoder.zero and found:
                notes.append(f"{name}: {field.encoder.zero}: {', '.join(found)}")
            if dropped:
                notes.append(f"{name}: {dropped:,} tokens beyond the first {num_slots} of a cell left out")
        return notes

    def _arrays(self) -> dict[str, tuple[np.dtype[Any], int]]:
        float32 = np.dtype(np.float32)
        arrays: dict[str, tuple[np.dtype[Any], int]] = {
            "ids": (narrowest(self.schema.num_features), len(self.layout.id_slots)),
            "values": (float32, len(self.layout.value_slots)),
            "labels": (float32, 0),
        }
        arrays |= {} if self.recipe.weight is None else {"weights": (float32, 0)}
        arrays |= {} if self.recipe.group is None else {"groups": (np.dtype(np.int64), 0)}
        return arrays | ({} if self.recipe.time is None else {"times": (np.dtype(np.float64), 0)})

    def _encode(self, i: int) -> Encoded:
        chunk, split = self.chunks[i].open(), self.splits[i]
        ids = np.empty((chunk.num_rows, len(self.layout.id_slots)), narrowest(self.schema.num_features))
        values = np.empty((chunk.num_rows, len(self.layout.value_slots)), np.float32)
        zeros, dropped = np.zeros_like(self.zeros), np.zeros_like(self.dropped)
        at = of = 0
        for f, (field, recipe, offset) in enumerate(
            zip(self.fields, self.recipe.fields, self.schema.offsets, strict=True)
        ):
            table = None if field.tables is None else field.tables.of(i)
            slots = field.encoder.slots(chunk.column(key(recipe)), table)
            width = field.encoder.field.num_slots
            if slots.ids is not None:
                ids[:, at : at + width] = slots.ids
                ids[:, at : at + width] += ids.dtype.type(offset)
                at += width
            if slots.values is not None:
                values[:, of : of + width] = slots.values
                of += width
            if field.encoder.zero and slots.ids is not None:
                none = slots.ids == 0 if slots.values is None else (slots.ids == 0) & (slots.values != 0)
                zeros[f] = np.bincount(split + 1, none.sum(axis=1), minlength=len(SPLITS) + 1)
            dropped[f] = slots.dropped
        arrays = {"ids": ids, "values": values, "labels": self.signed(chunk.column("label").to_numpy())}
        if self.recipe.weight is not None:
            arrays["weights"] = chunk.column("weight").to_numpy()
        if self.groups is not None:
            arrays["groups"] = self.groups.of(i)[chunk.column("group").indices.to_numpy(zero_copy_only=False)]
        if self.recipe.time is not None:
            arrays["times"] = chunk.column("time").to_numpy()
        return Encoded(arrays, zeros, dropped)


def _group_tables(chunks: Sequence[Chunk], folder: Path) -> Tables:
    """A number for every group, the same in all chunks."""
    _, places = merge([array.dictionary for array in ChunkColumn(chunks, "group")])
    return Tables.write(folder / "groups", places)


def _stored(field: FittedField, column: ChunkColumn) -> tuple[bool, bool]:
    """Does the encoder give ids and values that vary?"""
    none = next(iter(column)).slice(0, 0)
    slots = field.encoder.slots(none, np.zeros(0, dtype=np.uint32))
    return slots.ids is not None, slots.values is not None


def _layout(schema: FeatureSchema, stored: Sequence[tuple[bool, bool]]) -> Layout:
    ids: list[int] = []
    id_slots: list[int] = []
    value_slots: list[int] = []
    for field, offset, (has_ids, has_values) in zip(schema.fields, schema.offsets, stored, strict=True):
        slots = range(len(ids), len(ids) + field.num_slots)
        id_slots += slots if has_ids else []
        value_slots += slots if has_values else []
        ids += [0 if has_ids else offset + i for i in range(field.num_slots)]
    return Layout(tuple(ids), tuple(id_slots), tuple(value_slots))
