"""FieldAware is the double sum of FFM's paper, with the vectors that each slot has for the other's field."""

import itertools

import pytest
import torch

from ctr.blocks import FieldAware, FMInteraction
from ctr.errors import UserError
from ctr.schema import FeatureSchema, Field, FieldKind
from tests.conftest import mixed_schema
from tests.models.shared import FIELDS

DIM = 3
LISTS = FeatureSchema((Field("tags", FieldKind.MULTIVALUED, 5, 4),))
SCHEMAS = pytest.mark.parametrize(
    "schema", [FIELDS, mixed_schema(), LISTS], ids=["one slot a field", "mixed", "a list"]
)


def vectors(schema, xv):
    """v[slot][field], as the docstring lays them out: without one for the own field where all have one slot."""
    own = any(field.num_slots > 1 for field in schema.fields)
    split = xv.split(DIM, dim=-1)
    found = []
    for slot, f in enumerate(schema.slot_fields):
        met = [g for g in range(schema.num_fields) if own or g != f]
        found.append({g: split[place][:, slot] for place, g in enumerate(met)})
    return found


def random_slots(schema):
    torch.manual_seed(0)
    interaction = FieldAware(schema, DIM)
    return interaction, torch.randn(6, schema.num_slots, interaction.num_vectors * DIM, dtype=torch.double)


@SCHEMAS
def test_it_is_the_double_sum_over_slots(schema):
    interaction, xv = random_slots(schema)
    v, fields, expected = vectors(schema, xv), schema.slot_fields, torch.zeros(6, dtype=torch.double)
    for i, j in itertools.combinations(range(schema.num_slots), 2):
        expected += (v[i][fields[j]] * v[j][fields[i]]).sum(1)
    torch.testing.assert_close(interaction(xv), expected)


@SCHEMAS
def test_with_the_same_vector_for_every_field_it_is_fms_sum(schema):
    interaction, _ = random_slots(schema)
    xv = torch.randn(6, schema.num_slots, DIM, dtype=torch.double)
    torch.testing.assert_close(interaction(xv.repeat(1, 1, interaction.num_vectors)), FMInteraction()(xv))


@pytest.mark.parametrize(("schema", "num_vectors"), [(FIELDS, 2), (mixed_schema(), 4), (LISTS, 1)])
def test_a_feature_has_a_vector_for_every_field_that_it_can_meet(schema, num_vectors):
    assert FieldAware(schema, DIM).num_vectors == num_vectors


def test_a_table_that_would_not_fit_is_refused_with_its_size_and_the_way_out():
    fields = tuple(Field(name, FieldKind.CATEGORICAL, 10**9) for name in "abcde")
    with pytest.raises(UserError, match=r"5,000,000,000 features with 4 vectors of 10: .* 2,400.0 GB .* model=fwfm"):
        FieldAware(FeatureSchema(fields), 10)
    with torch.device("meta"):
        FieldAware(FeatureSchema(fields), 10)


def test_a_field_alone_is_refused():
    with pytest.raises(UserError, match="makes no pairs"):
        FieldAware(FeatureSchema((Field("user", FieldKind.CATEGORICAL, 9),)), DIM)
