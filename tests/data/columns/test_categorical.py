"""One token a cell: the tokens that train has often enough, most frequent first; all else is OOV."""

from collections import Counter

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ctr.errors import UserError
from ctr.schema import FieldKind
from tests.data.columns import encode, encode_family

TOKENS = st.sampled_from(["a", "b", "B", "é", "ab", "", " a", "007", "7"]) | st.text(max_size=2)
CELLS = st.lists(TOKENS, min_size=1, max_size=15)


def known(train: list[str], min_count: int, max_features: int | None) -> dict[str, int]:
    """By the definition: the ids of the tokens that have one."""
    counts = Counter(train)
    kept = sorted((t for t in counts if counts[t] >= min_count), key=lambda t: (-counts[t], t.encode()))
    return {token: i for i, token in enumerate(kept[: None if max_features is None else max_features - 1], start=1)}


def test_a_categorical_column_has_one_slot_of_value_1():
    column = encode("categorical", ["a", "b", "a", ""])
    assert (column.field.kind, column.field.num_slots, column.field.num_features) == (FieldKind.CATEGORICAL, 1, 4)
    assert column.ids == [[1], [3], [1], [2]]  # "" stands before "b"
    assert column.values == [[1.0]] * 4


@given(CELLS, CELLS, st.integers(1, 3), st.none() | st.integers(2, 6), st.lists(st.integers(0, 30), max_size=3))
def test_a_categorical_column_is_a_dict_of_the_kept_tokens(train, other, min_count, max_features, cuts):
    spec = {"kind": "categorical", "min_count": min_count, "max_features": max_features}
    column = encode(spec, train, other, cuts)
    ids = known(train, min_count, max_features)
    assert column.ids == [[ids.get(token, 0)] for token in [*train, *other]]
    assert column.field.num_features == len(ids) + 1


def test_min_count_is_the_least_count_that_is_kept():
    assert encode({"kind": "categorical", "min_count": 2}, ["a", "a", "b", "c", "c", "c"]).ids == [
        [2], [2], [0], [1], [1], [1]
    ]  # fmt: skip


def test_counts_are_those_of_train_alone():
    column = encode({"kind": "categorical", "min_count": 2}, ["a", "a", "b"], ["b", "b", "b", "a"])
    assert column.field.num_features == 2
    assert column.ids[3:] == [[0], [0], [0], [1]]


def test_max_features_keeps_the_most_frequent_and_counts_oov():
    column = encode({"kind": "categorical", "max_features": 3}, list("abbccc"))
    assert column.field.num_features == 3
    assert column.ids == [[0], [2], [2], [1], [1], [1]]


def test_a_missing_value_is_a_token_like_any_other():
    assert encode("categorical", ["", "", "a"], ["", "b"]).ids[3:] == [[1], [0]]
    assert encode("categorical", ["a", "b"], [""]).ids[2:] == [[0]]  # where train has none, it is OOV
    assert encode({"kind": "categorical", "min_count": 2}, ["a", "a", ""], [""]).ids[3:] == [[0]]


def test_more_tokens_than_two_bytes_can_number():
    tokens = [f"{i:06d}" for i in range(70_000)]
    assert encode("categorical", tokens, tokens[::-1], cuts=[1000]).ids[70_000:] == [[i] for i in range(70_000, 0, -1)]


@pytest.mark.parametrize(("one", "other"), [(["1", "2"], ["1", "3"]), (["1", "1", "2"], ["1", "2", "2"])])
def test_the_encoding_is_that_of_the_vocabulary(one, other):
    assert encode("categorical", one).field != encode("categorical", other).field
    assert encode("categorical", one).field == encode("categorical", one[::-1]).field


# --- fields that share a vocabulary ---

SHARED = {
    "clicked": {"kind": "multivalued", "separator": "|", "min_count": 2},
    "item": {"kind": "categorical", "share": "clicked"},
}


def test_a_shared_vocabulary_counts_the_tokens_of_all_its_fields():
    columns = encode_family(
        SHARED, {"clicked": ["a|b", "c", ""], "item": ["a", "d", "c"]}, {"clicked": ["d"], "item": ["b"]}
    )
    assert {name: column.field.num_features for name, column in columns.items()} == {"clicked": 3, "item": 3}
    assert columns["item"].ids == [[1], [0], [2], [0]]
    assert [ids[0] for ids in columns["clicked"].ids] == [1, 2, 0, 0]
    assert (columns["clicked"].field.shares, columns["item"].field.shares) == (None, "clicked")


@given(st.data(), st.lists(st.integers(0, 20), max_size=3))
def test_fields_of_one_vocabulary_know_each_token_by_one_id(data, cuts):
    rows = data.draw(st.integers(1, 10))
    cells = {name: data.draw(st.lists(st.sampled_from("abcd"), min_size=rows, max_size=rows)) for name in ("x", "y")}
    specs = {"x": "categorical", "y": {"kind": "categorical", "share": "x"}}
    columns = encode_family(specs, cells, cuts=cuts)
    ids = known([*cells["x"], *cells["y"]], 1, None)
    for name, column in columns.items():
        assert column.ids == [[ids[token]] for token in cells[name]]
        assert column.field.num_features == len(ids) + 1


@pytest.mark.parametrize(
    "options", [{"min_count": 0}, {"min_count": "2"}, {"min_count": True}, {"max_features": 1}, {"max_features": 2.0}]
)
def test_a_categorical_field_refuses(options):
    with pytest.raises(UserError, match=f"field 'f': {next(iter(options))} must be a whole number"):
        encode({"kind": "categorical", **options}, ["a"])


def test_counts_are_kept_with_the_vocabulary():
    vocabulary = encode("categorical", list("bbba")).encoder.vocabulary
    assert vocabulary is not None
    assert vocabulary.tokens.to_pylist() == ["b", "a"]
    np.testing.assert_array_equal(vocabulary.counts, [3, 1])
