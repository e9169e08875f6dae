"""How good predictions are, as TensorBoard shows it: precision and recall, logits by label, reliability; residuals."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial

import numpy as np
import torch
from tensorboard.compat.proto.summary_pb2 import Summary
from torch import Tensor
from torch.utils.tensorboard.summary import histogram_raw, pr_curve

from ctr.app.board import figures, reliability
from ctr.metrics import Predictions
from ctr.training.objective import Objective

NUM_BARS = 60


def summaries(predictions: Predictions, objective: Objective) -> Iterator[Summary]:
    """Of the valid split. Where labels are values and no classes, the residuals alone."""
    weights, labels = predictions.weights.numpy(), predictions.labels.numpy()
    if (chances := probabilities(predictions, objective)) is None:
        yield histogram("valid/residuals", (predictions.predicted - predictions.targets).numpy(), weights)
        return
    yield pr_curve("valid/precision_recall", labels, chances, weights=weights)
    logits = predictions.logits.numpy()
    edges = np.histogram_bin_edges(logits, NUM_BARS)
    for label in (0, 1):
        if (mine := labels == label).any():
            yield histogram(f"valid/logits_of_label_{label}", logits[mine], weights[mine], edges)
    bins = reliability.bins(chances, labels, weights)
    yield figures.image("valid/reliability", partial(reliability.draw, found=bins))


def probabilities(predictions: Predictions, objective: Objective) -> np.ndarray | None:
    """What is predicted as the chance of a click, (N,): 0 where the objective would predict that of label 0, 1 for
    label 1. None where labels are no classes."""
    labels = predictions.labels
    if not ((labels == 0) | (labels == 1)).all():
        return None
    zero, one = objective.targets(torch.tensor([0.0, 1.0], dtype=torch.double))
    chances: Tensor = ((predictions.predicted - zero) / (one - zero)).clamp(0, 1)
    return chances.numpy()


def histogram(tag: str, values: np.ndarray, weights: np.ndarray, edges: np.ndarray | None = None) -> Summary:
    """The weight of the values between edges, by default of equal bars over their range."""
    counts, edges = np.histogram(values, NUM_BARS if edges is None else edges, weights=weights)
    return histogram_raw(
        tag,
        min=values.min(),
        max=values.max(),
        num=weights.sum(),
        sum=(weights * values).sum(),
        sum_squares=(weights * values**2).sum(),
        bucket_limits=edges.tolist(),  # each the right end of a bar; the first has none to its left
        bucket_counts=[0.0, *counts.tolist()],
    )
