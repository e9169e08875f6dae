"""A sweep as parallel coordinates: an axis a setting, a line a group, the monitored score to the right."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from matplotlib.colors import LinearSegmentedColormap
from matplotlib.figure import Figure
from matplotlib.ticker import LogLocator, MaxNLocator

from ctr.app.config_keys import short
from ctr.app.report.board import GREY, Board, Entry
from ctr.app.report.drawing import PAPER, Drawing, belongs, drawing, number_ends
from ctr.app.report.settings import independent, text

MAX_AXES, MAX_TICKS = 8, 12
LOGARITHMIC = re.compile(r"(.*_)?(lr|l1|l2|eps|weight_decay|std)")  # by their last word
WORST_TO_BEST = LinearSegmentedColormap.from_list("score", ["#d9822b", "#9aa0a8", "#2f74d0"])
HALO = {"facecolor": PAPER, "alpha": 0.75, "linewidth": 0, "pad": 1}
FOOT = 0.14  # of a logarithmic axis, for 0 and for groups without the setting


@dataclass(frozen=True)
class Axis:
    """Where values stand, from 0 to 1, and what is written beside the axis."""

    name: str
    places: Sequence[float]
    ticks: Sequence[tuple[float, str]]


def sweep(board: Board) -> tuple[list[Drawing], list[str]]:
    """The drawing, if two settings vary or more; and what is not in it."""
    groups = [entry for entry in board.entries if "trainer" in entry.group.first.config]
    scored = [entry for entry in groups if entry.values]
    at = {entry: i for i, entry in enumerate(board.entries)}
    settings = {key: [values[at[entry]] for entry in scored] for key, values in board.settings.items()}
    varying = {key: values for key, values in settings.items() if len(set(map(text, values))) > 1}
    kept, _ = independent(varying)
    if len(kept) < 2:
        return [], []
    names = short(kept)
    axes = [axis(names[key], values) for key, values in list(kept.items())[:MAX_AXES]]
    notes = []
    if left := list(kept)[MAX_AXES:]:
        notes.append(f"More settings vary than can be drawn; left out: {', '.join(left)}.")
    if went := [key for key in varying if key not in kept]:
        notes.append(f"Settings that go with another one are not drawn: {', '.join(went)}.")
    if left_out := [entry.group.name for entry in board.entries if entry not in scored]:
        notes.append(f"Without a trainer or a score, and so not drawn: {', '.join(left_out)}.")
    return [drawing("Settings and score", _painter(board, scored, axes), "wide", board.title)], notes


def axis(name: str, values: Sequence[Any]) -> Axis:
    """Numbers to scale, logarithmic for rates and L2 (0 stands at the foot); all else as categories."""
    numbers = [value for value in values if value is not None]
    if not all(isinstance(value, int | float) and not isinstance(value, bool) for value in numbers):
        return _categories(name, values)
    if LOGARITHMIC.fullmatch(name.split(".")[-1]) and min(numbers) >= 0 and max(numbers) > 0:
        return _numbers(name, values, logarithmic=True)
    return _numbers(name, values, logarithmic=False)


def _categories(name: str, values: Sequence[Any]) -> Axis:
    known = list(dict.fromkeys(map(text, sorted(values, key=lambda value: (value is not None, text(value))))))
    place = {word: (i + 0.5) / len(known) for i, word in enumerate(known)}
    every = -(-len(known) // MAX_TICKS)
    ticks = [(place[word], word if len(word) <= 20 else word[:19] + "…") for word in known[::every]]
    return Axis(name, [place[text(value)] for value in values], ticks)


def _numbers(name: str, values: Sequence[Any], logarithmic: bool) -> Axis:
    scale: Callable[[float], float] = math.log10 if logarithmic else float
    there = sorted({scale(v) for v in values if v is not None and (v > 0 or not logarithmic)})
    low, high = there[0], there[-1]
    foot = FOOT if any(v is None or (logarithmic and v == 0) for v in values) else 0.0

    def place(value: float | None) -> float:
        if value is None or (logarithmic and value == 0):
            return 0.0 if value is None else foot / 2
        share = (scale(value) - low) / (high - low) if high > low else 0.5
        return foot + (1 - foot) * share

    odd = [v for v in (None, 0) if v in values and (v is None or logarithmic)]
    marks: list[Any] = sorted({v for v in values if v is not None and v not in odd})
    if len(marks) > 6:
        locator = LogLocator() if logarithmic else MaxNLocator(5)
        marks = [v for v in locator.tick_values(marks[0], marks[-1]) if marks[0] <= v <= marks[-1]]
    return Axis(
        name, [place(v) for v in values], [(place(v), "not set" if v is None else f"{v:g}") for v in odd + marks]
    )


def _painter(board: Board, entries: Sequence[Entry], axes: Sequence[Axis]) -> Callable[[Figure], str]:
    scores = np.array([entry.mean for entry in entries])
    towards = scores if board.higher_is_better else -scores
    first, median = np.quantile(towards, [0.25, 0.5])
    floor = max(towards.min(), first - 3 * (median - first) if median > first else towards.min())
    span = towards.max() - floor or 1.0
    quality = np.clip((towards - floor) / span, 0, 1)  # what is far below the others stands at the foot
    ranks = towards.argsort().argsort() / max(1, len(towards) - 1)
    sign = 1 if board.higher_is_better else -1
    marks = [v for v in MaxNLocator(6).tick_values(floor, towards.max()) if floor <= v <= towards.max()]
    score_axis = Axis(f"valid {board.monitor}", list(quality), [((v - floor) / span, f"{v * sign:g}") for v in marks])

    def paint(figure: Figure) -> str:
        plane = figure.subplots()
        plane.set_axis_off()
        every = [*axes, score_axis]
        for x, one in enumerate(every):
            plane.axvline(x, color=GREY, linewidth=0.8)
            plane.text(x, 1.06 + 0.07 * (x % 2), one.name, ha="center", weight="bold")
            for y, word in one.ticks:
                plane.text(x + 0.03, y, word, va="center", fontsize=8, zorder=5, bbox=HALO)
        for i in towards.argsort():
            best = entries[i].coloured
            (line,) = plane.plot(
                range(len(every)),
                [one.places[i] for one in every],
                color=WORST_TO_BEST(ranks[i]),
                linewidth=1.8 if best else 0.9,
                alpha=0.95 if best else 0.55,
            )
            belongs(line, entries[i].place)
        last = len(every) - 1
        plane.set(xlim=(-0.1, last + 0.4), ylim=(-0.05, 1.2))
        ends = [(last + 0.25, quality[i], e.place, e.colour) for i, e in enumerate(entries) if e.coloured]
        number_ends(plane, ends, top=1.02)
        low = int((towards < floor).sum())
        cut = f" {low} groups are worse than the foot of the score's axis and stand at it." if low else ""
        return f"A line a group, mean over its seeds; blue is best, orange worst, by rank; the best are thicker.{cut}"

    return paint
