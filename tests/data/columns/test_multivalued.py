"""Several tokens a cell: a slot each, and nothing lost that is not counted."""

from collections import Counter

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ctr.data.columns import field_recipe
from ctr.errors import UserError
from ctr.schema import FieldKind
from tests.data.columns import encode, encode_family

TAGS = {"kind": "multivalued", "separator": "|"}
WEIGHTED = TAGS | {"item_weights": ":"}
SEPARATORS = st.sampled_from(["|", ",", "::", ".", "\\", ", ", "^A^"])
TOKENS = st.sampled_from(["a", "b", "cc", "é", " ", "N/A", "A"])
CELLS = st.lists(st.lists(TOKENS, max_size=5), min_size=1, max_size=8)
CUTS = st.lists(st.integers(0, 16), max_size=3)
OPTIONS = st.fixed_dictionaries(
    {
        "pooling": st.sampled_from(["sum", "mean"]),
        "max_items": st.none() | st.integers(1, 6),
        "min_count": st.integers(1, 3),
        "max_features": st.none() | st.integers(2, 5),
    }
)


@pytest.mark.parametrize(("pooling", "half", "third"), [("sum", 1, 1), ("mean", 1 / 2, 1 / 3)])
def test_a_multivalued_cell_by_hand(pooling, half, third):
    column = encode(TAGS | {"pooling": pooling}, ["a|b|c", "", "b|a", "a"])
    assert (column.field.kind, column.field.num_slots, column.field.num_features) == (FieldKind.MULTIVALUED, 3, 4)
    assert column.ids == [[1, 2, 3], [0, 0, 0], [2, 1, 0], [1, 0, 0]]
    assert np.allclose(column.values, [[third] * 3, [0, 0, 0], [half, half, 0], [1, 0, 0]], atol=1e-7)


@given(CELLS, CELLS, OPTIONS, SEPARATORS, CUTS)
def test_multivalued_columns_are_the_plain_loop(train, other, options, separator, cuts):
    counts = Counter(token for cell in train for token in cell)
    kept = sorted((t for t in counts if counts[t] >= options["min_count"]), key=lambda t: (-counts[t], t.encode()))
    ids = {token: i for i, token in enumerate(kept[: options["max_features"] and options["max_features"] - 1], start=1)}
    num_slots = options["max_items"] or max(1, *map(len, train))
    texts = [[separator.join(cell) for cell in cells] for cells in (train, other)]
    column = encode({"kind": "multivalued", "separator": separator, **options}, *texts, cuts)
    assert (column.field.num_slots, column.field.num_features) == (num_slots, len(ids) + 1)
    for cell, row_ids, row_values in zip([*train, *other], column.ids, column.values, strict=True):
        first = cell[:num_slots]
        unused = [0.0] * (num_slots - len(first))
        value = 1.0 if options["pooling"] == "sum" else 1.0 / max(1, len(first))
        assert row_ids == [ids.get(token, 0) for token in first] + [0] * len(unused)
        assert row_values == pytest.approx([value] * len(first) + unused)
    assert column.dropped == sum(max(0, len(cell) - num_slots) for cell in [*train, *other])


WEIGHTS = st.lists(
    st.lists(st.tuples(st.sampled_from(["a", "b", "a:b", "c"]), st.integers(0, 9)), max_size=4), min_size=1
)


@given(WEIGHTS, st.sampled_from(["sum", "mean"]), st.none() | st.integers(1, 3), CUTS)
def test_weights_are_the_values_or_their_shares(cells, pooling, max_items, cuts):
    texts = ["|".join(f"{token}:{weight / 4}" for token, weight in cell) for cell in cells]
    column = encode(WEIGHTED | {"pooling": pooling, "max_items": max_items}, texts, cuts=cuts)
    tokens = column.encoder.vocabulary.tokens.to_pylist()
    for cell, row_ids, row_values in zip(cells, column.ids, column.values, strict=True):
        first = cell[: column.field.num_slots]
        total = sum(weight for _, weight in first) / 4 if pooling == "mean" else 1.0
        expected = [weight / 4 / total if total else 0.0 for _, weight in first]
        assert row_values == pytest.approx(expected + [0.0] * (column.field.num_slots - len(first)))
        assert [tokens[i - 1] for i in row_ids[: len(first)]] == [token for token, _ in first]


