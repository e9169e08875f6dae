"""equals FM at no layer and h = 1; worked values; the paper's and BARS's parameter counts; logits of pytorch-fm,
FuxiCTR and DeepCTR-Torch"""

import pytest
import torch
from torch import nn

from ctr.blocks import BiInteraction
from ctr.models import NFM
from ctr.schema import FeatureSchema, Field, FieldKind
from tests.conftest import mixed_schema
from tests.models.options import NFM_OPTIONS
from tests.models.shared import (
    IDS,
    NFM_COUNTED,
    NFM_WORKED,
    SPARSE,
    VALUES,
    categorical,
    close,
    count,
    count_batch_norm,
    double,
    rows_of,
    trained_fm,
    warm_started,
    with_fixture_weights,
)


def test_o6_nfm_with_one_layer():
    nfm = with_fixture_weights(NFM(SPARSE, **NFM_WORKED))
    with torch.no_grad():
        nfm.mlp.layers[0].weight.copy_(double([[0.5, -1], [1, 0.5], [-0.25, 2]]))
        nfm.mlp.layers[0].bias.copy_(double([0.05, -0.02, 0.1]))
        nfm.head.weight.copy_(double([[1, -2, 0.5]]))
    close(nfm(IDS, VALUES), [0.59875, -0.124375, 0.265625])


def test_o6_nfm_without_layers():
    nfm = with_fixture_weights(NFM(SPARSE, **(NFM_WORKED | {"hidden_dims": []})))
    with torch.no_grad():
        nfm.head.weight.copy_(double([[2, -1]]))
    close(nfm(IDS, VALUES), [0.40, -0.275, -0.275])


CRITEO = [27, 92, 172, 157, 12, 7, 183, 19, 2, 142, 173, 170, 166, 14, 170, 168, 9, 127, 44, 4, 169, 6, 10, 125, 20, 90]


@pytest.mark.usefixtures("_no_memory")
def test_o11_nfm_on_the_criteo_sample_has_672917_parameters():
    """The note's Bi-Interaction leaves out the 13 numeric columns, which have a row of 4 in our embedding."""
    fields = [Field(f"C{i}", FieldKind.CATEGORICAL, size) for i, size in enumerate(CRITEO, start=1)]
    fields += [Field(f"I{i}", FieldKind.NUMERIC, 1) for i in range(1, 14)]
    options = {"embedding_dim": 4, "hidden_dims": [1024, 512, 256], "pooling_batch_norm": True, "head_bias": True}
    nfm = NFM(FeatureSchema(tuple(fields)), **(NFM_WORKED | options))
    assert count(nfm.linear) == 2278 + 14
    assert count_batch_norm(nfm) == 8
    assert count(nfm.mlp) + count(nfm.head) == 5120 + 524800 + 131328 + 257
    assert count(nfm) - 13 * 4 == 672917


@pytest.mark.usefixtures("_no_memory")
@pytest.mark.parametrize(("dim", "expected"), [(64, 354055), (128, 702599), (256, 1399687)])
def test_nfm_with_64_hidden_units_has_the_parameters_of_the_nfm_code_on_frappe(dim, expected):
    model = NFM(categorical(5382, 10), **(NFM_COUNTED | {"embedding_dim": dim, "hidden_dims": [64]}))
    assert count(model) - count_batch_norm(model) == expected


def test_o3_nfm_without_layers_starts_as_fm():
    schema = mixed_schema()
    fm = trained_fm(schema)
    nfm = warm_started(NFM(schema, **NFM_OPTIONS), fm)
    assert (nfm.head.weight == 1).all()
    torch.testing.assert_close(nfm(*rows_of(schema)), fm(*rows_of(schema)))


def test_o3_nfm_without_layers_weighs_the_bi_interaction_with_h():
    schema = mixed_schema()
    ids, values = rows_of(schema)
    nfm = warm_started(NFM(schema, **NFM_OPTIONS), trained_fm(schema))
    nn.init.normal_(nfm.head.weight)
    bi_interaction = BiInteraction()(nfm.embedding(ids, values))
    torch.testing.assert_close(nfm(ids, values), nfm.linear(ids, values) + bi_interaction @ nfm.head.weight[0])


def test_nfm_normalises_the_bi_interaction_and_then_drops():
    """With the shift at 1 a dropped entry is 0 and a kept one is twice its normalised value: BN, then dropout."""
    schema = mixed_schema()
    ids, values = rows_of(schema)
    nfm = NFM(schema, **(NFM_OPTIONS | {"pooling_batch_norm": True, "pooling_dropout": 0.5})).double()
    nn.init.ones_(nfm.pooling[1].bias)
    pooled = nfm.pooling(nfm.embedding(ids, values))
    sums = BiInteraction()(nfm.embedding(ids, values))
    normal = (sums - sums.mean(0)) / (sums.var(0, correction=0) + 1e-3).sqrt() + 1
    assert 0.2 < (pooled == 0).double().mean() < 0.8
    torch.testing.assert_close(pooled[pooled != 0], 2 * normal[pooled != 0])


def test_every_batch_norm_of_nfm_has_the_given_eps():
    changed = {"hidden_dims": [8, 5], "pooling_batch_norm": True, "hidden_batch_norm": True, "batch_norm_eps": 0.125}
    nfm = NFM(mixed_schema(), **(NFM_OPTIONS | changed))
    assert [module.eps for module in nfm.modules() if isinstance(module, nn.BatchNorm1d)] == [0.125, 0.125, 0.125]


VARIANTS = {
    "of FuxiCTR": {"bias": False, "head_bias": True, "pooling_batch_norm": False, "pooling_dropout": 0.0},
    "without layers": {"hidden_dims": []},
    "with weights": {"weigh_logits": True},
}


def test_each_part_may_be_given_its_own_fields():
    """The first-order part all but the item, the Bi-Interaction user and price."""
    schema = mixed_schema()
    ids, values = rows_of(schema)
    fields = {"linear_fields": ["user", "genres", "price"], "deep_fields": ["price", "user"]}
    nfm = warm_started(NFM(schema, **(NFM_OPTIONS | fields | {"weigh_logits": True})), trained_fm(schema))
    nn.init.normal_(nfm.sum.weights)
    w, xv = nfm.linear.weight(ids, values)[:, :5].sum((1, 2)), nfm.embedding(ids, values)
    pairs = (xv[:, 0] * xv[:, 4]).sum(-1)
    torch.testing.assert_close(
        nfm(ids, values), nfm.sum.weights[0] * (nfm.linear.bias + w) + nfm.sum.weights[1] * pairs
    )
