"""What metrics look at."""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor


class Undefined(Exception):
    """A metric has no value on these examples; the message is the reason."""


@dataclass(frozen=True)
class Predictions:
    """The examples of a split as a model sees them afterwards; B = all of the split's rows.

    For `auc` and `log_loss` labels may be probabilities; the metric is then its expectation over labels drawn from
    them (for `auc`, the ratio of two expectations), which is how the known law of synthetic data is scored.
    """

    labels: Tensor  # (B,) float64, 0 or 1 where a metric compares classes
    targets: Tensor  # (B,) float64, the labels on the scale of `predicted`
    logits: Tensor  # (B,) float64, what the model returns
    predicted: Tensor  # (B,) float64, what it predicts: a probability, or a value
    weights: Tensor  # (B,) float64
    groups: Tensor | None = None  # (B,) int64
