"""Learning curves over seeds: the monitored valid score and the train loss, for each stage."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from ctr.app import curves
from ctr.app.report.board import Board, Entry
from ctr.app.report.drawing import Drawing, belongs, drawing, number_ends
from ctr.errors import UserError

HIDDEN = 0.1  # of all points, the worst ones may lie outside the frame
CROWD = 5  # groups above which single runs are not drawn


def learning(board: Board) -> tuple[list[Drawing], list[str]]:
    """The panels, the last stage's first, and what could not be drawn."""
    stages = dict.fromkeys(stage for entry in board.entries for stage in _stages(entry)[::-1])
    panels, troubles = list[Drawing](), list[str]()
    bare = set(board.entries)
    for stage in stages:
        noted = _noted(board.entries, stage, troubles)
        bare -= set(noted)
        place = "examples" if len(_batch_sizes(noted, stage)) > 1 else "step"
        for name in (f"valid {board.monitor}", "train loss"):
            drawn = {entry: [c for one in each if (c := curves.by(one, name, place))] for entry, each in noted.items()}
            if drawn := {entry: each for entry, each in drawn.items() if each}:
                title = name if len(stages) == 1 else f"{name}, stage {stage}"
                panels.append(_panel(title, drawn, place, board))
    if bare:
        names = ", ".join(entry.group.name for entry in sorted(bare, key=lambda one: one.place))
        troubles.append(f"Without records of their training, so without curves: {names}.")
    return panels, troubles


def _stages(entry: Entry) -> list[str]:
    return list(entry.group.first.config["stages"])


Records = Sequence[Mapping[str, float]]


def _noted(entries: Iterable[Entry], stage: str, troubles: list[str]) -> dict[Entry, list[Records]]:
    """By entry, what each of its runs that keeps records noted in this stage."""
    found: dict[Entry, list[Records]] = {}
    for entry in entries:
        for result in entry.group.results:
            try:
                noted = curves.records(result.folder, stage)
            except UserError as error:
                troubles.append(str(error))
                continue
            if noted:
                found.setdefault(entry, []).append(noted)
    return found


def _batch_sizes(entries: Iterable[Entry], stage: str) -> set[object]:
    return {entry.group.first.config["stages"][stage].get("trainer", {}).get("batch_size") for entry in entries}


def _panel(title: str, drawn: Mapping[Entry, Sequence[Mapping[int, float]]], place: str, board: Board) -> Drawing:
    def paint(figure: Figure) -> str:
        axes = figure.subplots()
        means: dict[Entry, tuple[np.ndarray, np.ndarray]] = {}
        for entry in sorted(drawn, key=lambda one: -one.place):  # the best above the others
            common, mean, _ = curves.mean_and_spread(drawn[entry])
            if not len(common):
                continue
            means[entry] = common, mean
            before = set(axes.get_children())
            if entry.coloured:
                curves.draw(axes, drawn[entry], entry.colour, crowded=len(drawn) > CROWD)
            else:
                axes.plot(common, mean, color=entry.colour, linewidth=0.7, alpha=0.5)
            for artist in axes.get_children():
                if artist not in before:
                    belongs(artist, entry.place)
        ends = [(x[-1], y[-1], one.place, one.colour) for one, (x, y) in means.items() if one.coloured]
        falls = title.startswith("train") or not board.higher_is_better
        _frame(axes, [mean for _, mean in means.values()], [end[1] for end in ends], falls)
        axes.set(xlabel="steps" if place == "step" else "examples seen")
        number_ends(axes, ends)
        rest = sum(not entry.coloured for entry in drawn)
        return f"The other {rest} groups are grey, without bands." if rest else ""

    return drawing(title, paint, salt=board.title)


def _frame(axes: Axes, means: Sequence[np.ndarray], ends: Sequence[float], falls: bool) -> None:
    """The part of the y axis where the curves differ: a steep start may leave the frame."""
    every = np.concatenate([*means, np.array(ends)])
    if len(every) < 10:
        return
    low, high = (every.min(), np.quantile(every, 1 - HIDDEN)) if falls else (np.quantile(every, HIDDEN), every.max())
    low, high = min([low, *ends]), max([high, *ends])
    if high > low:
        margin = 0.06 * (high - low)
        axes.set_ylim(low - margin, high + margin)
