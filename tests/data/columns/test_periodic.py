"""Waves of a standardised number."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ctr.errors import UserError
from ctr.schema import FieldKind
from tests.data.columns import encode


def periodic(train, other=(), cuts=(), **options):
    cells = [["" if x is None else repr(x) for x in numbers] for numbers in (train, other)]
    return encode({"kind": "periodic", "frequencies": 3} | options, *cells, cuts)


@given(
    st.lists(st.floats(-100, 100), min_size=2, max_size=20).filter(lambda xs: max(xs) - min(xs) > 1e-3),
    st.lists(st.floats(-200, 200)),
    st.integers(0, 9),
)
def test_the_values_are_sines_then_cosines_of_the_standardised_number(train, other, cut):
    column = periodic(train, other, [cut], sigma=0.7)
    c = np.array(column.encoder.state()["frequencies"])
    x = np.array(train)
    angles = 2 * np.pi * ((np.array([*train, *other]) - x.mean()) / x.std())[:, None] * c
    np.testing.assert_allclose(column.values, np.concatenate([np.sin(angles), np.cos(angles)], axis=1), atol=2e-6)
    assert column.ids == [[0, 1, 2, 3, 4, 5]] * len(column.values)
    assert (column.field.kind, column.field.num_slots, column.field.num_features) == (FieldKind.NUMERIC, 6, 6)


def test_the_frequencies_are_normal_with_deviation_sigma():
    drawn = np.array(periodic([1, 2], frequencies=20_000, sigma=0.25).encoder.state()["frequencies"])
    assert abs(drawn.mean()) < 5 * 0.25 / np.sqrt(20_000)
    assert abs(drawn.std() / 0.25 - 1) < 5 / np.sqrt(2 * 20_000)


def test_the_frequencies_are_drawn_by_the_seed():
    states = [periodic([1, 2], seed=seed).encoder.state()["frequencies"] for seed in (0, 1, 0)]
    assert states[0] == states[2]
    assert set(states[0]).isdisjoint(states[1])
    assert periodic([1, 2], seed=0).field != periodic([1, 2], seed=1).field


def test_a_missing_value_is_absent():
    column = periodic([1, 2, None], [None])
    assert column.values[2:] == [[0.0] * 6] * 2
    assert column.encoder.state() == periodic([1, 2]).encoder.state()


def test_a_constant_column_stays_at_the_start_of_its_waves():
    assert periodic([5, 5, 5]).values == [[0.0] * 3 + [1.0] * 3] * 3


def test_a_column_of_missing_values_is_refused():
    with pytest.raises(UserError, match="field 'f': every cell of train is empty"):
        periodic([None], [1])


@pytest.mark.parametrize(
    ("options", "told"),
    [
        ({"frequencies": 0}, "frequencies must be"), ({"sigma": 0}, "sigma must be"), ({"sigma": "1"}, "sigma must be"),
        ({"sigma": float("nan")}, "sigma must be"), ({"seed": -1}, "seed must be"),
    ],
)  # fmt: skip
def test_a_periodic_field_refuses(options, told):
    with pytest.raises(UserError, match=f"field 'f': {told}"):
        periodic([1], **options)
