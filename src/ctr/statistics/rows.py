"""What the rows of a split can tell of trained models: DeLong's test for AUC, a paired bootstrap for means over rows.

Both take what several runs a side predict for the same rows, and compare the sides' scores, averaged over the runs. The
models are taken as they are: the uncertainty is that of the rows alone, and of rows that know nothing of each other.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray
from scipy import stats

from ctr.statistics.difference import ALPHA, Difference

Array = NDArray[np.float64]
DRAWS = 2000  # resamples of a bootstrap
LEAST = 2 / (DRAWS + 1)  # the smallest p value that they can show
AT_ONCE = 2**18  # rows drawn in one go: 2 MB


def placements(labels: Array, scores: Array) -> tuple[Array, Array]:
    """For each positive the share of negatives that it exceeds, for each negative the share of positives that exceed
    it; ties count one half. The mean of either is the AUC. Labels are 0 or 1.

    By midranks, in O(N log N): Sun and Xu, "Fast Implementation of DeLong's Algorithm for Comparing the Areas Under
    Correlated Receiver Operating Characteristic Curves", IEEE Signal Processing Letters 2014.
    """
    positive = labels == 1
    above, below = scores[positive], scores[~positive]
    ranks = stats.rankdata(scores)
    of_positives = (ranks[positive] - stats.rankdata(above)) / len(below)
    of_negatives = 1 - (ranks[~positive] - stats.rankdata(below)) / len(above)
    return of_positives, of_negatives


def delong(labels: Array, a: Sequence[Array], b: Sequence[Array]) -> Difference | None:
    """The mean AUC of the scores in `a` minus that of those in `b`, each (N,). None where rows show no variance: two
    positives and two negatives are needed, and models that are not all perfect or all the same.

    DeLong, DeLong and Clarke-Pearson, "Comparing the Areas under Two or More Correlated Receiver Operating
    Characteristic Curves: A Nonparametric Approach", Biometrics 1988, equation 5 with a contrast.
    """
    if min((labels == 1).sum(), (labels != 1).sum()) < 2:
        return None
    above, below = np.zeros(int((labels == 1).sum())), np.zeros(int((labels != 1).sum()))
    for sign, scores in ((1 / len(a), a), (-1 / len(b), b)):
        for one in scores:
            of_positives, of_negatives = placements(labels, one)
            above += sign * of_positives
            below += sign * of_negatives
    value = float(above.mean())
    error = math.sqrt(above.var(ddof=1) / len(above) + below.var(ddof=1) / len(below))
    if error < 1e-12:  # nothing but rounding
        return None
    half = float(stats.norm.ppf(1 - ALPHA / 2)) * error
    return Difference(value, value - half, value + half, float(2 * stats.norm.sf(abs(value) / error)))


def bootstrap(
    a: Sequence[Array],
    b: Sequence[Array],
    weights: Array,
    of: Callable[[Array], Array] = np.asarray,
    *,
    draws: int = DRAWS,
    seed: int = 0,
) -> Difference | None:
    """The mean over `a` minus the mean over `b` of a score that is `of` the weighted mean of each row's amount, (N,):
    the root, for RMSE. The same rows are drawn for both. The interval holds the middle of the draws (percentiles); p
    is the smallest level at which it would leave out 0, and at least 2 / (draws + 1). None where draws
    do not spread.

    Efron and Tibshirani, "An Introduction to the Bootstrap", 1993, chapters 13 and 16.
    """
    kept = weights > 0
    weights, amounts = weights[kept], np.stack([one[kept] for one in (*a, *b)], axis=1)  # (N,), (N, runs)
    contrast = np.array([1 / len(a)] * len(a) + [-1 / len(b)] * len(b))
    value = float(of(weights @ amounts / weights.sum()) @ contrast)
    random, number = np.random.default_rng(seed), len(amounts)
    drawn = np.empty(draws)
    step = max(1, AT_ONCE // number)
    for start in range(0, draws, step):
        size = min(step, draws - start)
        rows = random.integers(number, size=(size, number)) + number * np.arange(size)[:, None]
        counts = np.bincount(rows.ravel(), minlength=size * number).reshape(size, number) * weights
        drawn[start : start + size] = of(counts @ amounts / counts.sum(1, keepdims=True)) @ contrast
    if np.ptp(drawn) <= 1e-12 * max(1.0, float(np.abs(amounts).max())):
        return None
    low, high = np.quantile(drawn, [ALPHA / 2, 1 - ALPHA / 2])
    beyond = min((drawn <= 0).sum(), (drawn >= 0).sum())
    return Difference(value, float(low), float(high), min(1.0, 2 * float(beyond + 1) / (draws + 1)))
