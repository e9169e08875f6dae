"""What data is to the rest: a Batch of rows of (feature id, value) slots, and who hands it out."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Protocol

import torch
from torch import Tensor

from ctr.schema import FeatureSchema

SPLITS = ("train", "valid", "test")


@dataclass(frozen=True)
class Batch:
    """Some examples: a whole split, or the few that one step trains on.

    B = batch, S = slots (see FeatureSchema).
    """

    ids: Tensor  # (B, S) int64, feature ids in [0, num_features)
    values: Tensor  # (B, S) float32, x_i; 0 in unused slots
    labels: Tensor  # (B,) float32
    groups: Tensor | None = None  # (B,) int64, the user or query that GAUC groups by
    weights: Tensor | None = None  # (B,) float32, how much an example counts in the loss and the metrics

    def __len__(self) -> int:
        return len(self.labels)

    def take(self, rows: Tensor | slice) -> Batch:
        """The examples of these row numbers, in this order."""
        return self._each(lambda tensor: tensor[rows])

    def to(self, device: torch.device) -> Batch:
        return self._each(lambda tensor: tensor.to(device, non_blocking=True))

    def _each(self, change: Callable[[Tensor], Tensor]) -> Batch:
        return Batch(
            change(self.ids),
            change(self.values),
            change(self.labels),
            None if self.groups is None else change(self.groups),
            None if self.weights is None else change(self.weights),
        )


def ones(batch: int, slots: int) -> Tensor:
    """The values of rows whose slots all hold 1, (B, S): a single number seen from everywhere, by which blocks know
    that there is nothing to multiply."""
    return torch.ones(()).expand(batch, slots)


class Loader(Protocol):
    """The batches of a split, as a pure function of the epoch: nothing to save but two integers."""

    def __len__(self) -> int:
        """Batches in an epoch."""
        ...

    def batches(self, epoch: int = 0, skip: int = 0) -> Iterator[Batch]:
        """The batches of an epoch without the first `skip`; the same on every call."""
        ...

    def to(self, device: torch.device) -> None:
        """From now on the batches may lie on this device, where there is room for all rows."""
        ...


class DataModule(Protocol):
    """What a dataset owes the trainer, which imports this and no dataset."""

    @property
    def schema(self) -> FeatureSchema: ...

    @property
    def summary(self) -> str:
        """What a person should see of the data before training: rows, positives, unseen ids; by split."""
        ...

    @property
    def law(self) -> Mapping[str, Tensor]:
        """By split, the true logit of every row, where the law behind the labels is known; else empty."""
        ...

    @property
    def negatives_kept(self) -> float:
        """The share of train's negatives that was kept; 1 where all are there."""
        ...

    @property
    def mean_label(self) -> float:
        """The mean of train's labels."""
        ...

    def num_rows(self, split: str) -> int: ...

    def loader(self, split: str, batch_size: int, *, order: str = "file", seed: int = 0) -> Loader:
        """`order`: "file", "shuffled" or "blocks" (see ctr.data.loader)."""
        ...
