"""Batches are a pure function of (seed, epoch): every row once, no lone last row, and a run can go on anywhere; from
memory, and from windows of a split that memory would not hold."""

import threading
from itertools import chain, pairwise

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from ctr.data.loader import BLOCK, ORDERS, BatchLoader
from ctr.data.rows import Layout, Rows
from ctr.errors import UserError

SIZES = st.integers(1, 40)
SEEDS = st.integers(0, 2**32)
EPOCHS = st.integers(0, 100)


def numbered(num_rows: int) -> Rows:
    """Rows that carry their number in every part."""
    number = np.arange(num_rows)
    layout = Layout((0,), id_slots=(0,), value_slots=(0,))
    real = number.astype(np.float32)
    return Rows(layout, number[:, None].astype(np.uint32), real[:, None], real, number, real)


def loader(num_rows: int, batch_size: int, order: str = "shuffled", seed: int = 0, **window: int) -> BatchLoader:
    return BatchLoader(numbered(num_rows), batch_size, order=order, seed=seed, **window)


def numbers(of: BatchLoader, epoch: int = 0, skip: int = 0) -> list[list[int]]:
    return [batch.ids[:, 0].tolist() for batch in of.batches(epoch, skip)]


def flat(batches: list[list[int]]) -> list[int]:
    return list(chain.from_iterable(batches))


@given(SIZES, SIZES, SEEDS, EPOCHS)
def test_shuffled_covers_every_row_once(num_rows, batch_size, seed, epoch):
    batches = numbers(loader(num_rows, batch_size, "shuffled", seed), epoch)
    assert sorted(flat(batches)) == list(range(num_rows))


@given(SIZES, SIZES, EPOCHS)
def test_file_order_leaves_rows_as_they_stand(num_rows, batch_size, epoch):
    assert flat(numbers(loader(num_rows, batch_size, "file"), epoch)) == list(range(num_rows))


@pytest.mark.parametrize("order", ["file", "shuffled"])
@given(num_rows=SIZES, batch_size=SIZES)
def test_batches_are_whole_but_the_last_which_is_never_one_row(order, num_rows, batch_size):
    *whole, last = map(len, numbers(loader(num_rows, batch_size, order)))
    assert set(whole) <= {batch_size}
    assert last <= batch_size + 1
    assert last > 1 or batch_size == 1 or num_rows == 1


@pytest.mark.parametrize(
    ("num_rows", "batch_size", "sizes"),
    [(9, 4, [4, 5]), (10, 4, [4, 4, 2]), (8, 4, [4, 4]), (3, 1, [1, 1, 1]), (1, 4, [1]), (3, 9, [3]), (4, 3, [4])],
)
@pytest.mark.parametrize("order", ["file", "shuffled"])
def test_batch_sizes_by_hand(order, num_rows, batch_size, sizes):
    assert list(map(len, numbers(loader(num_rows, batch_size, order)))) == sizes


@pytest.mark.parametrize("order", ORDERS)
@given(num_rows=SIZES, batch_size=SIZES, seed=SEEDS, epoch=EPOCHS)
def test_the_length_is_the_number_of_batches(order, num_rows, batch_size, seed, epoch):
    of = loader(num_rows, batch_size, order, seed)
    assert len(numbers(of, epoch)) == len(of)


@pytest.mark.parametrize("order", ORDERS)
@given(num_rows=SIZES, batch_size=SIZES, seed=SEEDS, epoch=EPOCHS, skip=st.integers(0, 45))
def test_skip_leaves_the_tail_of_the_same_epoch(order, num_rows, batch_size, seed, epoch, skip):
    whole = numbers(loader(num_rows, batch_size, order, seed), epoch)
    assert numbers(loader(num_rows, batch_size, order, seed), epoch, skip) == whole[skip:]


@pytest.mark.parametrize("order", ["shuffled", "blocks"])
def test_the_order_repeats_for_its_seed_and_epoch_and_no_other(order):
    orders = {(seed, epoch): numbers(loader(60, 4, order, seed), epoch) for seed in range(4) for epoch in range(4)}
    assert len({tuple(flat(batches)) for batches in orders.values()}) == 16
    of = loader(60, 4, order, seed=2)
    for epoch in (3, 0, 2, 2):  # whatever was asked before
        assert numbers(of, epoch) == orders[2, epoch]


def test_the_global_random_state_neither_matters_nor_moves():
    torch.manual_seed(1)
    before = torch.get_rng_state()
    first = numbers(loader(20, 4))
    assert torch.equal(before, torch.get_rng_state())
    torch.manual_seed(2)
    assert numbers(loader(20, 4)) == first


@pytest.mark.parametrize("seed", [-1, 2**31, 2**62])
def test_any_seed_will_do(seed):
    assert sorted(flat(numbers(loader(20, 4, seed=seed)))) == list(range(20))


