"""A model's metrics on a split."""

from __future__ import annotations

from collections.abc import Iterable

import torch
from torch import Tensor, nn

from ctr.batch import Loader
from ctr.metrics import Metric, Predictions, Scores, score
from ctr.training.objective import Objective


def evaluate(
    model: nn.Module, loader: Loader, objective: Objective, metrics: Iterable[Metric], device: torch.device
) -> Scores:
    """The scores of a model on all rows of the loader, with dropout off."""
    return score(predictions(loader, predict_logits(model, loader, device), objective), metrics)


def predict_logits(model: nn.Module, loader: Loader, device: torch.device) -> Tensor:
    """The logit of every row of the loader, in order, on the CPU: (N,) float64."""
    model.eval()
    with torch.inference_mode():
        batches = (batch.to(device) for batch in loader.batches())
        return torch.cat([model(batch.ids, batch.values).cpu().double() for batch in batches])


def predictions(loader: Loader, logits: Tensor, objective: Objective, labels: Tensor | None = None) -> Predictions:
    """What metrics look at, for `logits` of all rows of the loader; `labels` stand in for the loader's own."""
    batches = list(loader.batches())
    if labels is None:
        labels = torch.cat([batch.labels for batch in batches]).double()
    targets = objective.targets(labels)
    weights = [batch.weights for batch in batches if batch.weights is not None]
    groups = [batch.groups for batch in batches if batch.groups is not None]
    return Predictions(
        labels=labels,
        targets=targets,
        logits=logits,
        predicted=objective.predict(logits, targets),
        weights=torch.cat(weights).double() if weights else torch.ones_like(logits),
        groups=torch.cat(groups) if groups else None,
    )
