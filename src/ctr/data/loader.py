"""Batches of a split, in an order that the seed and the epoch decide, however large the split is."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise
from typing import Any, Protocol

import numpy as np
import torch

from ctr.batch import Batch
from ctr.data.device_rows import DeviceRows, has_room
from ctr.data.rows import Rows, Source, Span, concatenate
from ctr.errors import UserError

ORDERS = ("file", "shuffled", "blocks")
BLOCK = 1024  # rows that stay together on disk; a window draws its blocks from everywhere


class InMemory(Protocol):
    """All rows of a split, in the machine's memory (Rows) or in a device's (DeviceRows)."""

    def numbers(self, order: torch.Tensor) -> Any:
        """Row numbers as `batch` takes them."""
        ...

    def batch(self, rows: Any) -> Batch: ...


class BatchLoader:
    """The batches of a split as a pure function of (seed, epoch): a training is put back by two integers.

    `order`:
    - "file": rows as they stand, every epoch alike.
    - "shuffled": every row once an epoch, in an order of its own each epoch.
    - "blocks": as the NFM authors' code samples: the rows are shuffled, then floor(N / batch_size) blocks of
      consecutive rows are drawn with replacement; about 37 % of the rows are not seen in an epoch.

    A split of at most `window` rows is held in memory and shuffled as a whole. A larger one is shuffled in two steps:
    blocks of 1,024 consecutive rows are permuted over the whole split, and the rows of as many blocks as fill a window
    among themselves. While one window is trained on, the next is read. The first window is a sixteenth of the others.

    The last batch is kept. If it would hold a single row, on which batch norm has no variance, that row joins the
    batch before it.
    """

    def __init__(self, rows: Source, batch_size: int, *, order: str = "file", seed: int = 0, window: int = 2**20):
        if batch_size < 1:
            raise UserError(f"batch_size must be at least 1, found {batch_size}")
        if order not in ORDERS:
            raise UserError(f"order must be one of {', '.join(ORDERS)}, found {order!r}")
        if window < BLOCK:
            raise UserError(f"window must be at least {BLOCK} rows, found {window}")
        if order == "blocks" and len(rows) > window:
            raise UserError(
                f"order=blocks draws from all {len(rows):,} rows at once, and the window has room for {window:,}: set "
                f"dataset.window={len(rows)}, or use order=shuffled"
            )
        self.rows, self.batch_size, self.order, self.seed, self.window = rows, batch_size, order, seed, window
        self._resident: InMemory | None = None

    def __len__(self) -> int:
        whole, rest = divmod(len(self.rows), self.batch_size)
        if self.order == "blocks":
            return max(1, whole)
        return max(1, whole + (rest > 1))

    def to(self, device: torch.device) -> None:
        """Rows that fit the window are kept on a GPU from now on, if it has room for them."""
        if device.type != "cpu" and len(self.rows) <= self.window:
            rows = self.rows.read([(0, len(self.rows))])
            self._resident = DeviceRows.of(rows, device) if has_room(rows, device) else rows

    def batches(self, epoch: int = 0, skip: int = 0) -> Iterator[Batch]:
        """The batches of an epoch without the first `skip`; the same on every call."""
        self.rows.check(False)
        yield from (self._from_memory if len(self.rows) <= self.window else self._from_windows)(epoch, skip)
        self.rows.check(True)

    def _from_memory(self, epoch: int, skip: int) -> Iterator[Batch]:
        if self._resident is None:
            self._resident = self.rows.read([(0, len(self.rows))])
        if self.order == "file":
            for start, stop in list(pairwise(self._bounds()))[skip:]:
                yield self._resident.batch(slice(start, stop))
            return
        generator = self._generator(epoch)
        order = torch.randperm(len(self.rows), generator=generator)
        shuffled = self._resident.numbers(order)
        if self.order == "shuffled":
            for start, stop in list(pairwise(self._bounds()))[skip:]:
                yield self._resident.batch(shuffled[start:stop])
            return
        highest = max(1, len(self.rows) - self.batch_size + 1)
        for start in torch.randint(highest, (len(self),), generator=generator).tolist()[skip:]:
            yield self._resident.batch(shuffled[start : start + self.batch_size])

    def _bounds(self) -> list[int]:
        """Where the batches begin, and the end."""
        return [*range(0, len(self) * self.batch_size, self.batch_size), len(self.rows)]

    def _generator(self, *numbers: int) -> torch.Generator:
        seed = self.seed
        for number in numbers:
            seed = (seed * 1_000_003 + number) % 2**63
        return torch.Generator().manual_seed(seed)

    def _windows(self, epoch: int) -> list[list[Span]]:
        """The spans of rows that each window holds."""
        starts = range(0, len(self.rows), BLOCK)
        order: Sequence[int] = range(len(starts))
        if self.order == "shuffled":
            order = torch.randperm(len(starts), generator=self._generator(epoch)).tolist()
        spans = [(starts[i], min(starts[i] + BLOCK, len(self.rows))) for i in order]
        size = self.window // BLOCK
        first = max(1, size // 16)  # the first batch does not wait for a whole window
        return [spans[:first], *(spans[i : i + size] for i in range(first, len(spans), size))]

    def _from_windows(self, epoch: int, skip: int) -> Iterator[Batch]:
        windows = self._windows(epoch)
        ends = np.cumsum([sum(stop - start for start, stop in spans) for spans in windows])
        bounds = self._bounds()
        position = bounds[skip] if skip < len(bounds) else len(self.rows)
        first = int(np.searchsorted(ends, position, side="right"))
        if first == len(windows):
            return
        pieces: list[Rows] = []  # rows that are read and wait for a batch to be full
        batch, waiting = skip, 0
        with ThreadPoolExecutor(1) as reader:
            coming = reader.submit(self._window, windows[first], epoch, first)
            for w in range(first, len(windows)):
                rows = coming.result()
                if w + 1 < len(windows):
                    coming = reader.submit(self._window, windows[w + 1], epoch, w + 1)
                at = position - int(ends[w] - len(rows)) if w == first else 0
                while batch < len(self) and len(rows) - at >= (needed := bounds[batch + 1] - bounds[batch] - waiting):
                    pieces.append(rows.read([(at, at + needed)]))
                    yield concatenate(pieces).batch(slice(None))
                    pieces, waiting, at, batch = [], 0, at + needed, batch + 1
                if at < len(rows):
                    pieces.append(rows.read([(at, len(rows))]))
                    waiting += len(rows) - at

    def _window(self, spans: list[Span], epoch: int, number: int) -> Rows:
        """A window's rows in their final order, in memory."""
        rows = self.rows.read(spans)
        if self.order == "file":
            return rows
        return rows.take(torch.randperm(len(rows), generator=self._generator(epoch, number + 1)).numpy())
