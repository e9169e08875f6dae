"""worked values; equals FM with a silent network; one shared table; parameter counts of BARS; logits of pytorch-fm,
FuxiCTR and DeepCTR-Torch"""

import pytest
import torch
from torch import nn

from ctr.blocks import BiInteraction
from ctr.errors import UserError
from ctr.models import DeepFM
from tests.conftest import mixed_schema
from tests.models.options import DEEPFM_OPTIONS
from tests.models.shared import (
    DEEPFM_WORKED,
    FIELDS,
    ONE_HOT,
    ONE_HOT_IDS,
    ONES,
    W_0,
    V,
    W,
    close,
    double,
    rows_of,
    trained_fm,
    warm_started,
)


@pytest.mark.parametrize(("bias", "logits"), [(True, [0.805, -0.5025]), (False, [0.705, -0.6025])])
def test_o7_deepfm(bias, logits):
    """The oracle has w_0 = .1; the paper's form leaves it out."""
    deepfm = DeepFM(FIELDS, **(DEEPFM_WORKED | {"bias": bias})).double()
    with torch.no_grad():
        deepfm.linear.bias.fill_(W_0 if bias else 0)
        deepfm.linear.weight.table.weight.copy_(double(W).unsqueeze(1))
        deepfm.embedding.table.weight.copy_(double(V))
        d_1 = [[0.1, -0.2, 0.3, 0.4, -0.5, 0.6], [-0.6, 0.5, 0.4, -0.3, 0.2, -0.1]]
        deepfm.mlp.layers[0].weight.copy_(double(d_1))
        deepfm.mlp.layers[0].bias.copy_(double([0.01, 0.02]))
        deepfm.head.weight.copy_(double([[1.5, -0.5]]))
        deepfm.head.bias.fill_(0.03)
    close(deepfm(ONE_HOT_IDS, ONES), logits)
    close(deepfm.mlp(deepfm.embedding(ONE_HOT_IDS, ONES).flatten(1)), [[0.35, 0.2], [0, 0.425]])
    if bias:
        close(deepfm(ONE_HOT_IDS, ONES).sigmoid(), [0.691043, 0.376953])


@pytest.mark.parametrize("fm_output", ["sum", "vector"])
def test_o3_deepfm_with_a_zero_last_layer_is_fm(fm_output):
    schema = mixed_schema()
    fm = trained_fm(schema)
    deepfm = warm_started(DeepFM(schema, **(DEEPFM_OPTIONS | {"fm_output": fm_output})), fm)
    nn.init.zeros_(deepfm.head.weight)
    nn.init.zeros_(deepfm.head.bias)
    torch.testing.assert_close(deepfm(*rows_of(schema)), fm(*rows_of(schema)))


@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.parametrize("schema", [ONE_HOT, mixed_schema()], ids=["one slot a field", "several"])
def test_o3_the_two_fm_outputs_of_deepfm_start_equal(schema, bias):
    rows, options = rows_of(schema), DEEPFM_OPTIONS | {"bias": bias}
    models = []
    for fm_output in ("sum", "vector"):
        torch.manual_seed(0)
        models.append(DeepFM(schema, **(options | {"fm_output": fm_output})).double())
        torch.manual_seed(1)
        nn.init.normal_(models[-1].linear.weight.table.weight)
        if bias:
            nn.init.normal_(models[-1].linear.bias)
    assert (models[1].fm_weights == 1).all()
    torch.testing.assert_close(models[0](*rows), models[1](*rows))


def test_the_fm_output_vector_weighs_fields_first_and_dimensions_after_them():
    schema = mixed_schema()
    ids, values = rows_of(schema)
    deepfm = warm_started(DeepFM(schema, **(DEEPFM_OPTIONS | {"fm_output": "vector"})), trained_fm(schema))
    weights = nn.init.normal_(deepfm.fm_weights)
    nn.init.zeros_(deepfm.head.weight)
    wx = deepfm.linear.weight(ids, values)[:, :, 0]
    expected = deepfm.linear.bias + BiInteraction()(deepfm.embedding(ids, values)) @ weights[4:]
    for f, slots in enumerate([[0], [1, 2, 3], [4], [5]]):
        expected = expected + weights[f] * wx[:, slots].sum(1)
    torch.testing.assert_close(deepfm(ids, values), expected)


def test_deepfm_shares_one_table_that_both_parts_train():
    """The gradient of V is the FM's and the network's, and neither is zero."""
    fm, (ids, values) = trained_fm(ONE_HOT), rows_of(ONE_HOT)
    deepfm = warm_started(DeepFM(ONE_HOT, **DEEPFM_OPTIONS), fm)
    tables = [name for name, p in deepfm.named_parameters() if p.shape == (ONE_HOT.num_features, 4)]
    assert tables == ["embedding.table.weight"]
    fm(ids, values).sum().backward()
    deepfm(ids, values).sum().backward()
    v = deepfm.embedding.table.weight.detach().clone().requires_grad_()
    deepfm.head(deepfm.mlp(v[ids].flatten(1))).sum().backward()
    assert fm.embedding.table.weight.grad.any()
    assert v.grad.any()
    torch.testing.assert_close(deepfm.embedding.table.weight.grad, fm.embedding.table.weight.grad + v.grad)


VARIANTS = {"with a vector": {"fm_output": "vector", "bias": True, "batch_norm": False, "weigh_logits": True}}


@pytest.mark.parametrize("fm_output", ["sum", "vector"])
def test_each_part_may_be_given_its_own_fields(fm_output):
    schema = mixed_schema()
    ids, values = rows_of(schema)
    fields = {"linear_fields": ["genres", "item"], "deep_fields": ["user", "price"], "fm_output": fm_output}
    deepfm = warm_started(DeepFM(schema, **(DEEPFM_OPTIONS | fields)), trained_fm(schema))
    xv, w = deepfm.embedding(ids, values), deepfm.linear.weight(ids, values)
    first = w[:, [1, 2, 3, 5]].sum((1, 2))
    deep = deepfm.head(deepfm.mlp(torch.cat([xv[:, 0], xv[:, 4]], 1))).squeeze(1)
    expected = deepfm.linear.bias + first + (xv[:, 0] * xv[:, 4]).sum(1) + deep
    torch.testing.assert_close(deepfm(ids, values), expected)


def test_a_field_that_is_not_there_is_named():
    with pytest.raises(UserError, match="no field 'prise' among user, genres, price, item; did you mean 'price'"):
        DeepFM(mixed_schema(), **(DEEPFM_OPTIONS | {"deep_fields": ["prise"]}))
    with pytest.raises(UserError, match="must name one or more"):
        DeepFM(mixed_schema(), **(DEEPFM_OPTIONS | {"linear_fields": []}))
