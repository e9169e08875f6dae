"""Columns to slots: each kind of column against its definition; fitted on train, applied to all."""

import math
import statistics
from collections import Counter
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ctr.data.encoding import column_recipe
from ctr.data.reader import Place
from ctr.data.vocabulary import Vocabulary
from ctr.schema import FieldKind
from tests.data.test_table import open_table


def column(cells: list[str]) -> pa.ChunkedArray:
    """In two chunks, as large files come."""
    half = len(cells) // 2
    return pa.chunked_array([cells[:half], cells[half:]], pa.string())


def encode(spec, train: list[str], cells: list[str] | None = None):
    """Fitted on train: the field, and the ids and values of `cells`, or of train itself."""
    encoder = column_recipe("f", spec).fit("f", column(train), Place(Path("train.csv"), "f"))
    ids, values = encoder.encode(column(train if cells is None else cells), Place(Path("valid.csv"), "f"))
    return encoder.field, ids.tolist(), values.tolist()


# --- categorical ---


def test_a_categorical_column_has_one_slot_of_value_1():
    field, ids, values = encode("categorical", ["a", "b", "a", ""])
    assert (field.kind, field.num_slots, field.num_features) == (FieldKind.CATEGORICAL, 1, 4)
    assert ids == [[1], [3], [1], [2]]
    assert values == [[1.0]] * 4


def test_min_count_is_the_least_count_that_is_kept():
    _, ids, _ = encode({"kind": "categorical", "min_count": 2}, ["a", "a", "b", "c", "c", "c"])
    assert ids == [[2], [2], [0], [1], [1], [1]]


def test_counts_are_those_of_train_alone():
    field, ids, _ = encode({"kind": "categorical", "min_count": 2}, ["a", "a", "b"], ["b", "b", "b", "a"])
    assert field.num_features == 2
    assert ids == [[0], [0], [0], [1]]


# --- multi-valued ---

TAGS = {"kind": "multivalued", "separator": "|"}


@pytest.mark.parametrize(("pooling", "half", "third"), [("sum", 1, 1), ("mean", 1 / 2, 1 / 3)])
def test_a_multivalued_cell_by_hand(pooling, half, third):
    field, ids, values = encode(TAGS | {"pooling": pooling}, ["a|b|c", "", "b|a", "a"])
    assert (field.kind, field.num_slots, field.num_features) == (FieldKind.MULTIVALUED, 3, 4)
    assert ids[0] == [1, 2, 3]
    assert ids[2][:2] == [2, 1]
    assert np.allclose(values, [[third] * 3, [0, 0, 0], [half, half, 0], [1, 0, 0]], atol=1e-7)


TOKENS = st.sampled_from(["a", "b", "cc", "é", " ", "N/A"])
CELLS = st.lists(st.lists(TOKENS, max_size=5), min_size=1, max_size=8)
POOLINGS = st.sampled_from(["sum", "mean"])
OPTIONS = st.fixed_dictionaries(
    {"pooling": POOLINGS, "max_items": st.none() | st.integers(1, 6), "min_count": st.integers(1, 3)}
)


@given(CELLS, CELLS, OPTIONS, st.sampled_from(["|", ",", "::", ".", "\\"]))
def test_multivalued_columns_are_the_plain_loop(train, valid, options, separator):
    vocabulary = Vocabulary.fit(Counter(token for cell in train for token in cell), options["min_count"])
    num_slots = options["max_items"] or max(1, *map(len, train))
    texts = [[separator.join(cell) for cell in cells] for cells in (train, valid)]
    field, ids, values = encode({"kind": "multivalued", "separator": separator, **options}, *texts)
    assert (field.num_slots, field.num_features) == (num_slots, vocabulary.num_features)
    for cell, row_ids, row_values in zip(valid, ids, values, strict=True):
        kept = cell[:num_slots]
        unused = [0.0] * (num_slots - len(kept))
        value = 1.0 if options["pooling"] == "sum" else 1.0 / max(1, len(kept))
        assert row_ids[: len(kept)] == vocabulary.ids(kept).tolist()
        assert row_values == pytest.approx([value] * len(kept) + unused)


def test_an_empty_cell_uses_no_slot():
    _, _, values = encode(TAGS, ["a|b", "", ""])
    assert values[1:] == [[0, 0], [0, 0]]


def test_a_column_without_any_token_has_one_unused_slot():
    field, ids, values = encode(TAGS, ["", ""], ["", "new"])
    assert (field.num_slots, field.num_features) == (1, 1)
    assert (ids, values) == ([[0], [0]], [[0.0], [1.0]])  # new: OOV


def test_the_mean_of_a_truncated_cell_is_over_the_tokens_that_are_left():
    _, _, values = encode(TAGS | {"pooling": "mean", "max_items": 2}, ["a|b|c|d", "a"])
    assert values == [[0.5, 0.5], [1.0, 0.0]]