def test_shuffled_rows_come_first_equally_often():
    first = [numbers(loader(4, 4), epoch)[0][0] for epoch in range(2000)]
    assert all(abs(first.count(row) - 500) < 100 for row in range(4))  # five standard deviations


@pytest.mark.parametrize("order", ORDERS)
def test_all_parts_of_a_row_stay_together(order):
    for batch in loader(20, 6, order).batches(3):
        number = batch.ids[:, 0]
        for part in (batch.values[:, 0], batch.labels, batch.groups, batch.weights):
            assert part.tolist() == number.tolist()


@given(SIZES, SIZES, SEEDS, EPOCHS)
def test_an_epoch_of_blocks_is_floor_n_over_b_batches_of_b_rows(num_rows, batch_size, seed, epoch):
    sizes = list(map(len, numbers(loader(num_rows, batch_size, "blocks", seed), epoch)))
    assert sizes == ([batch_size] * (num_rows // batch_size) or [num_rows])


@given(st.integers(0, 50))
def test_blocks_are_runs_of_one_shuffled_list(epoch):
    follower, leader = {}, {}
    for block in numbers(loader(40, 8, "blocks"), epoch):
        assert len(set(block)) == 8
        for row, following in pairwise(block):  # in one list, a row has one follower and one leader
            assert follower.setdefault(row, following) == following
            assert leader.setdefault(following, row) == row
    assert any(follower[row] != row + 1 for row in follower)


def test_blocks_are_drawn_with_replacement_so_37_percent_of_the_rows_are_not_seen():
    unseen = [1 - len(set(flat(numbers(loader(1000, 10, "blocks"), epoch)))) / 1000 for epoch in range(100)]
    assert abs(sum(unseen) / 100 - 0.37) < 0.02


def test_blocks_start_from_the_first_row_of_the_shuffled_list_to_the_last_that_has_room():
    """Two blocks of half the rows cover them all only when they start at the two ends."""
    covered = [len(set(flat(numbers(loader(4, 2, "blocks"), epoch)))) for epoch in range(900)]
    assert abs(covered.count(4) - 200) < 65  # 2 of 9 pairs of starts; five standard deviations


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"batch_size": 0}, "batch_size must be at least 1, found 0"),
        ({"batch_size": -4}, "batch_size must be at least 1, found -4"),
        ({"order": "random"}, "order must be one of file, shuffled, blocks, found 'random'"),
        ({"window": 1023}, "window must be at least 1024 rows, found 1023"),
    ],
)
def test_a_loader_refuses(change, told):
    with pytest.raises(UserError, match=told):
        loader(**{"num_rows": 5, "batch_size": 2, "order": "file"} | change)


# --- a split larger than the window ---

LARGE = st.integers(BLOCK + 1, 6 * BLOCK)
BATCHES = st.integers(1, 40) | st.integers(1, 4 * BLOCK)
WINDOWS = st.integers(BLOCK, 4 * BLOCK)
WAYS = st.sampled_from(["file", "shuffled"])


def windowed(
    num_rows: int, batch_size: int, order: str = "shuffled", seed: int = 0, window: int = BLOCK
) -> BatchLoader:
    of = loader(num_rows, batch_size, order, seed, window=window)
    of._from_memory = None  # not to be used
    return of


@settings(max_examples=40)
@given(LARGE, BATCHES, WINDOWS, WAYS, SEEDS, EPOCHS)
def test_windows_give_every_row_once_in_batches_as_from_memory(num_rows, batch_size, window, order, seed, epoch):
    window = min(window, num_rows - 1)
    batches = numbers(windowed(num_rows, batch_size, order, seed, window), epoch)
    assert sorted(flat(batches)) == list(range(num_rows))
    resident = numbers(loader(num_rows, batch_size, order, seed), epoch)
    assert list(map(len, batches)) == list(map(len, resident))
    if order == "file":
        assert batches == resident


@settings(max_examples=60)
@given(LARGE, BATCHES, WINDOWS, WAYS, SEEDS, EPOCHS, st.data())
def test_skip_leaves_the_tail_of_an_epoch_of_windows(num_rows, batch_size, window, order, seed, epoch, data):
    of = windowed(num_rows, batch_size, order, seed, min(window, num_rows - 1))
    skip = data.draw(st.integers(0, len(of) + 2))
    assert numbers(of, epoch, skip) == numbers(of, epoch)[skip:]


