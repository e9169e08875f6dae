"""Draws a table's plots."""

from __future__ import annotations

import math
import textwrap
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import matplotlib as mpl

mpl.use("Agg")
import numpy as np
from matplotlib import pyplot as plt

from ctr.app import curves
from ctr.app.reproduce.results import Results
from ctr.app.reproduce.table import Grid, Plot, Side
from ctr.statistics import seeds

SIZE, DOTS = (7.0, 4.2), 150
WIDTH = 95  # characters of a line over a plot


def draw(results: Results, out: Path) -> list[tuple[str, str]]:
    """Writes <table>-<plot>.png for every plot that has runs, the verdicts of its claims over it; returns their names
    and titles."""
    drawn = []
    for plot in results.table.plots:
        figure, axes = plt.subplots(figsize=SIZE, layout="constrained")
        if KINDS[plot.kind](axes, plot, results):
            said = [
                f"{v.claim.name}. {v.claim.says}: {v.word}" for v in results.verdicts if v.claim.name in plot.claims
            ]
            axes.set_title("\n".join(wrap for line in said for wrap in textwrap.wrap(line, WIDTH)), fontsize="small")
            file = f"{results.table.name}-{plot.name}.png"
            figure.savefig(out / file, dpi=DOTS, metadata={"Software": None})
            drawn.append((file, plot.title))
        plt.close(figure)
    return drawn


def _curves(axes: Any, plot: Plot, results: Results) -> bool:
    """A line and a band a row, over epochs."""
    for row, colour in zip(plot.rows, _colours(len(plot.rows)), strict=True):
        found = [curves.by_epoch(run.folder, plot.score) for run in results.finished[row]]
        if found := [curve for curve in found if curve]:
            curves.draw(axes, found, colour, f"{row} (n = {len(found)})")
    if not axes.lines:
        return False
    axes.set(xlabel="epoch", ylabel=plot.score)
    axes.legend(fontsize="small")
    axes.grid(alpha=0.3)
    return True


def _heat(axes: Any, plot: Plot, results: Results) -> bool:
    """A square a cell of the grid, with the mean of its runs written in; rows without runs are left out, and the rest
    are in the order of the last column, the highest first."""
    assert plot.grid is not None
    rows, means, _ = _means(plot.grid, plot.score, results)
    if not rows:
        return False
    order = np.argsort(-means[:, -1], kind="stable")  # without a number there: last
    rows, means = [rows[i] for i in order], means[order]
    axes.figure.set_size_inches(SIZE[0], 1.5 + 0.4 * len(rows))
    low, high = min(0.0, float(np.nanmin(means))), max(1.0, float(np.nanmax(means)))
    image = axes.imshow(means, cmap="viridis", vmin=low, vmax=high, aspect="auto")
    axes.set_xticks(range(len(plot.grid.columns)), plot.grid.columns)
    axes.set_yticks(range(len(rows)), rows)
    for (y, x), value in np.ndenumerate(means):
        shade = "black" if value > low + 0.6 * (high - low) else "white"
        text, shade = ("no run", "grey") if math.isnan(value) else (f"{value:.2f}", shade)
        axes.text(x, y, text, ha="center", va="center", color=shade)
    axes.figure.colorbar(image, ax=axes, label=plot.score)
    return True


def _sweep(axes: Any, plot: Plot, results: Results) -> bool:
    """A line a row of the grid over its columns, with the standard deviation as bars."""
    assert plot.grid is not None
    rows, means, spreads = _means(plot.grid, plot.score, results)
    places = np.arange(len(plot.grid.columns))
    for row, colour, mean, spread in zip(rows, _colours(len(rows)), means, spreads, strict=True):
        axes.errorbar(places, mean, spread, color=colour, label=row, capsize=3, marker="o", markersize=4)
    axes.set_xticks(places, plot.grid.columns)
    axes.set(ylabel=plot.score)
    if rows:
        axes.legend(fontsize="small")
        axes.grid(alpha=0.3)
    return bool(rows)


KINDS = {"curves": _curves, "heat": _heat, "sweep": _sweep}


def _means(grid: Grid, score: str, results: Results) -> tuple[list[str], np.ndarray, np.ndarray]:
    """The rows that have runs, and their means and standard deviations by column, (rows, columns); nan where none."""
    rows, means, spreads = [], [], []
    for row in grid.rows:
        found = [list(results.of(Side(Grid.cell(row, column), score)).values()) for column in grid.columns]
        if any(found):
            each = [seeds.mean_and_spread(values) if values else (math.nan, None) for values in found]
            rows.append(row)
            means.append([mean for mean, _ in each])
            spreads.append([spread or 0.0 for _, spread in each])
    return rows, np.array(means), np.array(spreads)


def _colours(number: int) -> Sequence[Any]:
    return [
        plt.get_cmap("tab10" if number <= 10 else "turbo")(i if number <= 10 else i / number) for i in range(number)
    ]
