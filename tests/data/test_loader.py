"""Batches are a pure function of (seed, epoch): every row once, no lone last row, and a run can go on anywhere."""

from itertools import chain, pairwise

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from ctr.batch import Batch
from ctr.data.loader import ORDERS, BatchLoader
from ctr.errors import UserError

SIZES = st.integers(1, 40)
SEEDS = st.integers(0, 2**32)
EPOCHS = st.integers(0, 100)


def loader(num_rows: int, batch_size: int, order: str = "shuffled", seed: int = 0) -> BatchLoader:
    """Over rows that carry their number in every part."""
    number = torch.arange(num_rows)
    rows = Batch(number[:, None], number[:, None].float(), number.float(), number, number.float())
    return BatchLoader(rows, batch_size, order=order, seed=seed)


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
    ],
)
def test_a_loader_refuses(change, told):
    with pytest.raises(UserError, match=told):
        loader(**{"num_rows": 5, "batch_size": 2, "order": "file"} | change)
