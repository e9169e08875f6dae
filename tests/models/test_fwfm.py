"""the weighted double sum; equals FM at r = 1; 107,826 parameters on Frappe, as BARS prints; logits of FuxiCTR"""

import itertools

import pytest
import torch
from torch import nn

from tests.conftest import mixed_schema
from tests.models.shared import ONE_HOT, categorical, count, make, rows_of, trained_fm, warm_started

VARIANTS = {"with w": {"first_order": "LW"}, "with vectors of features": {"first_order": "FeLV"}}
FIRST_ORDERS = ["LW", "FeLV", "FiLV"]


def filled(schema, first_order):
    fwfm = make("fwfm", schema, first_order=first_order)
    for parameter in fwfm.parameters():
        nn.init.normal_(parameter)
    return fwfm


def first_order_of(fwfm, i, f):
    """What a feature of value 1 adds by itself."""
    v = fwfm.embedding.table.weight[i]
    if fwfm.first_order == "LW":
        return fwfm.linear.weight.table.weight[i, 0]
    w = fwfm.first_embedding.table.weight[i] if fwfm.first_order == "FeLV" else fwfm.field_vectors[0, 4 * f : 4 * f + 4]
    return torch.dot(v, w)


@pytest.mark.parametrize("first_order", FIRST_ORDERS)
def test_fwfm_is_the_double_sum_over_features_of_different_fields(first_order):
    schema = mixed_schema()
    ids, values = rows_of(schema)
    fwfm, v = filled(schema, first_order), None
    v, fields = fwfm.embedding.table.weight, schema.slot_fields
    r = dict(zip(itertools.combinations(range(4), 2), fwfm.interaction.weight, strict=True))
    bias = fwfm.linear.bias if first_order == "LW" else fwfm.bias
    for row, x, logit in zip(ids.tolist(), values, fwfm(ids, values), strict=True):
        expected = bias[0] + sum(first_order_of(fwfm, i, f) * z for i, f, z in zip(row, fields, x, strict=True))
        for s, t in itertools.combinations(range(len(row)), 2):
            if fields[s] != fields[t]:
                expected = expected + r[fields[s], fields[t]] * torch.dot(v[row[s]], v[row[t]]) * x[s] * x[t]
        torch.testing.assert_close(logit, expected)


def test_fwfm_with_w_starts_as_fm():
    fm = trained_fm(ONE_HOT)
    fwfm = warm_started(make("fwfm", ONE_HOT, first_order="LW"), fm)
    torch.testing.assert_close(fwfm(*rows_of(ONE_HOT)), fm(*rows_of(ONE_HOT)))


@pytest.mark.usefixtures("_no_memory")
@pytest.mark.parametrize(("first_order", "expected"), [("FeLV", 107826), ("LW", 59325), ("FiLV", 54036)])
def test_fwfm_has_the_parameters_that_bars_logs(first_order, expected):
    """Frappe_x1 with FeLV: 2 n k + 45 + 1. With LW it is n (k + 1) + 45 + 1, with FiLV n k + 10 k + 45 + 1."""
    assert count(make("fwfm", categorical(5389, 10), embedding_dim=10, first_order=first_order)) == expected
