"""FactorizedInteraction, FactorizedMLP and FieldGate against their definitions."""

import pytest
import torch
from torch import nn

from ctr.blocks import FactorizedInteraction, FactorizedMLP, FieldGate


def random_layer(in_features, out_features, residual):
    layer = FactorizedInteraction(in_features, out_features, residual=residual).double()
    nn.init.normal_(layer.linear.bias)
    return layer


@pytest.mark.parametrize("out_features", [1, 4, 7])
def test_concat_puts_products_beside_the_sums_that_are_their_first_factors(out_features):
    layer = random_layer(5, out_features, "concat")
    rows = layer.linear.weight, layer.linear.bias
    half = out_features // 2
    assert layer.linear.out_features == out_features
    for x in torch.randn(3, 5, dtype=torch.double):
        sums = [sum(w * v for w, v in zip(weights, x, strict=True)) + bias for weights, bias in zip(*rows, strict=True)]
        h, g = sums[: out_features - half], sums[out_features - half :]
        expected = h + [h[i] * g[i] for i in range(half)]
        torch.testing.assert_close(layer(x.unsqueeze(0))[0], torch.stack(expected))


def test_sum_adds_the_products_to_the_sums():
    layer = random_layer(5, 4, "sum")
    rows = layer.linear.weight, layer.linear.bias
    for x in torch.randn(3, 5, dtype=torch.double):
        sums = [sum(w * v for w, v in zip(weights, x, strict=True)) + bias for weights, bias in zip(*rows, strict=True)]
        expected = [sums[i] + sums[i] * sums[4 + i] for i in range(4)]
        torch.testing.assert_close(layer(x.unsqueeze(0))[0], torch.stack(expected))


@pytest.mark.parametrize("batch_norm", [True, False])
def test_the_layers_are_factorized_then_normalised_activated_and_dropped(batch_norm):
    torch.manual_seed(0)
    options = {"residual": "concat", "activation": "relu", "dropout": 0.5, "batch_norm": batch_norm}
    block = FactorizedMLP(5, [6, 4], **options).double()
    x = torch.randn(50, 5, dtype=torch.double)
    kinds = [FactorizedInteraction, nn.BatchNorm1d, nn.ReLU] if batch_norm else [FactorizedInteraction, nn.ReLU]
    per_layer = len(kinds) + 1
    assert [type(m) for m in block.layers[: per_layer - 1]] == kinds
    hidden = x
    for start in (0, per_layer):
        layer = block.layers[start]
        hidden = layer(hidden)
        if batch_norm:
            hidden = (hidden - hidden.mean(0)) / (hidden.var(0, correction=0) + 1e-5).sqrt()
        hidden = hidden.clamp(min=0)
    assert block.out_features == hidden.shape[1] == 4
    for module in block.modules():
        module.train(not hasattr(module, "p"))  # all but the dropout
    torch.testing.assert_close(block(x), hidden)
    dropped = block.train()(x)
    assert (dropped == 0).double().mean() > (hidden == 0).double().mean() + 0.1


def test_a_field_gate_weighs_each_field_by_a_linear_form_of_all_fields():
    gate = FieldGate(3).double()
    nn.init.normal_(gate.linear.weight)
    nn.init.normal_(gate.linear.bias)
    vectors = torch.randn(4, 3, 2, dtype=torch.double)
    out = gate(vectors)
    for b in range(4):
        torch.testing.assert_close(out[b, :3], vectors[b])
        for f in range(3):
            weighed = sum(gate.linear.weight[f, j] * vectors[b, j] for j in range(3)) + gate.linear.bias[f]
            torch.testing.assert_close(out[b, 3 + f], weighed * vectors[b, f])


def test_field_gates_start_open():
    vectors = torch.randn(4, 3, 2)
    torch.testing.assert_close(FieldGate(3)(vectors), torch.cat([vectors, vectors], dim=1))


def test_a_layer_without_units_is_refused():
    with pytest.raises(ValueError, match="at least 1 unit, found 0"):
        FactorizedInteraction(3, 0, residual="concat")
