"""What cannot be compared, refused by name."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import combinations

from ctr.app import same_data
from ctr.app.results import Group, Result
from ctr.app.tables.numbers import measured, score
from ctr.app.tables.words import ranges
from ctr.errors import UserError

SHOWN = 5  # settings in which data differ


def check(groups: Sequence[Group], split: str, metrics: Sequence[str] = ()) -> list[str]:
    """The metrics to compare these groups by; without `metrics`, all of which a run has a value. Raises UserError where
    a comparison makes no sense."""
    if len(groups) < 2:
        names = ", ".join(group.name for group in groups)
        raise UserError(f"a comparison needs two groups of runs that differ in more than the seed; found {names} alone")
    first, *others = (result for group in groups for result in group.results)
    for other in others:
        _same(first, other, split)
    valued = [name for name in measured(groups, split) if any(_values(group, split, name) for group in groups)]
    if unknown := [metric for metric in metrics if metric not in valued]:
        raise UserError(f"no run has a {split} {unknown[0]}; all or some have {', '.join(valued)}")
    chosen = list(metrics) or valued
    for metric in chosen:
        for group in groups:
            _defined(group, split, metric)
    for a, b in combinations(groups, 2):
        common_seeds(a, b)
    return chosen


def common_seeds(a: Group, b: Group) -> tuple[int, ...]:
    common = tuple(sorted(a.by_seed.keys() & b.by_seed.keys()))
    if not common:
        raise UserError(
            f"{a.name} has seeds {ranges(a.by_seed)}, {b.name} has {ranges(b.by_seed)}: none in common, so nothing "
            f"can be paired; run both with the same seeds"
        )
    return common


def _same(a: Result, b: Result, split: str) -> None:
    """Refuses runs that were scored on other rows, or by another task."""
    if (one := same_data.task(a)) != (other := same_data.task(b)):
        raise UserError(f"{a.folder} has the task {one}, and {b.folder} {other}: their scores are on other scales")
    if (one := same_data.rows(a, split)) == (other := same_data.rows(b, split)):
        return
    before, after = same_data.settings(a), same_data.settings(b)
    keys = [key for key in dict.fromkeys([*before, *after]) if before.get(key) != after.get(key)]
    told = "; ".join(f"{key}: {before.get(key)} and {after.get(key)}" for key in keys[:SHOWN])
    raise UserError(
        f"{a.folder} and {b.folder} were scored on other {split} rows: {a.dataset}, {one}, and {b.dataset}, {other}"
        f"{f' ({told})' if told else ''}; only scores on the same rows can be compared"
    )


def _values(group: Group, split: str, metric: str) -> bool:
    found = score(group, split, metric)
    return found is not None and bool(found.values)


def _defined(group: Group, split: str, metric: str) -> None:
    """Refuses a group in which a run has no value of the metric."""
    found = score(group, split, metric)
    if found is None:
        raise UserError(f"{group.name} has not measured {split} {metric}, as the others have; name others by --metrics")
    for seed, why in found.undefined.items():
        raise UserError(
            f"{group.by_seed[seed].folder} ({group.name}, seed {seed}) has no {split} {metric}: {why}; "
            f"leave the run out, or name other metrics by --metrics"
        )
