"""What seeds can tell: paired tests, Holm's correction, and the interval of a mean."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from scipy import stats

from ctr.statistics.difference import ALPHA, Difference


def paired(a: Sequence[float], b: Sequence[float]) -> tuple[float, float]:
    """Student's paired t test: t, and the chance of one as large or larger if the means were equal. (0, 1/2) where the
    pairs cannot tell: fewer than two, or no spread of their differences beyond rounding."""
    if not _tell(a, b):
        return 0.0, 0.5
    result = stats.ttest_rel(a, b, alternative="greater")
    return float(result.statistic), float(result.pvalue)


def difference(a: Sequence[float], b: Sequence[float]) -> Difference | None:
    """The mean of the pairs' differences, with Student's interval and the two-sided p value of his paired test; None
    where the pairs cannot tell."""
    bounds = interval(np.subtract(a, b).tolist())
    if bounds is None or not _tell(a, b):
        return None
    p = 2 * float(stats.t.sf(abs(paired(a, b)[0]), len(a) - 1))
    return Difference(float(np.mean(np.subtract(a, b))), *bounds, p)


def _tell(a: Sequence[float], b: Sequence[float]) -> bool:
    """Are there two pairs or more, and do their differences spread beyond rounding?"""
    if len(a) < 2:
        return False
    noise = 1e-9 * max(np.abs(a).max(), np.abs(b).max())
    return bool(np.subtract(a, b).std(ddof=1) > noise)


def holm(p_values: Sequence[float]) -> list[float]:
    """The p values of several tests, adjusted so that the chance of any false finding is at most the level.

    Holm, "A Simple Sequentially Rejective Multiple Test Procedure", Scandinavian Journal of Statistics 1979.
    """
    adjusted, highest = [1.0] * len(p_values), 0.0
    for rank, index in enumerate(sorted(range(len(p_values)), key=lambda i: p_values[i])):
        highest = max(highest, min(1.0, (len(p_values) - rank) * p_values[index]))
        adjusted[index] = highest
    return adjusted


def interval(values: Sequence[float], level: float = 1 - ALPHA) -> tuple[float, float] | None:
    """Student's interval of the mean; None for fewer than two values."""
    return _around_the_mean(values, level, 1 / len(values)) if len(values) > 1 else None


def interval_of_another(values: Sequence[float], level: float = 1 - ALPHA) -> tuple[float, float] | None:
    """Where one further value of the same normal law lies with this chance; None for fewer than two values."""
    return _around_the_mean(values, level, 1 + 1 / len(values)) if len(values) > 1 else None


def _around_the_mean(values: Sequence[float], level: float, share: float) -> tuple[float, float]:
    """`share` is the variance of what is to be covered around the mean of the values, in variances of a value."""
    half = float(stats.t.ppf((1 + level) / 2, len(values) - 1) * np.std(values, ddof=1) * math.sqrt(share))
    mean = float(np.mean(values))
    return mean - half, mean + half


def mean_and_spread(values: Sequence[float]) -> tuple[float, float | None]:
    """The mean, and the standard deviation (n - 1) of more than one value."""
    return float(np.mean(values)), float(np.std(values, ddof=1)) if len(values) > 1 else None
