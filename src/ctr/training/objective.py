"""From what a model returns to a loss and to a prediction: the objective owns the link function."""

from __future__ import annotations

import math
from typing import Literal, Protocol

import torch
from torch import Tensor
from torch.nn import functional

from ctr.errors import UserError

Reduction = Literal["mean", "sum"]
SURE = 1e-6  # labels that are all alike make a constant no surer than that


class Objective(Protocol):
    def loss(self, logits: Tensor, labels: Tensor, weights: Tensor | None) -> Tensor:
        """A scalar: what a step lowers."""
        ...

    def targets(self, labels: Tensor) -> Tensor:
        """The labels on the scale of the predictions."""
        ...

    def predict(self, logits: Tensor, targets: Tensor) -> Tensor:
        """What the model predicts for the examples of a split, on the scale of `targets`, all of the split's."""
        ...

    def constant(self, mean_label: float) -> float:
        """The logit that is best for all examples alike, where their labels have this mean."""
        ...


class LogLoss:
    """Binary cross-entropy of sigmoid(logit) with labels in {0, 1}. Each example counts by its weight."""

    def __init__(self, *, reduction: Reduction):
        self.reduction = reduction

    def loss(self, logits: Tensor, labels: Tensor, weights: Tensor | None) -> Tensor:
        if weights is None:
            return functional.binary_cross_entropy_with_logits(logits, labels, reduction=self.reduction)
        losses = functional.binary_cross_entropy_with_logits(logits, labels, reduction="none")
        return _reduce(losses, weights, self.reduction)

    def targets(self, labels: Tensor) -> Tensor:
        return labels

    def predict(self, logits: Tensor, targets: Tensor) -> Tensor:
        return logits.sigmoid()

    def constant(self, mean_label: float) -> float:
        rate = min(max(mean_label, SURE), 1 - SURE)
        return math.log(rate) - math.log1p(-rate)


class SquaredError:
    """(logit - y)^2 / 2, for labels as given or, with `plus_minus_one`, for labels 0 and 1 moved to -1 and 1.

    "sum" is the NFM authors' loss: with their Adagrad, whose accumulator starts at 1e-8, a mean would take other
    steps. `clip` bounds predictions by the smallest and the largest label of the split that is scored, as libFM
    and the NFM authors do before RMSE.
    """

    def __init__(self, *, reduction: Reduction, plus_minus_one: bool, clip: bool):
        self.reduction, self.plus_minus_one, self.clip = reduction, plus_minus_one, clip

    def loss(self, logits: Tensor, labels: Tensor, weights: Tensor | None) -> Tensor:
        return _reduce(0.5 * (logits - self.targets(labels)).square(), weights, self.reduction)

    def targets(self, labels: Tensor) -> Tensor:
        if not self.plus_minus_one:
            return labels
        if ((labels != 0) & (labels != 1)).any():
            raise UserError("plus_minus_one needs labels 0 and 1; for others use task=regression")
        return 2 * labels - 1

    def predict(self, logits: Tensor, targets: Tensor) -> Tensor:
        return logits.clamp(targets.min(), targets.max()) if self.clip else logits

    def constant(self, mean_label: float) -> float:
        return 2 * mean_label - 1 if self.plus_minus_one else mean_label


def _reduce(losses: Tensor, weights: Tensor | None, reduction: Reduction) -> Tensor:
    if weights is None:
        return losses.mean() if reduction == "mean" else losses.sum()
    total = torch.dot(losses, weights)
    return total / weights.sum().clamp(min=torch.finfo(weights.dtype).tiny) if reduction == "mean" else total
