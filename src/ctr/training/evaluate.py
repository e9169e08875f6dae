"""What a model predicts on a split."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

import torch
from torch import Tensor, nn

from ctr.batch import Batch, Loader
from ctr.metrics import Predictions
from ctr.metrics.calibration import undo_down_sampling
from ctr.training.objective import Objective


@contextmanager
def scoring(model: nn.Module) -> Iterator[None]:
    """Inside, the model is as when it scores, without gradients; afterwards each module has its own mode again."""
    training = {module: module.training for module in model.modules()}
    try:
        with torch.no_grad():
            model.eval()
            yield
    finally:
        for module, was in training.items():
            module.training = was


def predict(
    model: nn.Module, loader: Loader, objective: Objective, device: torch.device, negatives_kept: float = 1.0
) -> Predictions:
    """What a model predicts for all rows of the loader, with dropout off."""
    model.eval()

    def logits(batch: Batch) -> Tensor:
        batch = batch.to(device)
        return undo_down_sampling(model(batch.ids, batch.values).double(), negatives_kept)

    with torch.inference_mode():
        return predictions(loader, logits, objective)


def predictions(loader: Loader, logits: Callable[[Batch], Tensor], objective: Objective) -> Predictions:
    """What metrics look at, for the `logits` of each batch of the loader: of a row some bytes, whatever its slots."""
    labels, scores, weights, groups = [], [], [], []
    for batch in loader.batches():
        scores.append(logits(batch).cpu().double())
        labels.append(batch.labels)
        weights += [] if batch.weights is None else [batch.weights]
        groups += [] if batch.groups is None else [batch.groups]
    return as_predictions(
        torch.cat(scores),
        torch.cat(labels).double(),
        objective,
        torch.cat(weights).double() if weights else None,
        torch.cat(groups) if groups else None,
    )


def as_predictions(
    logits: Tensor, labels: Tensor, objective: Objective, weights: Tensor | None = None, groups: Tensor | None = None
) -> Predictions:
    """(N,) float64 logits and labels as the objective reads them."""
    targets = objective.targets(labels)
    return Predictions(
        labels=labels,
        targets=targets,
        logits=logits,
        predicted=objective.predict(logits, targets),
        weights=torch.ones_like(logits) if weights is None else weights,
        groups=groups,
    )


def in_turn(logits: Tensor) -> Callable[[Batch], Tensor]:
    """Hands out the logits of all rows, (N,), batch by batch in file order."""
    start = 0

    def take(batch: Batch) -> Tensor:
        nonlocal start
        start += len(batch)
        return logits[start - len(batch) : start]

    return take
