"""MLP is Linear -> batch norm -> activation -> dropout, and again."""

import math

import pytest
import torch
from torch import nn

from ctr.blocks import MLP
from ctr.blocks.mlp import xavier_linear


@pytest.mark.parametrize("seed", range(5))
def test_each_layer_is_the_activation_of_a_weighted_sum(seed):
    torch.manual_seed(seed)
    in_features, *hidden_dims = torch.randint(1, 8, (int(torch.randint(2, 5, ())),)).tolist()
    mlp = MLP(in_features, hidden_dims, activation="relu").double()
    linears = [module for module in mlp.modules() if isinstance(module, nn.Linear)]
    assert [linear.out_features for linear in linears] == hidden_dims
    for linear in linears:
        nn.init.normal_(linear.bias)
    inputs = torch.randn(3, in_features, dtype=torch.double)
    for row, output in zip(inputs, mlp(inputs), strict=True):
        hidden = row.tolist()
        for linear in linears:
            sums = [
                sum(w * x for w, x in zip(weights, hidden, strict=True)) + bias
                for weights, bias in zip(linear.weight.tolist(), linear.bias.tolist(), strict=True)
            ]
            hidden = [max(total, 0.0) for total in sums]
        torch.testing.assert_close(output, torch.tensor(hidden, dtype=torch.double))


@pytest.mark.parametrize(
    ("activation", "function"),
    [
        ("relu", lambda x: max(x, 0.0)),
        ("tanh", math.tanh),
        ("sigmoid", lambda x: 1 / (1 + math.exp(-x))),
        ("identity", lambda x: x),
    ],
)
def test_an_activation_is_the_function_of_its_name(activation, function):
    mlp = MLP(1, [1], activation=activation).double()
    nn.init.ones_(mlp.layers[0].weight)
    inputs = [-2.0, -0.1, 0.0, 0.7, 3.0]
    outputs = mlp(torch.tensor(inputs, dtype=torch.double).unsqueeze(1)).squeeze(1)
    torch.testing.assert_close(outputs, torch.tensor([function(x) for x in inputs], dtype=torch.double))


def test_without_layers_it_is_the_identity():
    mlp = MLP(5, [], dropout=0.5, batch_norm=True)
    inputs = torch.randn(3, 5)
    torch.testing.assert_close(mlp(inputs), inputs, atol=0, rtol=0)
    assert mlp.out_features == 5
    assert not list(mlp.parameters())


def test_it_says_how_wide_its_output_is():
    assert MLP(5, [7, 3]).out_features == 3


@pytest.mark.parametrize("batch_norm", [False, True])
def test_what_is_given_as_plus_is_added_to_the_sums_of_the_first_layer(batch_norm):
    mlp = MLP(4, [3, 2], batch_norm=batch_norm).double()
    inputs, plus = torch.randn(50, 4, dtype=torch.double), torch.randn(50, 3, dtype=torch.double)
    first, rest = mlp.layers[: mlp.per_layer], mlp.layers[mlp.per_layer :]
    expected = rest(first[1:](first[0](inputs) + plus))
    torch.testing.assert_close(mlp(inputs, plus), expected)


def test_batch_norm_comes_before_the_activation():
    torch.manual_seed(0)
    mlp = MLP(4, [3], activation="sigmoid", batch_norm=True).double()
    inputs = torch.randn(50, 4, dtype=torch.double)
    sums = inputs @ mlp.layers[0].weight.T
    normal = (sums - sums.mean(0)) / (sums.var(0, correction=0) + 1e-5).sqrt()
    torch.testing.assert_close(mlp(inputs), normal.sigmoid())


def test_dropout_comes_after_the_activation():
    """A dropped unit is 0, not sigmoid(0) = 1/2."""
    torch.manual_seed(0)
    mlp = MLP(4, [30], activation="sigmoid", dropout=0.5, batch_norm=True)
    inputs = torch.randn(50, 4)
    outputs = mlp(inputs)
    normal = nn.functional.batch_norm(mlp.layers[0](inputs), None, None, training=True)
    assert 0.4 < (outputs == 0).float().mean() < 0.6
    torch.testing.assert_close(outputs[outputs != 0], 2 * normal.sigmoid()[outputs != 0])
    assert (mlp.eval()(inputs) != 0).all()


def test_every_layer_has_its_batch_norm_and_its_dropout():
    order = [type(module).__name__ for module in MLP(4, [3, 2], dropout=0.5, batch_norm=True).layers]
    assert order == 2 * ["Linear", "BatchNorm1d", "ReLU", "Dropout"]


def test_batch_norm_gives_the_values_of_oracle_13():
    """A worked example; the running variance is torch's, the unbiased one."""
    mlp = MLP(2, [2], activation="identity", batch_norm=True, batch_norm_eps=1e-3).double()
    nn.init.eye_(mlp.layers[0].weight)
    inputs = [[1.0, 2.0], [3.0, -2.0], [2.0, 0.0], [6.0, 4.0]]
    outputs = [[-1.0688922797, 0.4471688808], [0, -1.3415066425], [-0.5344461398, -0.4471688808]]
    outputs.append([1.6033384195, 1.3415066425])
    double = {"dtype": torch.double}
    torch.testing.assert_close(mlp(torch.tensor(inputs, **double)), torch.tensor(outputs, **double), atol=1e-9, rtol=0)
    norm = mlp.layers[1]
    torch.testing.assert_close(norm.running_mean, torch.tensor([0.3, 0.1], **double))
    torch.testing.assert_close(norm.running_var, torch.tensor([1.3667, 1.5667], **double), atol=5e-5, rtol=0)


@pytest.mark.parametrize("eps", [1e-5, 1e-3])
def test_batch_norm_uses_the_given_eps_when_it_scores(eps):
    mlp = MLP(1, [1], activation="identity", batch_norm=True, batch_norm_eps=eps).double().eval()
    nn.init.ones_(mlp.layers[0].weight)
    mlp.layers[1].running_var.fill_(1e-3)
    one = torch.ones(1, 1, dtype=torch.double)
    torch.testing.assert_close(mlp(one), one / math.sqrt(1e-3 + eps))


def test_weights_start_xavier_normal_and_biases_at_zero():
    torch.manual_seed(0)
    for linear in [MLP(300, [500]).layers[0], xavier_linear(300, 500)]:
        torch.testing.assert_close(linear.weight.std().item(), math.sqrt(2 / 800), rtol=0.01, atol=0)
        share = (linear.weight.abs() < math.sqrt(2 / 800)).float().mean().item()
        torch.testing.assert_close(share, 0.6827, rtol=0, atol=0.01)
        assert not linear.bias.any()


def test_a_linear_layer_without_bias_has_none():
    assert xavier_linear(3, 1, bias=False).bias is None
