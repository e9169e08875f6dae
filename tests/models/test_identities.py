"""What must be equal on any input: models against their definitions, and against each other."""

import itertools

import pytest
import torch
from torch import nn

from ctr.blocks import BiInteraction, FMInteraction
from ctr.models import FM, FNN, NFM, DeepFM
from ctr.schema import FeatureSchema, Field, FieldKind
from tests.conftest import mixed_schema, random_batch
from tests.models.options import DEEPFM_OPTIONS, FM_OPTIONS, FNN_OPTIONS, NFM_OPTIONS

ONE_HOT = FeatureSchema(tuple(Field(name, FieldKind.CATEGORICAL, 5) for name in "abc"))


def rows_of(schema):
    """Ids and values in float64."""
    batch = random_batch(schema, 30)
    return batch.ids, batch.values.double()


def trained_fm(schema):
    """An FM in float64 whose w_0 and w are not 0, as after training."""
    torch.manual_seed(0)
    fm = FM(schema, **FM_OPTIONS).double()
    nn.init.normal_(fm.linear.bias)
    nn.init.normal_(fm.linear.weight.table.weight)
    return fm


def warm_started(model, fm):
    """The model in float64, with the FM's first-order weights and vectors, moved by their names."""
    model = model.double()
    model.linear.load_state_dict(fm.linear.state_dict())
    model.embedding.load_state_dict(fm.embedding.state_dict())
    return model


def test_o1_fm_is_the_double_sum_over_all_features():
    """Equation 1 on the whole vector x, zeros included."""
    schema = mixed_schema()
    ids, values = rows_of(schema)
    ids[:, 1:4] = torch.tensor([7, 8, 9])  # no tag twice: see O2's trap
    fm = trained_fm(schema)
    w, v = fm.linear.weight.table.weight[:, 0], fm.embedding.table.weight
    dense = torch.zeros(len(ids), schema.num_features, dtype=torch.double).scatter_add(1, ids, values)
    for x, logit in zip(dense, fm(ids, values), strict=True):
        expected = fm.linear.bias[0] + sum(w[i] * x[i] for i in range(len(x)))
        for i, j in itertools.combinations(range(len(x)), 2):
            expected = expected + torch.dot(v[i], v[j]) * x[i] * x[j]
        torch.testing.assert_close(logit, expected)


def test_o1_the_steps_of_lemma_3_1_are_equal():
    xv = torch.randn(6, 3, dtype=torch.double)  # x_i v_i of one row
    slots, dims = range(6), range(3)
    pairs = sum(torch.dot(xv[i], xv[j]) for i in slots for j in slots if i < j)
    all_less_own = (sum(torch.dot(u, v) for u in xv for v in xv) - sum(torch.dot(u, u) for u in xv)) / 2
    by_dim = sum(sum(xv[i, f] * xv[j, f] for i in slots for j in slots) - sum(xv[:, f] ** 2) for f in dims) / 2
    linear_time = sum(sum(xv[:, f]) ** 2 - sum(xv[:, f] ** 2) for f in dims) / 2
    for step in (all_less_own, by_dim, linear_time, FMInteraction()(xv.unsqueeze(0))[0]):
        torch.testing.assert_close(step, pairs)


def test_o1_bi_interaction_sums_to_fms_pairs():
    xv = torch.randn(5, 7, 4, dtype=torch.double)
    pairs = sum((xv[:, i] * xv[:, j]).sum(1) for i, j in itertools.combinations(range(7), 2))
    torch.testing.assert_close(BiInteraction()(xv).sum(1), pairs)


