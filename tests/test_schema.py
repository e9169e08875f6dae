"""The ground: a schema's arithmetic and its fingerprint; a Batch and its rows."""

import json
from dataclasses import replace

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from ctr.batch import Batch
from ctr.errors import UserError
from ctr.schema import FeatureSchema, Field, FieldKind
from tests.conftest import mixed_schema, random_batch

SHAPES = st.lists(st.tuples(st.integers(1, 2**40), st.integers(1, 9)), min_size=1, max_size=8)


def schema_of(shapes: list[tuple[int, int]]) -> FeatureSchema:
    kind = FieldKind.MULTIVALUED
    return FeatureSchema(tuple(Field(f"f{i}", kind, features, slots) for i, (features, slots) in enumerate(shapes)))


def test_the_mixed_schema_by_hand():
    schema = mixed_schema()
    assert (schema.num_fields, schema.num_features, schema.num_slots) == (4, 21, 6)
    assert schema.offsets == (0, 7, 13, 14)
    assert schema.slot_fields == (0, 1, 1, 1, 2, 3)


@given(SHAPES)
def test_fields_own_adjoining_blocks_of_ids(shapes):
    schema = schema_of(shapes)
    assert schema.offsets[0] == 0
    ends = [offset + field.num_features for offset, field in zip(schema.offsets, schema.fields, strict=True)]
    assert list(schema.offsets[1:]) == ends[:-1]
    assert ends[-1] == schema.num_features


@given(SHAPES)
def test_every_slot_names_its_field_and_fields_follow_each_other(shapes):
    schema = schema_of(shapes)
    assert len(schema.slot_fields) == schema.num_slots
    assert list(schema.slot_fields) == sorted(schema.slot_fields)
    assert [schema.slot_fields.count(f) for f in range(schema.num_fields)] == [slots for _, slots in shapes]


@pytest.mark.parametrize(
    "change",
    [
        {"name": "genre"},
        {"kind": FieldKind.CATEGORICAL},
        {"num_features": 7},
        {"num_slots": 4},
        {"encoding": "another vocabulary"},
    ],
    ids=lambda change: next(iter(change)),
)
def test_the_fingerprint_changes_with_every_attribute_of_a_field(change):
    schema = mixed_schema()
    fields = list(schema.fields)
    fields[1] = replace(fields[1], **change)
    assert FeatureSchema(tuple(fields)).fingerprint != schema.fingerprint


def test_the_fingerprint_changes_with_the_order_of_fields():
    fields = mixed_schema().fields
    assert FeatureSchema(fields[::-1]).fingerprint != FeatureSchema(fields).fingerprint


def test_equal_schemas_have_equal_fingerprints():
    assert mixed_schema().fingerprint == mixed_schema().fingerprint


def test_a_schema_survives_json():
    fields = (*mixed_schema().fields, Field("größe", FieldKind.CATEGORICAL, 2, encoding="ab12"))
    schema = FeatureSchema(fields)
    again = FeatureSchema.from_json(json.loads(json.dumps(schema.to_json())))
    assert again == schema
    assert again.fingerprint == schema.fingerprint
    assert all(isinstance(field.kind, FieldKind) for field in again.fields)


@pytest.mark.parametrize(
    ("fields", "told"),
    [
        ((), "at least one field"),
        ((Field("a", FieldKind.NUMERIC, 1), Field("a", FieldKind.NUMERIC, 1)), "listed twice: a"),
        ((Field("a", FieldKind.CATEGORICAL, 0),), "'a' needs at least one feature"),
        ((Field("a", FieldKind.MULTIVALUED, 3, num_slots=0),), "'a' needs at least one feature and one slot"),
    ],
    ids=["no fields", "a name twice", "no features", "no slots"],
)
def test_a_schema_refuses(fields, told):
    with pytest.raises(UserError, match=told):
        FeatureSchema(fields)


def full_batch() -> Batch:
    rows = random_batch(mixed_schema(), 5)
    return replace(rows, weights=torch.arange(5.0))


PARTS = ("ids", "values", "labels", "groups", "weights")


@pytest.mark.parametrize("rows", [slice(1, 4), torch.tensor([4, 0, 4])], ids=["slice", "numbers"])
def test_take_takes_the_same_rows_of_every_part(rows):
    batch = full_batch()
    taken = batch.take(rows)
    for part in PARTS:
        torch.testing.assert_close(getattr(taken, part), getattr(batch, part)[rows], rtol=0, atol=0)
    assert len(taken) == 3


def test_to_moves_every_part():
    moved = full_batch().to(torch.device("meta"))
    assert {getattr(moved, part).device.type for part in PARTS} == {"meta"}


def test_what_is_none_stays_none():
    batch = replace(full_batch(), groups=None, weights=None)
    for other in (batch.take(slice(2)), batch.to(torch.device("cpu"))):
        assert other.groups is None
        assert other.weights is None
