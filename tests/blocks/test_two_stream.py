"""ContextEmbedding, FeatureGate and BilinearFusion against their definitions."""

import math

import pytest
import torch
from torch import nn

from ctr.blocks import BilinearFusion, ContextEmbedding, FeatureGate
from ctr.errors import UserError
from ctr.schema import FeatureSchema, Field, FieldKind
from tests.conftest import mixed_schema, random_batch

NAMES = ["item", "genres"]  # the schema has genres first


def test_a_context_has_rows_for_its_fields_alone_and_sums_the_slots_of_each():
    schema = mixed_schema()
    context = ContextEmbedding(schema, 4, fields=NAMES, init_std=1.0).double()
    batch = random_batch(schema, 20)
    assert (batch.values[:, 1:4] == 0).any()
    out = context(batch.ids, batch.values.double())
    rows = context.embedding.table.weight
    assert len(rows) == 6 + 7
    assert context.out_features == 8
    for b in range(20):
        genres = torch.zeros(4, dtype=torch.double)
        for slot in (1, 2, 3):  # ids 7 to 12
            genres = genres + batch.values[b, slot].double() * rows[batch.ids[b, slot] - 7]
        item = rows[6 + batch.ids[b, 5] - 14]  # ids 14 to 20
        torch.testing.assert_close(out[b], torch.cat([genres, item]))


def test_any_id_may_stand_under_a_zero_value():
    schema = mixed_schema()
    context = ContextEmbedding(schema, 4, fields=["item"], init_std=1.0)
    values = torch.tensor([[1.0, 0, 0, 0, 1.0, 0.0]])
    for item in range(schema.num_features):
        assert not context(torch.tensor([[0, 7, 7, 7, 13, item]]), values).any()


def test_fields_that_share_their_features_share_rows_of_the_context():
    item, seen = Field("item", FieldKind.CATEGORICAL, 5), Field("seen", FieldKind.MULTIVALUED, 5, 2, shares="item")
    schema = FeatureSchema((Field("user", FieldKind.CATEGORICAL, 3), item, seen))
    ids, values = torch.tensor([[1, 4, 4, 6]]), torch.tensor([[1.0, 1, 1, 0]])
    both = ContextEmbedding(schema, 4, fields=["item", "seen"], init_std=1.0)
    assert len(both.embedding.table.weight) == 5
    rows = both.embedding.table.weight
    torch.testing.assert_close(both(ids, values)[0], torch.cat([rows[1], rows[1]]))
    alone = ContextEmbedding(schema, 4, fields=["seen"], init_std=1.0)
    torch.testing.assert_close(alone(ids, values)[0], alone.embedding.table.weight[1])


def test_without_fields_the_context_is_one_learnt_row():
    schema, batch = mixed_schema(), random_batch(mixed_schema(), 3)
    torch.manual_seed(0)
    context = ContextEmbedding(schema, 400, fields=[], init_std=0.5)
    assert [name for name, _ in context.named_parameters()] == ["constant"]
    assert context(batch.ids, batch.values) is context.constant
    assert context.constant.shape == (1, context.out_features)
    assert 0.45 < context.constant.std() < 0.55
    assert not hasattr(context, "reads_ids")
    assert ContextEmbedding(schema, 4, fields=["user"], init_std=0.5).reads_ids


def random_gate():
    torch.manual_seed(0)
    gate = FeatureGate(6, 3, [5, 4]).double()
    for parameter in gate.parameters():
        nn.init.normal_(parameter)
    return gate


def test_a_gate_doubles_the_sigmoid_of_a_network_of_the_context():
    gate = random_gate()
    inputs, contexts = torch.randn(3, 6, dtype=torch.double), torch.randn(3, 3, dtype=torch.double)
    out = gate(inputs, contexts)
    linears = [module for module in gate.modules() if isinstance(module, nn.Linear)]
    assert [linear.out_features for linear in linears] == [5, 4, 6]
    for b in range(3):
        x = contexts[b].tolist()
        for layer, linear in enumerate(linears):
            rows = zip(linear.weight.tolist(), linear.bias.tolist(), strict=True)
            x = [sum(w * v for w, v in zip(row, x, strict=True)) + bias for row, bias in rows]
            x = [max(v, 0.0) for v in x] if layer < 2 else x
        expected = [2 / (1 + math.exp(-g)) * v for g, v in zip(x, inputs[b].tolist(), strict=True)]
        torch.testing.assert_close(out[b], torch.tensor(expected, dtype=torch.double))


def test_a_constant_context_gates_all_examples_alike():
    gate = random_gate()
    inputs, constant = torch.randn(7, 6, dtype=torch.double), torch.randn(1, 3, dtype=torch.double)
    torch.testing.assert_close(gate(inputs, constant), gate(inputs, constant.expand(7, 3)))


def test_a_silent_gate_lets_everything_pass_as_it_is():
    gate = random_gate()
    nn.init.zeros_(gate.head.weight)
    nn.init.zeros_(gate.head.bias)
    inputs = torch.randn(7, 6, dtype=torch.double)
    torch.testing.assert_close(gate(inputs, torch.randn(7, 3, dtype=torch.double)), inputs)


@pytest.mark.parametrize("num_heads", [1, 2, 6])
def test_the_fusion_is_two_linear_forms_and_a_bilinear_form_for_each_head(num_heads):
    torch.manual_seed(0)
    fusion = BilinearFusion(12, 6, num_heads).double()
    for parameter in fusion.parameters():
        nn.init.normal_(parameter)
    x, y = torch.randn(3, 12, dtype=torch.double), torch.randn(3, 6, dtype=torch.double)
    out = fusion(x, y)
    h, g = 12 // num_heads, 6 // num_heads
    for b in range(3):
        total = fusion.first.bias[0] + fusion.second.bias[0]
        total = total + sum(fusion.first.weight[0, i] * x[b, i] for i in range(12))
        total = total + sum(fusion.second.weight[0, j] * y[b, j] for j in range(6))
        for k in range(num_heads):
            for i in range(h):
                for j in range(g):
                    total = total + x[b, k * h + i] * fusion.pairs[k, i, j] * y[b, k * g + j]
        torch.testing.assert_close(out[b], total)


def test_the_pairs_of_the_fusion_start_as_one_xavier_layer_over_all_products():
    torch.manual_seed(0)
    pairs = BilinearFusion(400, 100, 5).pairs
    assert pairs.shape == (5, 80, 20)
    assert pairs.std().item() == pytest.approx(math.sqrt(2 / 8001), rel=0.05)


def test_heads_must_divide_both_widths():
    with pytest.raises(UserError, match=r"num_heads must divide .* 12 and 6; found 4"):
        BilinearFusion(12, 6, 4)
