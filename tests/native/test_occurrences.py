"""The different ids of a batch and where they stand, against Python's own dictionary."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from ctr.native import calls
from tests.native.cases import SEEDS, SIZES


def check(ids) -> None:
    """`distinct` against its definition."""
    rows, local, where = calls.distinct(ids)
    assert rows.tolist() == list(dict.fromkeys(ids.flatten().tolist()))  # in order of appearance
    assert torch.equal(rows[local.long()], ids)
    assert torch.equal(rows.sort().values, torch.unique(ids))
    check_occurrences(local, len(rows), where)


def check_occurrences(ids, num_rows, where) -> None:
    """Row u stands in the slots order[starts[u]:starts[u + 1]], in their order."""
    order, starts = where.order.tolist(), where.starts.tolist()
    places = [[] for _ in range(num_rows)]
    for slot, row in enumerate(ids.flatten().tolist()):
        places[row].append(slot)
    assert [order[starts[u] : starts[u + 1]] for u in range(num_rows)] == places


@given(SEEDS, SIZES, SIZES, st.sampled_from([1, 2, 5, 50, 10**6, 2**40]))
def test_the_different_ids_are_found_in_order_with_their_places(seed, batch, num_slots, num_ids):
    torch.manual_seed(seed)
    check(torch.randint(num_ids, (batch, num_slots)))


@pytest.mark.parametrize("number", [1, 2047, 2048, 2049, 4097, 20_000])
def test_the_table_of_ids_grows_when_there_are_more_than_expected(monkeypatch, number):
    monkeypatch.setattr(calls, "_expected", 1)
    torch.manual_seed(number)
    ids = torch.randint(2**40, (number,)).repeat(2)
    check(ids[torch.randperm(len(ids))].reshape(-1, 2))


def test_a_batch_of_one_id_is_one_row():
    check(torch.full((300, 7), 2**40))


@pytest.mark.parametrize("step", [1, 2**20, 2**32, 2**40, 2**52])
def test_ids_that_lie_apart_by_a_power_of_two_are_told_apart(step):
    check((torch.arange(2000) * step).reshape(-1, 4))


def test_how_many_rows_the_last_batch_had_changes_nothing(monkeypatch):
    ids = torch.randint(2**40, (500, 3))
    for expected in (1, 4096, 10**6):
        monkeypatch.setattr(calls, "_expected", expected)
        check(ids)


@pytest.mark.parametrize("dtype", [torch.int64, torch.int32])
@given(seed=SEEDS, batch=SIZES, num_slots=SIZES, num_rows=st.integers(1, 50))
def test_the_occurrences_of_places_are_found(dtype, seed, batch, num_slots, num_rows):
    torch.manual_seed(seed)
    ids = torch.randint(num_rows, (batch, num_slots), dtype=dtype)
    check_occurrences(ids, num_rows, calls.occurrences(ids, num_rows))
