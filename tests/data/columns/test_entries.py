"""Numbered features with values, as libFM text has them: the kind of the field follows from the data."""

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ctr.data.columns import field_recipe
from ctr.errors import UserError
from ctr.schema import FieldKind
from tests.data.columns import encode, entries_of

ROWS = st.lists(st.dictionaries(st.integers(0, 2**62), st.integers(-8, 8), max_size=4), min_size=1, max_size=8)


def entries(*rows: dict[int, float]) -> pa.Array:
    return entries_of(rows)


def shape(column) -> tuple[FieldKind, int, int]:
    return column.field.kind, column.field.num_slots, column.field.num_features


def test_one_entry_of_value_1_in_every_row_is_a_categorical_field():
    column = encode("entries", entries({7: 1}, {3: 1}), entries({3: 1}, {9: 1}))
    assert shape(column) == (FieldKind.CATEGORICAL, 1, 3)
    assert column.ids == [[2], [1], [1], [0]]
    assert column.values == [[1.0]] * 4


def test_a_single_id_is_a_numeric_field():
    column = encode("entries", entries({5: 0.5}, {}, {5: -2}))
    assert shape(column) == (FieldKind.NUMERIC, 1, 2)
    assert (column.ids, column.values) == ([[1], [0], [1]], [[0.5], [0.0], [-2.0]])


@pytest.mark.parametrize("odd", [{3: 2}, {}, {3: 1, 4: 1}], ids=["a value", "no entry", "two entries"])
@pytest.mark.parametrize("where", ["train", "other"])
def test_all_else_is_multivalued_wherever_it_stands(odd, where):
    train, other = [{3: 1}, {4: 1}], [{4: 1}]
    (train if where == "train" else other).append(odd)
    column = encode("entries", entries(*train), entries(*other), cuts=[1, 2])
    assert shape(column) == (FieldKind.MULTIVALUED, max(1, len(odd)), 3)


@given(ROWS, ROWS, st.lists(st.integers(0, 16), max_size=3))
def test_entries_are_the_plain_loop(train, other, cuts):
    column = encode("entries", entries(*train), entries(*other), cuts)
    known = {number: i for i, number in enumerate(sorted({i for row in train for i in row}), start=1)}
    assert column.field.num_features == len(known) + 1
    assert column.field.num_slots == max(1, *map(len, [*train, *other]))
    for row, ids, values in zip([*train, *other], column.ids, column.values, strict=True):
        unused = [0] * (column.field.num_slots - len(row))
        assert ids == [known.get(i, 0) for i in row] + unused
        assert values == [float(x) for x in row.values()] + unused


def test_ids_that_a_float_would_merge_stay_apart():
    assert encode("entries", entries({2**53: 1}, {2**53 + 1: 1}), entries({2**53 + 2: 1})).ids == [[1], [2], [0]]


def test_columns_of_text_are_refused():
    with pytest.raises(UserError, match="entries is read from libfm or libffm text"):
        field_recipe("f", "entries").kind.stage(pa.array(["3:1"]).dictionary_encode())