def test_fm_takes_the_rows_of_rendles_figure_1():
    """User, movie, other movies rated (they sum to 1), months, last movie: U + 3 M + 1 features."""
    num_users, num_movies = 3, 4
    schema = FeatureSchema(
        (
            Field("user", FieldKind.CATEGORICAL, num_users),
            Field("movie", FieldKind.CATEGORICAL, num_movies),
            Field("others", FieldKind.MULTIVALUED, num_movies, num_slots=3),
            Field("months", FieldKind.NUMERIC, 1),
            Field("last", FieldKind.CATEGORICAL, num_movies),
        )
    )
    assert schema.num_features == num_users + 3 * num_movies + 1
    # B rates Star Trek in month 8, after Star Wars; has rated those two
    ids = torch.tensor([[1, 3 + 3, 7 + 2, 7 + 3, 7 + 0, 11, 12 + 2]])
    values = torch.tensor([[1, 1, 0.5, 0.5, 0, 8, 1]], dtype=torch.double)
    x = torch.tensor([0, 1, 0, 0, 0, 0, 1, 0, 0, 0.5, 0.5, 8, 0, 0, 1, 0], dtype=torch.double)
    fm = trained_fm(schema)
    w, v = fm.linear.weight.table.weight[:, 0], fm.embedding.table.weight
    pairs = sum(torch.dot(v[i], v[j]) * x[i] * x[j] for i, j in itertools.combinations(range(16), 2))
    torch.testing.assert_close(fm(ids, values), fm.linear.bias + torch.dot(w, x) + pairs)


def test_fms_dropout_thins_the_vectors_and_leaves_the_first_order_alone():
    schema = mixed_schema()
    rows, fm = rows_of(schema), FM(schema, **(FM_OPTIONS | {"embedding_dropout": 0.5})).double()
    nn.init.normal_(fm.linear.weight.table.weight)
    assert not torch.equal(fm(*rows), fm(*rows))
    nn.init.zeros_(fm.embedding.table.weight)
    assert torch.equal(fm(*rows), fm.linear(*rows))


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


def test_o3_fnn_starts_from_fms_weights_bit_for_bit():
    fm, (ids, values) = trained_fm(ONE_HOT), rows_of(ONE_HOT)
    z = warm_started(FNN(ONE_HOT, **FNN_OPTIONS), fm).z(ids, values)
    w_0, w, v = fm.linear.bias, fm.linear.weight.table.weight, fm.embedding.table.weight
    for row, (a, b, c) in zip(z, ids.tolist(), strict=True):
        assert torch.equal(row, torch.cat([w_0, w[a], v[a], w[b], v[b], w[c], v[c]]))


def test_fnn_sums_the_slots_of_a_field_and_scales_by_the_value():
    """z_i = W_0^i x[start_i : end_i], the paper's equation 3, for any x."""
    schema = mixed_schema()
    ids, values = rows_of(schema)
    fnn = warm_started(FNN(schema, **FNN_OPTIONS), trained_fm(schema))
    table = torch.cat([fnn.linear.weight.table.weight, fnn.embedding.table.weight], 1)
    x = torch.zeros(len(ids), schema.num_features, dtype=torch.double).scatter_add(1, ids, values)
    blocks = [x[:, start:end] @ table[start:end] for start, end in [(0, 7), (7, 13), (13, 14), (14, 21)]]
    expected = torch.cat([fnn.linear.bias.expand(len(ids), 1), *blocks], 1)
    torch.testing.assert_close(fnn.z(ids, values), expected)


def test_o3_fnn_with_a_zero_head_first_predicts_one_half_exactly():
    schema = mixed_schema()
    fnn = warm_started(FNN(schema, **(FNN_OPTIONS | {"zero_head": True})), trained_fm(schema))
    assert (fnn(*rows_of(schema)).sigmoid() == 0.5).all()


def test_fnn_keeps_w_0_as_it_is_unless_told_to_train_it():
    schema = mixed_schema()
    for train_w_0 in (True, False):
        fnn = warm_started(FNN(schema, **(FNN_OPTIONS | {"train_w_0": train_w_0})), trained_fm(schema))
        fnn(*rows_of(schema)).sum().backward()
        assert fnn.linear.bias.requires_grad == train_w_0
        assert (fnn.linear.bias.grad is not None) == train_w_0
        assert fnn.linear.weight.table.weight.grad.any()
