"""FieldLayerNorm and MaskBlock against their definitions."""

import pytest
import torch
from torch import nn

from ctr.blocks import FieldLayerNorm, MaskBlock

OPTIONS = {"reduction_ratio": 2.0, "activation": "relu", "dropout": 0.0, "layer_norm": True}


def normal(x, weight, bias):
    """Layer norm of a list of numbers."""
    mean = sum(x) / len(x)
    variance = sum((value - mean) ** 2 for value in x) / len(x)
    return [w * (v - mean) / (variance + 1e-5) ** 0.5 + b for v, w, b in zip(x, weight, bias, strict=True)]


def affine(linear, x):
    bias = [0.0] * linear.out_features if linear.bias is None else linear.bias.tolist()
    return [
        sum(w * v for w, v in zip(row, x, strict=True)) + b for row, b in zip(linear.weight.tolist(), bias, strict=True)
    ]


def test_each_field_is_normalised_alone_with_its_own_scale_and_shift():
    norm = FieldLayerNorm(3, 4).double()
    nn.init.normal_(norm.weight)
    nn.init.normal_(norm.bias)
    vectors = torch.randn(5, 3, 4, dtype=torch.double)
    out = norm(vectors)
    for b in range(5):
        for f in range(3):
            expected = normal(vectors[b, f].tolist(), norm.weight[f].tolist(), norm.bias[f].tolist())
            torch.testing.assert_close(out[b, f], torch.tensor(expected, dtype=torch.double))


@pytest.mark.parametrize("layer_norm", [True, False])
@pytest.mark.parametrize("seed", range(4))
def test_a_mask_block_is_a_layer_on_what_the_example_has_masked(seed, layer_norm):
    torch.manual_seed(seed)
    example_features, in_features, out_features = (int(n) for n in torch.randint(2, 7, (3,)))
    block = MaskBlock(example_features, in_features, out_features, **(OPTIONS | {"layer_norm": layer_norm})).double()
    for parameter in block.parameters():
        nn.init.normal_(parameter)
    examples = torch.randn(3, example_features, dtype=torch.double)
    hidden = torch.randn(3, in_features, dtype=torch.double)
    out = block(examples, hidden)
    for b in range(3):
        aggregated = [max(x, 0.0) for x in affine(block.mask[0], examples[b].tolist())]
        assert len(aggregated) == 2 * in_features
        mask = affine(block.mask[2], aggregated)
        sums = affine(block.layer[0], [m * h for m, h in zip(mask, hidden[b].tolist(), strict=True)])
        if layer_norm:
            sums = normal(sums, block.layer[1].weight.tolist(), block.layer[1].bias.tolist())
        torch.testing.assert_close(out[b], torch.tensor([max(x, 0.0) for x in sums], dtype=torch.double))


def test_with_a_mask_of_ones_it_is_a_plain_layer():
    block = MaskBlock(3, 4, 5, **OPTIONS).double()
    nn.init.zeros_(block.mask[2].weight)
    nn.init.ones_(block.mask[2].bias)
    hidden = torch.randn(6, 4, dtype=torch.double)
    torch.testing.assert_close(block(torch.randn(6, 3, dtype=torch.double), hidden), block.layer(hidden))


def test_a_ratio_that_leaves_no_unit_is_refused():
    with pytest.raises(ValueError, match="leaves no unit of 4"):
        MaskBlock(3, 4, 5, **(OPTIONS | {"reduction_ratio": 0.1}))
