"""Criteo's bins: floor(ln(x)^2) above 2, the whole part below."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ctr.data.columns import field_recipe
from ctr.schema import FieldKind
from tests.data.columns import encode, staged

NUMBERS = st.integers(-10, 10**7) | st.floats(-100, 1e9)


def token(x: float) -> str:
    return str(math.floor(math.log(x) ** 2)) if x > 2 else f"n{math.trunc(x)}"


@given(st.lists(NUMBERS, min_size=1, max_size=20))
def test_the_token_is_the_floor_of_the_squared_log_above_2(numbers):
    tokens = staged(field_recipe("f", "squared_log"), [*map(repr, numbers), ""])
    assert tokens.to_pylist() == [*map(token, numbers), ""]


@pytest.mark.parametrize(
    ("cell", "expected"),
    [("3", "1"), ("2", "n2"), ("2.0001", "0"), ("1", "n1"), ("0", "n0"), ("-0.5", "n0"), ("-1.9", "n-1"), ("-3", "n-3"),
     ("1000", "47"), ("", ""), ("  ", "")],
)  # fmt: skip
def test_tokens_by_hand(cell, expected):
    assert staged(field_recipe("f", "squared_log"), [cell]).to_pylist() == [expected]


def test_the_tokens_are_a_categorical_field():
    column = encode({"kind": "squared_log", "min_count": 2}, ["1000", "1001", "5", "", ""], ["999", "7", "1"], cuts=[2])
    assert (column.field.kind, column.field.num_features) == (FieldKind.CATEGORICAL, 3)
    assert column.ids == [[2], [2], [0], [1], [1], [2], [0], [0]]  # "" before "47"


def test_a_small_number_and_a_bin_of_the_same_name_stay_apart():
    ids = encode("squared_log", ["1", "3", "0", "2.5"]).ids  # n1, 1, n0, 0
    assert len({i for (i,) in ids}) == 4
