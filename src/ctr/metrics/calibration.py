"""How well probabilities, or predicted values, agree with the labels."""

import math

import torch
from torch import Tensor
from torch.nn import functional

from ctr.metrics.predictions import Predictions, Undefined


def log_loss(predictions: Predictions) -> float:
    """The mean negative log likelihood of the labels, in nats."""
    return _mean(log_losses(predictions), predictions)


def normalized_entropy(predictions: Predictions) -> float:
    """Log loss over the entropy of the base rate: 1 for a model that only knows the base rate.

    He et al., "Practical Lessons from Predicting Clicks on Ads at Facebook", ADKDD 2014.
    """
    rate = _mean(predictions.labels, predictions)
    if not 0 < rate < 1:
        raise Undefined(f"all {len(predictions.labels):,} labels are {rate:g}")
    base = torch.tensor(rate, dtype=torch.float64)
    return log_loss(predictions) / float(-torch.xlogy(base, base) - torch.xlogy(1 - base, 1 - base))


def calibration(predictions: Predictions) -> float:
    """The mean prediction over the mean label: 1 is unbiased, above 1 predicts too many clicks."""
    rate = _mean(predictions.targets, predictions)
    if rate == 0:
        raise Undefined("the mean label is 0")
    return _mean(predictions.predicted, predictions) / rate


def rmse(predictions: Predictions) -> float:
    """The root of the mean squared error of the predictions."""
    return float(_mean(squared_errors(predictions), predictions) ** 0.5)


def mae(predictions: Predictions) -> float:
    """The mean absolute error of the predictions."""
    return _mean(absolute_errors(predictions), predictions)


def log_losses(predictions: Predictions) -> Tensor:
    """Row by row, (B,); from logits, so that no probability is clipped."""
    return functional.binary_cross_entropy_with_logits(predictions.logits, predictions.labels, reduction="none")


def squared_errors(predictions: Predictions) -> Tensor:
    """Row by row, (B,)."""
    return (predictions.predicted - predictions.targets).square()


def absolute_errors(predictions: Predictions) -> Tensor:
    """Row by row, (B,)."""
    return (predictions.predicted - predictions.targets).abs()


def _mean(amounts: Tensor, predictions: Predictions) -> float:
    return float((amounts * predictions.weights).sum() / predictions.weights.sum())


def undo_down_sampling(logits: Tensor, kept: float) -> Tensor:
    """The logits that a model would give had it seen all negatives, where it was trained on a share `kept` of them:
    logit + ln(kept), so that p = q / (q + (1 - q) / kept). The order of the rows, and with it AUC, stays.

    He et al., "Practical Lessons from Predicting Clicks on Ads at Facebook", ADKDD 2014, section 6.3.
    """
    corrected: Tensor = logits + math.log(kept)
    return corrected
