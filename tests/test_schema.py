"""The ground: a schema's arithmetic and its fingerprint; a Batch and its rows."""

import json
from dataclasses import replace
from itertools import pairwise

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from ctr.batch import Batch
from ctr.errors import UserError
from ctr.models import FM
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


# --- fields that share their features ---

A, B = Field("a", FieldKind.CATEGORICAL, 3), Field("b", FieldKind.MULTIVALUED, 3, num_slots=2)


def test_fields_that_share_have_one_block_of_ids_that_counts_once():
    first = Field("first", FieldKind.NUMERIC, 5)
    schema = FeatureSchema((replace(B, shares="a"), first, A, Field("c", FieldKind.CATEGORICAL, 3, shares="a")))
    assert schema.offsets == (5, 0, 5, 5)  # wherever the owner stands
    assert (schema.num_features, schema.num_slots) == (8, 5)
    assert schema.slot_fields == (0, 0, 1, 2, 3)


@given(SHAPES, st.data())
def test_blocks_are_those_of_the_owners_alone(shapes, data):
    owners = schema_of(shapes).fields
    sharing = [
        Field(f"s{i}", FieldKind.CATEGORICAL, owner.num_features, shares=owner.name)
        for i, owner in enumerate(data.draw(st.lists(st.sampled_from(owners), max_size=4)))
    ]
    schema = FeatureSchema(tuple(data.draw(st.permutations([*owners, *sharing]))))
    start = dict(zip((field.name for field in schema.fields), schema.offsets, strict=True))
    assert all(start[field.name] == start[field.shares] for field in sharing)
    blocks = sorted((start[owner.name], start[owner.name] + owner.num_features) for owner in owners)
    assert blocks[0][0] == 0
    assert all(end == following for (_, end), (following, _) in pairwise(blocks))
    assert blocks[-1][1] == schema.num_features


def test_sharing_is_part_of_the_fingerprint_and_of_the_json():
    shared, own = FeatureSchema((A, replace(B, shares="a"))), FeatureSchema((A, B))
    assert shared.fingerprint != own.fingerprint
    again = FeatureSchema.from_json(json.loads(json.dumps(shared.to_json())))
    assert again == shared
    assert all("shares" not in entry for entry in own.to_json()["fields"])  # as before there was sharing


def test_an_fm_trains_shared_features_by_the_rows_of_both_fields():
    """One step on a row whose two fields hold different tokens of one vocabulary: the gradient of a table's row is the
    sum of both slots' gradients, and a schema without sharing has them apart."""
    options = {"embedding_dim": 4, "init_std": 0.1, "bias": True, "embedding_dropout": 0.0}
    shared = FM(FeatureSchema((A, Field("b", FieldKind.CATEGORICAL, 3, shares="a"))), **options)
    apart = FM(FeatureSchema((A, Field("b", FieldKind.CATEGORICAL, 3))), **options)
    tables = dict(shared.named_parameters())
    assert sorted(tensor.shape[0] for tensor in tables.values() if tensor.dim() == 2) == [3, 3]
    with torch.no_grad():
        for name, table in apart.named_parameters():
            table.copy_(torch.cat([tables[name]] * 2) if table.dim() == 2 else tables[name])
    values = torch.ones(3, 2)
    ids = torch.tensor([[1, 2], [2, 1], [1, 1]])
    shared_logits, apart_logits = shared(ids, values), apart(ids + torch.tensor([0, 3]), values)
    torch.testing.assert_close(shared_logits, apart_logits)
    shared_logits.square().sum().backward()
    apart_logits.square().sum().backward()
    for name, table in apart.named_parameters():
        expected = table.grad[:3] + table.grad[3:] if table.dim() == 2 else table.grad
        torch.testing.assert_close(tables[name].grad, expected)
        assert table.dim() < 2 or (expected[1:] != 0).all()


@pytest.mark.parametrize(
    ("fields", "told"),
    [
        ((), "at least one field"),
        ((Field("a", FieldKind.NUMERIC, 1), Field("a", FieldKind.NUMERIC, 1)), "listed twice: a"),
        ((Field("a", FieldKind.CATEGORICAL, 0),), "'a' needs at least one feature"),
        ((Field("a", FieldKind.MULTIVALUED, 3, num_slots=0),), "'a' needs at least one feature and one slot"),
        (
            (Field("a", FieldKind.CATEGORICAL, 3, shares="b"),),
            "'a' shares the features of 'b', which has to be a field",
        ),
        ((Field("a", FieldKind.CATEGORICAL, 3, shares="a"),), "'a' shares the features of 'a'"),
        (
            (A, replace(B, shares="a"), Field("c", FieldKind.CATEGORICAL, 3, shares="b")),
            "'c' shares the features of 'b'",
        ),
        ((A, replace(B, num_features=4, shares="a")), "'b' shares the features of 'a', .* as many features"),
    ],
    ids=["no fields", "a name twice", "no features", "no slots", "unknown", "itself", "a chain", "other sizes"],
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
