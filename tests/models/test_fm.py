"""brute-force double sum; worked values and gradients; passes of the libFM binary (SGD), all printed digits; logits
of pytorch-fm, FuxiCTR and DeepCTR-Torch"""

import itertools
import math

import pytest
import torch
from torch import nn

from ctr.blocks import BiInteraction, FMInteraction
from ctr.models import FM, NFM, DeepFM
from ctr.schema import FeatureSchema, Field, FieldKind
from tests.conftest import mixed_schema
from tests.models.options import FM_OPTIONS
from tests.models.shared import (
    DEEPFM_WORKED,
    FM_WORKED,
    IDS,
    LABELS,
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
    with_fixture_weights,
)


def fixture_fm():
    return with_fixture_weights(FM(SPARSE, **FM_WORKED))


def test_o5_fm_logits_and_probabilities():
    logits = fixture_fm()(IDS, VALUES)
    close(logits, [0.44, -0.32, -0.06])
    close(logits.sigmoid(), [0.608259, 0.420676, 0.485004])


def test_o5_bi_interaction():
    xv = fixture_fm().embedding(IDS, VALUES)
    close(BiInteraction()(xv), [[-0.07, -0.015], [-0.065, -0.055], [-0.245, -0.015]])


@pytest.mark.parametrize(
    ("row", "x", "rows_of_v"),
    [
        (0, [1, 0, 1, 0, 0.5, 0], {0: [0.3, -0.05], 2: [-0.1, 0.25], 4: [0.3, 0.05]}),
        (1, [0, 1, 0, 1, 0, 1], {1: [0.25, 0.05], 3: [-0.25, 0.15], 5: [-0.1, 0.7]}),
        (2, [1, 0, 0, 1, 2, 1], {0: [-0.55, 0.25], 3: [-0.65, 0.15], 4: [0.7, 0.5], 5: [-0.5, 0.7]}),
    ],
)
def test_o5_fm_gradients(row, x, rows_of_v):
    fm = fixture_fm()
    fm(IDS[row : row + 1], VALUES[row : row + 1]).backward()
    close(fm.linear.bias.grad, [1.0])
    close(fm.linear.weight.table.weight.grad[:, 0], x)
    close(fm.embedding.table.weight.grad, [rows_of_v.get(i, [0, 0]) for i in range(6)])


def libfm_sgd_pass(fm, multiplier):
    """libFM's rule, on our gradient: theta -= rate * (multiplier * gradient + reg * theta), where x touches theta."""
    for ids, values, label in zip(IDS, VALUES, LABELS, strict=True):
        fm.zero_grad()
        logit = fm(ids.unsqueeze(0), values.unsqueeze(0))
        logit.backward()
        touched = ids[values != 0]
        w, v = fm.linear.weight.table.weight, fm.embedding.table.weight
        with torch.no_grad():
            for theta, reg, rows in [(fm.linear.bias, 0.01, [0]), (w, 0.02, touched), (v, 0.03, touched)]:
                theta[rows] -= 0.1 * (multiplier(logit.item(), label) * theta.grad[rows] + reg * theta[rows])


def clipped(logit):
    return min(max(logit, -1.0), 1.0)  # the range of the labels


def regression(logit, label):
    return clipped(logit) - label


def classification(logit, label):
    return -label / (1 + math.exp(label * logit))


def printed(numbers):
    """As C++ prints a double."""
    return [float(f"{number:.6g}") for number in numbers.flatten().tolist()]


REGRESSION_W = [0.271416, -0.27319, 0.3554, 0.0424847, 0.309599, -0.0571157]


REGRESSION_V = [0.0594627, 0.218303, -0.317497, 0.395121, 0.4929, -0.0857]


REGRESSION_V += [0.148713, 0.298887, -0.290081, 0.14483, 0.00722305, -0.21991]


CLASSIFICATION_W = [0.191152, -0.242623, 0.338574, 0.00951916, 0.17426, -0.0900812]


CLASSIFICATION_V = [0.0843766, 0.208211, -0.309856, 0.396649, 0.494583, -0.0899065]


