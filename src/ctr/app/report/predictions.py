"""What a page needs of a run's predictions: bins for calibration, histograms; never all rows."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ctr.app.bins import Bins, bins_of
from ctr.errors import UserError
from ctr.metrics import Predictions

NUM_BINS, NUM_BARS = 15, 40


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
    return Summary(len(labels), plain, mean, rate, bins_of(predicted, targets, weights, NUM_BINS), edges, histograms)
