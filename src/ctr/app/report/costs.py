"""Time and size against quality: which groups no other one beats in both."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
from matplotlib.figure import Figure

from ctr.app.report.board import GREY, Board, Entry
from ctr.app.report.drawing import Drawing, belongs, drawing, logarithmic
from ctr.statistics import front as pareto

WIDE_RANGE = 8  # largest over smallest cost from which the axis is logarithmic


def costs(board: Board) -> list[Drawing]:
    """Seconds and parameters against the monitored valid score."""
    panels = []
    for name in ("seconds", "parameters"):
        found = {entry: cost for entry in board.scored if (cost := cost_of(entry, name)) is not None}
        if len(found) > 1:
            panels.append(drawing(f"{board.monitor} by {name}", _painter(board, found, name), salt=board.title))
    return panels


def cost_of(entry: Entry, name: str) -> float | None:
    """The mean over its runs; None where one does not say."""
    every = [result.scores.get(name) for result in entry.group.results]
    return None if None in every else float(np.mean(np.array(every, dtype=float)))


def front(points: Sequence[tuple[float, float]], higher_is_better: bool) -> list[int]:
    """The points (cost, score), cheapest first, than which none is at least as cheap and as good, and better in one."""
    sign = 1 if higher_is_better else -1
    signed = [(float(cost), -sign * score) for cost, score in points]
    return sorted(pareto.front(signed), key=lambda i: signed[i])


def _painter(board: Board, found: dict[Entry, float], name: str) -> Callable[[Figure], str]:
    def paint(figure: Figure) -> str:
        axes = figure.subplots()
        entries, values = list(found), list(found.values())
        best = front([(found[entry], entry.mean) for entry in entries], board.higher_is_better)
        x, y = [values[i] for i in best], [entries[i].mean for i in best]
        axes.plot(x, y, drawstyle="steps-post", color=GREY, alpha=0.4, linewidth=3, zorder=1)
        for entry in entries[::-1]:
            dot = axes.errorbar(
                found[entry],
                entry.mean,
                entry.spread,
                fmt="o",
                markersize=5 if entry.coloured else 3,
                color=entry.colour,
                elinewidth=0.8,
                alpha=1 if entry.coloured else 0.6,
            )
            for artist in dot.get_children():
                belongs(artist, entry.place)
            if entry.coloured:
                axes.annotate(
                    str(entry.place), (found[entry], entry.mean), (5, 4), textcoords="offset points", fontsize=8
                )
        if min(values) > 0 and max(values) / min(values) > WIDE_RANGE:
            logarithmic(axes, "x")
        axes.set(xlabel=name, ylabel=f"valid {board.monitor}")
        names = ", ".join(f"{entries[i].place}" for i in best)
        return f"On the Pareto front (no other group is both cheaper and better): {names}."

    return paint
