"""Batches sliced from whole arrays, in an order that the seed and the epoch decide."""

from collections.abc import Iterator

import torch

from ctr.batch import Batch
from ctr.errors import UserError

ORDERS = ("file", "shuffled", "blocks")


class BatchLoader:
    """The batches of a split that is in memory, as a pure function of (seed, epoch).

    `order`:
    - "file": rows as they stand, every epoch alike.
    - "shuffled": every row once an epoch, in an order of its own each epoch.
    - "blocks": as the NFM authors' code samples: the rows are shuffled, then floor(N / batch_size) blocks of
      consecutive rows are drawn with replacement; about 37 % of the rows are not seen in an epoch.

    The last batch is kept. If it would hold a single row, on which batch norm has no variance, that row joins the
    batch before it.
    """

    def __init__(self, rows: Batch, batch_size: int, *, order: str = "file", seed: int = 0):
        if batch_size < 1:
            raise UserError(f"batch_size must be at least 1, found {batch_size}")
        if order not in ORDERS:
            raise UserError(f"order must be one of {', '.join(ORDERS)}, found {order!r}")
        self.rows, self.batch_size, self.order, self.seed = rows, batch_size, order, seed

    def __len__(self) -> int:
        whole, rest = divmod(len(self.rows), self.batch_size)
        if self.order == "blocks":
            return max(1, whole)
        return max(1, whole + (rest > 1))

    def batches(self, epoch: int = 0, skip: int = 0) -> Iterator[Batch]:
        """The batches of an epoch without the first `skip`; the same on every call."""
        num_rows, size, num_batches = len(self.rows), self.batch_size, len(self)
        if self.order == "file":
            for i in range(skip, num_batches):
                stop = num_rows if i == num_batches - 1 else (i + 1) * size
                yield self.rows.take(slice(i * size, stop))
            return
        generator = torch.Generator().manual_seed((self.seed * 1_000_003 + epoch) % 2**63)
        shuffled = torch.randperm(num_rows, generator=generator)
        starts = torch.arange(num_batches) * size
        if self.order == "blocks":
            starts = torch.randint(max(1, num_rows - size + 1), (num_batches,), generator=generator)
        for i in range(skip, num_batches):
            start = int(starts[i])
            last = i == num_batches - 1 and self.order == "shuffled"
            yield self.rows.take(shuffled[start : num_rows if last else start + size])
