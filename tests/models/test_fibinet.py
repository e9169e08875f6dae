"""loops over pairs; FM where the matrices are the identity and SENET is silent; BARS's 743,480 parameters on Frappe;
logits of FuxiCTR and DeepCTR-Torch"""

import itertools

import pytest
import torch
from torch import nn

from ctr.errors import UserError
from tests.conftest import mixed_schema
from tests.models.shared import (
    ONE_HOT,
    OWN_FIELDS,
    categorical,
    count,
    make,
    parts_of,
    rows_of,
    trained_fm,
    warm_started,
)
from tests.models.test_dcn import fields_of

TYPES = ["field_all", "field_each", "field_interaction"]


@pytest.mark.parametrize("share", [True, False])
@pytest.mark.parametrize("bilinear_type", TYPES)
def test_fibinet_is_a_network_on_the_pairs_of_fields_and_of_weighed_fields(bilinear_type, share):
    schema = mixed_schema()
    ids, values = rows_of(schema)
    model = make("fibinet", schema, bilinear_type=bilinear_type, share_bilinear=share, reduction_ratio=2)
    nn.init.normal_(model.linear.bias)
    nn.init.normal_(model.linear.weight.table.weight)
    first_order = model.linear.bias + (values * model.linear.weight.table.weight[ids, 0]).sum(1)
    first, second = model.bilinear.matrices, (model.bilinear if share else model.own).matrices
    assert share == (first is second)
    for fields, linear, logit in zip(fields_of(model, ids, values), first_order, model(ids, values), strict=True):
        importance = model.senet.excite(model.senet.squeeze(fields.mean(1)).relu()).relu()
        products = []
        for matrices, e in [(first, fields), (second, importance.unsqueeze(1) * fields)]:
            for pair, (i, j) in enumerate(itertools.combinations(range(4), 2)):
                which = {"field_all": 0, "field_each": i, "field_interaction": pair}[bilinear_type]
                products.append((e[i] @ matrices[which]) * e[j])
        torch.testing.assert_close(logit, linear + model.head(model.mlp(torch.cat(products)))[0])


@pytest.mark.parametrize("bilinear_type", TYPES)
def test_shallow_fibinet_with_identities_and_a_silent_senet_is_fm(bilinear_type):
    fm = trained_fm(ONE_HOT)
    model = warm_started(make("fibinet", ONE_HOT, hidden_dims=[], bilinear_type=bilinear_type), fm)
    assert (model.head.weight == 1).all()
    with torch.no_grad():
        model.bilinear.matrices.copy_(torch.eye(4).expand_as(model.bilinear.matrices))
        nn.init.zeros_(model.senet.excite.weight)
    torch.testing.assert_close(model(*rows_of(ONE_HOT)), fm(*rows_of(ONE_HOT)))


@pytest.mark.parametrize("share", [True, False])
def test_each_part_may_be_given_its_own_fields_and_a_weight(share):
    model = make("fibinet", mixed_schema(), share_bilinear=share, **OWN_FIELDS)
    first, e, weights = parts_of(model)
    pairs = torch.cat([model.bilinear(e), (model.bilinear if share else model.own)(model.senet(e))], 1)
    parts = [first, model.head(model.mlp(pairs.flatten(1)))[:, 0]]
    torch.testing.assert_close(model(*rows_of(mixed_schema())), torch.stack(parts, 1) @ weights)


def test_one_field_has_no_pairs():
    with pytest.raises(UserError, match="two fields or more"):
        make("fibinet", categorical(5, 1))


@pytest.mark.usefixtures("_no_memory")
def test_bars_logs_this_number_of_parameters():
    options = {"embedding_dim": 10, "bias": False, "reduction_ratio": 2, "hidden_dims": [400, 400, 400]}
    model = make("fibinet", categorical(5389, 10), bilinear_type="field_all", batch_norm=True, **options)
    assert count(model) == 743480


VARIANTS = {
    "of FuxiCTR 2": {"bias": False, "bilinear_type": "field_each", "share_bilinear": False},
    "one matrix": {"bilinear_type": "field_all"},
    "shallow": {"hidden_dims": []},
    "with weights": {"weigh_logits": True},
}