@pytest.mark.parametrize(
    ("max_items", "told"), [(1, "4 tokens beyond the first 1"), (2, "2 tokens beyond the first 2"), (None, "")]
)
def test_tokens_left_out_are_counted_in_the_summary(tmp_path, max_items, told):
    text = "label,tags\n1,a|b|c\n0,\n1,b\n"
    valid = "label,tags\n1,\n0,c\n"
    fields = {"tags": TAGS | {"max_items": max_items}}
    summary = open_table(tmp_path, text, valid, fields=fields).summary
    twice = open_table(tmp_path, text, fields=fields).summary  # in valid and test as well
    assert ("left out" in summary) == bool(max_items)
    if max_items:
        assert f"tags: {3 - max_items} tokens beyond the first {max_items} of a cell left out" in summary
        assert f"tags: {3 * (3 - max_items)} tokens" in twice


def test_cells_of_valid_that_are_longer_than_all_of_train_are_counted(tmp_path):
    data = open_table(tmp_path, "label,tags\n1,a|b\n0,a\n", "label,tags\n1,a|b|a|b|a\n", fields={"tags": TAGS})
    assert data.schema.num_slots == 2
    assert "tags: 6 tokens beyond the first 2 of a cell left out" in data.summary  # three each in valid and test


# --- numeric ---

FINITE = st.floats(-1e6, 1e6)


def numeric(transform: str, train: list[str], cells: list[str] | None = None) -> list[float]:
    field, ids, values = encode({"kind": "numeric", "transform": transform}, train, cells)
    assert (field.kind, field.num_slots, field.num_features) == (FieldKind.NUMERIC, 1, 1)
    assert ids == [[0]] * len(values)
    return [value for (value,) in values]


@given(st.lists(FINITE, min_size=1, max_size=20))
def test_raw_numbers_are_kept(numbers):
    assert numeric("raw", list(map(repr, numbers))) == [float(np.float32(x)) for x in numbers]


def test_raw_is_what_a_plain_numeric_field_does():
    assert encode("numeric", ["2", "-1"])[2] == [[2.0], [-1.0]]


@given(st.lists(FINITE | st.floats(-2, 2), min_size=1, max_size=20))
def test_log_is_log_of_x_plus_1_where_that_exists_and_minus_1_elsewhere(numbers):
    expected = [math.log1p(x) if x > -1 else -1.0 for x in numbers]
    assert numeric("log", list(map(repr, numbers))) == pytest.approx(expected, rel=1e-6)


@pytest.mark.parametrize("x", [-1.0, -0.9999999999999, -0.99, 0.0, 1e-300, 1e30, -1e30])
def test_log_at_its_edges(x):
    assert numeric("log", [repr(x)]) == pytest.approx([math.log1p(x) if x > -1 else -1.0], rel=1e-6)


@given(st.lists(st.integers(-1000, 1000), min_size=2, max_size=20).filter(lambda xs: len(set(xs)) > 1), FINITE)
def test_z_score_uses_the_mean_and_standard_deviation_of_train(train, other):
    mean, std = statistics.fmean(train), statistics.pstdev(train)
    expected = [(x - mean) / std for x in [*train, other]]
    found = numeric("z_score", list(map(str, train)), [*map(str, train), repr(other)])
    assert found == pytest.approx(expected, rel=1e-5, abs=1e-5)


@pytest.mark.parametrize("constant", ["5", "0.1", "0.7", "-123.456"])
def test_z_score_of_a_constant_column_is_0(constant):
    assert numeric("z_score", [constant] * 6) == pytest.approx([0.0] * 6, abs=1e-6)


@pytest.mark.parametrize("transform", ["raw", "z_score", "log"])
@pytest.mark.parametrize("missing", ["", "  "])
def test_a_missing_number_is_0_after_the_transform(transform, missing):
    assert numeric(transform, ["5", "9", missing])[2] == 0.0


def test_missing_numbers_do_not_move_the_z_score():
    assert numeric("z_score", ["5", "9", "", ""]) == [-1.0, 1.0, 0.0, 0.0]


# --- the encoding that the fingerprint rests on ---

LOG, Z_SCORE = ({"kind": "numeric", "transform": transform} for transform in ("log", "z_score"))


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (("categorical", ["1", "2"]), ("categorical", ["1", "3"])),
        (("categorical", ["1", "1", "2"]), ("categorical", ["1", "2", "2"])),
        ((TAGS, ["1", "2"]), (TAGS | {"pooling": "mean"}, ["1", "2"])),
        (("numeric", ["1", "2"]), (LOG, ["1", "2"])),
        (("numeric", ["1", "2"]), (Z_SCORE, ["1", "2"])),
        ((Z_SCORE, ["1", "2"]), (Z_SCORE, ["1", "4"])),
    ],
)
def test_fields_of_one_shape_that_encode_otherwise_differ(one, other):
    assert encode(*one)[0] != encode(*other)[0]
    assert encode(*one)[0] == encode(*one)[0]
