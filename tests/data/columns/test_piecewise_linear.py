"""The hats of a piecewise linear function: whatever vectors stand at the knots, the sum moves on straight lines."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ctr.errors import UserError
from ctr.schema import FieldKind
from tests.data.columns import encode

NUMBERS = st.lists(st.integers(-5, 5) | st.floats(-100, 100).filter(lambda x: abs(x) > 1e-6), min_size=2, max_size=25)
EVEN = list(range(101))


def piecewise(bins: int, train, other=(), cuts=()):
    cells = [["" if x is None else repr(x) for x in numbers] for numbers in (train, other)]
    return encode({"kind": "piecewise_linear", "bins": bins}, *cells, cuts)


def test_the_knots_are_the_quantiles_of_train():
    column = piecewise(4, EVEN[::-1], cuts=[10])
    assert column.encoder.state() == {"knots": [0.0, 25.0, 50.0, 75.0, 100.0]}
    assert (column.field.kind, column.field.num_slots, column.field.num_features) == (FieldKind.NUMERIC, 2, 5)


def test_a_number_between_two_knots_by_hand():
    column = piecewise(4, EVEN, [30, 25, 100, 0])
    assert column.ids[101] == [1, 2]
    assert column.values[101] == pytest.approx([0.8, 0.2])
    assert column.values[102:] == [[1.0, 0.0], [0.0, 1.0], [1.0, 0.0]]


@given(
    NUMBERS.filter(lambda xs: len(set(xs)) > 1), st.lists(st.floats(-200, 200)), st.integers(1, 8), st.integers(0, 9)
)
def test_the_field_is_the_interpolation_of_any_vectors_at_its_knots(train, other, bins, cut):
    column = piecewise(bins, train, other, [cut])
    knots = np.unique(np.quantile(np.array(train, dtype=np.float64), np.linspace(0, 1, bins + 1)))
    assert column.encoder.state() == {"knots": knots.tolist()}
    vectors = np.random.default_rng(0).normal(size=(column.field.num_features, 3))
    found = np.einsum("ns,nsd->nd", np.array(column.values), vectors[np.array(column.ids)])
    for dimension in range(3):
        expected = np.interp([*train, *other], knots, vectors[: len(knots), dimension])
        np.testing.assert_allclose(found[:, dimension], expected, atol=1e-5)
    np.testing.assert_allclose(np.sum(column.values, axis=1), 1.0, atol=1e-6)
    assert np.min(column.values) >= 0


def test_outside_train_the_field_stays_at_the_end():
    column = piecewise(4, EVEN, [-50, 1e9])
    assert (column.ids[101][0], column.values[101]) == (0, [1.0, 0.0])
    assert (column.ids[102][1], column.values[102]) == (4, [0.0, 1.0])


@pytest.mark.parametrize("constant", [7, -0.1, 3e9, 1e20])
def test_a_constant_column_is_one_knot_below_it_at_it_and_above_it(constant):
    column = piecewise(3, [constant] * 4, [0.9 * constant, constant + 0.5, 1.1 * constant])
    for ids, values in zip(column.ids, column.values, strict=True):
        assert sum(value for i, value in zip(ids, values, strict=True) if i == 0) == 1.0


def test_a_constant_beyond_the_digits_of_a_float_is_a_number():
    assert np.isfinite(piecewise(3, [1e20] * 4).values).all()


def test_a_missing_value_is_absent_and_moves_no_knot():
    column = piecewise(4, [*EVEN, None, None], [None])
    assert column.values[101:] == [[0.0, 0.0]] * 3
    assert column.encoder.state() == piecewise(4, EVEN).encoder.state()


def test_a_column_of_missing_values_is_refused():
    with pytest.raises(UserError, match="field 'f': every cell of train is empty"):
        piecewise(3, [None], [1])


@pytest.mark.parametrize("bins", [0, 1.0, None])
def test_a_piecewise_linear_field_refuses(bins):
    with pytest.raises(UserError, match="field 'f': bins must be a whole number of at least 1"):
        encode({"kind": "piecewise_linear", "bins": bins}, ["1"])
