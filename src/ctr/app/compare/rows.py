"""Tests over the rows of a split, on what the trained models of two groups predict for them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch

from ctr.app.results import Group, Result
from ctr.errors import UserError
from ctr.metrics import Predictions
from ctr.metrics.calibration import absolute_errors, log_losses, squared_errors
from ctr.statistics import rows as statistics
from ctr.statistics.difference import Difference
from ctr.statistics.rows import Array

DELONG = "DeLong's test"
BOOTSTRAP = f"paired bootstrap, {statistics.DRAWS:,} draws"
MEANS: Mapping[
    str, tuple[Callable[[Predictions], torch.Tensor], Callable[[Array], Array]]
] = {  # `of` the mean over rows
    "log_loss": (log_losses, np.asarray),
    "rmse": (squared_errors, np.sqrt),
    "mae": (absolute_errors, np.asarray),
}


@dataclass(frozen=True)
class Found:
    """The result of a test over n rows."""

    method: str
    n: int
    difference: Difference


@dataclass(frozen=True)
class _Run:
    """What is kept of a run's predictions: float64 arrays, (N,)."""

    folder: Path
    labels: Array
    weights: Array
    by_metric: Mapping[str, Array]  # scores for AUC, each row's amount for the others


class Rows:
    """The runs' predictions for a split, made when they are first asked for and read once."""

    def __init__(self, split: str, metrics: Sequence[str], predict: Callable[[Path, str], Predictions]):
        self.split, self.metrics, self.predict = split, metrics, predict
        self.runs: dict[Path, _Run | str] = {}

    def of(self, result: Result) -> _Run | str:
        """The run's predictions, or why it has none."""
        if result.folder not in self.runs:
            try:
                self.runs[result.folder] = self._read(result.folder, self.predict(result.folder, self.split))
            except UserError as error:
                self.runs[result.folder] = f"{result.folder} cannot predict: {error}"
        return self.runs[result.folder]

    def _read(self, folder: Path, found: Predictions) -> _Run:
        kept = {name: MEANS[name][0](found).numpy() for name in self.metrics if name in MEANS}
        if "auc" in self.metrics:
            kept["auc"] = found.logits.numpy()
        return _Run(folder, found.labels.numpy(), found.weights.numpy(), kept)


def over_rows(a: Group, b: Group, seeds: Sequence[int], metric: str, rows: Rows) -> Found | str:
    """The test of the metric, averaged over these seeds' models; or the reason why there is none."""
    if metric != "auc" and metric not in MEANS:
        return f"{metric} is no mean over rows; there are tests for auc, {', '.join(MEANS)}"
    sides = [[rows.of(group.by_seed[seed]) for seed in seeds] for group in (a, b)]
    if reasons := [one for side in sides for one in side if isinstance(one, str)]:
        return reasons[0]
    left, right = ([one for one in side if isinstance(one, _Run)] for side in sides)
    first = left[0]
    if odd := next((one for one in (*left, *right) if not _same_rows(one, first)), None):
        raise UserError(
            f"{first.folder} and {odd.folder}: the labels or weights of their {rows.split} rows differ, "
            f"{len(first.labels):,} rows and {len(odd.labels):,}; only scores on the same rows can be compared"
        )
    x, y = ([one.by_metric[metric] for one in side] for side in (left, right))
    n = int((first.weights > 0).sum())
    if metric == "auc":
        found, method = _delong(first, x, y), DELONG
    else:
        found, method = statistics.bootstrap(x, y, first.weights, MEANS[metric][1]), BOOTSTRAP
    if found is None:
        return "the rows show no variance of the difference"
    return found if isinstance(found, str) else Found(method, n, found)


def _delong(run: _Run, a: Sequence[Array], b: Sequence[Array]) -> Difference | str | None:
    if np.ptp(run.weights) > 0:
        return "rows have weights, and DeLong's test counts each row once"
    if not np.isin(run.labels, (0, 1)).all():
        return "labels are not 0 and 1"
    return statistics.delong(run.labels, a, b)


def _same_rows(a: _Run, b: _Run) -> bool:
    return np.array_equal(a.labels, b.labels) and np.array_equal(a.weights, b.weights)
