"""Labels by split, over the order of the file and over time."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from ctr.data.rows import Source

PARTS = 20


@dataclass(frozen=True)
class Labels:
    """Labels of some rows."""

    rows: int
    mean: float  # the label rate of binary labels; NaN without rows
    std: float  # of the population

    @property
    def classes(self) -> tuple[int, int]:
        """Positives and negatives, where labels are binary."""
        positives = round(self.mean * self.rows)
        return positives, self.rows - positives

    @classmethod
    def of(cls, labels: np.ndarray) -> Labels:
        if not len(labels):
            return cls(0, float("nan"), float("nan"))
        return cls(len(labels), float(labels.mean(dtype=np.float64)), float(labels.std(dtype=np.float64)))


@dataclass(frozen=True)
class Times:
    """Rows over time. Seconds since 1970; rows without a time are left out."""

    edges: np.ndarray  # (PARTS + 1,)
    parts: Mapping[str, list[Labels]]  # by split, PARTS each: edge i <= time < edge i + 1, the last one closed
    first: Mapping[str, float]
    last: Mapping[str, float]
    later: float  # the share of train's rows that are later than the first row of test
    earlier: float  # the share of test's rows that are earlier than the last row of train

    @property
    def is_moment(self) -> bool:
        """Do all rows have the same time?"""
        return bool(self.edges[0] == self.edges[-1])


def over_order(labels: np.ndarray) -> list[Labels]:
    """PARTS equal parts in the order of the file, fewer where there are fewer rows."""
    return [Labels.of(part) for part in np.array_split(labels, min(PARTS, len(labels)))]


def over_time(splits: Mapping[str, Source]) -> Times | None:
    """None without times."""
    times, labels = {}, {}
    for split, source in splits.items():
        found = getattr(source, "times", None)
        if found is None or not (known := np.isfinite(found)).any():
            return None
        times[split], labels[split] = found[known], source.labels[known]
    first = {split: float(time.min()) for split, time in times.items()}
    last = {split: float(time.max()) for split, time in times.items()}
    edges = np.linspace(min(first.values()), max(last.values()), PARTS + 1)
    parts = {}
    for split, time in times.items():
        place = np.clip(np.searchsorted(edges, time, side="right") - 1, 0, PARTS - 1)
        parts[split] = [Labels.of(labels[split][place == i]) for i in range(PARTS)]
    later, earlier = (times["train"] > first["test"]).mean(), (times["test"] < last["train"]).mean()
    return Times(edges, parts, first, last, float(later), float(earlier))


def more_than_chance(parts: list[Labels], mean: float, std: float) -> bool:
    """Do the parts' means differ more than six deviations of the chi-square statistic allow for equal ones?"""
    if std == 0 or len(parts) < 2:
        return False
    statistic = sum(part.rows * ((part.mean - mean) / std) ** 2 for part in parts if part.rows)
    freedom = sum(part.rows > 0 for part in parts) - 1
    return statistic > freedom + 6 * float(np.sqrt(2 * freedom))
