"""log_loss, normalized_entropy, calibration, rmse and mae against scikit-learn and their definitions."""

import itertools
import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from sklearn import metrics as sklearn

from ctr.metrics import Predictions
from ctr.metrics.calibration import calibration, log_loss, mae, normalized_entropy, rmse, undo_down_sampling
from tests.metrics.test_ranking import examples, near, predictions

NUMBERS = st.floats(-50, 50)


@st.composite
def regressions(draw) -> Predictions:
    """Targets and predictions of a scale of their own, apart from the labels."""
    rows = draw(st.lists(st.tuples(NUMBERS, NUMBERS, st.floats(0.1, 10)), min_size=1, max_size=30))
    targets, predicted, weights = torch.tensor(rows, dtype=torch.double).T
    return Predictions(torch.full_like(targets, 7.0), targets, predicted, predicted, weights)


@given(examples())
def test_log_loss_is_that_of_scikit_learn(split):
    expected = sklearn.log_loss(split.labels, split.logits.sigmoid(), sample_weight=split.weights)
    assert log_loss(split) == near(expected)


@pytest.mark.parametrize(("label", "logit", "loss"), [(0, 800.0, 800.0), (1, -800.0, 800.0), (1, 800.0, 0.0)])
def test_log_loss_clips_no_probability(label, logit, loss):
    assert log_loss(predictions([label], [logit])) == loss


def test_log_loss_is_in_nats():
    assert log_loss(predictions([0, 1], [0.0, 0.0])) == near(math.log(2))


def test_log_loss_of_probabilities_is_the_expectation_over_all_label_vectors():
    chances, logits = [0.1, 0.35, 0.5, 0.8, 0.95], [-2.0, 0.3, 0.3, 1.0, -1.0]
    expected = 0.0
    for labels in itertools.product([0, 1], repeat=5):
        chance = math.prod(p if y else 1 - p for p, y in zip(chances, labels, strict=True))
        expected += chance * log_loss(predictions(labels, logits))
    assert log_loss(predictions(chances, logits)) == near(expected)


@given(examples())
def test_normalized_entropy_is_log_loss_over_the_entropy_of_the_base_rate(split):
    rate = sum((split.labels * split.weights).tolist()) / sum(split.weights.tolist())
    entropy = -rate * math.log(rate) - (1 - rate) * math.log(1 - rate)
    assert normalized_entropy(split) == pytest.approx(log_loss(split) / entropy, rel=1e-10)


@pytest.mark.parametrize("rate", [0.05, 0.5, 0.8])
def test_the_base_rate_alone_has_normalized_entropy_and_calibration_1(rate):
    labels = [1] * round(100 * rate) + [0] * round(100 - 100 * rate)
    split = predictions(labels, [math.log(rate / (1 - rate))] * 100)
    assert normalized_entropy(split) == near(1.0)
    assert calibration(split) == near(1.0)


@given(examples())
def test_calibration_is_the_mean_prediction_over_the_mean_label(split):
    clicks = sum(y * w for y, w in zip(split.labels.tolist(), split.weights.tolist(), strict=True))
    guessed = sum(w / (1 + math.exp(-x)) for x, w in zip(split.logits.tolist(), split.weights.tolist(), strict=True))
    assert calibration(split) == pytest.approx(guessed / clicks, rel=1e-12)


def test_too_many_predicted_clicks_are_a_calibration_above_1():
    assert calibration(predictions([0, 0, 1, 0], [0.0] * 4)) == near(2.0)


@given(regressions())
def test_rmse_is_that_of_scikit_learn(split):
    expected = sklearn.root_mean_squared_error(split.targets, split.predicted, sample_weight=split.weights)
    assert rmse(split) == near(expected)


@given(regressions())
def test_mae_is_that_of_scikit_learn(split):
    expected = sklearn.mean_absolute_error(split.targets, split.predicted, sample_weight=split.weights)
    assert mae(split) == near(expected)


@pytest.mark.parametrize("kept", [1.0, 0.5, 0.01])
def test_down_sampling_is_undone_as_he_et_al_have_it(kept):
    logits = torch.linspace(-6, 6, 25, dtype=torch.float64)
    q = logits.sigmoid()
    torch.testing.assert_close(undo_down_sampling(logits, kept).sigmoid(), q / (q + (1 - q) / kept))


def test_a_model_of_the_kept_rows_is_right_about_all_rows_once_that_is_undone():
    """30 clicks in 1,000 rows; a twentieth of the negatives is kept, and the model knows the rate of what is left."""
    clicks, negatives, kept = 30, 970, 0.05
    rate = clicks / (clicks + negatives * kept)
    corrected = undo_down_sampling(torch.tensor([rate], dtype=torch.float64).logit(), kept).sigmoid().item()
    assert corrected == near(clicks / (clicks + negatives))
