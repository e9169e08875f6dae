"""Rows in the memory of a device, so that a step waits for no transfer."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
import torch
from torch import Tensor

from ctr.batch import Batch
from ctr.data.rows import Layout, Rows

SHARE = 0.25  # of the device's free memory that rows may take: the model and its activations need room too


@dataclass(frozen=True)
class DeviceRows:
    """Rows (ctr.data.rows) as tensors of one device."""

    layout: Layout
    ids: Tensor  # (N, stored ids) int32 where the ids fit, else int64
    values: Tensor  # (N, stored values) float32
    labels: Tensor  # (N,) float32
    groups: Tensor | None
    weights: Tensor | None

    @staticmethod
    def of(rows: Rows, device: torch.device) -> DeviceRows:
        narrow = np.int32 if rows.ids.size == 0 or int(rows.ids.max()) < 2**31 else np.int64
        return DeviceRows(
            rows.layout,
            torch.from_numpy(rows.ids.astype(narrow)).to(device),
            torch.from_numpy(np.array(rows.values, dtype=np.float32)).to(device),
            torch.from_numpy(np.array(rows.labels, dtype=np.float32)).to(device),
            None if rows.groups is None else torch.from_numpy(np.array(rows.groups, dtype=np.int64)).to(device),
            None if rows.weights is None else torch.from_numpy(np.array(rows.weights, dtype=np.float32)).to(device),
        )

    def numbers(self, order: Tensor) -> Tensor:
        """Row numbers as `batch` takes them: on the device, once an epoch and not batch by batch."""
        return order.to(self.labels.device)

    def batch(self, rows: Tensor | slice) -> Batch:
        """These rows as a Batch, equal to that of the rows it was made of. Nothing comes from another device."""
        labels = self.labels[rows]
        return Batch(
            self._ids(rows, len(labels)),
            self._values(rows, len(labels)),
            labels,
            None if self.groups is None else self.groups[rows],
            None if self.weights is None else self.weights[rows],
        )

    def _ids(self, rows: Tensor | slice, count: int) -> Tensor:
        stored, slots = self.ids[rows].long(), self.layout.id_slots
        if slots == tuple(range(self.layout.num_slots)):
            return stored
        return self._constant_ids.repeat(count, 1).index_copy_(1, self._id_slots, stored)

    def _values(self, rows: Tensor | slice, count: int) -> Tensor:
        if not self.layout.value_slots:
            return self._one.expand(count, self.layout.num_slots)
        ones = self._one.repeat(count, self.layout.num_slots)
        return ones.index_copy_(1, self._value_slots, self.values[rows])

    @cached_property
    def _constant_ids(self) -> Tensor:
        return torch.tensor(self.layout.ids, device=self.labels.device)

    @cached_property
    def _id_slots(self) -> Tensor:
        return torch.tensor(self.layout.id_slots, dtype=torch.int64, device=self.labels.device)

    @cached_property
    def _value_slots(self) -> Tensor:
        return torch.tensor(self.layout.value_slots, dtype=torch.int64, device=self.labels.device)

    @cached_property
    def _one(self) -> Tensor:
        return torch.ones((), device=self.labels.device)


def has_room(rows: Rows, device: torch.device) -> bool:
    """On a GPU, where there is memory to spare. A CPU reads them where they are."""
    if device.type != "cuda":
        return False
    free, _ = torch.cuda.mem_get_info(device)
    needed = sum(part.nbytes for part in (rows.ids, rows.values, rows.labels)) * 2
    return needed < SHARE * free
