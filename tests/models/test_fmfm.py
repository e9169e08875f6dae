"""the double sum with matrices; equals FM at M = I, FwFM at M = r I; 59,730 parameters on Frappe, as BARS prints;
logits of FuxiCTR"""

import itertools

import pytest
import torch
from torch import nn

from tests.conftest import mixed_schema
from tests.models.shared import ONE_HOT, categorical, count, make, rows_of, trained_fm, warm_started

VARIANTS = {"with vectors": {"weights": "vector"}, "without w_0": {"bias": False}}


@pytest.mark.parametrize("weights", ["vector", "matrix"])
def test_fmfm_is_the_double_sum_over_features_of_different_fields(weights):
    schema = mixed_schema()
    ids, values = rows_of(schema)
    fmfm = make("fmfm", schema, weights=weights)
    for parameter in fmfm.parameters():
        nn.init.normal_(parameter)
    v, fields = fmfm.embedding.table.weight, schema.slot_fields
    matrices = [m if weights == "matrix" else torch.diag(m) for m in fmfm.interaction.weight]
    of_pair = dict(zip(itertools.combinations(range(4), 2), matrices, strict=True))
    for row, x, logit, expected in zip(ids.tolist(), values, fmfm(ids, values), fmfm.linear(ids, values), strict=True):
        for s, t in itertools.combinations(range(len(row)), 2):
            if fields[s] != fields[t]:
                projected = v[row[s]] @ of_pair[fields[s], fields[t]]
                expected = expected + torch.dot(projected, v[row[t]]) * x[s] * x[t]
        torch.testing.assert_close(logit, expected)


@pytest.mark.parametrize("weights", ["vector", "matrix"])
def test_fmfm_starts_as_fm(weights):
    fm = trained_fm(ONE_HOT)
    fmfm = warm_started(make("fmfm", ONE_HOT, weights=weights), fm)
    torch.testing.assert_close(fmfm(*rows_of(ONE_HOT)), fm(*rows_of(ONE_HOT)))


def test_fmfm_with_multiples_of_the_identity_is_fwfm():
    schema = mixed_schema()
    fm, r = trained_fm(schema), torch.randn(6, dtype=torch.double)
    fwfm, fmfm = (warm_started(made, fm) for made in (make("fwfm", schema, first_order="LW"), make("fmfm", schema)))
    with torch.no_grad():
        fwfm.interaction.weight.copy_(r)
        fmfm.interaction.weight.copy_(r[:, None, None] * torch.eye(4))
    torch.testing.assert_close(fmfm(*rows_of(schema)), fwfm(*rows_of(schema)))


@pytest.mark.usefixtures("_no_memory")
@pytest.mark.parametrize(("weights", "expected"), [("vector", 59730), ("matrix", 59280 + 4500)])
def test_fmfm_has_the_parameters_that_bars_logs(weights, expected):
    """Frappe_x1 with vectors: FM's 59,280 and 45 pairs of 10 weights; a matrix has 100."""
    assert count(make("fmfm", categorical(5389, 10), embedding_dim=10, weights=weights)) == expected
