"""How the numbers of runs are said, wherever they are shown."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import groupby

from ctr.app.results import Found
from ctr.errors import UserError, nearest
from ctr.metrics import METRICS
from ctr.statistics import seeds

ALL = ["all"]


def metrics(text: str) -> list[str]:
    """The metrics that a command line names, or ALL. Raises UserError for a name that none has."""
    names = [name for name in text.split(",") if name]
    if names != ALL and (unknown := [name for name in names if name not in METRICS]):
        raise UserError(
            f"there is no metric {unknown[0]!r}; known are {', '.join(METRICS)}{nearest(unknown[0], METRICS)}"
        )
    return names


def number_and_spread(values: Sequence[float]) -> str:
    return plus_minus(*seeds.mean_and_spread(values))


def plus_minus(value: float, spread: float | None) -> str:
    return f"{value:.5f}" + ("" if spread is None else f" ± {spread:.5f}")


def undefined_in(missing: int, number: int) -> str:
    return f"undefined in {missing} of {number}"


def ranges(seeds: Iterable[int]) -> str:
    """Whole numbers, neighbours as ranges: 1-3, 7."""
    parts = []
    for _, run in groupby(enumerate(sorted(seeds)), key=lambda pair: pair[1] - pair[0]):
        each = [number for _, number in run]
        parts.append(f"{each[0]}" if len(each) == 1 else f"{each[0]}-{each[-1]}")
    return ", ".join(parts)


def not_counted(found: Found) -> list[str]:
    """The folders that were skipped, and why."""
    if not found.skipped:
        return []
    number = len(found.skipped)
    said = (why if str(folder) in why else f"{folder}: {why}" for folder, why in found.skipped.items())
    return [f"Not counted, {number} folder{'s' * (number != 1)}:", *said]
