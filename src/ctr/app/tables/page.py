"""What a person sees of a table: cells, what stands out, and what has to be known of them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pandas as pd

from ctr.app import config_keys, results, same_data
from ctr.app.grids import Grid, written
from ctr.app.tables.best import best
from ctr.app.tables.numbers import Row, Score, Table, tables
from ctr.app.tables.words import ALL, not_counted, number_and_spread, ranges, undefined_in
from ctr.errors import UserError
from ctr.statistics.difference import ALPHA

USUAL = 2  # metrics of a table where nobody asks for others
TOLD = 3  # settings that tell tables of one dataset apart
HOW = "Mean ± standard deviation over seeds; the interval is Student's, of the mean, 95 %."


def shown(roots: Iterable[Path], split: str = "test", metrics: Sequence[str] = (), style: str = "text") -> str:
    """The tables of the finished runs in these folders and below, in one of grids.FORMATS. Raises UserError where
    there is none."""
    return written(grids(roots, split, metrics), style)


def grids(roots: Iterable[Path], split: str = "test", metrics: Sequence[str] = ()) -> list[Grid]:
    """A grid a table; without `metrics`, of each table's first two. The last tells which folders were skipped."""
    found = results.find(roots)
    made = tables(found.results, split)
    known = list(dict.fromkeys(metric for table in made for metric in table.metrics))
    wanted = known if list(metrics) == ALL else list(metrics)
    if unknown := [metric for metric in wanted if metric not in known]:
        raise UserError(f"no run has a {split} {unknown[0]}; measured are {', '.join(known)}")
    pages = [_grid(table, wanted, _told_apart(table, made)) for table in made]
    return [*pages[:-1], replace(pages[-1], notes=[*pages[-1].notes, *not_counted(found)])]


def frame(table: Table, metrics: Sequence[str] = ()) -> pd.DataFrame:
    """A line a row, a column a number; of all metrics where none is named."""
    return pd.DataFrame([_numbers(table, row, metrics or table.metrics) for row in table.rows])


def _numbers(table: Table, row: Row, metrics: Sequence[str]) -> dict[str, Any]:
    line: dict[str, Any] = {"dataset": table.dataset, "task": table.task, "data": table.data, "split": table.split}
    line |= {"model": row.group.name, "runs": len(row.group.by_seed), "seeds": ranges(row.group.by_seed)}
    for metric in metrics:
        if (score := row.scores.get(metric)) is not None:
            low, high = score.interval or (None, None)
            parts = {"mean": score.mean, "deviation": score.spread, "low": low, "high": high}
            line |= {f"{metric} {name}": value for name, value in parts.items()}
            line |= {f"{metric} undefined": len(score.undefined), f"{metric} best": best(table, metric)[0] is row.group}
    return line | dict(row.costs)


def _grid(table: Table, wanted: Sequence[str], told: str) -> Grid:
    metrics = [metric for metric in wanted if metric in table.metrics] if wanted else table.metrics[:USUAL]
    head = ["model", "n", "seeds", *(name for metric in metrics for name in (metric, "95 %")), *table.rows[0].costs]
    rows = [_cells(row, metrics) for row in table.rows]
    winners = {metric: best(table, metric) for metric in metrics}
    bold = {
        (i, 3 + 2 * j)
        for i, row in enumerate(table.rows)
        for j, metric in enumerate(metrics)
        if winners[metric][0] is row.group
    }
    notes = [HOW, *_notes(table, metrics)]
    if bold:
        notes.append(
            f"Marked: better than each other row by the paired t test over common seeds, p < {ALPHA} by Holm's method."
        )
    notes += [f"{metric}: no row is marked; {why}." for metric, (_, why) in winners.items() if why]
    title = f"{table.dataset}{told}, {table.task}, {table.split}: {table.data}"
    return Grid(title, head, rows, frozenset(bold), notes, frame(table, wanted))


def _cells(row: Row, metrics: Sequence[str]) -> list[str]:
    cells = [row.group.name, str(len(row.group.by_seed)), ranges(row.group.by_seed)]
    for metric in metrics:
        cells += _score(row.scores.get(metric))
    return cells + [
        "" if cost is None else f"{cost:,.0f}" if cost == round(cost) or cost > 10 else f"{cost:.1f}"
        for cost in row.costs.values()
    ]


def _score(score: Score | None) -> list[str]:
    if score is None:
        return ["", ""]
    if score.undefined:
        return [undefined_in(len(score.undefined), len(score.undefined) + len(score.values)), ""]
    between = "" if score.interval is None else "[{:.5f}, {:.5f}]".format(*score.interval)
    return [number_and_spread(list(score.values.values())), between]


def _notes(table: Table, metrics: Sequence[str]) -> list[str]:
    notes = []
    if rest := [metric for metric in table.metrics if metric not in metrics]:
        notes.append(f"Measured too: {', '.join(rest)}; --metrics all shows them.")
    for row in table.rows:
        for metric in metrics:
            if (score := row.scores.get(metric)) is not None:
                notes += [
                    f"{row.group.name}, seed {seed}: no {metric}, {why}." for seed, why in score.undefined.items()
                ]
    return notes


def _told_apart(table: Table, others: Sequence[Table]) -> str:
    """The first settings of its data that are others where another table has the same dataset and task."""
    firsts = [one.rows[0].group.first for one in (table, *others) if one.dataset == table.dataset]
    firsts = [one for one in firsts if same_data.task(one) == table.task]
    found = [
        f"{key.removeprefix('dataset.')}={values[0]}"
        for key, values in results.differences(firsts[0], *firsts[1:]).items()
        if key.startswith("dataset.") and not config_keys.of_place(key)
    ]
    more = [f"{len(found) - TOLD} more"] * (len(found) > TOLD)
    return f" ({', '.join([*found[:TOLD], *more])})" if found else ""
