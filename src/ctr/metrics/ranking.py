"""How well logits order the examples."""

import torch
from torch import Tensor

from ctr.metrics.predictions import Predictions, Undefined


def auc(predictions: Predictions) -> float:
    """The chance that a positive's logit exceeds a negative's; ties count one half."""
    whole = torch.zeros_like(predictions.labels, dtype=torch.int64)
    pairs, wins = _pairs_and_wins(predictions, whole)
    if not pairs.item() > 0:
        raise Undefined(_one_class(predictions))
    return float(wins / pairs)


def gauc(predictions: Predictions) -> float:
    """The mean AUC of the groups, weighted by their examples; groups of one class are left out.

    Zhu et al., "Optimized Cost per Click in Taobao Display Advertising", KDD 2017.
    """
    if predictions.groups is None:
        raise Undefined("the dataset names no group column")
    groups = predictions.groups.unique(return_inverse=True)[1]
    pairs, wins = _pairs_and_wins(predictions, groups)
    size = torch.zeros_like(pairs).scatter_add_(0, groups, predictions.weights)
    counted = pairs > 0
    if not counted.any():
        raise Undefined(f"none of the {len(pairs)} groups has both classes")
    return float((size * wins / pairs)[counted].sum() / size[counted].sum())


def pr_auc(predictions: Predictions) -> float:
    """Average precision: the mean, over the positives, of the precision at their logit; ties share one threshold."""
    logits, order = predictions.logits.sort(descending=True)
    positive = (predictions.labels * predictions.weights)[order]
    if not positive.sum().item() > 0:
        raise Undefined(_one_class(predictions))
    tied = logits.unique_consecutive(return_inverse=True)[1]
    last = torch.cat([tied.diff() > 0, torch.ones(1, dtype=torch.bool)])  # the end of each run of ties
    found = positive.cumsum(0)[last]
    precision = found / predictions.weights[order].cumsum(0)[last].clamp(min=torch.finfo(torch.float64).tiny)
    return float((precision * found.diff(prepend=found.new_zeros(1))).sum() / found[-1])


def _pairs_and_wins(predictions: Predictions, groups: Tensor) -> tuple[Tensor, Tensor]:
    """By group: the weight of its (positive, negative) pairs, and of those that the logits order rightly."""
    order = predictions.logits.argsort(stable=True)
    order = order[groups[order].argsort(stable=True)]  # by group, then by logit
    groups, logits = groups[order], predictions.logits[order]
    positive = (predictions.labels * predictions.weights)[order]
    negative = ((1 - predictions.labels) * predictions.weights)[order]

    new = torch.cat([torch.ones(1, dtype=torch.bool), (groups.diff() != 0) | (logits.diff() != 0)])
    tied = new.cumsum(0) - 1  # a number for each run of equal logits in a group
    num_groups = int(groups[-1]) + 1
    group = groups[new]
    itself = positive * negative  # a soft label's row is no pair with itself; 0 where labels are 0 or 1
    itself = itself.new_zeros(int(tied[-1]) + 1).scatter_add_(0, tied, itself)
    positive = positive.new_zeros(int(tied[-1]) + 1).scatter_add_(0, tied, positive)
    negative = negative.new_zeros(len(positive)).scatter_add_(0, tied, negative)

    def by_group(amount: Tensor) -> Tensor:
        return amount.new_zeros(num_groups).scatter_add_(0, group, amount)

    below = negative.cumsum(0) - negative
    below = below - (by_group(negative).cumsum(0) - by_group(negative))[group]  # of the same group
    pairs = by_group(positive) * by_group(negative) - by_group(itself)
    return pairs, by_group(positive * (below + 0.5 * negative) - 0.5 * itself)


def _one_class(predictions: Predictions) -> str:
    counted = predictions.labels[predictions.weights > 0]
    of_those = "" if len(counted) == len(predictions.labels) else " of positive weight"
    return f"all {len(counted):,} labels{of_those} are {counted[0].item():g}"
