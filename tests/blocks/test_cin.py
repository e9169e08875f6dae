"""CIN is the triple sum of its paper's equation 6."""

import pytest
import torch
from torch import nn

from ctr.blocks import CIN
from ctr.blocks.cin import _products, crossed
from ctr.blocks.pieces import NUMBERS
from ctr.errors import UserError


def shaken(cin):
    cin = cin.double()
    for parameter in cin.parameters():
        nn.init.normal_(parameter, std=0.5)
    return cin


def layers_of(cin, fields, split_half):
    """Every layer's vectors and those of them that are put out, for the fields of one row, by plain loops."""
    handed, num_fields = list(fields), len(fields)
    for depth, layer in enumerate(cin.layers):
        vectors = []
        for h in range(layer.out_features):
            vector = torch.zeros_like(fields[0])
            for i in range(len(handed)):
                for j in range(num_fields):
                    vector = vector + layer.weight[h, i * num_fields + j] * handed[i] * fields[j]
            vectors.append(vector if layer.bias is None else vector + layer.bias[h])
        half = len(vectors) // 2 if split_half and depth < len(cin.layers) - 1 else 0
        yield vectors, vectors[half:]
        handed = vectors[:half] if half else vectors


@pytest.mark.parametrize(
    ("dims", "split_half"), [([3], False), ([4, 2], False), ([3, 5, 2], False), ([3], True), ([4, 6, 3], True)]
)
@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.parametrize("num_fields", [1, 4])
def test_it_is_the_sum_over_all_pairs_of_vectors_and_fields(dims, split_half, bias, num_fields):
    torch.manual_seed(0)
    cin = shaken(CIN(num_fields, dims, bias=bias, split_half=split_half))
    xv = torch.randn(3, num_fields, 5, dtype=torch.double)
    pooled = cin(xv)
    assert pooled.shape == (3, cin.out_features)
    for row, fields in zip(pooled, xv, strict=True):
        outputs = [vector.sum() for _, put_out in layers_of(cin, fields, split_half) for vector in put_out]
        torch.testing.assert_close(row, torch.stack(outputs))


@pytest.mark.parametrize(
    ("dims", "split_half", "widths", "out_features"),
    [([6, 4], False, [4, 6], 10), ([6, 4], True, [4, 3], 7), ([5], True, [4], 5), ([8, 6, 5], True, [4, 4, 3], 12)],
)
def test_with_split_half_the_next_layer_sees_half_of_the_vectors_and_the_output_the_other(
    dims, split_half, widths, out_features
):
    cin = CIN(4, dims, split_half=split_half)
    assert [layer.in_features for layer in cin.layers] == [4 * width for width in widths]
    assert cin.out_features == out_features


def test_one_layer_can_be_fms_pairs():
    """With every weight 1/2 a vector is the square of the sum, halved: FM's pairs and the squares."""
    cin, xv = CIN(5, [1]).double(), torch.randn(4, 5, 3, dtype=torch.double)
    nn.init.constant_(cin.layers[0].weight, 0.5)
    expected = 0.5 * xv.sum(1).square().sum(-1, keepdim=True)
    torch.testing.assert_close(cin(xv), expected)


def test_layer_k_without_bias_is_of_degree_k_and_one():
    cin, xv = shaken(CIN(3, [2, 2, 2])), torch.randn(4, 3, 5, dtype=torch.double)
    factors = torch.tensor([4.0, 4, 8, 8, 16, 16], dtype=torch.double)
    torch.testing.assert_close(cin(2 * xv), factors * cin(xv))


@pytest.mark.parametrize("rows", [1, 7, 30, 1000])
def test_sums_and_gradients_do_not_depend_on_the_piece(monkeypatch, rows):
    """Of 30 rows, one by one and in pieces that do not fit evenly, against autograd's way through all products."""
    torch.manual_seed(0)
    monkeypatch.setitem(NUMBERS, "cpu", 12 * rows)
    leaves = [torch.randn(*shape, dtype=torch.double, requires_grad=True) for shape in [(30, 4), (30, 3), (5, 12)]]
    ours, theirs = crossed(*leaves), _products(*leaves[:2]) @ leaves[2].T
    torch.testing.assert_close(ours, theirs)
    wish = torch.randn(30, 5, dtype=torch.double)
    for one, other in zip(*(torch.autograd.grad(sums, leaves, wish) for sums in (ours, theirs)), strict=True):
        torch.testing.assert_close(one, other)


def test_products_are_not_kept_for_the_gradient():
    block, kept = CIN(6, [8, 8]), []
    with torch.autograd.graph.saved_tensors_hooks(lambda tensor: kept.append(tensor.numel()) or tensor, lambda t: t):
        block(torch.randn(100, 6, 4, requires_grad=True))
    assert kept
    assert max(kept) <= 100 * 4 * 8  # vectors, and not their 100 * 4 * 8 * 6 products


def test_in_bfloat16_the_products_of_matrices_are_rounded_and_nothing_else():
    torch.manual_seed(0)
    leaves = [torch.randn(*shape, requires_grad=True) for shape in [(30, 4), (30, 3), (5, 12)]]
    with torch.autocast("cpu", torch.bfloat16):
        ours, theirs = crossed(*leaves), torch.nn.functional.linear(_products(*leaves[:2]), leaves[2])
    assert ours.dtype == theirs.dtype == torch.bfloat16
    torch.testing.assert_close(ours, theirs, rtol=0, atol=0)
    wish = torch.randn(30, 5).bfloat16()
    for one, other in zip(*(torch.autograd.grad(sums, leaves, wish) for sums in (ours, theirs)), strict=True):
        assert one.dtype == torch.float32
        torch.testing.assert_close(one, other, rtol=0.02, atol=0.02)


@pytest.mark.parametrize(("dims", "split_half"), [([], False), ([3, 0], False), ([3, 2], True)])
def test_layers_that_cannot_be_are_refused(dims, split_half):
    with pytest.raises(UserError, match="cin_dims must list"):
        CIN(4, dims, split_half=split_half)
