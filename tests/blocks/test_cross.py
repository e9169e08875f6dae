"""Cross networks are their papers' recursions, written out entry by entry."""

import math

import pytest
import torch
from torch import nn

from ctr.blocks import CrossNet, CrossNetV2
from ctr.errors import UserError
from tests.models.shared import double


def shaken(block):
    """In float64, with biases that are not 0, which would hide a mistake."""
    block = block.double()
    for parameter in block.parameters():
        nn.init.normal_(parameter, std=0.5)
    return block


def random_inputs(seed):
    torch.manual_seed(seed)
    num_rows, num_features, num_layers = (int(n) for n in torch.randint(1, 6, (3,)))
    return torch.randn(num_rows, num_features, dtype=torch.double), num_layers


def test_o8_two_layers_of_a_cross_network():
    cross = CrossNet(3, 2).double()
    with torch.no_grad():
        cross.weight.copy_(double([[0.1, 0.2, 0.3], [-0.5, 0.25, 1]]))
        cross.bias.copy_(double([[0.01, -0.02, 0.03], [0, 0.1, -0.1]]))
    x_0 = double([[1, 2, -1]])
    torch.testing.assert_close(cross(x_0), double([[0.03, 0.12, -0.09]]))
    first = CrossNet(3, 1).double()
    with torch.no_grad():
        first.weight.copy_(cross.weight[:1])
        first.bias.copy_(cross.bias[:1])
    torch.testing.assert_close(first(x_0), double([[1.21, 2.38, -1.17]]))


@pytest.mark.parametrize("seed", range(5))
def test_a_cross_layer_is_x_0_times_a_number_plus_b_plus_x(seed):
    inputs, num_layers = random_inputs(seed)
    cross = shaken(CrossNet(inputs.shape[1], num_layers))
    for x_0, output in zip(inputs, cross(inputs), strict=True):
        x = x_0.tolist()
        for w, b in zip(cross.weight.tolist(), cross.bias.tolist(), strict=True):
            product = sum(x_i * w_i for x_i, w_i in zip(x, w, strict=True))
            x = [x_0[i].item() * product + b[i] + x[i] for i in range(len(x))]
        torch.testing.assert_close(output, double(x))


def expected_v2(layer, x_0, x):
    """Equations 1 to 4 of DCN V2 for one row."""
    gates = [1.0]
    if layer.gate is not None:
        powers = [torch.dot(w, x).exp() for w in layer.gate.weight]
        gates = [power / sum(powers) for power in powers]
    output = x.clone()
    for e, gate in enumerate(gates):
        inner = x
        for place, matrix in enumerate(layer.matrices):
            if place and len(gates) > 1:
                inner = inner.tanh()
            inner = torch.stack([torch.dot(inner, column) for column in matrix[e].T])
        output = output + gate * x_0 * (inner + layer.bias)
    return output


@pytest.mark.parametrize(("rank", "num_experts"), [(0, 1), (2, 1), (2, 3), (1, 2), (0, 2)])
@pytest.mark.parametrize("seed", range(3))
def test_a_cross_layer_of_the_second_version_is_the_sum_over_its_experts(seed, rank, num_experts):
    inputs, num_layers = random_inputs(seed)
    cross = shaken(CrossNetV2(inputs.shape[1], num_layers, rank=rank, num_experts=num_experts))
    for x_0, output in zip(inputs, cross(inputs), strict=True):
        x = x_0
        for layer in cross.layers:
            x = expected_v2(layer, x_0, x)
        torch.testing.assert_close(output, x)


@pytest.mark.parametrize(
    ("rank", "num_experts", "shapes"),
    [
        (0, 1, [(1, 6, 6)]),
        (2, 1, [(1, 6, 2), (1, 2, 6)]),
        (2, 3, [(3, 6, 2), (3, 2, 2), (3, 2, 6)]),
        (0, 3, [(3, 6, 6)]),
    ],
)
def test_the_matrices_are_w_or_v_and_u_or_v_c_and_u_of_each_expert(rank, num_experts, shapes):
    (layer,) = CrossNetV2(6, 1, rank=rank, num_experts=num_experts).layers
    assert [tuple(matrix.shape) for matrix in layer.matrices] == shapes
    assert (layer.gate is None) == (num_experts == 1)


def test_a_matrix_with_equal_rows_is_the_vector_of_the_first_version():
    """W x holds x^T w in every entry where every row of W is w. Biases, here 0, stand in different places."""
    inputs, _ = random_inputs(0)
    first, second = CrossNet(inputs.shape[1], 3).double(), CrossNetV2(inputs.shape[1], 3).double()
    with torch.no_grad():
        for w, layer in zip(first.weight, second.layers, strict=True):
            layer.matrices[0].copy_(w.unsqueeze(-1).expand_as(layer.matrices[0]))
    torch.testing.assert_close(second(inputs), first(inputs))


@pytest.mark.parametrize("make", [lambda: CrossNet(4, 3), lambda: CrossNetV2(4, 3)])
def test_with_weights_of_zero_it_is_the_identity(make):
    cross, inputs = make(), torch.randn(5, 4)
    for parameter in cross.parameters():
        nn.init.zeros_(parameter)
    assert torch.equal(cross(inputs), inputs)


@pytest.mark.parametrize("num_layers", [1, 2, 3])
@pytest.mark.parametrize("block", [CrossNet, CrossNetV2])
def test_its_degree_is_the_number_of_layers_and_one(block, num_layers):
    """The differences of order num_layers + 2 of a polynomial of that degree are 0, those before are not."""
    torch.manual_seed(0)
    cross = shaken(block(3, num_layers))
    steps = torch.arange(num_layers + 3, dtype=torch.double).unsqueeze(1)
    differences = cross(1 + steps * torch.randn(1, 3, dtype=torch.double))
    for _ in range(num_layers + 1):
        differences = differences.diff(dim=0)
    assert differences.abs().min() > 1e-6
    torch.testing.assert_close(differences.diff(dim=0), torch.zeros(1, 3, dtype=torch.double), atol=1e-9, rtol=0)


def test_weights_start_xavier_normal_and_biases_at_zero():
    torch.manual_seed(0)
    first, second = CrossNet(2000, 2), CrossNetV2(200, 1, rank=50, num_experts=4)
    torch.testing.assert_close(first.weight.std().item(), math.sqrt(2 / 2001), rtol=0.05, atol=0)
    for matrix, width in zip(second.layers[0].matrices, [250, 100, 250], strict=True):
        torch.testing.assert_close(matrix.std().item(), math.sqrt(2 / width), rtol=0.05, atol=0)
    assert not first.bias.any()
    assert not second.layers[0].bias.any()


@pytest.mark.parametrize(("rank", "num_experts"), [(-1, 1), (0, 0)])
def test_a_rank_below_zero_and_no_experts_are_refused(rank, num_experts):
    with pytest.raises(UserError, match=f"found {rank} and {num_experts}"):
        CrossNetV2(4, 1, rank=rank, num_experts=num_experts)


def test_matrices_that_do_not_fit_are_refused_with_what_they_would_take():
    with pytest.raises(UserError, match=r"a cross layer over 10000000 inputs: .* GB .* choose a smaller embedding_dim"):
        CrossNetV2(10_000_000, 1)
