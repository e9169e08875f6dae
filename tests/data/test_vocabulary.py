"""Tokens to ids: fitted on train, 0 for what train has not."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ctr.data.vocabulary import IdVocabulary, Vocabulary

COUNTS = st.dictionaries(st.text(max_size=3), st.integers(1, 5), max_size=20)
IDS = st.integers(-(2**62), 2**62)


def test_ids_go_by_frequency_and_then_by_token():
    vocabulary = Vocabulary.fit({"b": 2, "rare": 1, "a": 2, "often": 9}, min_count=1)
    assert vocabulary.ids(["often", "a", "b", "rare"]).tolist() == [1, 2, 3, 4]


def test_the_order_of_the_file_does_not_matter():
    counts = {"b": 2, "rare": 1, "a": 2}
    backwards = dict(reversed(counts.items()))
    assert Vocabulary.fit(counts, 1) == Vocabulary.fit(backwards, 1)


@given(COUNTS, st.integers(1, 6))
def test_exactly_the_tokens_that_occur_min_count_times_have_an_id_of_their_own(counts, min_count):
    vocabulary = Vocabulary.fit(counts, min_count)
    ids = dict(zip(counts, vocabulary.ids(list(counts)).tolist(), strict=True))
    kept = [token for token in counts if counts[token] >= min_count]
    assert sorted(ids[token] for token in kept) == list(range(1, len(kept) + 1))
    assert all(ids[token] == 0 for token in counts if token not in kept)
    assert vocabulary.num_features == len(kept) + 1


@given(COUNTS)
def test_ids_decode_to_their_tokens(counts):
    vocabulary = Vocabulary.fit(counts, 1)
    tokens = list(counts)
    assert [vocabulary.tokens[i - 1] for i in vocabulary.ids(tokens)] == tokens


def test_what_train_has_not_is_oov():
    assert Vocabulary.fit({"a": 1}, 1).ids(["b", "A", "a ", ""]).tolist() == [0, 0, 0, 0]


def test_a_missing_value_has_an_id_where_train_has_missing_values():
    assert Vocabulary.fit({"a": 2, "": 1}, 1).ids(["", "a"]).tolist() == [2, 1]


@pytest.mark.parametrize(
    ("one", "other"),
    [(("a", "b"), ("b", "a")), (("ab", "c"), ("a", "bc")), (("a",), ("a", "")), (('a", "b',), ("a", "b"))],
)
def test_vocabularies_that_differ_have_different_encodings(one, other):
    assert Vocabulary(one).encoding != Vocabulary(other).encoding
    assert Vocabulary(one).encoding == Vocabulary(tuple(one)).encoding


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
