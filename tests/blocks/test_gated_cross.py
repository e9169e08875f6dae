"""GatedCrossNetwork is the recursion of its paper."""

import math

import pytest
import torch
from torch import nn

from ctr.blocks import GatedCrossNetwork


def random_network(seed: int, num_layers: int):
    torch.manual_seed(seed)
    width = int(torch.randint(1, 7, ()))
    network = GatedCrossNetwork(width, num_layers).double()
    for cross in network.crosses:
        nn.init.normal_(cross.bias)
    return network, torch.randn(3, width, dtype=torch.double)


def times(weights, x):
    return [sum(w * value for w, value in zip(row, x, strict=True)) for row in weights]


@pytest.mark.parametrize("num_layers", [0, 1, 3])
@pytest.mark.parametrize("seed", range(4))
def test_each_layer_adds_the_gated_cross_with_the_input(seed, num_layers):
    network, inputs = random_network(seed, num_layers)
    for row, out in zip(inputs.tolist(), network(inputs), strict=True):
        x = row
        for cross, gate in zip(network.crosses, network.gates, strict=True):
            sums = [s + b for s, b in zip(times(cross.weight.tolist(), x), cross.bias.tolist(), strict=True)]
            gates = [1 / (1 + math.exp(-g)) for g in times(gate.weight.tolist(), x)]
            x = [x_0 * s * g + before for x_0, s, g, before in zip(row, sums, gates, x, strict=True)]
        torch.testing.assert_close(out, torch.tensor(x, dtype=torch.double))


def test_with_silent_crosses_it_is_the_identity():
    network, inputs = random_network(0, 3)
    for cross in network.crosses:
        nn.init.zeros_(cross.weight)
        nn.init.zeros_(cross.bias)
    torch.testing.assert_close(network(inputs), inputs)


def test_with_gates_at_zero_it_is_half_of_the_cross_of_dcn_v2():
    """sigmoid(0) = 1/2: x_1 = x_0 * (W x_0 + b) / 2 + x_0."""
    network, x = random_network(1, 1)
    nn.init.zeros_(network.gates[0].weight)
    torch.testing.assert_close(network(x), x * network.crosses[0](x) / 2 + x)
