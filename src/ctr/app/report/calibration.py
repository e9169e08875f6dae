"""Do predictions mean what they say? Reliability diagrams and histograms, from runs' predictions row by row."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from matplotlib.figure import Figure

from ctr.app import predicted
from ctr.app.report.board import GREY, Board, Entry
from ctr.app.report.drawing import Drawing, belongs, drawing, logarithmic
from ctr.app.report.predictions import Summary, summarise
from ctr.errors import UserError

CROWD = 5  # groups above which bars of error are not drawn
RARE = 0.1  # a rate of positives below which the diagram is logarithmic


@dataclass(frozen=True)
class Calibration:
    """The section: drawings, the bins of each group, and what could not be drawn."""

    drawings: Sequence[Drawing]
    bins: Mapping[Entry, Summary]
    troubles: Sequence[str]


def calibration(board: Board, split: str, trust: Sequence[str], say: Callable[[str], None]) -> Calibration:
    """Predicts with the run of the median valid score of each coloured group."""
    found, troubles = dict[Entry, Summary](), list[str]()
    wanted = [entry for entry in board.scored if entry.coloured]
    for entry in wanted:
        folder = entry.typical.folder
        say(f"{split} predictions of {folder}")
        try:
            found[entry] = summarise(predicted.predict(folder, split, trust))
        except (UserError, OSError) as error:
            troubles.append(f"{entry.group.name}: {error}")
    if rest := len(board.scored) - len(wanted):
        troubles.append(f"Of the other {rest} groups no predictions were made: only the best {len(wanted)} are shown.")
    if not found:
        return Calibration([], {}, troubles)
    plain = any(summary.plain for summary in found.values())
    title = "Label by prediction" if plain else "Reliability"
    drawings = [drawing(f"{title}, {split}", _reliability(found, plain), salt=board.title)]
    drawings += [
        drawing(f"{entry.place}  {entry.group.name}", _histogram(entry, one), "small", f"{board.title} histogram")
        for entry, one in found.items()
    ]
    return Calibration(drawings, found, troubles)


def _reliability(found: Mapping[Entry, Summary], plain: bool) -> Callable[[Figure], str]:
    def paint(figure: Figure) -> str:
        axes = figure.subplots()
        for entry, one in list(found.items())[::-1]:
            line = axes.errorbar(
                one.bins.predicted,
                one.bins.actual,
                2 * one.bins.error if len(found) <= CROWD else None,
                color=entry.colour,
                marker="o",
                markersize=3 if len(found) <= CROWD else 0,
                linewidth=1.1,
                elinewidth=0.7,
            )
            for artist in line.get_children():
                belongs(artist, entry.place)
        every = [value for one in found.values() for value in (*one.bins.predicted, *one.bins.actual)]
        rare = not plain and min(every) >= 0 and max(one.rate for one in found.values()) < RARE
        low, high = min([value for value in every if value > 0] if rare else every), max(every)
        axes.plot([low, high], [low, high], color=GREY, linestyle="--", linewidth=0.9, zorder=1)
        if rare:
            logarithmic(axes, "xy")
        axes.set(xlabel="mean prediction of the bin", ylabel="mean label of the bin")
        counts = [int(count) for one in found.values() for count in one.bins.counts]
        rows = f"{min(counts):,}" if min(counts) == max(counts) else f"{min(counts):,} to {max(counts):,}"
        bars = ", bars of two standard errors" if len(found) <= CROWD else ""
        return f"Bins of equally many rows ({rows} each){bars}; on the dashed line predictions are right on average."

    return paint


def _histogram(entry: Entry, one: Summary) -> Callable[[Figure], str]:
    def paint(figure: Figure) -> str:
        axes = figure.subplots()
        for (name, heights), colour in zip(one.histograms.items(), _two(entry, len(one.histograms)), strict=True):
            axes.stairs(heights, one.edges, fill=True, color=colour, alpha=0.55, label=name)
        if one.plain:
            axes.axvline(0, color=GREY, linestyle="--", linewidth=0.9)
        else:
            axes.legend(frameon=False, fontsize=8)
        axes.set(xlabel="prediction - label" if one.plain else "model output")
        axes.set_yticks([])
        return ""

    return paint


def _two(entry: Entry, number: int) -> Sequence[str]:
    return (entry.colour,) if number == 1 else (GREY, entry.colour)
