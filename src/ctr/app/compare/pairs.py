"""Pairs of groups, tested: is the difference larger than chance, over seeds and over rows?"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import combinations
from pathlib import Path

from ctr.app.compare import checks
from ctr.app.compare.rows import Found, Rows, over_rows
from ctr.app.predicted import predict
from ctr.app.results import Group
from ctr.app.tables.numbers import score
from ctr.metrics import METRICS, Predictions
from ctr.statistics import seeds
from ctr.statistics.difference import Difference

PAIRED = "Student's paired t test"


@dataclass(frozen=True)
class Tested:
    """What a test says of a pair; `adjusted` is its p value by Holm's method over the pairs of the same metric."""

    method: str
    n: int  # pairs of seeds, or rows
    difference: Difference
    adjusted: float


@dataclass(frozen=True)
class Comparison:
    """Two groups by one metric, over the seeds that both have. Where there can be no test, the reason stands for it."""

    metric: str
    a: Group
    b: Group
    seeds: tuple[int, ...]
    means: tuple[float, float]
    over_seeds: Tested | str
    over_rows: Tested | str

    @property
    def difference(self) -> float:
        """The mean of `a` minus that of `b`, in the metric's units."""
        return self.means[0] - self.means[1]

    @property
    def better(self) -> Group | None:
        """The group with the better mean; None where they are equal, or more is as good as less."""
        upwards = METRICS[self.metric].higher_is_better
        if upwards is None or self.difference == 0:
            return None
        return self.a if (self.difference > 0) == upwards else self.b


def compare(
    groups: Sequence[Group],
    split: str = "test",
    metrics: Sequence[str] = (),
    predictions: Callable[[Path, str], Predictions] = predict,
) -> list[Comparison]:
    """All pairs of these groups, metric by metric; without `metrics`, by all that they measured.

    Raises UserError where they were not scored on the same rows, by the same task and the same metrics, where a score
    is undefined, and where two of them have no seed in common.
    """
    metrics = checks.check(groups, split, metrics)
    rows = Rows(split, metrics, predictions)
    pairs = list(combinations(groups, 2))
    return [one for metric in metrics for one in _corrected([_pair(a, b, split, metric, rows) for a, b in pairs])]


def _pair(a: Group, b: Group, split: str, metric: str, rows: Rows) -> Comparison:
    common = checks.common_seeds(a, b)
    x, y = ([_values(group, split, metric)[seed] for seed in common] for group in (a, b))
    means = seeds.mean_and_spread(x)[0], seeds.mean_and_spread(y)[0]
    found = over_rows(a, b, common, metric, rows)
    by_rows = Tested(found.method, found.n, found.difference, found.difference.p) if isinstance(found, Found) else found
    return Comparison(metric, a, b, common, means, _over_seeds(common, x, y), by_rows)


def _over_seeds(common: Sequence[int], x: Sequence[float], y: Sequence[float]) -> Tested | str:
    if len(common) < 2:
        return f"one seed in common, {common[0]}, shows no spread between seeds; run both with more"
    if (found := seeds.difference(x, y)) is None:
        return "the difference is the same for every seed; a test needs some spread"
    return Tested(PAIRED, len(common), found, found.p)


def _values(group: Group, split: str, metric: str) -> Mapping[int, float]:
    found = score(group, split, metric)
    assert found is not None
    return found.values


def _corrected(pairs: Sequence[Comparison]) -> list[Comparison]:
    """Holm's correction, apart for the tests over seeds and for those over rows."""
    by_seeds = _holm([pair.over_seeds for pair in pairs])
    by_rows = _holm([pair.over_rows for pair in pairs])
    return [
        replace(pair, over_seeds=first, over_rows=second)
        for pair, first, second in zip(pairs, by_seeds, by_rows, strict=True)
    ]


def _holm(tests: Sequence[Tested | str]) -> list[Tested | str]:
    adjusted = iter(seeds.holm([test.difference.p for test in tests if isinstance(test, Tested)]))
    return [replace(test, adjusted=next(adjusted)) if isinstance(test, Tested) else test for test in tests]
