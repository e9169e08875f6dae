"""Rows on a device give the batches of the rows they were made of (here the device is the CPU)."""

import numpy as np
import pytest
import torch

from ctr.data.device_rows import DeviceRows, has_room
from ctr.data.loader import BatchLoader
from ctr.data.rows import Layout, Rows

CPU = torch.device("cpu")
LAYOUTS = [
    Layout((5, 0, 0, 7), id_slots=(1, 2), value_slots=(0, 3)),
    Layout((0, 0), id_slots=(0, 1), value_slots=()),
    Layout((3, 4), id_slots=(), value_slots=(0, 1)),
]


def rows(layout: Layout, count: int = 11, dtype: type = np.uint16) -> Rows:
    random = np.random.default_rng(1)
    return Rows(
        layout,
        random.integers(0, 100, (count, len(layout.id_slots))).astype(dtype),
        random.random((count, len(layout.value_slots))).astype(np.float32),
        random.integers(0, 2, count).astype(np.float32),
        np.arange(count),
        random.random(count).astype(np.float32),
    )


@pytest.mark.parametrize("dtype", [np.uint16, np.uint32, np.int64])
@pytest.mark.parametrize("layout", LAYOUTS)
def test_a_batch_is_that_of_the_rows(layout, dtype):
    plain = rows(layout, dtype=dtype)
    moved = DeviceRows.of(plain, CPU)
    for chosen in (np.array([3, 0, 10, 3]), slice(2, 5), slice(None)):
        same = chosen if isinstance(chosen, slice) else moved.numbers(torch.from_numpy(chosen))
        ours, theirs = moved.batch(same), plain.batch(chosen)
        for name in ("ids", "values", "labels", "groups", "weights"):
            assert torch.equal(getattr(ours, name), getattr(theirs, name))
            assert getattr(ours, name).dtype == getattr(theirs, name).dtype


def test_ids_beyond_int32_keep_their_value():
    plain = rows(LAYOUTS[1], dtype=np.int64)
    plain.ids[0, 0] = 2**40
    assert DeviceRows.of(plain, CPU).batch(torch.tensor([0])).ids[0, 0] == 2**40


@pytest.mark.parametrize("order", ["file", "shuffled", "blocks"])
def test_a_loader_hands_out_the_same_batches_from_there(order):
    loaders = [BatchLoader(rows(LAYOUTS[0], 50), 8, order=order, seed=3) for _ in range(2)]
    loaders[1]._resident = DeviceRows.of(rows(LAYOUTS[0], 50), CPU)
    for ours, theirs in zip(*(loader.batches(2) for loader in loaders), strict=True):
        assert torch.equal(ours.ids, theirs.ids)
        assert torch.equal(ours.values, theirs.values)


def test_a_cpu_reads_rows_where_they_are():
    assert not has_room(rows(LAYOUTS[0]), CPU)
