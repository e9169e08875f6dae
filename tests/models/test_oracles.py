"""Values worked out by hand from the papers' equations, printed by the authors' programs, or printed in the papers."""

import math

import pytest
import torch
from torch import nn

from ctr.batch import Batch
from ctr.blocks import BiInteraction
from ctr.metrics import METRICS
from ctr.models import FM, FNN, NFM, DeepFM
from ctr.schema import FeatureSchema, Field, FieldKind
from ctr.training.evaluate import in_turn, predictions
from ctr.training.objective import SquaredError
from tests.models import options

W_0 = 0.1
W = [0.1, -0.2, 0.3, 0.0, 0.05, -0.1]
V = [[0.1, 0.2], [-0.3, 0.4], [0.5, -0.1], [0.2, 0.3], [-0.4, 0.1], [0.05, -0.25]]

SPARSE = FeatureSchema((Field("x", FieldKind.MULTIVALUED, 6, num_slots=4),))
IDS = torch.tensor([[0, 2, 4, 0], [1, 3, 5, 0], [0, 3, 4, 5]])  # r1, r2, r3
VALUES = torch.tensor([[1, 1, 0.5, 0], [1, 1, 1, 0], [1, 1, 2, 1]], dtype=torch.double)
LABELS = [1.0, -1.0, 1.0]

FIELDS = FeatureSchema(tuple(Field(name, FieldKind.CATEGORICAL, 2) for name in "abc"))
ONE_HOT_IDS = torch.tensor([[0, 2, 4], [1, 3, 5]])  # s1, s2
ONES = torch.ones(2, 3, dtype=torch.double)

SMALL = {"embedding_dim": 2, "init_std": 0.01}
FM_OPTIONS = options.FM_OPTIONS | SMALL
NFM_OPTIONS = options.NFM_OPTIONS | SMALL | {"hidden_dims": [3]}
DEEPFM_OPTIONS = options.DEEPFM_OPTIONS | SMALL | {"hidden_dims": [2]}
FNN_OPTIONS = options.FNN_OPTIONS | SMALL | {"hidden_dims": [2]}


def double(numbers):
    return torch.tensor(numbers, dtype=torch.double)


def close(actual, expected):
    torch.testing.assert_close(actual, double(expected), atol=1e-6, rtol=0)


def with_fixture_weights(model):
    """The model in float64, with the fixture's w_0, w and V."""
    model = model.double()
    with torch.no_grad():
        model.linear.bias.fill_(W_0)
        model.linear.weight.table.weight.copy_(double(W).unsqueeze(1))
        model.embedding.table.weight.copy_(double(V))
    return model


def fixture_fm():
    return with_fixture_weights(FM(SPARSE, **FM_OPTIONS))


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


def test_o6_nfm_with_one_layer():
    nfm = with_fixture_weights(NFM(SPARSE, **NFM_OPTIONS))
    with torch.no_grad():
        nfm.mlp.layers[0].weight.copy_(double([[0.5, -1], [1, 0.5], [-0.25, 2]]))
        nfm.mlp.layers[0].bias.copy_(double([0.05, -0.02, 0.1]))
        nfm.head.weight.copy_(double([[1, -2, 0.5]]))
    close(nfm(IDS, VALUES), [0.59875, -0.124375, 0.265625])


def test_o6_nfm_without_layers():
    nfm = with_fixture_weights(NFM(SPARSE, **(NFM_OPTIONS | {"hidden_dims": []})))
    with torch.no_grad():
        nfm.head.weight.copy_(double([[2, -1]]))
    close(nfm(IDS, VALUES), [0.40, -0.275, -0.275])


@pytest.mark.parametrize(("bias", "logits"), [(True, [0.805, -0.5025]), (False, [0.705, -0.6025])])
def test_o7_deepfm(bias, logits):
    """The oracle has w_0 = .1; the paper's form leaves it out."""
    deepfm = DeepFM(FIELDS, **(DEEPFM_OPTIONS | {"bias": bias})).double()
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


def test_o9_the_input_of_fnn():
    fnn = with_fixture_weights(FNN(FIELDS, **FNN_OPTIONS))
    s1 = [0.1, 0.1, 0.1, 0.2, 0.3, 0.5, -0.1, 0.05, -0.4, 0.1]
    s2 = [0.1, -0.2, -0.3, 0.4, 0, 0.2, 0.3, -0.1, 0.05, -0.25]
    close(fnn.z(ONE_HOT_IDS, ONES), [s1, s2])


def test_o9_the_released_fnn_has_177_inputs():
    schema = FeatureSchema(tuple(Field(f"f{f}", FieldKind.CATEGORICAL, 3) for f in range(16)))
    fnn = FNN(schema, **(FNN_OPTIONS | {"embedding_dim": 10}))
    ids = torch.tensor([schema.offsets])
    assert fnn.z(ids, torch.ones(1, 16)).shape == (1, 177)
    assert fnn.mlp.layers[0].in_features == 177


