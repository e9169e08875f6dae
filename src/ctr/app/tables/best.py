"""Which row of a table stands out: the best mean, where it differs from every other."""

from __future__ import annotations

from ctr.app.results import Group
from ctr.app.tables.numbers import Row, Table
from ctr.metrics import METRICS
from ctr.statistics import seeds
from ctr.statistics.difference import ALPHA, p_value


def best(table: Table, metric: str) -> tuple[Group | None, str]:
    """The group that is better than every other by the metric, tested pair by pair over the seeds that both have and
    corrected by Holm's method. None for a tie, with the reason; without one, where there is nothing to compare."""
    rows = [row for row in table.rows if metric in row.scores]
    upwards = METRICS[metric].higher_is_better
    if len(rows) < 2:
        return None, ""
    if upwards is None:
        return None, "neither more nor less of it is better"
    if undefined := [row.group.name for row in rows if row.scores[metric].undefined]:
        return None, f"it is undefined for {'; '.join(undefined)}"
    ordered = sorted(rows, key=lambda row: row.scores[metric].mean or 0.0, reverse=upwards)
    return _tested(ordered[0], ordered[1:], metric)


def _tested(first: Row, others: list[Row], metric: str) -> tuple[Group | None, str]:
    mine, p_values = first.scores[metric].values, []
    sign = 1 if METRICS[metric].higher_is_better else -1
    for other in others:
        theirs = other.scores[metric].values
        common = sorted(mine.keys() & theirs.keys())
        pair = f"{first.group.name} and {other.group.name}"
        if len(common) < 2:
            return None, f"{pair} have {len(common)} seed{'s' * (len(common) != 1)} in common; a test needs two"
        found = seeds.difference([sign * mine[seed] for seed in common], [sign * theirs[seed] for seed in common])
        if found is None:
            return None, f"the differences of {pair} have no spread; a test needs some"
        p_values.append(found.p if found.value > 0 else 1.0)
    adjusted = seeds.holm(p_values)
    if (worst := max(adjusted)) >= ALPHA:
        other = others[adjusted.index(worst)]
        return (
            None,
            f"{first.group.name} has the best mean, and cannot be told from {other.group.name}: {p_value(worst)}",
        )
    return first.group, ""
