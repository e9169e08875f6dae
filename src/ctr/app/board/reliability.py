"""The reliability diagram: how often a click came where one was predicted."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from ctr.app.bins import bins_of

if TYPE_CHECKING:
    from matplotlib.figure import Figure

NUM_BINS, ROWS_A_BIN = 20, 50  # at most, and at least
Z = 1.96  # two-sided 95 %


@dataclass(frozen=True)
class Bins:
    """Rows of about equal prediction put together, lowest first."""

    predicted: np.ndarray  # (n,) the mean prediction
    observed: np.ndarray  # (n,) the share of clicks
    low: np.ndarray  # (n,) Wilson's interval of that share, 95 %
    high: np.ndarray
    weight: np.ndarray  # (n,) of its rows, a share of all

    @property
    def error(self) -> float:
        """The expected calibration error: the mean distance of what was observed from what was predicted."""
        return float((self.weight * abs(self.observed - self.predicted)).sum())


def bins(chances: np.ndarray, labels: np.ndarray, weights: np.ndarray) -> Bins:
    """Bins of about equal weight, fewer than NUM_BINS for few rows; equal predictions stay together. Rows of weight 0
    do not count.

    Wilson, "Probable Inference, the Law of Succession, and Statistical Inference", JASA 1927; a bin of weights w counts
    as (sum w)^2 / sum w^2 rows.
    """
    counted = weights > 0
    number = max(1, min(NUM_BINS, int(counted.sum()) // ROWS_A_BIN))
    found = bins_of(chances[counted], labels[counted], weights[counted], number)
    observed, n = found.actual, found.effective
    middle = (observed + Z**2 / (2 * n)) / (1 + Z**2 / n)
    half = Z / (1 + Z**2 / n) * np.sqrt(observed * (1 - observed) / n + Z**2 / (4 * n**2))
    low, high = np.minimum(middle - half, observed), np.maximum(middle + half, observed)
    return Bins(found.predicted, observed, low.clip(0), high.clip(None, 1), found.weights)


def draw(figure: Figure, found: Bins) -> None:
    figure.set_size_inches(4.8, 4.4)
    axes = figure.subplots(gridspec_kw={"left": 0.15, "right": 0.97, "bottom": 0.11, "top": 0.93})
    top = min(1.0, 1.08 * max(found.high.max(), found.predicted.max()))  # clicks may be rare
    axes.plot([0, top], [0, top], color="#8fa3b8", linestyle="--", linewidth=1)
    error = np.stack([found.observed - found.low, found.high - found.observed])
    axes.errorbar(found.predicted, found.observed, error, fmt="o", markersize=4, capsize=2, linewidth=1)
    axes.set(xlim=(0, top), ylim=(0, top), xlabel="predicted", ylabel="share of clicks, with 95 % interval")
    axes.set_title(f"{len(found.weight)} bins of equal size; off by {found.error:.4f} on average", fontsize=9)
