"""The table of a board and the tests between its groups, as `ctr.app.tables` and `ctr.app.compare` have them."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from ctr.app.compare import Comparison, Tested, compare
from ctr.app.report.board import Board
from ctr.app.tables import Row, Score, table
from ctr.app.tables.best import best
from ctr.app.tables.words import plus_minus, undefined_in
from ctr.errors import UserError
from ctr.metrics import Predictions
from ctr.statistics.difference import ALPHA

SHOWN = 3  # runs that are named with a reason
COSTS = ("parameters", "seconds", "peak MiB", "peak CUDA MiB")


@dataclass(frozen=True)
class Cell:
    """What is written, and the number to sort by (infinite: last)."""

    text: str
    sort: float = math.inf
    bold: bool = False


@dataclass(frozen=True)
class Scores:
    """The columns of a board's table, top down, by heading; and what has to be known of them."""

    columns: dict[str, list[Cell]]
    notes: list[str]


def scores(board: Board) -> Scores:
    """The monitored score first, then costs, then every other score of test. Bold is better than all others, tested."""
    groups = [entry.group for entry in board.entries]
    whole = table(groups, "test")
    valid, test = ({row.group.name: row for row in each.rows} for each in (table(groups, "valid"), whole))
    columns = {f"valid {board.monitor}": [_score(valid[group.name], board.monitor) for group in groups]}
    notes = list[str]()
    for metric in dict.fromkeys([board.monitor, *whole.metrics]):
        winner, why = best(whole, metric)
        columns[f"test {metric}"] = [_score(test[group.name], metric, winner is group) for group in groups]
        if metric == board.monitor:
            columns["95 %"] = [_interval(test[group.name].scores.get(metric)) for group in groups]
            columns["seeds"] = [Cell(str(len(group.by_seed)), len(group.by_seed)) for group in groups]
            columns |= {cost: [_cost(test[group.name], cost) for group in groups] for cost in COSTS}
            notes += [f"Test {metric}: no line is bold; {why}."] if why else []
    said = {head: cells for head, cells in columns.items() if any(math.isfinite(cell.sort) for cell in cells)}
    notes += [*_undefined(valid, [board.monitor], "valid"), *_undefined(test, whole.metrics, "test")]
    return Scores(said, notes)


def _score(row: Row, metric: str, bold: bool = False) -> Cell:
    score = row.scores.get(metric)
    if score is None:
        return Cell("")
    if score.mean is None:
        return Cell(undefined_in(len(score.undefined), len(score.undefined) + len(score.values)))
    return Cell(plus_minus(score.mean, score.spread), score.mean, bold)


def _interval(score: Score | None) -> Cell:
    bounds = None if score is None else score.interval
    return Cell("") if bounds is None else Cell("{:.5f} to {:.5f}".format(*bounds), bounds[0])


def _cost(row: Row, name: str) -> Cell:
    cost = row.costs.get(name)
    return Cell("") if cost is None else Cell(f"{cost:,.{0 if cost >= 100 else 1}f}".removesuffix(".0"), cost)


def _undefined(rows: Mapping[str, Row], metrics: Sequence[str], split: str) -> list[str]:
    """Each reason once, with the runs that it holds for."""
    runs: dict[tuple[str, str], list[str]] = {}
    for name, row in rows.items():
        for metric in metrics:
            if (score := row.scores.get(metric)) is not None:
                for seed, why in score.undefined.items():
                    runs.setdefault((metric, why), []).append(f"{name}, seed {seed}")
    return [
        f"No {split} {metric} in {len(each)} run{'s' * (len(each) != 1)}, {why}: "
        + "; ".join(each if len(each) <= SHOWN else [*each[:SHOWN], "..."])
        for (metric, why), each in runs.items()
    ]


@dataclass(frozen=True)
class Pair:
    """A cell of the matrix of tests: line minus column."""

    difference: str
    test: str
    told: bool  # from chance


def tests(board: Board) -> tuple[dict[tuple[int, int], Pair], str]:
    """By the places of two groups, for all pairs of coloured ones, over seeds; or why there is none."""
    groups = {entry.group.name: entry.place for entry in board.scored if entry.coloured}
    try:
        found = compare([e.group for e in board.scored if e.coloured], "test", [board.monitor], _no_rows)
    except UserError as error:
        return {}, str(error)
    return {(groups[one.a.name], groups[one.b.name]): _pair(one) for one in found}, ""


def _no_rows(folder: Path, split: str) -> Predictions:
    raise UserError("a report tests over seeds alone")


def _pair(one: Comparison) -> Pair:
    difference = f"{one.difference:+.5f}"
    if not isinstance(one.over_seeds, Tested):
        return Pair(difference, "no test", False)
    p = one.over_seeds.adjusted
    return Pair(difference, "p < .0001" if p < 1e-4 else f"p = {p:.4f}".replace("0.", "."), p < ALPHA)
