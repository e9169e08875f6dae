"""SqueezeExcitation weighs fields, BilinearPairs multiplies them: against loops over fields and pairs."""

import itertools
import math

import pytest
import torch
from torch import nn

from ctr.blocks import BilinearPairs, SqueezeExcitation
from ctr.errors import UserError

KINDS = ["field_all", "field_each", "field_interaction"]


@pytest.mark.parametrize(("num_fields", "ratio", "reduced"), [(6, 2, 3), (7, 2, 3), (5, 3, 1), (2, 3, 1)])
def test_a_field_is_scaled_by_what_two_layers_make_of_all_means(num_fields, ratio, reduced):
    torch.manual_seed(0)
    senet = SqueezeExcitation(num_fields, ratio).double()
    assert senet.squeeze.weight.shape == (reduced, num_fields)
    assert senet.excite.weight.shape == (num_fields, reduced)
    with torch.no_grad():  # so that the first field is seen and the last one is not, on both sides of the ReLU
        senet.excite.weight[0].abs_()
        senet.excite.weight[-1].abs_().neg_()
    xv = torch.randn(20, num_fields, 4, dtype=torch.double)
    outputs = senet(xv)
    for fields, output in zip(xv, outputs, strict=True):
        z = [sum(field.tolist()) / 4 for field in fields]
        inner = [max(0.0, sum(w * m for w, m in zip(row, z, strict=True))) for row in senet.squeeze.weight.tolist()]
        for i, row in enumerate(senet.excite.weight.tolist()):
            importance = max(0.0, sum(w * m for w, m in zip(row, inner, strict=True)))
            torch.testing.assert_close(output[i], importance * fields[i])
    assert outputs[:, 0].any()
    assert not outputs[:, -1].any()


def matrix_of(block, kind, i, pair):
    return block.matrices[{"field_all": 0, "field_each": i, "field_interaction": pair}[kind]]


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("num_fields", [2, 5])
def test_a_pair_is_its_first_field_times_a_matrix_times_its_second(num_fields, kind):
    torch.manual_seed(0)
    block = BilinearPairs(num_fields, 3, kind).double()
    xv = torch.randn(4, num_fields, 3, dtype=torch.double)
    outputs = block(xv)
    pairs = list(itertools.combinations(range(num_fields), 2))
    assert outputs.shape == (4, len(pairs), 3)
    for fields, output in zip(xv, outputs, strict=True):
        for pair, (i, j) in enumerate(pairs):
            matrix = matrix_of(block, kind, i, pair)
            for d in range(3):
                expected = sum(fields[i, c] * matrix[c, d] for c in range(3)) * fields[j, d]
                torch.testing.assert_close(output[pair, d], expected)


@pytest.mark.parametrize(("kind", "count"), list(zip(KINDS, [1, 4, 10], strict=True)))
def test_there_is_a_matrix_for_all_pairs_or_for_every_first_field_or_for_every_pair(kind, count):
    block = BilinearPairs(5, 3, kind)
    assert block.matrices.shape == (count, 3, 3)
    block(torch.randn(2, 5, 3)).sum().backward()
    assert block.matrices.grad.flatten(1).any(1).all()


@pytest.mark.parametrize("kind", KINDS)
def test_with_the_identity_in_between_the_pairs_sum_to_fms(kind):
    block, xv = BilinearPairs(5, 3, kind).double(), torch.randn(4, 5, 3, dtype=torch.double)
    with torch.no_grad():
        block.matrices.copy_(torch.eye(3).expand_as(block.matrices))
    expected = 0.5 * (xv.sum(1).square() - xv.square().sum(1))
    torch.testing.assert_close(block(xv).sum(1), expected)


def test_every_matrix_starts_xavier_normal():
    torch.manual_seed(0)
    matrices = BilinearPairs(4, 60, "field_interaction").matrices
    torch.testing.assert_close(matrices.std().item(), math.sqrt(1 / 60), rtol=0.02, atol=0)
    reference = nn.init.xavier_normal_(torch.empty(60, 60)).std().item()
    torch.testing.assert_close(matrices[0].std().item(), reference, rtol=0.05, atol=0)


def test_what_cannot_be_paired_is_refused():
    with pytest.raises(UserError, match="found 'all'"):
        BilinearPairs(4, 3, "all")
    with pytest.raises(UserError, match="two fields or more, and there is one"):
        BilinearPairs(1, 3, "field_all")
    with pytest.raises(UserError, match="reduction_ratio must be at least 1, found 0"):
        SqueezeExcitation(4, 0)
    with pytest.raises(UserError, match=r"matrices of bilinear_type field_interaction: .* choose bilinear_type field_"):
        BilinearPairs(400, 1_000_000, "field_interaction")
