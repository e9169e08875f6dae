"""Encoded splits in memory, behind the interface that the trainer knows."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Literal

import numpy as np
import torch
from torch import Tensor

from ctr.batch import Batch
from ctr.data.loader import BatchLoader
from ctr.errors import UserError
from ctr.schema import FeatureSchema

Labels = Literal["binary", "real"]


class InMemoryData:
    """The splits of a dataset with their schema. Refuses what cannot be trained on: an empty split, one class.

    `source` is where train's labels come from, for messages; `notes` are lines for the summary.
    """

    def __init__(
        self,
        schema: FeatureSchema,
        splits: Mapping[str, Batch],
        *,
        labels: Labels,
        source: str,
        law: Mapping[str, Tensor] | None = None,
        notes: tuple[str, ...] = (),
    ):
        self.schema, self.splits, self.law = schema, splits, law or {}
        self.notes = notes
        for name, rows in splits.items():
            refuse_empty(name, len(rows))
            outside = (rows.ids < 0) | (rows.ids >= schema.num_features)
            assert not outside.any(), f"{name}: feature ids outside [0, {schema.num_features})"
        train = splits["train"].labels
        if labels == "binary" and train.min() == train.max():
            raise UserError(
                f"{source}: all {len(train):,} labels of the train split are {train[0].item():g}; a classifier needs "
                f"both classes"
            )

    @property
    def summary(self) -> str:
        lines = [
            f"{self.schema.num_fields} fields, {self.schema.num_slots} slots, {self.schema.num_features:,} features, "
            f"schema {self.schema.fingerprint}",
            f"fields: {', '.join(field.name for field in self.schema.fields)}",
        ]
        for name, rows in self.splits.items():
            lines.append(f"{name:<6}{len(rows):>12,} rows, mean label {rows.labels.double().mean().item():.4f}")
        return "\n".join([*lines, *self.notes])

    def loader(self, split: str, batch_size: int, *, order: str = "file", seed: int = 0) -> BatchLoader:
        if split not in self.splits:
            raise UserError(f"there is no split {split!r}; the dataset has {', '.join(self.splits)}")
        return BatchLoader(self.splits[split], batch_size, order=order, seed=seed)


def refuse_empty(split: str, num_rows: int, path: Path | None = None) -> None:
    """Raises UserError for a split without rows."""
    if num_rows == 0:
        where = "" if path is None else f"{path}: "
        raise UserError(f"{where}the {split} split is empty; it needs at least one row")


def slot_places(lengths: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """For rows of these lengths laid end to end: the row of each entry, and its place in that row."""
    rows = np.repeat(np.arange(len(lengths)), lengths)
    return rows, np.arange(len(rows)) - np.repeat(lengths.cumsum() - lengths, lengths)


def batch_of_slots(
    fields: list[tuple[Tensor, Tensor]],
    offsets: tuple[int, ...],
    labels: Tensor,
    groups: Tensor | None = None,
    weights: Tensor | None = None,
) -> Batch:
    """One Batch of each field's (ids, values), both (N, slots of the field); ids become global by the offsets."""
    ids = torch.cat([ids + offset for (ids, _), offset in zip(fields, offsets, strict=True)], dim=1)
    values = torch.cat([values for _, values in fields], dim=1)
    return Batch(ids, values, labels, groups, weights)
