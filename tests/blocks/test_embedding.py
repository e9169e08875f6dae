"""FeatureEmbedding is a one-hot matrix product, FieldPool a sum per field."""

import pytest
import torch
from torch.nn import functional

from ctr.blocks import FeatureEmbedding, FieldPool
from ctr.schema import FeatureSchema, Field, FieldKind
from tests.conftest import mixed_schema, random_batch


def one_field(num_features: int, num_slots: int) -> FeatureSchema:
    return FeatureSchema((Field("tags", FieldKind.MULTIVALUED, num_features, num_slots),))


def random_slots(seed: int):
    """An embedding in float64, and rows for it, of a random size."""
    torch.manual_seed(seed)
    num_rows, num_slots, num_features, dim = (int(n) for n in torch.randint(1, 9, (4,)))
    embedding = FeatureEmbedding(one_field(num_features, num_slots), dim, init_std=1.0).double()
    ids = torch.randint(num_features, (num_rows, num_slots))
    return embedding, ids, torch.randn(num_rows, num_slots, dtype=torch.double)


@pytest.mark.parametrize("seed", range(5))
def test_a_slot_is_its_value_times_its_row_of_the_table(seed):
    embedding, ids, values = random_slots(seed)
    xv = embedding(ids, values)
    assert xv.shape == (*ids.shape, embedding.table.weight.shape[1])
    for b, row in enumerate(ids.tolist()):
        for s, i in enumerate(row):
            torch.testing.assert_close(xv[b, s], values[b, s] * embedding.table.weight[i])


@pytest.mark.parametrize("seed", range(5))
def test_a_lookup_is_a_one_hot_row_times_the_table(seed):
    embedding, ids, values = random_slots(seed)
    x = functional.one_hot(ids, len(embedding.table.weight)) * values.unsqueeze(-1)  # (B, S, num_features)
    torch.testing.assert_close(embedding(ids, values), x @ embedding.table.weight)


@pytest.mark.parametrize("seed", range(5))
def test_the_gradient_of_a_lookup_is_that_of_the_matrix_product(seed):
    embedding, ids, values = random_slots(seed)
    upstream = torch.randn_like(embedding(ids, values))
    embedding(ids, values).backward(upstream)
    x = functional.one_hot(ids, len(embedding.table.weight)) * values.unsqueeze(-1)
    torch.testing.assert_close(embedding.table.weight.grad, torch.einsum("bsn,bsd->nd", x, upstream))


def test_one_table_holds_the_features_of_all_fields(schema):
    embedding = FeatureEmbedding(schema, 3)
    assert embedding.table.weight.shape == (7 + 6 + 1 + 7, 3)
    batch = random_batch(schema, 50)
    assert embedding(batch.ids, batch.values).shape == (50, 1 + 3 + 1 + 1, 3)


@pytest.mark.parametrize("anything", range(5))
def test_a_slot_of_value_zero_is_zero_and_sends_no_gradient_whatever_id_stands_there(anything):
    embedding = FeatureEmbedding(one_field(5, 3), 4, init_std=1.0)
    ids = torch.tensor([[2, anything, anything]])
    xv = embedding(ids, torch.tensor([[1.5, 0.0, 0.0]]))
    assert not xv[0, 1:].any()
    xv.sum().backward()
    expected = torch.zeros(5, 4)
    expected[2] = 1.5
    torch.testing.assert_close(embedding.table.weight.grad, expected)


def test_rows_start_normal_with_the_standard_deviation_asked_for():
    torch.manual_seed(0)
    weight = FeatureEmbedding(one_field(20_000, 1), 8, init_std=0.3).table.weight
    torch.testing.assert_close(weight.mean(), torch.tensor(0.0), atol=0.005, rtol=0)
    torch.testing.assert_close(weight.std(), torch.tensor(0.3), atol=0.005, rtol=0)
    torch.testing.assert_close((weight.abs() < 0.3).float().mean(), torch.tensor(0.6827), atol=0.01, rtol=0)


@pytest.mark.parametrize("seed", range(5))
def test_a_field_is_pooled_to_the_sum_of_its_slots(seed):
    torch.manual_seed(seed)
    slots = torch.randint(1, 4, (int(torch.randint(1, 6, ())),)).tolist()
    schema = FeatureSchema(tuple(Field(f"f{f}", FieldKind.MULTIVALUED, 9, n) for f, n in enumerate(slots)))
    xv = torch.randn(3, sum(slots), 4, dtype=torch.double)
    pooled = FieldPool(schema)(xv)
    assert pooled.shape == (3, len(slots), 4)
    for f, n in enumerate(slots):
        first = sum(slots[:f])
        torch.testing.assert_close(pooled[:, f], sum(xv[:, s] for s in range(first, first + n)))


def test_pooling_fields_of_one_slot_changes_nothing():
    schema = FeatureSchema(tuple(Field(name, FieldKind.CATEGORICAL, 4) for name in "abc"))
    xv = torch.randn(2, 3, 5)
    torch.testing.assert_close(FieldPool(schema)(xv), xv, atol=0, rtol=0)


def test_a_pool_has_no_weights_to_save():
    assert not FieldPool(mixed_schema()).state_dict()
