"""Rows put together by what was predicted for them: what calibration is read off."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np


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
    effective: np.ndarray  # (bins,) rows, if all weights were alike: (sum w)^2 / sum w^2

    @property
    def gap(self) -> float:
        """The expected calibration error: the mean distance of prediction and actual mean, over rows."""
        return float((self.weights * np.abs(self.predicted - self.actual)).sum())

    def lines(self) -> Iterator[tuple[Any, ...]]:
        """Of each bin: where it begins and ends, rows, both means, the error."""
        return zip(self.low, self.high, self.counts, self.predicted, self.actual, self.error, strict=True)


def bins_of(predicted: np.ndarray, targets: np.ndarray, weights: np.ndarray, number: int) -> Bins:
    """At most `number` quantile bins of the predictions; weights are above 0."""
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
    effective = total**2 / np.bincount(place, weights**2)
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
        effective,
    )
