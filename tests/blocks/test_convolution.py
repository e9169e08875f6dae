"""FieldConvolutions against plain loops over fields, dimensions and channels; PMaxPool against sorting by hand."""

import math

import pytest
import torch
from torch import nn

from ctr.blocks import FieldConvolutions, PMaxPool
from ctr.blocks.convolution import flexible_p
from ctr.errors import UserError


def made(num_fields, dim, channels, widths, shared=False, activation="tanh"):
    torch.manual_seed(0)
    options = {"channels": channels, "kernel_widths": widths, "shared_filters": shared, "activation": activation}
    block = FieldConvolutions(num_fields, dim, **options).double()
    for convolution in block.convolutions:
        nn.init.normal_(convolution.bias)
    return block


def largest(values, p):
    """The p largest, in their order; of equal ones the first."""
    places = sorted(range(len(values)), key=lambda place: (-values[place], place))[:p]
    return [values[place] for place in sorted(places)]


def by_loops(block, row, shared):
    """One example, (F, D), through all layers: maps[d][c] is a sequence."""
    num_dims = row.shape[1]
    maps = [[row[:, d].tolist()] for d in range(num_dims)]
    for convolution, pool in zip(block.convolutions, block.pools, strict=True):
        num_out, num_in, width = len(convolution.bias), len(maps[0]), convolution.kernel_size[0]
        weight = convolution.weight.reshape(1 if shared else num_dims, -1, num_in, width)
        bias = convolution.bias.reshape(1 if shared else num_dims, -1)
        after = []
        for d in range(num_dims):
            ours = 0 if shared else d
            after.append([])
            for c in range(num_out if shared else num_out // num_dims):
                n = len(maps[d][0])
                sums = [bias[ours, c].item()] * (n + width - 1)
                for m in range(len(sums)):
                    for k in range(num_in):
                        for w in range(width):
                            if 0 <= m + w - (width - 1) < n:
                                sums[m] += weight[ours, c, k, w].item() * maps[d][k][m + w - (width - 1)]
                after[d].append([math.tanh(value) for value in largest(sums, pool.p)])
        maps = after
    return maps


@pytest.mark.parametrize("shared", [False, True])
@pytest.mark.parametrize(
    ("num_fields", "channels", "widths"), [(7, [2, 3], [3, 2]), (2, [1], [1]), (5, [3], [6]), (6, [2, 2, 1], [6, 5, 3])]
)
def test_each_layer_is_a_wide_convolution_its_largest_values_and_the_activation(num_fields, channels, widths, shared):
    block = made(num_fields, 4, channels, widths, shared)
    fields = torch.randn(3, num_fields, 4, dtype=torch.double)
    outputs = block(fields)
    expected = torch.tensor([by_loops(block, row, shared) for row in fields], dtype=torch.double)
    torch.testing.assert_close(outputs, expected)
    assert outputs[0].numel() == block.out_features


def test_dimensions_with_filters_of_their_own_do_not_mix():
    block = made(5, 3, [2, 2], [3, 3])
    fields = torch.randn(4, 5, 3, dtype=torch.double)
    other = fields.clone()
    other[:, :, 1] += 1
    changed = (block(fields) != block(other)).flatten(2).any(-1).any(0)
    assert changed.tolist() == [False, True, False]


def test_the_pooling_keeps_the_order_and_of_equal_values_the_first():
    values = torch.tensor([[3.0, 1.0, 5.0, 2.0, 4.0], [0.0, 1.0, 0.0, 0.0, 0.0]])
    assert PMaxPool(3)(values).tolist() == [[3, 5, 4], [0, 1, 0]]
    values = torch.zeros(1, 40).requires_grad_()
    PMaxPool(3)(values).sum().backward()
    assert values.grad.nonzero()[:, 1].tolist() == [0, 1, 2]


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32, torch.bfloat16])
@pytest.mark.parametrize("seed", range(5))
def test_the_pooling_is_sorting_by_hand(seed, dtype):
    torch.manual_seed(seed)
    values = (torch.randint(-2, 3, (6, 9)) * torch.rand(6, 9).round(decimals=1)).to(dtype)  # with ties, with -0 and 0
    for p in (1, 4, 9):
        assert PMaxPool(p)(values).tolist() == [largest(row, p) for row in values.tolist()]


def test_the_pooling_takes_what_is_no_number_as_the_largest_and_infinities_where_they_belong():
    nan, inf = float("nan"), float("inf")
    for none in (torch.tensor(nan), -torch.tensor(nan)):  # a sum's has the sign
        values = torch.tensor([[1.0, none, -inf, 2.0, inf, -1.0]])
        torch.testing.assert_close(PMaxPool(3)(values), torch.tensor([[nan, 2.0, inf]]), equal_nan=True)


def test_flexible_p_is_the_papers_rule_and_3_at_least():
    assert [flexible_p(layer, 3, 18) for layer in (1, 2, 3)] == [16, 6, 3]  # (1 - 1/9) 18, (1 - 2/3) 18
    assert [flexible_p(layer, 2, 10) for layer in (1, 2)] == [5, 3]
    assert [flexible_p(layer, 2, 4) for layer in (1, 2)] == [3, 3]


def test_filters_start_xavier_normal_for_each_dimension_and_biases_at_zero():
    torch.manual_seed(0)
    options = {"channels": [40, 60], "kernel_widths": [5, 3], "activation": "tanh"}
    for shared in (False, True):
        block = FieldConvolutions(9, 8, shared_filters=shared, **options)
        assert block.convolutions[1].weight.std().item() == pytest.approx((2 / (3 * 100)) ** 0.5, rel=0.03)
        assert not block.convolutions[1].bias.any()


@pytest.mark.parametrize(("channels", "widths"), [([], []), ([2, 2], [3]), ([2, 0], [3, 3]), ([2], [0])])
def test_layers_that_do_not_match_are_refused(channels, widths):
    with pytest.raises(UserError, match="one number for each layer"):
        made(4, 2, channels, widths)