@pytest.mark.parametrize(
    ("num_rows", "batch_size"),
    [
        (2 * BLOCK, BLOCK),
        (3 * BLOCK + 1, BLOCK),
        (3 * BLOCK + 1, 3 * BLOCK),
        (2 * BLOCK + 2, BLOCK),
        (2049, 2048),
        (1025, 1),
    ],
)
def test_skips_at_the_edges_of_windows(num_rows, batch_size):
    of = windowed(num_rows, batch_size)
    whole = numbers(of)
    assert all(numbers(of, skip=skip) == whole[skip:] for skip in range(0, len(of) + 1, max(1, len(of) // 40)))


@pytest.mark.parametrize(
    ("num_rows", "batch_size", "sizes"),
    [(4097, 2048, [2048, 2049]), (4098, 2048, [2048, 2048, 2]), (4097, 4096, [4097])],
)
def test_a_lone_last_row_of_the_last_window_joins_the_batch_before(num_rows, batch_size, sizes):
    for order in ("file", "shuffled"):
        assert list(map(len, numbers(windowed(num_rows, batch_size, order)))) == sizes


def test_the_order_of_windows_repeats_for_its_seed_and_epoch_and_no_other():
    orders = {
        (seed, epoch): flat(numbers(windowed(4000, 64, seed=seed), epoch)) for seed in range(3) for epoch in range(3)
    }
    assert len({tuple(order) for order in orders.values()}) == 9
    of = windowed(4000, 64, seed=2)
    for epoch in (2, 0, 1, 1):
        assert flat(numbers(of, epoch)) == orders[2, epoch]


def test_a_window_draws_its_blocks_from_everywhere_and_mixes_them():
    """A window of one block, then one of two: which blocks meet changes, and in it nothing keeps its order."""
    together = set()
    for epoch in range(60):
        first = flat(numbers(windowed(4 * BLOCK, BLOCK, window=2 * BLOCK), epoch)[1:3])
        blocks = {row // BLOCK for row in first}
        assert len(blocks) == 2
        together.add(frozenset(blocks))
        neighbours = sum(following == row + 1 for row, following in pairwise(first))
        assert neighbours < 20  # about 1 is expected
    assert len(together) == 6  # all pairs of four


def test_rows_within_a_window_are_shuffled_anew_each_epoch():
    """Whatever blocks a window holds, the place of a row in it is even: first equally often as last."""
    places = [flat(numbers(windowed(2 * BLOCK, 2 * BLOCK), epoch)).index(0) % BLOCK for epoch in range(300)]
    assert abs(np.mean(places) - BLOCK / 2) < 5 * BLOCK / np.sqrt(12 * 300)  # five standard deviations


@pytest.mark.parametrize("order", ["file", "shuffled"])
def test_all_parts_of_a_row_stay_together_in_windows(order):
    for batch in windowed(3000, 700, order).batches(3):
        number = batch.ids[:, 0]
        assert (batch.ids.dtype, batch.values.dtype) == (torch.int64, torch.float32)
        for part in (batch.values[:, 0], batch.labels, batch.groups, batch.weights):
            assert part.tolist() == number.tolist()


def test_parts_that_are_none_stay_none_in_windows():
    whole = numbered(3000)
    rows = Rows(whole.layout, whole.ids, whole.values, whole.labels)
    batch = next(BatchLoader(rows, 2000, order="shuffled", window=BLOCK).batches())
    assert batch.groups is None
    assert batch.weights is None


class Failing:
    """Rows of which the last block cannot be read."""

    def __init__(self, num_rows: int):
        self.rows = numbered(num_rows)
        self.labels = self.rows.labels

    def __len__(self) -> int:
        return len(self.rows)

    def check(self, wait: bool) -> None:
        pass

    def read(self, spans):
        if any(stop == len(self) for _, stop in spans):
            raise OSError("the disk is gone")
        return self.rows.read(spans)


@pytest.mark.parametrize("order", ["file", "shuffled"])
def test_what_fails_in_the_reading_thread_is_raised_in_the_epoch(order):
    with pytest.raises(OSError, match="the disk is gone"):
        list(BatchLoader(Failing(5 * BLOCK), 100, order=order, window=BLOCK).batches())


def test_damage_is_asked_for_before_an_epoch_and_waited_for_at_its_end():
    asked = []
    rows = Failing(5 * BLOCK)
    rows.check = asked.append
    batches = BatchLoader(rows, 100, order="file", window=BLOCK).batches()
    next(batches)
    assert asked == [False]
    resident = Failing(50)
    resident.check, resident.read = asked.append, resident.rows.read
    list(BatchLoader(resident, 10).batches())
    assert asked == [False, False, True]


def test_an_epoch_that_is_left_leaves_no_thread():
    before = threading.active_count()
    batches = windowed(6 * BLOCK, 10).batches()
    next(batches)
    batches.close()
    assert threading.active_count() == before


def test_blocks_need_all_rows_in_the_window():
    with pytest.raises(UserError, match=r"order=blocks draws from all 2,000 rows .* set dataset\.window=2000"):
        loader(2000, 10, "blocks", window=1999)
    assert len(numbers(loader(2000, 10, "blocks", window=2000))) == 200
