"""The losses against their definitions, written out in float64, and what models predict from logits."""

import math

import pytest
import torch
from torch import Tensor

from ctr.batch import Batch
from ctr.errors import UserError
from ctr.metrics import METRICS
from ctr.training import LogLoss, SquaredError
from ctr.training.evaluate import in_turn, predictions

LOGITS = torch.tensor([1.3, -0.2, 0.4, -1.7], dtype=torch.double)
LABELS = torch.tensor([1.0, 0.0, 1.0, 0.0], dtype=torch.double)
WEIGHTS = torch.tensor([1.0, 3.0, 0.5, 2.0], dtype=torch.double)


def log_losses() -> list[float]:
    """-y log p - (1 - y) log(1 - p) with p = 1 / (1 + e^-logit), example by example."""
    chances = [1 / (1 + math.exp(-logit)) for logit in LOGITS.tolist()]
    return [-y * math.log(p) - (1 - y) * math.log(1 - p) for p, y in zip(chances, LABELS.tolist(), strict=True)]


def squared_errors() -> list[float]:
    """(logit - y)^2 / 2, example by example."""
    return [(x - y) ** 2 / 2 for x, y in zip(LOGITS.tolist(), LABELS.tolist(), strict=True)]


CASES = [
    (LogLoss, log_losses()),
    (lambda reduction: SquaredError(reduction=reduction, plus_minus_one=False, clip=False), squared_errors()),
]
each_objective = pytest.mark.parametrize(("make", "losses"), CASES, ids=["log loss", "squared error"])


def close(found: Tensor, expected: float) -> None:
    torch.testing.assert_close(found, torch.tensor(expected, dtype=torch.double), rtol=1e-12, atol=0)


@each_objective
def test_the_loss_without_weights_is_the_mean_or_the_sum(make, losses):
    close(make(reduction="mean").loss(LOGITS, LABELS, None), sum(losses) / 4)
    close(make(reduction="sum").loss(LOGITS, LABELS, None), sum(losses))


@each_objective
def test_an_example_counts_by_its_weight(make, losses):
    total = sum(w * loss for w, loss in zip(WEIGHTS.tolist(), losses, strict=True))
    close(make(reduction="sum").loss(LOGITS, LABELS, WEIGHTS), total)
    close(make(reduction="mean").loss(LOGITS, LABELS, WEIGHTS), total / 6.5)


@each_objective
def test_a_weight_of_two_is_the_example_twice(make, losses):
    twice = torch.cat([LOGITS, LOGITS[:1]]), torch.cat([LABELS, LABELS[:1]])
    weights = torch.tensor([2.0, 1.0, 1.0, 1.0], dtype=torch.double)
    for reduction in ("mean", "sum"):
        objective = make(reduction=reduction)
        torch.testing.assert_close(objective.loss(LOGITS, LABELS, weights), objective.loss(*twice, None))


def test_the_log_loss_of_a_far_logit_is_finite_and_linear():
    far = torch.tensor([-800.0, 800.0], dtype=torch.double)
    close(LogLoss(reduction="mean").loss(far, torch.tensor([1.0, 1.0], dtype=torch.double), None), 400.0)


def test_the_log_loss_predicts_probabilities_of_the_labels_as_they_are():
    objective = LogLoss(reduction="mean")
    expected = torch.tensor([1 / (1 + math.exp(-x)) for x in LOGITS.tolist()], dtype=torch.double)
    torch.testing.assert_close(objective.predict(LOGITS, objective.targets(LABELS)), expected, rtol=1e-12, atol=0)
    assert torch.equal(objective.targets(LABELS), LABELS)


def test_plus_minus_one_moves_the_labels_0_and_1_to_minus_1_and_1():
    objective = SquaredError(reduction="sum", plus_minus_one=True, clip=False)
    moved = torch.tensor([1.0, -1.0, 1.0, -1.0], dtype=torch.double)
    assert torch.equal(objective.targets(LABELS), moved)
    expected = sum((x - y) ** 2 / 2 for x, y in zip(LOGITS.tolist(), moved.tolist(), strict=True))
    close(objective.loss(LOGITS, LABELS, None), expected)


@pytest.mark.parametrize("label", [-1.0, 0.5, 2.0])
def test_plus_minus_one_refuses_other_labels(label):
    labels = torch.tensor([0.0, 1.0, label])
    with pytest.raises(UserError, match="labels 0 and 1"):
        SquaredError(reduction="sum", plus_minus_one=True, clip=True).targets(labels)


def test_clipping_bounds_predictions_by_the_labels_of_the_split():
    """The RMSE of a worked example, raw and clipped."""
    for clip, expected in ((False, 0.62849), (True, 0.5)):
        objective = SquaredError(reduction="sum", plus_minus_one=True, clip=clip)
        targets = objective.targets(LABELS)
        rmse = (objective.predict(LOGITS, targets) - targets).square().mean().sqrt()
        assert rmse.item() == pytest.approx(expected, abs=5e-6)


def test_the_range_of_clipping_is_that_of_real_labels_too():
    objective = SquaredError(reduction="mean", plus_minus_one=False, clip=True)
    targets = torch.tensor([2.0, 5.0, 3.0])
    assert objective.predict(torch.tensor([1.0, 4.0, 9.0]), targets).tolist() == [2.0, 4.0, 5.0]


def test_a_batch_whose_weights_are_all_0_has_the_loss_0():
    logits = torch.ones(3, requires_grad=True)
    loss = LogLoss(reduction="mean").loss(logits, torch.ones(3), torch.zeros(3))
    loss.backward()
    assert loss.item() == 0
    assert logits.grad.abs().sum() == 0


class FourRows:
    """O14's labels, as 0 and 1, in two batches."""

    def batches(self):
        ids, values = torch.zeros(2, 1, dtype=torch.int64), torch.zeros(2, 1)
        return iter([Batch(ids, values, torch.tensor([1.0, 0.0])) for _ in range(2)])


@pytest.mark.parametrize(("clip", "expected"), [(False, 0.62849), (True, 0.5)])
def test_o14_rmse_of_clipped_predictions(clip, expected):
    objective = SquaredError(reduction="sum", plus_minus_one=True, clip=clip)
    rows = predictions(FourRows(), in_turn(torch.tensor([1.3, -0.2, 0.4, -1.7], dtype=torch.double)), objective)
    assert rows.targets.tolist() == [1, -1, 1, -1]
    assert METRICS["rmse"].function(rows) == pytest.approx(expected, abs=5e-6)


@pytest.mark.parametrize(
    "objective",
    [
        LogLoss(reduction="mean"),
        SquaredError(reduction="mean", plus_minus_one=False, clip=True),
        SquaredError(reduction="sum", plus_minus_one=True, clip=True),
    ],
    ids=["log loss", "squared error", "on -1 and 1"],
)
def test_the_constant_is_where_the_loss_of_one_logit_for_all_has_no_slope(objective):
    labels = torch.tensor([1.0, 0.0, 0.0, 1.0, 0.0], dtype=torch.double)
    logit = torch.tensor(objective.constant(0.4), dtype=torch.double, requires_grad=True)
    objective.loss(logit.expand(5), labels, None).backward()
    assert logit.grad == pytest.approx(0, abs=1e-12)
