"""FieldAttention is a softmax over fields, head by head, written out with loops."""

import itertools
import math

import pytest
import torch
from torch import nn

from ctr.blocks import FieldAttention
from ctr.errors import UserError

PLAIN = {"scale": False, "residual": False, "layer_norm": False, "dropout": 0.0}


def made(in_features=4, attention_dim=3, num_heads=2, **changes):
    torch.manual_seed(0)
    return FieldAttention(in_features, attention_dim, num_heads, **(PLAIN | changes)).double()


def attended(block, fields, dim, factor):
    """Equations 5 to 7 for the fields of one row: for each field the heads' sums, one behind the other."""
    rows = []
    for m in range(len(fields)):
        heads = []
        for h in range(block.num_heads):
            part = slice(h * dim, (h + 1) * dim)
            query, key, value = (linear.weight[part] for linear in (block.query, block.key, block.value))
            powers = [(factor * torch.dot(query @ fields[m], key @ e_k)).exp() for e_k in fields]
            weights = [power / sum(powers) for power in powers]
            heads.append(sum(a * (value @ e_k) for a, e_k in zip(weights, fields, strict=True)))
        rows.append(torch.cat(heads))
    return torch.stack(rows)


@pytest.mark.parametrize(("scale", "residual", "layer_norm"), list(itertools.product([True, False], repeat=3)))
@pytest.mark.parametrize("num_heads", [1, 3])
def test_every_field_is_a_weighted_sum_of_all_fields(num_heads, scale, residual, layer_norm):
    block = made(num_heads=num_heads, scale=scale, residual=residual, layer_norm=layer_norm)
    for linear in (block.query, block.key):
        nn.init.normal_(linear.weight)  # far from uniform weights
    if layer_norm:
        nn.init.normal_(block.norm.weight)
        nn.init.normal_(block.norm.bias)
    xv = torch.randn(2, 5, 4, dtype=torch.double)
    for fields, output in zip(xv, block(xv), strict=True):
        expected = attended(block, fields, 3, 1 / math.sqrt(3) if scale else 1.0)
        if residual:
            expected = expected + fields @ block.residual.weight.T
        if layer_norm:
            mean, variance = expected.mean(1, keepdim=True), expected.var(1, correction=0, keepdim=True)
            expected = (expected - mean) / (variance + 1e-5).sqrt() * block.norm.weight + block.norm.bias
        torch.testing.assert_close(output, expected.relu())


def test_the_residual_is_the_field_itself_where_the_widths_agree():
    block = made(in_features=6, residual=True)
    assert not list(block.residual.parameters())
    xv = torch.randn(2, 5, 6, dtype=torch.double)
    expected = torch.stack([attended(block, fields, 3, 1.0) for fields in xv]) + xv
    torch.testing.assert_close(block(xv), expected.relu())


def test_fields_in_another_order_come_out_in_that_order():
    block, xv, order = made(residual=True, layer_norm=True), torch.randn(3, 6, 4, dtype=torch.double), torch.randperm(6)
    torch.testing.assert_close(block(xv[:, order]), block(xv)[:, order])


def test_fields_that_are_all_equal_attend_to_each_other_equally():
    """Then the weighted sum is the value of any of them, whatever the weights."""
    block, field = made(), torch.randn(2, 1, 4, dtype=torch.double)
    torch.testing.assert_close(block(field.expand(2, 5, 4)), block.value(field).relu().expand(2, 5, 6))


def test_dropout_thins_the_attention_weights():
    """A dropped weight takes a field out of the sum; a kept one is scaled up. The values are 1, so sums are seen."""
    block = made(in_features=1, attention_dim=1, num_heads=1, dropout=0.5)
    for linear in (block.query, block.key):
        nn.init.zeros_(linear.weight)
    nn.init.ones_(block.value.weight)
    torch.manual_seed(0)
    outputs = block(torch.ones(500, 4, 1, dtype=torch.double))
    assert set(outputs.unique().tolist()) == {0, 0.5, 1, 1.5, 2}  # sums of four weights 1/4, dropped or doubled
    assert (block.eval()(torch.ones(3, 4, 1, dtype=torch.double)) == 1).all()


@pytest.mark.parametrize(("dim", "num_heads"), [(0, 2), (3, 0)])
def test_no_heads_and_heads_of_no_width_are_refused(dim, num_heads):
    with pytest.raises(UserError, match=f"found {dim} and {num_heads}"):
        made(attention_dim=dim, num_heads=num_heads)
