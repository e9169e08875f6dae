"""equals FM with a silent network and DNN with a silent FM; nothing is shared; one table more than DeepFM"""

import pytest
import torch
from torch import nn

from ctr.models import FMDNN
from tests.conftest import mixed_schema
from tests.models.shared import categorical, count, make, rows_of, trained_fm, warm_started

BARS = {"embedding_dim": 10, "hidden_dims": [400, 400, 400], "batch_norm": True}


def silent(model):
    nn.init.zeros_(model.head.weight)
    nn.init.zeros_(model.head.bias)
    return model


def test_with_a_silent_network_it_is_the_fm_whose_weights_it_takes():
    schema = mixed_schema()
    fm = trained_fm(schema)
    model = silent(warm_started(make("fm_dnn", schema, bias=True), fm))
    torch.testing.assert_close(model(*rows_of(schema)), fm(*rows_of(schema)))


def test_with_a_silent_fm_it_is_a_dnn_on_the_other_table():
    schema = mixed_schema()
    dnn, model = make("dnn", schema), make("fm_dnn", schema)
    model.load_state_dict(dnn.state_dict() | {"embedding.table.weight": model.embedding.table.weight}, strict=False)
    model.deep_embedding.load_state_dict(dnn.embedding.state_dict())
    nn.init.zeros_(model.embedding.table.weight)
    torch.testing.assert_close(model(*rows_of(schema)), dnn(*rows_of(schema)))


def test_with_equal_tables_it_is_deepfm():
    schema = mixed_schema()
    deepfm, model = make("deepfm", schema), make("fm_dnn", schema)
    table = deepfm.embedding.table.weight
    model.load_state_dict(deepfm.state_dict() | {"deep_embedding.table.weight": table})
    torch.testing.assert_close(model(*rows_of(schema)), deepfm(*rows_of(schema)))


def test_each_table_is_trained_by_its_own_part_alone():
    schema = mixed_schema()
    ids, values = rows_of(schema)
    model = make("fm_dnn", schema)
    model(ids, values).sum().backward()
    v = model.embedding.table.weight.detach().clone().requires_grad_()
    xv = v[ids] * values.unsqueeze(-1)
    (0.5 * (xv.sum(1).square() - xv.square().sum(1))).sum().backward()
    torch.testing.assert_close(model.embedding.table.weight.grad, v.grad)
    silent(model).zero_grad()
    model(ids, values).sum().backward()
    assert not model.deep_embedding.table.weight.grad.any()
    assert model.embedding.table.weight.grad.any()


def test_each_part_may_be_given_its_own_fields():
    schema = mixed_schema()
    ids, values = rows_of(schema)
    fields = {"linear_fields": ["genres", "item"], "deep_fields": ["user", "price"], "weigh_logits": True, "bias": True}
    model = warm_started(make("fm_dnn", schema, **fields), trained_fm(schema))
    nn.init.normal_(model.sum.weights)
    xv, uv = model.embedding(ids, values), model.deep_embedding(ids, values)
    first = model.linear.bias + model.linear.weight(ids, values)[:, [1, 2, 3, 5]].sum((1, 2))
    deep = model.head(model.mlp(torch.cat([uv[:, 0], uv[:, 4]], 1))).squeeze(1)
    one, two = model.sum.weights
    torch.testing.assert_close(model(ids, values), one * (first + (xv[:, 0] * xv[:, 4]).sum(1)) + two * deep)


@pytest.mark.usefixtures("_no_memory")
@pytest.mark.parametrize(("num_features", "num_fields", "deepfm"), [(5389, 10, 423280), (90239, 3, 1328630)])
def test_it_has_one_table_more_than_bars_logs_for_deepfm(num_features, num_fields, deepfm):
    model = make("fm_dnn", categorical(num_features, num_fields), **BARS)
    assert isinstance(model, FMDNN)
    assert count(model) == deepfm + num_features * 10


VARIANTS = {"with w_0 and weights": {"bias": True, "weigh_logits": True, "batch_norm": False}}
