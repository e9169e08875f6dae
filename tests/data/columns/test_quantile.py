"""Bins of equally many rows, and what ties, edges and missing values do."""

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ctr.data.columns.base import train_numbers
from ctr.errors import UserError
from ctr.schema import FieldKind
from tests.data.columns import encode

NUMBERS = st.lists(st.integers(-5, 5) | st.floats(-100, 100), min_size=1, max_size=25)


def quantile(bins: int, train, other=(), cuts=()):
    cells = [["" if x is None else repr(x) for x in numbers] for numbers in (train, other)]
    return encode({"kind": "quantile", "bins": bins}, *cells, cuts)


@pytest.mark.parametrize("bins", [2, 3, 4, 7, 10])
@pytest.mark.parametrize("num_rows", [20, 23, 40, 101])
def test_different_numbers_fill_all_bins_equally(bins, num_rows):
    order = np.random.default_rng(0).permutation(num_rows).tolist()
    column = quantile(bins, order, cuts=[3])
    counts = np.bincount([i for (i,) in column.ids], minlength=bins + 1)
    assert (column.field.kind, column.field.num_features) == (FieldKind.CATEGORICAL, bins + 1)
    assert counts[0] == 0
    assert np.ptp(counts[1:]) <= 2 if num_rows % bins else np.ptp(counts[1:]) <= 1


@given(NUMBERS, st.lists(st.floats(-200, 200)), st.integers(2, 8), st.lists(st.integers(0, 25), max_size=3))
def test_bins_hold_what_lies_from_their_edge_up_to_the_next(train, other, bins, cuts):
    column = quantile(bins, train, other, cuts)
    edges = column.encoder.state()["edges"]
    assert set(edges) <= set(train)  # of a "higher" quantile
    assert edges == sorted(set(edges))
    assert column.ids == [[1 + sum(edge <= x for edge in edges)] for x in [*train, *other]]
    used = {i for (i,) in column.ids[: len(train)]}
    assert used == set(range(1, column.field.num_features))  # train fills every bin, whatever its ties


def test_an_edge_belongs_to_the_bin_on_its_right():
    column = quantile(2, [1, 2, 3, 4], [2.999999, 3, 3.5])
    assert column.encoder.state() == {"edges": [3.0]}
    assert column.ids[4:] == [[1], [2], [2]]


def test_equal_numbers_stay_together():
    column = quantile(4, [0] * 90 + list(range(1, 11)))
    assert {i for (i,) in column.ids[:90]} == {1}
    assert column.field.num_features == 2  # all quantiles are 0: one bin and the missing values


def test_numbers_outside_train_fall_into_the_outer_bins():
    assert quantile(4, range(100), [-1e6, 1e6]).ids[100:] == [[1], [4]]


def test_a_missing_value_has_id_0_and_moves_no_edge():
    one, other = quantile(3, [1, None, 2, 3, None], [None]), quantile(3, [1, 2, 3])
    assert one.ids == [[1], [0], [2], [3], [0], [0]]
    assert one.encoder.state() == other.encoder.state()


def test_a_constant_column_has_one_bin():
    assert quantile(5, [7, 7, 7], [6, 8, None]).ids == [[1]] * 5 + [[0]]


def test_a_column_of_missing_values_is_refused():
    with pytest.raises(UserError, match="field 'f': every cell of train is empty"):
        quantile(3, [None], [1])


def test_a_sample_of_the_numbers_is_taken_evenly():
    blocks = [pa.array(np.arange(0.0, 600)), pa.array(np.arange(600.0, 1000))]
    taken = train_numbers("f", blocks, limit=100)
    assert (len(taken), taken[0], taken[-1]) == (100, 0.0, 999.0)
    assert set(np.diff(taken)) <= {10.0, 11.0}
    np.testing.assert_array_equal(train_numbers("f", blocks, limit=1000), np.arange(1000.0))


@pytest.mark.parametrize("bins", [1, 0, 2.0, "4"])
def test_a_quantile_field_refuses(bins):
    with pytest.raises(UserError, match="field 'f': bins must be a whole number of at least 2"):
        encode({"kind": "quantile", "bins": bins}, ["1"])
