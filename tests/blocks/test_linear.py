"""FeatureLinear is w_0 + sum_i w_i x_i."""

import pytest
import torch

from ctr.blocks import FeatureLinear
from ctr.schema import FeatureSchema, Field, FieldKind
from tests.conftest import mixed_schema, random_batch


def random_linear(schema, *, bias=True):
    """Weights start at 0, which would hide any mistake."""
    linear = FeatureLinear(schema, bias=bias).double()
    for parameter in linear.parameters():
        torch.nn.init.normal_(parameter)
    return linear


def random_slots(seed: int):
    torch.manual_seed(seed)
    num_rows, num_slots, num_features = (int(n) for n in torch.randint(1, 9, (3,)))
    schema = FeatureSchema((Field("tags", FieldKind.MULTIVALUED, num_features, num_slots),))
    ids = torch.randint(num_features, (num_rows, num_slots))
    return schema, ids, torch.randn(num_rows, num_slots, dtype=torch.double)


@pytest.mark.parametrize("seed", range(5))
def test_it_is_the_bias_plus_the_sum_of_weights_times_values(seed):
    schema, ids, values = random_slots(seed)
    linear = random_linear(schema)
    w = linear.weight.table.weight[:, 0]
    for b, logit in enumerate(linear(ids, values)):
        total = linear.bias[0].clone()
        for i, x in zip(ids[b].tolist(), values[b], strict=True):
            total = total + w[i] * x
        torch.testing.assert_close(logit, total)


@pytest.mark.parametrize("seed", range(5))
def test_it_is_the_inner_product_with_the_sparse_vector_and_its_gradient_is_that_vector(seed):
    schema, ids, values = random_slots(seed)
    linear = random_linear(schema)
    x = torch.zeros(len(ids), schema.num_features, dtype=torch.double).scatter_add(1, ids, values)
    logits = linear(ids, values)
    torch.testing.assert_close(logits, x @ linear.weight.table.weight[:, 0] + linear.bias)
    logits.sum().backward()
    torch.testing.assert_close(linear.weight.table.weight.grad[:, 0], x.sum(0))
    torch.testing.assert_close(linear.bias.grad, torch.tensor([float(len(ids))], dtype=torch.double))


def test_without_bias_the_empty_row_is_zero():
    schema = mixed_schema()
    ids = torch.zeros(4, schema.num_slots, dtype=torch.int64)
    linear = random_linear(schema, bias=False)
    assert [name for name, _ in linear.named_parameters()] == list(linear.state_dict()) == ["weight.table.weight"]
    assert not linear(ids, torch.zeros(ids.shape)).any()


def test_with_bias_the_empty_row_is_the_bias():
    schema = mixed_schema()
    ids = torch.zeros(4, schema.num_slots, dtype=torch.int64)
    linear = random_linear(schema)
    torch.testing.assert_close(linear(ids, torch.zeros(ids.shape)), linear.bias.expand(4), atol=0, rtol=0)


def test_all_weights_start_at_zero(schema):
    batch = random_batch(schema, 10)
    assert not FeatureLinear(schema)(batch.ids, batch.values).any()


@pytest.mark.parametrize("anything", range(4))
def test_a_slot_of_value_zero_sends_no_gradient_whatever_id_stands_there(anything):
    linear = random_linear(FeatureSchema((Field("tags", FieldKind.MULTIVALUED, 4, 2),)))
    linear(torch.tensor([[1, anything]]), torch.tensor([[2.0, 0.0]])).backward()
    assert linear.weight.table.weight.grad[:, 0].tolist() == [0, 2, 0, 0]
