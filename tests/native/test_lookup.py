"""The lookup's kernels against the one-hot product that a lookup is, in float64."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from ctr import native
from ctr.batch import ones
from ctr.blocks.lookup import lookup, lookup_sum
from ctr.native import calls
from ctr.training.rows import distinct, gather
from tests.native.cases import SEEDS, THREADS, close, names_called, one_hot_product, slots, threads, with_gradients


def truth(table, ids, values, upstream):
    return with_gradients(lambda t: one_hot_product(t, ids, values), table.double(), upstream=upstream)


@pytest.mark.parametrize("dtype", [torch.int64, torch.int32])
@given(case=slots())
def test_a_lookup_in_a_whole_table_is_the_one_hot_product(dtype, case):
    table, ids, values = case
    upstream = torch.randn(*ids.shape, table.shape[1])
    ours = with_gradients(lambda t: lookup(t, ids.to(dtype), values), table, upstream=upstream)
    close(ours, truth(table, ids, values, upstream))


@given(case=slots())
def test_a_lookup_in_the_rows_of_the_batch_is_that_in_the_whole_table(case):
    table, ids, values = case
    upstream = torch.randn(*ids.shape, table.shape[1])
    rows, local = distinct(ids, len(table))
    value, gradient = with_gradients(lambda t: lookup(t, local, values), gather(table, rows), upstream=upstream)
    whole = torch.zeros(table.shape).index_copy_(0, rows, gradient)
    close([value, whole], truth(table, ids, values, upstream))


@pytest.mark.parametrize("dtype", [torch.int64, torch.int32])
@given(case=slots())
def test_the_first_order_sum_is_the_inner_product_with_the_weights(dtype, case):
    table, ids, values = case
    table, upstream = table[:, :1].contiguous(), torch.randn(len(ids))
    ours = with_gradients(lambda t: lookup_sum(t, ids.to(dtype), values), table, upstream=upstream)
    dense = with_gradients(lambda t: one_hot_product(t, ids, values).sum((1, 2)), table.double(), upstream=upstream)
    close(ours, dense)


@given(case=slots())
def test_a_slot_of_value_zero_is_exactly_zero_and_sends_exactly_nothing(case):
    table, ids, _ = case
    upstream = torch.randn(*ids.shape, table.shape[1])
    value, gradient = with_gradients(lambda t: lookup(t, ids, torch.zeros(ids.shape)), table, upstream=upstream)
    assert not value.any()
    assert not gradient.any()


@given(case=slots())
def test_the_kernel_and_plain_pytorch_give_the_same_floats(case):
    """One product for each entry: there is nothing to round differently."""
    table, ids, values = case
    ours = lookup(table, ids, values)
    native.use("plain")
    plainly = lookup(table, ids, values)
    native.use("native")
    assert torch.equal(ours, plainly)


@pytest.mark.parametrize("sizes", [(9, 9), (9, 20), (20, 9)])
def test_tables_of_the_same_ids_each_get_their_own_gradient(sizes):
    ids, values = torch.randint(9, (5, 3)), torch.randn(5, 3)
    for rows, width in zip(sizes, (4, 1), strict=True):
        table, upstream = torch.randn(rows, width), torch.randn(5, 3, width)
        ours = with_gradients(lambda t: lookup(t, ids, values), table, upstream=upstream)
        close(ours, truth(table, ids, values, upstream))


def test_the_kernels_are_what_runs(monkeypatch):
    names, table, ids = names_called(monkeypatch), torch.randn(5, 1), torch.randint(5, (3, 2))
    with_gradients(lambda t: lookup(t, ids, ones(3, 2)), table, upstream=torch.randn(3, 2, 1))
    rows, local = distinct(ids, 5)
    with_gradients(lambda t: lookup_sum(t, local, torch.ones(3, 2)), gather(table, rows), upstream=torch.randn(3))
    assert names == ["lookup_i64", "lookup_backward", "gather", "linear_i32", "linear_backward"]


def test_scoring_in_inference_mode_looks_up_the_same():
    table, ids, values = torch.randn(9, 1), torch.randint(9, (5, 3)), torch.randn(5, 3)
    with torch.inference_mode():
        close([lookup(table, ids, values)], [one_hot_product(table.double(), ids, values)])
        close([lookup_sum(table, ids, values)], [one_hot_product(table.double(), ids, values).sum((1, 2))])


def odd_arguments():
    table, ids, values = torch.randn(5, 4), torch.randint(5, (3, 2)), torch.randn(3, 2)
    return {
        "float64": (table.double(), ids, values.double()),
        "a table that is not contiguous": (torch.randn(4, 5).t(), ids, values),
        "ids that are not contiguous": (table, torch.randint(5, (2, 3)).t(), values),
        "values that are not contiguous": (table, ids, torch.randn(2, 3).t()),
        "values of float64": (table, ids, values.double()),
    }


@pytest.mark.parametrize("kind", odd_arguments())
def test_what_the_kernels_cannot_take_goes_to_plain_pytorch(monkeypatch, kind):
    names, (table, ids, values) = names_called(monkeypatch), odd_arguments()[kind]
    torch.testing.assert_close(lookup(table, ids, values), table[ids] * values.unsqueeze(-1))
    assert names == []


def test_values_that_need_a_gradient_get_it():
    table, ids = torch.randn(5, 4), torch.randint(5, (3, 2))
    upstream = torch.randn(3, 2, 4)
    _, gradient = with_gradients(lambda x: lookup(table, ids, x), torch.randn(3, 2), upstream=upstream)
    torch.testing.assert_close(gradient, (table[ids] * upstream).sum(-1))


@given(SEEDS, THREADS, st.integers(1, 60), st.integers(1, 300))
def test_gathered_rows_are_those_rows(seed, number, count, width):
    threads(number)
    torch.manual_seed(seed)
    table, rows = torch.randn(70, width), torch.randperm(70)[:count]
    assert torch.equal(gather(table, rows), table[rows])


def test_no_id_at_all_is_no_row():
    rows, local, _ = calls.distinct(torch.empty(0, 3, dtype=torch.int64))
    assert (rows.shape, local.shape) == ((0,), (0, 3))
    assert lookup(torch.randn(5, 4), torch.empty(0, 3, dtype=torch.int64), torch.empty(0, 3)).shape == (0, 3, 4)
