"""Tokens by FNV-1a, whose values are published; nothing is fitted."""

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ctr.data.columns.hashed import fnv1a
from ctr.errors import UserError
from ctr.schema import FieldKind
from tests.data.columns import encode

CELLS = st.lists(st.text(max_size=6), min_size=1, max_size=10)


def plain(token: str, seed: int = 0) -> int:
    """FNV-1a of 64 bits as its authors write it (http://www.isthe.com/chongo/tech/comp/fnv/), unfolded."""
    value = 0xCBF29CE484222325 ^ seed
    for byte in token.encode():
        value = ((value ^ byte) * 0x100000001B3) % 2**64
    return value


def folded(value: int) -> int:
    return value ^ (value >> 32)


@pytest.mark.parametrize(
    ("token", "published"),
    [("", 0xCBF29CE484222325), ("a", 0xAF63DC4C8601EC8C), ("foobar", 0x85944171F73967E8)],
)
def test_the_hash_has_its_published_values(token, published):
    assert plain(token) == published
    assert fnv1a(pa.array([token])).tolist() == [folded(published)]


@given(CELLS, st.integers(0, 2**63))
def test_the_hash_of_an_array_is_the_plain_loop(tokens, seed):
    array = pa.array(["before", *tokens])
    assert fnv1a(array.slice(1), seed).tolist() == [folded(plain(token, seed)) for token in tokens]


def test_no_tokens_have_no_hashes():
    assert fnv1a(pa.array([], pa.string())).tolist() == []


@given(CELLS, CELLS, st.integers(1, 50) | st.just(2**33), st.integers(0, 9), st.lists(st.integers(0, 20), max_size=3))
def test_a_hashed_column_is_one_plus_the_hash_modulo_buckets(train, other, buckets, seed, cuts):
    column = encode({"kind": "hashed", "buckets": buckets, "seed": seed}, train, other, cuts)
    expected = [folded(plain(token, seed)) % buckets + 1 if token else 0 for token in [*train, *other]]
    assert column.ids == [[i] for i in expected]
    assert column.values == [[1.0]] * len(expected)
    assert (column.field.kind, column.field.num_features) == (FieldKind.CATEGORICAL, buckets + 1)


def test_an_unseen_token_has_the_id_it_would_have_in_train():
    spec = {"kind": "hashed", "buckets": 1000}
    assert encode(spec, ["a"], ["b"]).ids[1] == encode(spec, ["b"]).ids[0]


def test_seeds_give_other_hashes_and_other_fields():
    tokens = [str(i) for i in range(50)]
    one, two = (encode({"kind": "hashed", "buckets": 1000, "seed": seed}, tokens) for seed in (1, 2))
    assert one.ids != two.ids
    assert one.field != two.field


def test_tokens_fall_evenly_into_the_buckets():
    ids = [i for (i,) in encode({"kind": "hashed", "buckets": 10}, [str(i) for i in range(10_000)]).ids]
    assert all(abs(ids.count(bucket) - 1000) < 150 for bucket in range(1, 11))  # five standard deviations


@pytest.mark.parametrize("options", [{"buckets": 0}, {"buckets": 2.5}, {"buckets": 9, "seed": -1}])
def test_a_hashed_field_refuses(options):
    with pytest.raises(UserError, match="must be a whole number of at least"):
        encode({"kind": "hashed", **options}, ["a"])


def test_a_hashed_field_needs_its_buckets():
    with pytest.raises(UserError, match=r"a hashed field needs its buckets: \{kind: hashed, buckets: \.\.\.\}"):
        encode("hashed", ["a"])
