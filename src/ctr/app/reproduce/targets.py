"""Is the mean of a row in the band that it is to reach; and if not, could it be chance?"""

from __future__ import annotations

from ctr.app.reproduce.results import Results
from ctr.app.reproduce.scores import has_better, higher_is_better
from ctr.app.reproduce.table import Row, Side
from ctr.app.tables.words import number_and_spread
from ctr.statistics import seeds

ENOUGH = 3  # runs: the interval of two is many times their spread


def met(results: Results, row: Row) -> str:
    """The row's target and whether it is met. Of a missed one also, where one more run of ours is expected, and which
    runs of others with its settings lie there. Empty where the row has none."""
    if row.target is None:
        return ""
    low, high = row.target
    which = f"{row.score} in [{low:g}, {high:g}]"
    values = list(results.of(Side(row.name, row.score)).values())
    if not values:
        return which
    mean = seeds.mean_and_spread(values)[0]
    if low <= mean <= high:
        return f"{which}: met"
    missed = f"{low - mean:.5f} below" if mean < low else f"{mean - high:.5f} above"
    better = has_better(row.score) and (mean > high) == higher_is_better(row.score)
    return "; ".join([f"{which}: {missed}{', better' * better}", *_others(results, row, values)])


def _others(results: Results, row: Row, values: list[float]) -> list[str]:
    theirs = {f"row {name}": list(results.of(Side(name, row.score)).values()) for name in row.beside}
    expected = seeds.interval_of_another(values) if len(values) >= ENOUGH else None
    if expected is None:
        return [f"{name} has {number_and_spread(scores)}" for name, scores in theirs.items() if scores]
    low, high = expected
    published = [one.value for one in row.published if one.score == row.score and one.seeds == 1][:1]
    others = {"published": published, **theirs}
    inside = [f"{name} {_inside(scores, low, high)}" for name, scores in others.items() if scores]
    return inside and [f"one more run of ours is expected in [{low:.5f}, {high:.5f}] (95 %)", *inside]


def _inside(values: list[float], low: float, high: float) -> str:
    """How many of them lie there."""
    count = sum(low <= value <= high for value in values)
    if len(values) == 1:
        return f"{values[0]:.5f} is {'inside' if count else 'outside'}"
    return f"{number_and_spread(values)}, {count} of {len(values)} inside"