def test_marks_of_several_letters_divide_at_their_last_place():
    column = encode(TAGS | {"item_weights": "=>"}, ["a=>b=>2|c=>.5"])
    assert column.values == [[2.0, 0.5]]
    assert column.encoder.vocabulary.tokens.to_pylist() == ["a=>b", "c"]


@pytest.mark.parametrize("cell", ["a", "a:", "a:x", "a:-1", "b:1|a", "a:nan", "a:1e39", "a:1|"])
def test_items_without_a_weight_of_at_least_0_are_problems_with_their_rows(cell):
    kind = field_recipe("f", WEIGHTED).kind
    _, (problem,) = kind.stage(pa.array(["a:1", cell, "", cell]).dictionary_encode())
    assert problem.rows.tolist() == [1, 3]
    assert "TOKEN:WEIGHT" in problem.reason


def test_an_empty_cell_uses_no_slot():
    assert encode(TAGS, ["a|b", "", ""]).values[1:] == [[0, 0], [0, 0]]


def test_an_empty_token_between_separators_is_a_token():
    column = encode(TAGS, ["a||b", "|"])
    assert column.values == [[1, 1, 1], [1, 1, 0]]
    assert column.ids[0][1] == column.ids[1][0] == column.ids[1][1] == 1  # the most frequent


def test_a_column_without_any_token_has_one_unused_slot():
    column = encode(TAGS, ["", ""], ["", "new"])
    assert (column.field.num_slots, column.field.num_features) == (1, 1)
    assert (column.ids[2:], column.values[2:]) == ([[0], [0]], [[0.0], [1.0]])  # new: OOV


def test_the_mean_of_a_truncated_cell_is_over_the_tokens_that_are_left():
    column = encode(TAGS | {"pooling": "mean", "max_items": 2}, ["a|b|c|d", "a"])
    assert column.values == [[0.5, 0.5], [1.0, 0.0]]
    assert column.dropped == 2


def test_the_slots_are_those_of_the_longest_cell_of_train():
    column = encode(TAGS, ["a|b"], ["a|b|a|b|a"], cuts=[1])
    assert column.field.num_slots == 2
    assert column.dropped == 3


def test_fields_of_one_vocabulary_have_slots_and_pooling_of_their_own():
    specs = {
        "seen": TAGS | {"pooling": "mean"},
        "bought": TAGS | {"share": "seen", "max_items": 1},
        "item": {"kind": "categorical", "share": "seen"},
    }
    columns = encode_family(specs, {"seen": ["a|b", ""], "bought": ["b|c", "d"], "item": ["b", "d"]}, cuts=[1])
    assert columns["item"].ids == [[1], [2]]  # b: 3, d: 2, a: 1, c: 1
    assert (columns["bought"].ids, columns["bought"].values) == ([[1], [2]], [[1.0], [1.0]])
    assert (columns["seen"].ids, columns["seen"].values) == ([[3, 1], [0, 0]], [[0.5, 0.5], [0.0, 0.0]])
    assert {column.field.num_features for column in columns.values()} == {5}
    assert columns["bought"].dropped == 1


@pytest.mark.parametrize(
    ("one", "other"), [((TAGS, "1|2"), (TAGS | {"pooling": "mean"}, "1|2")), ((TAGS, "1|2"), (TAGS, "1|3"))]
)
def test_fields_that_encode_otherwise_differ(one, other):
    assert encode(one[0], [one[1]]).field != encode(other[0], [other[1]]).field
    assert encode(one[0], [one[1]]).field == encode(one[0], [one[1]]).field


@pytest.mark.parametrize(
    ("options", "told"),
    [
        ({"separator": ""}, "separator must be text and not be empty, found ''"),
        ({"separator": 1}, "separator must be text"),
        ({"item_weights": ""}, "item_weights must be text and not be empty"),
        ({"pooling": "max"}, "pooling must be one of sum, mean, found 'max'"),
        ({"max_items": 0}, "max_items must be a whole number of at least 1"),
        ({"max_items": 2.5}, "max_items must be"),
        ({"min_count": 0}, "min_count must be"),
        ({"max_features": 1}, "max_features must be a whole number of at least 2"),
    ],
)
def test_a_multivalued_field_refuses(options, told):
    with pytest.raises(UserError, match=f"field 'f': {told}"):
        encode(TAGS | options, ["a"])
