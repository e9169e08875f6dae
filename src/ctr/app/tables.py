"""Tables of finished runs, as numbers: a row for all that differ in the seed alone, a table for all that were scored on
the same rows by the same task."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from ctr.app import results, same_data
from ctr.app.results import Group, Result
from ctr.errors import UserError, nearest
from ctr.metrics import METRICS
from ctr.statistics import seeds
from ctr.statistics.difference import ALPHA

SHOWN = 2  # metrics that a table has where nobody asks for more


@dataclass(frozen=True)
class Score:
    """A metric of a group: its values by seed, and why it has none, by seed."""

    values: Mapping[int, float]
    undefined: Mapping[int, str]

    @property
    def mean(self) -> float | None:
        """None where a run has no value: a mean of the others would hide it."""
        return seeds.mean_and_spread(list(self.values.values()))[0] if self.values and not self.undefined else None

    @property
    def spread(self) -> float | None:
        """The standard deviation (n - 1); None for one seed."""
        return None if self.mean is None else seeds.mean_and_spread(list(self.values.values()))[1]

    @property
    def interval(self) -> tuple[float, float] | None:
        """Student's 95 % interval of the mean; None for one seed."""
        return None if self.mean is None else seeds.interval(list(self.values.values()))


@dataclass(frozen=True)
class Row:
    """A group with its scores by metric, and the mean of what its runs cost; None where that was not recorded."""

    group: Group
    scores: Mapping[str, Score]
    costs: Mapping[str, float | None]


@dataclass(frozen=True)
class Table:
    """Groups of runs on the same rows. `best` names, by metric, the group that is better than every other; `open_`
    says of the other metrics why there is none."""

    dataset: str
    task: str
    split: str
    rows: Sequence[Row]
    best: Mapping[str, str]
    open: Mapping[str, str]


def tables(found: Iterable[Result], split: str, metrics: Sequence[str] = ()) -> list[Table]:
    """A table for each dataset and task among these runs, never one for several."""
    alike: dict[tuple[str, str, str], list[Result]] = {}
    for result in found:
        alike.setdefault((result.dataset, same_data.task(result), same_data.rows(result, split)), []).append(result)
    return [table(results.groups(alike[key]), split, metrics) for key in sorted(alike)]


def table(groups: Sequence[Group], split: str, metrics: Sequence[str] = ()) -> Table:
    """The table of groups that were scored on the same rows by the same task. Without `metrics`, those of the first
    group. Raises UserError where no group has one of them."""
    raise NotImplementedError


def shown(roots: Sequence, split: str = "test", metrics: Sequence[str] = (), style: str = "text") -> str:
    """The tables of the finished runs below these folders, with what was skipped, in one of grids.FORMATS."""
    raise NotImplementedError
