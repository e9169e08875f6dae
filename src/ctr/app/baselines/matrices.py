"""A split as other libraries take it: a sparse one-hot matrix, or dense columns."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from scipy import sparse

from ctr.batch import Batch, DataModule
from ctr.errors import UserError
from ctr.schema import FeatureSchema, FieldKind

BATCH = 2**16
MOST_COLUMNS = 1000  # dense ones


def read(data: DataModule, split: str) -> Batch:
    """All rows of a split, in file order."""
    parts = list(data.loader(split, BATCH).batches())
    return Batch(
        torch.cat([part.ids for part in parts]),
        torch.cat([part.values for part in parts]),
        torch.cat([part.labels for part in parts]),
        _joined([part.groups for part in parts]),
        _joined([part.weights for part in parts]),
    )


def _joined(parts: Sequence[torch.Tensor | None]) -> torch.Tensor | None:
    present = [part for part in parts if part is not None]
    return torch.cat(present) if present else None


def one_hot(batch: Batch, num_features: int) -> sparse.csr_matrix:
    """x of every row, (N, num_features): the values of a feature's slots summed, as a linear model sees them."""
    ids, values = batch.ids.numpy(), batch.values.numpy()
    used = values != 0
    rows = np.repeat(np.arange(len(batch)), used.sum(1))
    return sparse.csr_matrix((values[used], (rows, ids[used])), shape=(len(batch), num_features), dtype=np.float64)


@dataclass(frozen=True)
class Columns:
    """The columns that a tree splits on. A categorical field is one column of codes; any other field has a column of
    values for each of its features."""

    schema: FeatureSchema

    def __post_init__(self) -> None:
        if len(self.names) > MOST_COLUMNS:
            widest = max(
                (field for field in self.schema.fields if field.kind is not FieldKind.CATEGORICAL),
                key=lambda field: field.num_features,
            )
            raise UserError(
                f"trees need a dense column for every feature of a field with several values or numbers: "
                f"{len(self.names):,} in all, at most {MOST_COLUMNS:,} are taken, and {widest.name} alone has "
                f"{widest.num_features:,}; leave it out with ~dataset.fields.{widest.name}"
            )

    @property
    def names(self) -> list[str]:
        found = []
        for field in self.schema.fields:
            single = field.kind is FieldKind.CATEGORICAL or field.num_features == 1
            found += [field.name] if single else [f"{field.name}_{i}" for i in range(field.num_features)]
        return found

    @property
    def sizes(self) -> list[int]:
        """By column the number of categories; 0 for a number."""
        found = []
        for field in self.schema.fields:
            categorical = field.kind is FieldKind.CATEGORICAL
            found += [field.num_features] if categorical else [0] * field.num_features
        return found

    def of(self, batch: Batch) -> np.ndarray:
        """(N, columns) float64."""
        ids, values = batch.ids.numpy(), batch.values.numpy()
        parts, start = [], 0
        for field, offset in zip(self.schema.fields, self.schema.offsets, strict=True):
            slots = slice(start, start := start + field.num_slots)
            local = ids[:, slots] - offset
            if field.kind is FieldKind.CATEGORICAL:
                parts.append(local.astype(np.float64))
                continue
            dense = np.zeros((len(batch), field.num_features))
            np.add.at(
                dense, (np.arange(len(batch))[:, None], np.where(values[:, slots] != 0, local, 0)), values[:, slots]
            )
            parts.append(dense)
        return np.concatenate(parts, axis=1)
