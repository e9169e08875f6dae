"""the plain sum; FTRL's worked trace, one example at a time; 5,390 parameters on Frappe, as BARS prints; logits of
pytorch-fm and FuxiCTR"""

import pytest
import torch
from torch import nn
from torch.nn import functional

from ctr.models import LR
from ctr.schema import FeatureSchema, Field, FieldKind
from ctr.training.optimizer import GroupedOptimizer, read_groups
from ctr.training.table_optimizers import FTRLProximal
from tests.conftest import mixed_schema
from tests.models.shared import categorical, count, make, rows_of
from tests.training import builders

VARIANTS = {"without w_0": {"bias": False}}


@pytest.mark.parametrize("bias", [True, False])
def test_lr_is_the_sum_of_weights_times_values(bias):
    schema = mixed_schema()
    lr = make("lr", schema, bias=bias)
    for parameter in lr.parameters():
        nn.init.normal_(parameter)
    assert count(lr) == schema.num_features + bias
    w = lr.linear.weight.table.weight[:, 0]
    ids, values = rows_of(schema)
    for row, x, logit in zip(ids.tolist(), values, lr(ids, values), strict=True):
        expected = sum(w[i] * value for i, value in zip(row, x, strict=True))
        torch.testing.assert_close(logit, expected + (lr.linear.bias[0] if bias else 0))


@pytest.mark.parametrize("by_rows", [True, False])
@pytest.mark.parametrize(
    ("alpha", "l1", "l2", "probabilities", "weights"),
    [
        (
            0.1,
            0.1,
            1.0,
            [0.5, 0.5062496745, 0.5062496745, 0.5130943719, 0.4992007429],
            [0, 0.0772963066, -0.0528570666],
        ),
        (
            0.5,
            0.0,
            0.0,
            [0.5, 0.5415704832, 0.5415704832, 0.5778662651, 0.4873160463],
            [0.0018038276, 0.42056467, -0.3166169109],
        ),
        (0.1, 1.5, 1.0, [0.5] * 5, [0, 0, 0]),
    ],
)
def test_o12_lr_trained_by_ftrl_one_example_at_a_time_gives_the_trace(alpha, l1, l2, probabilities, weights, by_rows):
    lr = LR(FeatureSchema((Field("x", FieldKind.MULTIVALUED, 3, num_slots=2),)), bias=False).double()
    make_ftrl = FTRLProximal(lr=alpha, beta=1.0, l1=l1, l2=l2, dense_up_to=0 if by_rows else 99)
    optimizer, seen = GroupedOptimizer(lr, make_ftrl, read_groups(builders.groups(lr=alpha))), []
    for row, label in [((0, 1), 1.0), ((0, 2), 0.0), ((1,), 1.0), ((0, 1), 1.0), ((0, 2), 0.0)]:
        ids, values = torch.tensor([[*row, 0][:2]]), torch.tensor([[1.0, len(row) - 1.0]], dtype=torch.double)
        logit = optimizer.forward(lr, ids, values)
        seen.append(logit.sigmoid().item())
        optimizer.zero_grad()
        functional.binary_cross_entropy_with_logits(logit, torch.tensor([label]).double()).backward()
        optimizer.step()
    assert seen == pytest.approx(probabilities, abs=1e-9)
    assert lr.linear.weight.table.weight[:, 0].tolist() == pytest.approx(weights, abs=1e-9)


@pytest.mark.usefixtures("_no_memory")
@pytest.mark.parametrize(("num_features", "num_fields", "expected"), [(5389, 10, 5390), (90239, 3, 90240)])
def test_lr_has_the_parameters_that_bars_logs(num_features, num_fields, expected):
    """Frappe_x1 and MovielensLatest_x1."""
    assert count(make("lr", categorical(num_features, num_fields))) == expected