# libFM's SGD: what its binary printed after one and two passes over r1, r2, r3.


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


# Numbers of parameters, as papers and BARS's logs print them.


def categorical(num_features: int, num_fields: int) -> FeatureSchema:
    """So many features, shared out over so many fields."""
    sizes = [num_features - num_fields + 1] + [1] * (num_fields - 1)
    return FeatureSchema(tuple(Field(f"f{f}", FieldKind.CATEGORICAL, size) for f, size in enumerate(sizes)))


def count(module):
    return sum(parameter.numel() for parameter in module.parameters())


def count_batch_norm(model):
    return sum(count(module) for module in model.modules() if isinstance(module, nn.BatchNorm1d))


@pytest.fixture
def _no_memory():
    """Models of these sizes need not be filled with numbers to be counted."""
    with torch.device("meta"):
        yield


CRITEO = [27, 92, 172, 157, 12, 7, 183, 19, 2, 142, 173, 170, 166, 14, 170, 168, 9, 127, 44, 4, 169, 6, 10, 125, 20, 90]
COUNTED = NFM_OPTIONS | {"pooling_batch_norm": True, "hidden_batch_norm": True}  # the NFM authors' form


@pytest.mark.usefixtures("_no_memory")
def test_o11_nfm_on_the_criteo_sample_has_672917_parameters():
    """The note's Bi-Interaction leaves out the 13 numeric columns, which have a row of 4 in our embedding."""
    fields = [Field(f"C{i}", FieldKind.CATEGORICAL, size) for i, size in enumerate(CRITEO, start=1)]
    fields += [Field(f"I{i}", FieldKind.NUMERIC, 1) for i in range(1, 14)]
    options = {"embedding_dim": 4, "hidden_dims": [1024, 512, 256], "pooling_batch_norm": True, "head_bias": True}
    nfm = NFM(FeatureSchema(tuple(fields)), **(NFM_OPTIONS | options))
    assert count(nfm.linear) == 2278 + 14
    assert count_batch_norm(nfm) == 8
    assert count(nfm.mlp) + count(nfm.head) == 5120 + 524800 + 131328 + 257
    assert count(nfm) - 13 * 4 == 672917


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
    assert count(FM(schema, **(FM_OPTIONS | {"embedding_dim": dim}))) == fm
    model = NFM(schema, **(COUNTED | {"embedding_dim": dim, "hidden_dims": [dim]}))
    assert count_batch_norm(model) == 2 * dim + 2 * dim
    assert count(model) - count_batch_norm(model) == nfm


@pytest.mark.usefixtures("_no_memory")
@pytest.mark.parametrize(("dim", "expected"), [(64, 354055), (128, 702599), (256, 1399687)])
def test_nfm_with_64_hidden_units_has_the_parameters_of_the_nfm_code_on_frappe(dim, expected):
    model = NFM(categorical(5382, 10), **(COUNTED | {"embedding_dim": dim, "hidden_dims": [64]}))
    assert count(model) - count_batch_norm(model) == expected


@pytest.mark.usefixtures("_no_memory")
@pytest.mark.parametrize(
    ("num_features", "num_fields", "fm", "deepfm", "nfm"),
    [(5389, 10, 59280, 423280, 384880), (90239, 3, 992630, 1328630, 1318230)],
)
def test_bars_logs_these_numbers_of_parameters(num_features, num_fields, fm, deepfm, nfm):
    """Frappe_x1 and MovielensLatest_x1; BARS counts batch norm, and only its FM has a w_0."""
    schema, size = categorical(num_features, num_fields), {"embedding_dim": 10}
    deep = size | {"hidden_dims": [400, 400, 400], "bias": False}
    assert count(FM(schema, **(FM_OPTIONS | size))) == fm
    assert count(DeepFM(schema, **(DEEPFM_OPTIONS | deep | {"batch_norm": True}))) == deepfm
    assert count(NFM(schema, **(NFM_OPTIONS | deep | {"head_bias": True}))) == nfm


class FourRows:
    """O14's labels, as 0 and 1, in two batches."""

    def batches(self):
        ids, values = torch.zeros(2, 1, dtype=torch.int64), torch.zeros(2, 1)
        return iter([Batch(ids, values, torch.tensor([1.0, 0.0])) for _ in range(2)])


@pytest.mark.parametrize(("clip", "expected"), [(False, 0.62849), (True, 0.5)])
def test_o14_rmse_of_clipped_predictions(clip, expected):
    objective = SquaredError(reduction="sum", plus_minus_one=True, clip=clip)
    rows = predictions(FourRows(), in_turn(double([1.3, -0.2, 0.4, -1.7])), objective)
    assert rows.targets.tolist() == [1, -1, 1, -1]
    assert METRICS["rmse"].function(rows) == pytest.approx(expected, abs=5e-6)
