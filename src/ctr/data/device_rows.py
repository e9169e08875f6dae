"""Rows in the memory of a device, so that a step waits for no transfer."""

from __future__ import annotations

from dataclasses import dataclass

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

    def batch(self, rows: np.ndarray | slice) -> Batch:
        """These rows as a Batch, all slots written out: equal to that of the rows it was made of."""
        chosen = rows if isinstance(rows, slice) else torch.from_numpy(rows).to(self.labels.device, non_blocking=True)
        ids = torch.tensor(self.layout.ids, device=self.ids.device).repeat(len(self.labels[chosen]), 1)
        values = torch.ones(ids.shape, device=ids.device)
        if self.layout.id_slots:
            ids[:, list(self.layout.id_slots)] = self.ids[chosen].long()
        if self.layout.value_slots:
            values[:, list(self.layout.value_slots)] = self.values[chosen]
        return Batch(
            ids,
            values,
            self.labels[chosen],
            None if self.groups is None else self.groups[chosen],
            None if self.weights is None else self.weights[chosen],
        )


def has_room(rows: Rows, device: torch.device) -> bool:
    """On a GPU, where there is memory to spare. A CPU reads them where they are."""
    if device.type != "cuda":
        return False
    free, _ = torch.cuda.mem_get_info(device)
    needed = sum(part.nbytes for part in (rows.ids, rows.values, rows.labels)) * 2
    return needed < SHARE * free
