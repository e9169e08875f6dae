"""Comparisons of finished runs: are the differences between groups larger than chance, over seeds and over rows?"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from ctr.app.predicted import predict
from ctr.app.results import Group
from ctr.metrics import Predictions
from ctr.statistics.difference import Difference


@dataclass(frozen=True)
class Tested:
    """A difference with its p value after Holm's correction over the comparisons of its metric."""

    by: str  # such as "DeLong's test"
    n: int  # pairs of seeds, or rows
    difference: Difference
    adjusted: float


@dataclass(frozen=True)
class Comparison:
    """Two groups by one metric, over the seeds that both have. Where a test cannot be made, the reason stands for it."""

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
    def better(self) -> str | None:
        """The name of the group with the better mean; None where they are equal, or the metric has no better side."""
        raise NotImplementedError


def compare(
    groups: Sequence[Group],
    split: str = "test",
    metrics: Sequence[str] = (),
    predictions: Callable[[Path, str], Predictions] = predict,
) -> list[Comparison]:
    """All pairs of these groups, by each metric. Raises UserError where they were not scored on the same rows, by the
    same task and metrics, where a score is undefined, and where two have no seed in common."""
    raise NotImplementedError
