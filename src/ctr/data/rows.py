"""Rows as they are stored: of every slot only what varies, in the narrowest type that holds it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Protocol

import numpy as np
import torch

from ctr import native
from ctr.batch import Batch, ones
from ctr.native import calls

Span = tuple[int, int]  # rows start .. stop - 1
SPAN = 2**17  # rows in memory at once, where a split is read from its first row to its last


@dataclass(frozen=True)
class Layout:
    """What of the S slots is stored. A categorical slot's value is always 1, a number's feature id always the same."""

    ids: tuple[int, ...]  # (S,) the feature id of the slots whose id is not stored, 0 elsewhere
    id_slots: tuple[int, ...]  # the slots whose id is stored
    value_slots: tuple[int, ...]  # the slots whose value is stored; the others have 1

    @property
    def num_slots(self) -> int:
        return len(self.ids)

    @cached_property
    def constant_ids(self) -> np.ndarray:
        """`ids` as an array, (S,) int64."""
        return np.array(self.ids, dtype=np.int64)


@dataclass(frozen=True)
class Rows:
    """N examples, row after row, so that a row of a random batch is one stretch of memory."""

    layout: Layout
    ids: np.ndarray  # (N, stored ids) uint16, uint32 or int64: global feature ids
    values: np.ndarray  # (N, stored values) float32
    labels: np.ndarray  # (N,) float32
    groups: np.ndarray | None = None  # (N,) int64
    weights: np.ndarray | None = None  # (N,) float32

    def __len__(self) -> int:
        return len(self.labels)

    def numbers(self, order: torch.Tensor) -> np.ndarray:
        """Row numbers as `batch` takes them."""
        return order.numpy()

    def batch(self, rows: np.ndarray | slice) -> Batch:
        """These rows as a Batch, all slots written out."""
        labels = self.labels[rows]
        ids = _spread(self.ids, rows, self.layout.id_slots, self.layout.constant_ids)
        return Batch(
            torch.from_numpy(ids),
            self._values(rows, len(ids)),
            torch.from_numpy(np.array(labels, dtype=np.float32)),
            None if self.groups is None else torch.from_numpy(np.array(self.groups[rows], dtype=np.int64)),
            None if self.weights is None else torch.from_numpy(np.array(self.weights[rows], dtype=np.float32)),
        )

    def _values(self, rows: np.ndarray | slice, count: int) -> torch.Tensor:
        if not self.layout.value_slots:
            return ones(count, self.layout.num_slots)
        constant = np.ones(self.layout.num_slots, dtype=np.float32)
        return torch.from_numpy(_spread(self.values, rows, self.layout.value_slots, constant))

    def check(self, wait: bool) -> None:
        """Rows in memory are whole."""

    def read(self, spans: Sequence[Span]) -> Rows:
        """The rows of these spans, end to end."""
        return concatenate([self.take(slice(*span)) for span in spans])

    def take(self, rows: np.ndarray | slice) -> Rows:
        """The rows of these numbers, in this order."""
        return Rows(
            self.layout,
            self.ids[rows],
            self.values[rows],
            self.labels[rows],
            None if self.groups is None else self.groups[rows],
            None if self.weights is None else self.weights[rows],
        )


class Source(Protocol):
    """The rows of a split, wherever they are: in memory (Rows) or on disk (ctr.data.shards)."""

    @property
    def labels(self) -> np.ndarray: ...

    def __len__(self) -> int: ...

    def check(self, wait: bool, /) -> None:
        """Raises UserError where the rows are known to be damaged; with True it waits until that is known."""
        ...

    def read(self, spans: Sequence[Span]) -> Rows:
        """The rows of these spans, end to end."""
        ...


def spans(source: Source) -> Iterator[tuple[int, Rows]]:
    """The rows of a split, SPAN at a time, each with the number of its first."""
    for start in range(0, len(source), SPAN):
        yield start, source.read([(start, min(start + SPAN, len(source)))])


def concatenate(parts: Sequence[Rows]) -> Rows:
    """The parts end to end; a single part as it is."""
    if len(parts) == 1:
        return parts[0]
    first = parts[0]
    return Rows(
        first.layout,
        np.concatenate([part.ids for part in parts]),
        np.concatenate([part.values for part in parts]),
        np.concatenate([part.labels for part in parts]),
        None if first.groups is None else np.concatenate([part.groups for part in parts if part.groups is not None]),
        None if first.weights is None else np.concatenate([part.weights for part in parts if part.weights is not None]),
    )


def narrowest(num_features: int) -> np.dtype[np.unsignedinteger | np.signedinteger]:
    """The type of stored feature ids."""
    for kind in (np.uint16, np.uint32):
        if num_features <= np.iinfo(kind).max + 1:
            return np.dtype(kind)
    return np.dtype(np.int64)


def _spread(stored: np.ndarray, rows: np.ndarray | slice, slots: tuple[int, ...], constant: np.ndarray) -> np.ndarray:
    """These rows of (N, stored) as (B, S), with the constant in the slots that are not stored."""
    if native.in_use() and stored.flags.c_contiguous and stored.dtype.name in ("uint16", "uint32", "int64", "float32"):
        numbers = np.arange(*rows.indices(len(stored))) if isinstance(rows, slice) else rows
        if numbers.dtype.kind in "iu" and not (numbers < 0).any():
            return calls.write_slots(stored, numbers, slots, constant)
    chosen = stored[rows]
    if len(slots) == len(constant):
        return np.array(chosen, dtype=constant.dtype)
    full = np.empty((len(chosen), len(constant)), dtype=constant.dtype)
    full[:] = constant
    if slots:
        together = slots[-1] - slots[0] == len(slots) - 1
        full[:, slice(slots[0], slots[-1] + 1) if together else list(slots)] = chosen
    return full
