"""The second step of preparation: every field fitted on the rows of train."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa

from ctr.data.columns import FieldRecipe
from ctr.data.columns.base import Encoder, TokenColumn
from ctr.data.staging import Chunk, ChunkColumn
from ctr.data.vocabulary import merge
from ctr.errors import UserError


@dataclass(frozen=True)
class Tables:
    """For every chunk, what its dictionary's tokens have become; end to end in a file."""

    path: Path
    bounds: np.ndarray  # chunk i has the numbers bounds[i] .. bounds[i + 1] - 1

    @classmethod
    def write(cls, path: Path, tables: Sequence[np.ndarray]) -> Tables:
        with path.open("wb") as file:
            for table in tables:
                table.astype(np.uint32).tofile(file)
        return cls(path, np.cumsum([0, *map(len, tables)]))

    def of(self, chunk: int) -> np.ndarray:
        start, stop = int(self.bounds[chunk]), int(self.bounds[chunk + 1])
        return np.fromfile(self.path, np.uint32, stop - start, offset=4 * start)


@dataclass(frozen=True)
class FittedField:
    encoder: Encoder
    tables: Tables | None  # of tokens to ids


def key(field: FieldRecipe) -> str:
    """The name of a field's staged column."""
    return f"field {field.name}"


def families(fields: Sequence[FieldRecipe]) -> list[list[FieldRecipe]]:
    """The fields that share a vocabulary, the owner first; a field that shares none is a family of its own.

    Raises UserError where a field shares that of one that does not exist, has none, or shares itself.
    """
    by_name = {field.name: field for field in fields}
    groups = {field.name: [field] for field in fields if field.share is None}
    for field in fields:
        if field.share is None:
            continue
        owner = by_name.get(field.share)
        if owner is None or owner.share is not None or not isinstance(owner.kind, TokenColumn):
            raise UserError(
                f"field {field.name!r}: share names another field with a vocabulary of its own; found {field.share!r}"
            )
        groups[owner.name].append(field)
    return list(groups.values())


def fit_family(
    number: int, family: Sequence[FieldRecipe], chunks: Sequence[Chunk], train: Sequence[np.ndarray], folder: Path
) -> dict[str, FittedField]:
    """The encoders of fields that share a vocabulary, by name. `train`: which rows of each chunk to fit to; `folder`
    keeps the tables, under the `number` of the family."""
    owner = family[0]
    if not isinstance(owner.kind, TokenColumn):
        fitted = owner.kind.fit(owner.name, ChunkColumn(chunks, key(owner), train), ChunkColumn(chunks, key(owner)))
        return {owner.name: FittedField(fitted, None)}
    dictionaries: list[pa.Array] = []
    counts: list[np.ndarray] = []
    for field in family:
        assert isinstance(field.kind, TokenColumn)
        for array in ChunkColumn(chunks, key(field), train):
            tokens = field.kind.tokens(array)
            dictionaries.append(tokens.dictionary.cast(pa.large_string()))
            indices = tokens.indices.to_numpy(zero_copy_only=False)
            counts.append(np.bincount(indices, minlength=len(tokens.dictionary)))
    merged, places = merge(dictionaries)
    total = np.zeros(len(merged), dtype=np.int64)
    for place, count in zip(places, counts, strict=True):
        total[place] += count  # a dictionary has no token twice
    vocabulary = owner.kind.vocabulary(merged, total)
    ids = vocabulary.ids(merged)
    made = {}
    for f, field in enumerate(family):
        tables = [ids[place] for place in places[f * len(chunks) : (f + 1) * len(chunks)]]
        shares = None if field is owner else owner.name
        assert isinstance(field.kind, TokenColumn)
        encoder = field.kind.fit_tokens(field.name, vocabulary, shares, ChunkColumn(chunks, key(field), train))
        made[field.name] = FittedField(encoder, Tables.write(folder / f"tables-{number}-{f}", tables))
    return made
