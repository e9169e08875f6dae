"""What a page needs of a run's predictions: bins for calibration, histograms; never all rows."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from ctr.errors import UserError
from ctr.metrics import Predictions

NUM_BINS, NUM_BARS = 15, 40


@dataclass(frozen=True)
class Bins:
    """Rows by their prediction, an equal weight of them in each bin; equal predictions share one."""

    predicted: np.ndarray  # (bins,) means
    actual: np.ndarray  # (bins,) means of the targets
    error: np.ndarray  # (bins,) standard error of `actual`
    counts: np.ndarray  # (bins,) rows
    low: np.ndarray  # (bins,) the smallest and
    high: np.ndarray  # (bins,) the largest prediction in it
    weights: np.ndarray  # (bins,) share of the whole weight

    @property
    def gap(self) -> float:
        """The expected calibration error: the mean distance of prediction and actual mean, over rows."""
        return float((self.weights * np.abs(self.predicted - self.actual)).sum())

    def lines(self) -> Iterator[tuple[Any, ...]]:
        """Of each bin: where it begins and ends, rows, both means, the error."""
        return zip(self.low, self.high, self.counts, self.predicted, self.actual, self.error, strict=True)


@dataclass(frozen=True)
class Summary:
    """A run's predictions on a split. `histograms`: of the model's output by label, or of the residuals, as densities.
    `plain`: predictions are real numbers to be compared with labels, where there are no two classes."""

    rows: int
    plain: bool
    mean: float  # of the predictions
    rate: float  # the mean target
    bins: Bins
    edges: np.ndarray  # (bars + 1,)
    histograms: dict[str, np.ndarray]  # each (bars,)


def summarise(predictions: Predictions) -> Summary:
    """Raises UserError where a prediction is not finite."""
    predicted, targets, weights, labels, logits = (
        getattr(predictions, name).double().numpy() for name in ("predicted", "targets", "weights", "labels", "logits")
    )
    counted = weights > 0
    predicted, targets, weights, labels, logits = (
        values[counted] for values in (predicted, targets, weights, labels, logits)
    )
    if not len(logits):
        raise UserError("no row has a weight above 0")
    if bad := int((~np.isfinite(logits)).sum()):
        raise UserError(f"{bad:,} of {len(logits):,} predictions are not finite")
    plain = not np.isin(labels, (0, 1)).all()
    parts = (
        {"residual": (predicted - targets, weights)}
        if plain
        else {f"label {label}": (logits[labels == label], weights[labels == label]) for label in (0, 1)}
    )
    low, high = np.quantile(np.concatenate([values for values, _ in parts.values()]), [0.002, 0.998])
    edges = np.linspace(low, high if high > low else low + 1, NUM_BARS + 1)
    histograms = {
        name: np.histogram(values.clip(edges[0], edges[-1]), edges, weights=w, density=True)[0]
        for name, (values, w) in parts.items()
        if w.sum() > 0
    }
    mean, rate = (float(np.average(values, weights=weights)) for values in (predicted, targets))
    return Summary(len(labels), plain, mean, rate, bins_of(predicted, targets, weights), edges, histograms)


def bins_of(predicted: np.ndarray, targets: np.ndarray, weights: np.ndarray, number: int = NUM_BINS) -> Bins:
    """Quantile bins of the predictions."""
    order = predicted.argsort(kind="stable")
    predicted, targets, weights = predicted[order], targets[order], weights[order]
    before = weights.cumsum() - weights
    _, first, same = np.unique(predicted, return_index=True, return_inverse=True)
    place = np.minimum((before[first] / weights.sum() * number + 1e-9).astype(int), number - 1)[same]
    place = np.unique(place, return_inverse=True)[1]  # no empty ones
    total = np.bincount(place, weights)

    def mean(values: np.ndarray) -> np.ndarray:
        return np.bincount(place, weights * values) / total

    actual = mean(targets)
    spread = np.sqrt(np.maximum(mean(targets**2) - actual**2, 0))
    effective = total**2 / np.bincount(place, weights**2)  # rows, if all weights are alike
    edges = np.searchsorted(place, np.arange(len(total)))
    last = np.append(edges[1:], len(place)) - 1
    return Bins(
        mean(predicted),
        actual,
        spread / np.sqrt(effective),
        np.bincount(place),
        predicted[edges],
        predicted[last],
        total / total.sum(),
    )
