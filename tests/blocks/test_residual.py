"""ResidualUnit is act(x + W_2 act(W_1 x + b_1) + b_2)."""

import pytest
import torch
from torch import nn

from ctr.blocks import ResidualUnit

PLAIN = {"activation": "relu", "dropout": 0.0, "batch_norm": False}


def random_unit(in_features, width, **options):
    torch.manual_seed(0)
    unit = ResidualUnit(in_features, width, **(PLAIN | options)).double()
    for layer in (unit.inner, unit.outer):
        nn.init.normal_(layer.bias)
    return unit


@pytest.mark.parametrize(("activation", "function"), [("relu", lambda x: max(x, 0.0)), ("identity", lambda x: x)])
def test_each_output_is_the_activation_of_the_input_plus_what_the_layers_make_of_it(activation, function):
    unit = random_unit(4, 3, activation=activation)
    inputs = torch.randn(5, 4, dtype=torch.double)
    w_1, b_1, w_2, b_2 = (p.tolist() for p in unit.parameters())
    for row, output in zip(inputs.tolist(), unit(inputs), strict=True):
        hidden = [
            function(sum(w * x for w, x in zip(ws, row, strict=True)) + b) for ws, b in zip(w_1, b_1, strict=True)
        ]
        sums = [sum(w * h for w, h in zip(ws, hidden, strict=True)) + b for ws, b in zip(w_2, b_2, strict=True)]
        expected = [function(x + total) for x, total in zip(row, sums, strict=True)]
        torch.testing.assert_close(output, torch.tensor(expected, dtype=torch.double))


def test_without_outer_weights_it_is_the_activation_of_its_input():
    unit = random_unit(4, 3)
    nn.init.zeros_(unit.outer.weight)
    nn.init.zeros_(unit.outer.bias)
    inputs = torch.randn(5, 4, dtype=torch.double)
    torch.testing.assert_close(unit(inputs), inputs.relu())


def test_batch_norm_comes_before_the_outer_activation_and_dropout_after_it():
    unit = random_unit(4, 3, activation="sigmoid", batch_norm=True, dropout=0.5)
    inputs = torch.randn(50, 4, dtype=torch.double)
    sums = inputs + unit.outer(unit.inner(inputs).sigmoid())
    normal = (sums - sums.mean(0)) / (sums.var(0, correction=0) + 1e-5).sqrt()
    outputs = unit(inputs)
    assert 0.3 < (outputs == 0).double().mean() < 0.7
    torch.testing.assert_close(outputs[outputs != 0], 2 * normal.sigmoid()[outputs != 0])
