"""What a person sees of a comparison: the numbers, what differs in the configs, and what the tests can tell."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pandas as pd

from ctr.app import results, same_data
from ctr.app.compare import words
from ctr.app.compare.pairs import Comparison, Tested, compare
from ctr.app.grids import Grid, written
from ctr.app.results import Found, Group
from ctr.app.tables.numbers import measured
from ctr.app.tables.page import USUAL
from ctr.app.tables.words import ALL, not_counted, ranges
from ctr.errors import UserError
from ctr.statistics.difference import ALPHA, p_value


def shown(roots: Sequence[Path], split: str = "test", metrics: Sequence[str] = (), style: str = "text") -> str:
    """The comparison of what lies below these folders, in one of ctr.app.grids.FORMATS."""
    return written(grids(roots, split, metrics), style)


def grids(roots: Sequence[Path], split: str = "test", metrics: Sequence[str] = ()) -> list[Grid]:
    """A grid of comparisons, and one of what differs in the configs. `roots` are folders of one group each, or a single
    one with several. Without `metrics`, by the first two."""
    groups, skipped = _groups(roots)
    asked = metrics or measured(groups, split)[:USUAL]
    found = compare(groups, split, () if list(metrics) == ALL else asked)
    return [_numbers(found, split, [*words.sentences(found, split), *not_counted(skipped)]), _differences(groups)]


def _groups(roots: Sequence[Path]) -> tuple[list[Group], Found]:
    """In the order of the folders."""
    found = results.find(roots)
    if len(roots) > 1:
        for root in roots:
            alone = results.groups(results.find([root]).results)
            if len(alone) > 1:
                names = "; ".join(group.name for group in alone)
                raise UserError(
                    f"{root} has runs of {len(alone)} configs ({names}); of several folders each has to hold runs of "
                    f"one config. Name the folders of runs, or this folder alone for all pairs"
                )

    def place(group: Group) -> int:
        folder = group.first.folder
        return next(i for i, root in enumerate(roots) if folder.is_relative_to(root))

    groups = sorted(results.groups(found.results), key=lambda group: group.name)
    return sorted(groups, key=place), found


def _numbers(found: Sequence[Comparison], split: str, notes: Sequence[str]) -> Grid:
    head = ["metric", "A", "B", "A mean", "B mean", "A - B", "better"]
    head += [f"{name}, {by}" for by in ("seeds", "rows") for name in ("95 %", "p", "p by Holm")]
    several = len(found) > len({one.metric for one in found})
    rows = []
    for one in found:
        better = "" if one.better is None else one.better.name
        means = [f"{mean:.5f}" for mean in one.means]
        row = [one.metric, one.a.name, one.b.name, *means, f"{one.difference:+.5f}", better]
        rows.append([*row, *_cells(one.over_seeds, several), *_cells(one.over_rows, several)])
    bold = frozenset((i, head.index("better")) for i, one in enumerate(found) if _told(one))
    marked = [f"Marked: better over seeds, p < {ALPHA}."] if bold else []
    title = f"{found[0].a.first.dataset}, {split}: {same_data.rows(found[0].a.first, split)}"
    return Grid(title, head, rows, bold, [*marked, *notes], pd.DataFrame([_line(one, split) for one in found]))


def _told(one: Comparison) -> bool:
    """Can the better one be told from chance, over seeds?"""
    return one.better is not None and isinstance(one.over_seeds, Tested) and one.over_seeds.adjusted < ALPHA


def _cells(test: Tested | str, several: bool) -> list[str]:
    if isinstance(test, str):
        return ["no test", "", ""]
    between = f"[{test.difference.low:+.5f}, {test.difference.high:+.5f}]"
    return [between, p_value(test.difference.p), p_value(test.adjusted) if several else ""]


def _line(one: Comparison, split: str) -> dict[str, Any]:
    better = "" if one.better is None else one.better.name
    line: dict[str, Any] = {"split": split, "metric": one.metric, "a": one.a.name, "b": one.b.name}
    line |= {"seeds": ranges(one.seeds), "a mean": one.means[0], "b mean": one.means[1]}
    line |= {"difference": one.difference, "better": better}
    for by, test in (("seeds", one.over_seeds), ("rows", one.over_rows)):
        if isinstance(test, str):
            line |= {f"{by} no test": test}
            continue
        parts = {"test": test.method, "n": test.n, "low": test.difference.low, "high": test.difference.high}
        parts |= {"p": test.difference.p, "p by Holm": test.adjusted}
        line |= {f"{by} {name}": value for name, value in parts.items()}
    return line


def _differences(groups: Sequence[Group]) -> Grid:
    found = results.differences(*(group.first for group in groups))
    rows = [[key, *("" if value is None else str(value) for value in each)] for key, each in found.items()]
    return Grid("What differs in their configs", ["key", *(group.name for group in groups)], rows)
