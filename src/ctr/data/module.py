"""Encoded splits behind the interface that the trainer knows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Literal

import numpy as np
from torch import Tensor

from ctr.batch import Batch
from ctr.data.loader import BatchLoader
from ctr.data.rows import Source
from ctr.errors import UserError
from ctr.schema import FeatureSchema

if TYPE_CHECKING:
    from ctr.data.encoders import FieldEncoder

Labels = Literal["binary", "real"]


class Data:
    """The splits of a dataset with their schema. Refuses what cannot be trained on: an empty split, one class.

    `source` is where train's labels come from, for messages; `notes` are lines for the summary; `window` is how many
    rows a loader holds in memory at once.
    """

    negatives_kept = 1.0

    def __init__(
        self,
        schema: FeatureSchema,
        splits: Mapping[str, Source],
        *,
        labels: Labels,
        source: str,
        law: Mapping[str, Tensor] | None = None,
        notes: Sequence[str] = (),
        window: int = 2**20,
    ):
        self.schema, self.splits, self.law = schema, splits, law or {}
        self.notes, self.window = notes, window
        for name, rows in splits.items():
            refuse_empty(name, len(rows))
        if labels == "binary":
            refuse_one_class(splits["train"].labels, source)

    @property
    def summary(self) -> str:
        lines = [
            f"{self.schema.num_fields} fields, {self.schema.num_slots} slots, {self.schema.num_features:,} features, "
            f"schema {self.schema.fingerprint}",
            f"fields: {', '.join(field.name for field in self.schema.fields)}",
        ]
        for name, rows in self.splits.items():
            lines.append(f"{name:<6}{len(rows):>12,} rows, mean label {rows.labels.mean(dtype=np.float64):.4f}")
        return "\n".join([*lines, *self.notes])

    @property
    def mean_label(self) -> float:
        return float(self._source("train").labels.mean(dtype=np.float64))

    def num_rows(self, split: str) -> int:
        return len(self._source(split))

    def loader(self, split: str, batch_size: int, *, order: str = "file", seed: int = 0) -> BatchLoader:
        return BatchLoader(self._source(split), batch_size, order=order, seed=seed, window=self.window)

    def rows(self, split: str) -> Batch:
        """A whole split as one Batch; for data that fit in memory."""
        rows = self._source(split)
        return rows.read([(0, len(rows))]).batch(slice(None))

    def encoders(self) -> Sequence[FieldEncoder] | None:
        """What made the slots of raw cells, field by field; None for data that have none."""
        return None

    def _source(self, split: str) -> Source:
        if split not in self.splits:
            raise UserError(f"there is no split {split!r}; the dataset has {', '.join(self.splits)}")
        return self.splits[split]


def refuse_empty(split: str, num_rows: int, where: str = "") -> None:
    """Raises UserError for a split without rows."""
    if num_rows == 0:
        raise UserError(f"{where}{': ' if where else ''}the {split} split is empty; it needs at least one row")


def refuse_one_class(labels: np.ndarray, source: str, rows: str = "the train split") -> None:
    """Raises UserError where all labels are the same; `rows` says of what."""
    if labels.min() == labels.max():
        raise UserError(f"{source}: all labels of {rows} are {labels[0]:g}; a classifier needs both classes")
