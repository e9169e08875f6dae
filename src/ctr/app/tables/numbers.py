"""The numbers of a table: a row for all runs that differ in the seed alone, a table for all that were scored on the
same rows by the same task."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ctr.app import results, same_data
from ctr.app.results import Group, Result
from ctr.statistics import seeds

COSTS: dict[str, Callable[[Mapping[str, Any]], Any]] = {  # by the name of their column, from a run's scores
    "parameters": lambda scores: scores.get("parameters"),
    "epochs": lambda scores: scores.get("epochs"),
    "seconds": lambda scores: scores.get("seconds"),
    "peak MiB": lambda scores: (scores.get("memory") or {}).get("resident_mib"),
    "peak CUDA MiB": lambda scores: (scores.get("memory") or {}).get("cuda_mib"),
}


@dataclass(frozen=True)
class Score:
    """A metric of a group: its values by seed, and by seed the reason where there is none."""

    values: Mapping[int, float]
    undefined: Mapping[int, str]

    @property
    def mean(self) -> float | None:
        """None where a run has no value: the mean of the others would hide it."""
        return None if self.undefined else seeds.mean_and_spread(list(self.values.values()))[0]

    @property
    def spread(self) -> float | None:
        """The standard deviation (n - 1); None for one seed."""
        return None if self.undefined else seeds.mean_and_spread(list(self.values.values()))[1]

    @property
    def interval(self) -> tuple[float, float] | None:
        """Student's 95 % interval of the mean; None for one seed."""
        return None if self.undefined else seeds.interval(list(self.values.values()))


@dataclass(frozen=True)
class Row:
    """A group: its scores by metric, those that it measured, and the mean of what its runs cost, by COSTS; None where
    a run has not recorded it."""

    group: Group
    scores: Mapping[str, Score]
    costs: Mapping[str, float | None]


@dataclass(frozen=True)
class Table:
    """Groups that were scored on the same rows by the same task, by name, and the metrics that any of them measured."""

    dataset: str
    task: str
    data: str  # which rows these are
    split: str
    metrics: Sequence[str]
    rows: Sequence[Row]


def tables(found: Iterable[Result], split: str) -> list[Table]:
    """A table for each dataset and task among these runs."""
    alike: dict[tuple[str, str, str], list[Result]] = {}
    for result in found:
        alike.setdefault((result.dataset, same_data.task(result), same_data.rows(result, split)), []).append(result)
    return [table(results.groups(alike[key]), split) for key in sorted(alike)]


def table(groups: Sequence[Group], split: str) -> Table:
    """The table of groups that were scored on the same rows by the same task."""
    rows = [_row(group, split) for group in sorted(groups, key=lambda group: group.name)]
    one = groups[0].first
    return Table(
        one.dataset,
        same_data.task(one),
        same_data.rows(one, split),
        split,
        measured([row.group for row in rows], split),
        rows,
    )


def score(group: Group, split: str, metric: str) -> Score | None:
    """A metric of a group; None where no run of it has measured it."""
    values, undefined = dict[int, float](), dict[int, str]()
    for result in group.results:
        found = result.scores.get(split, {})
        value, reasons = found.get(metric), found.get("undefined", {})
        if isinstance(value, (int, float)) and math.isfinite(value):
            values[result.seed] = float(value)
        else:
            undefined[result.seed] = reasons.get(metric) or ("not measured" if value is None else f"it is {value}")
    return None if set(undefined.values()) == {"not measured"} and not values else Score(values, undefined)


def measured(groups: Iterable[Group], split: str) -> list[str]:
    """The metrics that any of these runs has a value of, or says why not."""
    every = [result.scores.get(split, {}) for group in groups for result in group.results]
    names = (name for one in every for name in (*one, *one.get("undefined", {})))
    return [name for name in dict.fromkeys(names) if name != "undefined"]


def _row(group: Group, split: str) -> Row:
    scores = {name: one for name in measured([group], split) if (one := score(group, split, name)) is not None}
    return Row(group, scores, {name: _mean(cost(one.scores) for one in group.results) for name, cost in COSTS.items()})


def _mean(values: Iterable[Any]) -> float | None:
    every = list(values)
    return None if None in every else sum(every) / len(every)
