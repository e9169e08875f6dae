"""Tokens to ids: fitted on train, 0 for what train has not."""

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ctr.data.vocabulary import IdVocabulary, Vocabulary, merge

COUNTS = st.dictionaries(st.text(max_size=3), st.integers(1, 5), max_size=20)
IDS = st.integers(-(2**62), 2**62)


def texts(tokens) -> pa.Array:
    return pa.array(list(tokens), pa.large_string())


def fit(counts: dict[str, int], min_count: int = 1, max_features: int | None = None) -> Vocabulary:
    return Vocabulary.fit(texts(counts), np.array(list(counts.values()), dtype=np.int64), min_count, max_features)


def of(*tokens: str) -> Vocabulary:
    return Vocabulary(texts(tokens), np.ones(len(tokens), dtype=np.int64))


def ids(vocabulary: Vocabulary, *tokens: str) -> list[int]:
    return vocabulary.ids(texts(tokens)).tolist()


def test_ids_go_by_frequency_and_then_by_token():
    assert ids(fit({"b": 2, "rare": 1, "a": 2, "often": 9}), "often", "a", "b", "rare") == [1, 2, 3, 4]


def test_the_order_of_the_file_does_not_matter():
    counts = {"b": 2, "rare": 1, "a": 2}
    one, other = fit(counts), fit(dict(reversed(counts.items())))
    assert one.tokens.equals(other.tokens)
    assert one.counts.tolist() == other.counts.tolist() == [2, 2, 1]


@given(COUNTS, st.integers(1, 6), st.none() | st.integers(2, 9))
def test_the_most_frequent_tokens_of_min_count_have_an_id_of_their_own(counts, min_count, max_features):
    vocabulary = fit(counts, min_count, max_features)
    often = sorted((token for token in counts if counts[token] >= min_count), key=lambda t: (-counts[t], t.encode()))
    kept = often[: None if max_features is None else max_features - 1]
    assert ids(vocabulary, *counts) == [kept.index(token) + 1 if token in kept else 0 for token in counts]
    assert vocabulary.num_features == len(kept) + 1
    assert vocabulary.counts.tolist() == [counts[token] for token in kept]


def test_a_token_that_train_has_not_is_no_token_however_low_the_min_count():
    assert fit({"a": 1, "filtered": 0}).tokens.to_pylist() == ["a"]


@given(COUNTS)
def test_ids_decode_to_their_tokens(counts):
    vocabulary = fit(counts)
    assert [vocabulary.tokens[i - 1].as_py() for i in ids(vocabulary, *counts)] == list(counts)


@given(COUNTS, st.lists(st.text(max_size=3)))
def test_unknown_tokens_are_0(counts, others):
    assert all(i == 0 for i, token in zip(ids(fit(counts), *others), others, strict=True) if token not in counts)


def test_tokens_match_as_they_are_written():
    assert ids(of("a"), "b", "A", "a ", "", "á") == [0] * 5


def test_a_missing_value_has_an_id_where_train_has_missing_values():
    assert ids(fit({"a": 2, "": 1}), "", "a") == [2, 1]


def test_an_empty_vocabulary_knows_nothing():
    assert ids(of(), "a", "") == [0, 0]
    assert of().num_features == 1


@pytest.mark.parametrize(
    ("one", "other"),
    [(("a", "b"), ("b", "a")), (("ab", "c"), ("a", "bc")), (("a",), ("a", "")), (("a', 'b",), ("a", "b")), ((), ("",))],
)
def test_vocabularies_that_differ_have_different_encodings(one, other):
    assert of(*one).encoding != of(*other).encoding
    assert of(*one).encoding == of(*one).encoding


def test_the_encoding_does_not_depend_on_the_memory_around_the_tokens():
    whole = texts(["x", "aé", "b", "y"])
    assert Vocabulary(whole.slice(1, 2), np.ones(2)).encoding == of("aé", "b").encoding


@given(st.lists(st.lists(st.text(max_size=2), unique=True, max_size=6), max_size=4))
def test_merging_finds_each_token_once_and_its_place(dictionaries):
    merged, places = merge([pa.array(tokens, pa.string()) for tokens in dictionaries])
    tokens = merged.to_pylist()
    assert tokens == list(dict.fromkeys(token for one in dictionaries for token in one))
    assert [[tokens[place] for place in found] for found in places] == dictionaries


@given(st.lists(IDS, max_size=30), st.lists(IDS | st.integers(-3, 3), max_size=30))
def test_numbered_ids_are_looked_up_as_in_a_dict(train, other):
    vocabulary = IdVocabulary.fit(np.array(train, dtype=np.int64))
    known = {number: i for i, number in enumerate(sorted(set(train)), start=1)}
    asked = train + other
    assert vocabulary.ids(np.array(asked, dtype=np.int64)).tolist() == [known.get(number, 0) for number in asked]
    assert vocabulary.num_features == len(known) + 1


def test_numbered_ids_that_a_float_would_merge_stay_apart():
    vocabulary = IdVocabulary.fit(np.array([2**53, 2**53 + 1]))
    assert vocabulary.ids(np.array([2**53 + 1, 2**53, 2**53 + 2])).tolist() == [2, 1, 0]


def test_numbered_vocabularies_that_differ_have_different_encodings():
    fits = [IdVocabulary.fit(np.array(known, dtype=np.int64)) for known in ([], [1], [1, 2], [1, 256], [2])]
    assert len({vocabulary.encoding for vocabulary in fits}) == 5