CLASSIFICATION_V += [0.177606, 0.298136, -0.346465, 0.123461, 0.0302542, -0.242155]


@pytest.mark.parametrize(
    ("multiplier", "w_0", "w", "v"),
    [
        (regression, 0.197999, REGRESSION_W, REGRESSION_V),
        (classification, 0.148272, CLASSIFICATION_W, CLASSIFICATION_V),
    ],
)
def test_libfm_prints_the_weights_that_our_gradients_lead_to(multiplier, w_0, w, v):
    fm = fixture_fm()
    libfm_sgd_pass(fm, multiplier)
    assert printed(fm.linear.bias) == [w_0]
    assert printed(fm.linear.weight.table.weight) == w
    assert printed(fm.embedding.table.weight) == v


@pytest.mark.parametrize(
    ("passes", "predicted", "rmse"),
    [(1, [0.919703, -0.17278, 0.996986], 0.479844), (2, [0.952974, -0.438948, 0.991856], 0.325093)],
)
def test_libfm_prints_the_values_that_our_fm_predicts(passes, predicted, rmse):
    fm = fixture_fm()
    for _ in range(passes):
        libfm_sgd_pass(fm, regression)
    values = fm(IDS, VALUES).clamp(-1, 1)
    assert printed(values) == predicted
    assert printed((values - double(LABELS)).square().mean().sqrt()) == [rmse]


@pytest.mark.parametrize(
    ("passes", "predicted"), [(1, [0.667111, 0.429489, 0.606468]), (2, [0.70932, 0.425866, 0.684635])]
)
def test_libfm_prints_the_probabilities_that_our_fm_predicts(passes, predicted):
    fm = fixture_fm()
    for _ in range(passes):
        libfm_sgd_pass(fm, classification)
    assert printed(fm(IDS, VALUES).sigmoid()) == predicted


@pytest.mark.usefixtures("_no_memory")
@pytest.mark.parametrize(
    ("num_features", "dim", "fm", "nfm"),
    [
        (5382, 64, 349831, 354055),
        (5382, 128, 694279, 710919),
        (5382, 256, 1383175, 1449223),
        (90445, 64, 5878926, 5883150),
        (90445, 128, 11667406, 11684046),
        (90445, 256, 23244366, 23310414),
    ],
)
def test_fm_and_nfm_have_the_parameters_of_the_nfm_papers_tables(num_features, dim, fm, nfm):
    """Frappe and MovieLens; the NFM paper does not count batch norm's 2 k + 2 d."""
    schema = categorical(num_features, 10)
    assert count(FM(schema, **(FM_WORKED | {"embedding_dim": dim}))) == fm
    model = NFM(schema, **(NFM_COUNTED | {"embedding_dim": dim, "hidden_dims": [dim]}))
    assert count_batch_norm(model) == 2 * dim + 2 * dim
    assert count(model) - count_batch_norm(model) == nfm


@pytest.mark.usefixtures("_no_memory")
@pytest.mark.parametrize(
    ("num_features", "num_fields", "fm", "deepfm", "nfm"),
    [(5389, 10, 59280, 423280, 384880), (90239, 3, 992630, 1328630, 1318230)],
)
def test_bars_logs_these_numbers_of_parameters(num_features, num_fields, fm, deepfm, nfm):
    """Frappe_x1 and MovielensLatest_x1; BARS counts batch norm, and only its FM has a w_0."""
    schema, size = categorical(num_features, num_fields), {"embedding_dim": 10}
    deep = size | {"hidden_dims": [400, 400, 400], "bias": False}
    assert count(FM(schema, **(FM_WORKED | size))) == fm
    assert count(DeepFM(schema, **(DEEPFM_WORKED | deep | {"batch_norm": True}))) == deepfm
    assert count(NFM(schema, **(NFM_WORKED | deep | {"head_bias": True}))) == nfm


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


VARIANTS = {"without w_0": {"bias": False, "embedding_dropout": 0.1}}
