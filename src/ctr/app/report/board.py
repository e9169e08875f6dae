"""What is compared on the page: groups of runs on one dataset with one monitored score, the best first."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from ctr.app import config_keys, results, same_data
from ctr.app.results import Group, Result
from ctr.app.tables.numbers import score
from ctr.metrics import METRICS
from ctr.statistics import seeds

# Told apart on white and on black, and by most who see fewer colours; a number stands beside each.
COLOURS = (
    "#2f74d0",
    "#e07b1a",
    "#22996b",
    "#d64577",
    "#8a5cd6",
    "#1798b0",
    "#a8763a",
    "#b59a00",
    "#6b8e23",
    "#c75ac0",
)
GREY = "#8d96a3"


@dataclass(frozen=True, eq=False)
class Entry:
    """A group with its place on a board. `values` are its monitored valid scores by seed; empty where not every run has
    one."""

    group: Group
    place: int
    values: tuple[float, ...]

    @property
    def mean(self) -> float:
        assert self.values
        return seeds.mean_and_spread(self.values)[0]

    @property
    def spread(self) -> float:
        assert self.values
        return seeds.mean_and_spread(self.values)[1] or 0.0

    @property
    def coloured(self) -> bool:
        """Only so many groups can be told apart by colour: the best."""
        return self.place <= len(COLOURS)

    @property
    def colour(self) -> str:
        return COLOURS[self.place - 1] if self.coloured else GREY

    @property
    def typical(self) -> Result:
        """The run whose valid score is the median: the best one would flatter its group."""
        ranked = sorted(zip(self.values, self.group.results, strict=True), key=lambda pair: pair[0])
        return ranked[(len(ranked) - 1) // 2][1]


@dataclass(frozen=True)
class Board:
    """Groups whose scores can be compared: of one task, by one monitored score, on the same rows of valid. `told` are
    settings of the dataset, where other boards have one of the same name."""

    dataset: str
    task: str
    rows: str
    monitor: str
    entries: tuple[Entry, ...]
    told: str = ""

    @property
    def title(self) -> str:
        return f"{self.dataset}{self.told}, {self.task}, {self.monitor}"

    @property
    def higher_is_better(self) -> bool:
        return METRICS[self.monitor].higher_is_better is not False

    @property
    def scored(self) -> list[Entry]:
        return [entry for entry in self.entries if entry.values]

    @property
    def settings(self) -> dict[str, list[Any]]:
        """The keys in which its groups differ, with the value of each group."""
        return results.differences(*(entry.group.first for entry in self.entries))


def boards(found: Iterable[Result]) -> list[Board]:
    """In the order in which their first runs were made."""
    alike: dict[tuple[str, str, str, str], list[Result]] = {}
    for result in found:
        key = (result.dataset, same_data.task(result), same_data.rows(result, "valid"), result.monitor)
        alike.setdefault(key, []).append(result)
    firsts = [among[0] for among in alike.values()]
    return [Board(*key, _entries(among, key[-1]), _told(among[0], firsts)) for key, among in alike.items()]


def _entries(among: Sequence[Result], monitor: str) -> tuple[Entry, ...]:
    sign = -1 if METRICS[monitor].higher_is_better is not False else 1
    groups = [(group, score(group, "valid", monitor)) for group in results.groups(among)]
    scored = [(group, () if one is None or one.undefined else tuple(one.values.values())) for group, one in groups]
    scored.sort(key=lambda one: (not one[1], sign * sum(one[1]) / max(1, len(one[1])), one[0].name))
    return tuple(Entry(group, place, values) for place, (group, values) in enumerate(scored, start=1))


def _told(first: Result, others: Sequence[Result]) -> str:
    """In which settings of the dataset it differs from namesakes."""
    namesakes = [other for other in others if other.dataset == first.dataset and other is not first]
    keys = [key for key in results.differences(first, *namesakes) if key.startswith("dataset.")]
    said = ", ".join(f"{key[8:]}={first.flat.get(key)}" for key in keys if not config_keys.of_place(key))
    return f" ({said})" if said else ""
