"""Stored rows written out: only what varies is kept, and a batch has all of it."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from ctr.data.rows import Layout, Rows, concatenate, narrowest
from ctr.schema import FeatureSchema, Field, FieldKind

PARTS = ("ids", "values", "labels", "groups", "weights")


@st.composite
def dense_rows(draw):
    """Rows, and the same ids and values with nothing left out."""
    count, slots = draw(st.integers(1, 9)), draw(st.integers(1, 6))
    stored_ids, stored_values = (draw(st.lists(st.booleans(), min_size=slots, max_size=slots)) for _ in range(2))
    ids = draw(arrays.arrays(np.int64, (count, slots), elements=st.integers(0, 2**32 - 1)))
    values = draw(arrays.arrays(np.float32, (count, slots), elements=st.floats(-10, 10, width=16)))
    ids[:, ~np.array(stored_ids)] = ids[0, ~np.array(stored_ids)]
    values[:, ~np.array(stored_values)] = 1
    id_slots, value_slots = (tuple(s for s in range(slots) if kept[s]) for kept in (stored_ids, stored_values))
    constants = tuple(0 if kept else int(ids[0, s]) for s, kept in enumerate(stored_ids))
    labels = np.arange(count, dtype=np.float32)
    extra = draw(st.booleans())
    rows = Rows(
        Layout(constants, id_slots, value_slots),
        ids[:, id_slots].astype(np.uint32),
        values[:, value_slots],
        labels,
        labels.astype(np.int64) + 2**40 if extra else None,
        labels / 2 if extra else None,
    )
    return rows, ids, values


@given(dense_rows(), st.data())
def test_a_batch_is_the_dense_rows(given_rows, data):
    rows, ids, values = given_rows
    numbers = st.lists(st.integers(0, len(rows) - 1), max_size=12).map(lambda taken: np.array(taken, dtype=np.int64))
    taken = data.draw(st.just(slice(None)) | st.builds(slice, st.integers(0, 9), st.integers(0, 9)) | numbers)
    batch = rows.batch(taken)
    assert (batch.ids.dtype, batch.values.dtype, batch.labels.dtype) == (torch.int64, torch.float32, torch.float32)
    np.testing.assert_array_equal(batch.ids.numpy(), ids[taken])
    np.testing.assert_array_equal(batch.values.numpy(), values[taken])
    np.testing.assert_array_equal(batch.labels.numpy(), rows.labels[taken])
    if rows.groups is not None:
        np.testing.assert_array_equal(batch.groups.numpy(), rows.groups[taken])
        np.testing.assert_array_equal(batch.weights.numpy(), rows.weights[taken])
    else:
        assert batch.groups is None
        assert batch.weights is None


@given(dense_rows(), st.lists(st.tuples(st.integers(0, 9), st.integers(0, 9)).map(sorted), min_size=1, max_size=4))
def test_spans_are_read_end_to_end(given_rows, spans):
    rows, ids, _ = given_rows
    read = rows.read([tuple(span) for span in spans])
    taken = np.concatenate([np.arange(len(rows))[start:stop] for start, stop in spans])
    np.testing.assert_array_equal(read.batch(slice(None)).ids.numpy(), ids[taken])
    np.testing.assert_array_equal(read.labels, rows.labels[taken])


def test_parts_are_joined_in_order_and_what_is_none_stays_none():
    layout = Layout((0,), (0,), ())
    parts = [
        Rows(
            layout,
            np.full((2, 1), i, np.uint16),
            np.zeros((2, 0), np.float32),
            np.zeros(2, np.float32),
            groups=np.array([i, i]),
        )
        for i in range(3)
    ]
    joined = concatenate(parts)
    assert joined.ids[:, 0].tolist() == joined.groups.tolist() == [0, 0, 1, 1, 2, 2]
    assert joined.weights is None
    assert concatenate(parts[:1]) is parts[0]


def test_a_batch_may_be_written_to_without_touching_the_rows():
    rows = Rows(
        Layout((0,), (0,), (0,)), np.ones((3, 1), np.int64), np.ones((3, 1), np.float32), np.ones(3, np.float32),
        np.ones(3, np.int64), np.ones(3, np.float32),
    )  # fmt: skip
    batch = rows.batch(slice(0, 3))
    for part in PARTS:
        getattr(batch, part).zero_()
        assert (getattr(rows, part) == 1).all()


# --- types ---


@pytest.mark.parametrize(
    ("num_features", "expected"),
    [
        (1, np.uint16), (65_535, np.uint16), (65_536, np.uint16), (65_537, np.uint32),
        (2**32 - 1, np.uint32), (2**32, np.uint32), (2**32 + 1, np.int64), (2**40, np.int64),
    ],
)  # fmt: skip
def test_ids_are_stored_in_the_narrowest_type_that_holds_the_last_one(num_features, expected):
    assert narrowest(num_features) == np.dtype(expected)
    assert np.array([num_features - 1]).astype(narrowest(num_features)).astype(np.int64)[0] == num_features - 1


@pytest.mark.parametrize(
    "sizes", [(65_535, 1), (65_535, 2), (2**31, 2**31), (2**31, 5), (2**32, 7), (3 * 10**9, 3 * 10**9)]
)
def test_the_last_ids_of_large_vocabularies_do_not_wrap(sizes):
    """A stored id and a constant one, each the last of its field."""
    schema = FeatureSchema(tuple(Field(f"f{i}", FieldKind.CATEGORICAL, size) for i, size in enumerate(sizes)))
    last = [offset + size - 1 for offset, size in zip(schema.offsets, sizes, strict=True)]
    assert last[-1] == schema.num_features - 1
    stored = np.array([last, list(schema.offsets)], dtype=np.int64).astype(narrowest(schema.num_features))
    none, labels = np.zeros((2, 0), np.float32), np.zeros(2, np.float32)
    both = Rows(Layout((0, 0), (0, 1), ()), stored, none, labels)
    assert both.batch(slice(None)).ids.tolist() == [last, list(schema.offsets)]
    second = Rows(Layout((0, last[1]), (0,), ()), stored[:, :1], none, labels)
    assert second.batch(slice(None)).ids[:, 1].tolist() == [last[1]] * 2
