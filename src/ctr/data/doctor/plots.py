"""Plots of an examination, each as SVG text that can stand in a page."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from datetime import datetime, timezone
from io import StringIO
from typing import TYPE_CHECKING, Any

import numpy as np

from ctr.data.doctor import Examination
from ctr.data.doctor.labels import Labels
from ctr.data.doctor.wording import score
from ctr.data.field_names import shown

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

COLOURS = {"train": "#2563a8", "valid": "#d9822b", "test": "#2e8b57"}
GREY = "#8fa3b8"
STYLE: dict[Any, Any] = {
    "font.size": 9,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.edgecolor": "#8a8f98",
    "axes.titlesize": 10,
    "axes.titlelocation": "left",
    "text.parse_math": False,  # a token may hold a dollar sign
    "svg.fonttype": "none",
    "font.family": "sans-serif",
}
NOTHING = dict.fromkeys(("Date", "Creator", "Format", "Type"))  # of metadata, so that equal data make equal pages
NUM_BARS, NUM_FIELDS, NUM_VALUES = 40, 6, 8


def plots(seen: Examination) -> dict[str, str]:
    """SVG by title."""
    import matplotlib
    from matplotlib.figure import Figure

    drawn = {}
    with matplotlib.rc_context(STYLE):
        for title, draw in _drawings(seen):
            figure = Figure(layout="constrained")
            draw(figure)
            file = StringIO()
            with matplotlib.rc_context({"svg.hashsalt": title}):  # ids differ between the plots of a page
                figure.savefig(file, format="svg", transparent=True, metadata=NOTHING)
            text = file.getvalue()
            drawn[title] = text[text.index("<svg") :]
    return drawn


def _drawings(seen: Examination) -> Iterator[tuple[str, Callable[[Figure], None]]]:
    yield ("Mean label" if seen.regression else "Label rate"), lambda figure: _over(figure, seen)
    yield f"{'R²' if seen.regression else 'AUC'} of each field alone, on valid", lambda figure: _alone(figure, seen)
    yield "Features by field", lambda figure: _cardinalities(figure, seen)
    if any(field.top for field in seen.fields):
        yield "Most frequent values of the best fields", lambda figure: _values(figure, seen)


def _over(figure: Figure, seen: Examination) -> None:
    """Over the order of train, and over time; two standard errors to each side."""
    times = None if seen.times is None or seen.times.is_moment else seen.times
    figure.set_size_inches(10, 2.8)
    panels = figure.subplots(1, 1 if times is None else 2, squeeze=False, sharey=True)[0]
    middles = (np.arange(len(seen.order)) + 0.5) / len(seen.order) * 100
    _line(panels[0], middles, seen.order, "train")
    panels[0].axhline(seen.labels["train"].mean, color=GREY, linewidth=0.8, linestyle="--")
    panels[0].set(title="train, in the order of its file", xlabel="% of the rows")
    if times is not None:
        middles = (times.edges[1:] + times.edges[:-1]) / 2
        for split, parts in times.parts.items():
            _line(panels[1], middles, parts, split)
        ticks = np.linspace(times.edges[0], times.edges[-1], 4)
        form = "%Y-%m-%d" if times.edges[-1] - times.edges[0] > 4 * 86400 else "%m-%d %H:%M"
        labels = [datetime.fromtimestamp(tick, timezone.utc).strftime(form) for tick in ticks]
        panels[1].set_xticks(ticks.tolist(), labels)
        panels[1].set(title="over time (UTC)")
        panels[1].legend(frameon=False, fontsize=8)


def _line(axes: Axes, x: np.ndarray, parts: Sequence[Labels], split: str) -> None:
    there = np.array([part.rows > 0 for part in parts])
    mean = np.array([part.mean for part in parts])[there]
    error = np.array([2 * part.std / np.sqrt(max(part.rows, 1)) for part in parts])[there]
    axes.fill_between(x[there], mean - error, mean + error, color=COLOURS.get(split, GREY), alpha=0.18, linewidth=0)
    axes.plot(x[there], mean, color=COLOURS.get(split, GREY), marker="o", markersize=3, linewidth=1.3, label=split)


def _alone(figure: Figure, seen: Examination) -> None:
    best = [field for field in seen.by_score if not np.isnan(field.alone)][:NUM_BARS][::-1]
    chance = 0.0 if seen.regression else 0.5
    figure.set_size_inches(10, 0.6 + 0.2 * max(len(best), 3))
    axes = figure.subplots()
    axes.barh(
        [shown(field.name, 30) for field in best],
        [field.alone - chance for field in best],
        left=chance,
        color=COLOURS["train"],
    )
    for y, field in enumerate(best):
        axes.text(max(field.alone, chance), y, f" {score(field.alone)}", va="center", fontsize=8)
    low = min([chance, *(field.alone for field in best)])
    axes.set_xlim(low - 0.01 if low < chance else chance, max([chance + 0.1, *(field.alone for field in best)]) * 1.05)
    axes.margins(y=0.01)
    if len(best) < len(seen.fields):
        axes.set_title(f"the best {len(best)} of {len(seen.fields)} fields")


def _cardinalities(figure: Figure, seen: Examination) -> None:
    from matplotlib.ticker import FuncFormatter, MaxNLocator, NullFormatter

    figure.set_size_inches(10, 2.4)
    axes = figure.subplots()
    sizes = [field.num_features for field in seen.fields]
    last = int(np.ceil(np.log10(max(sizes)) * 2 + 0.01))
    axes.hist(sizes, bins=(10 ** (np.arange(last + 2) / 2 - 0.25)).tolist(), color=COLOURS["train"], rwidth=0.9)
    axes.set_xscale("log")
    axes.xaxis.set_major_formatter(FuncFormatter(lambda x, _: f"{x:,.0f}"))
    axes.xaxis.set_minor_formatter(NullFormatter())
    axes.set(xlabel="features", ylabel="fields")
    axes.yaxis.set_major_locator(MaxNLocator(integer=True))


def _values(figure: Figure, seen: Examination) -> None:
    """Shares as bars, label rates as text."""
    fields = [field for field in seen.by_score if field.top][:NUM_FIELDS]
    lines = -(-len(fields) // 3)
    figure.set_size_inches(10, 2.1 * lines)
    panels = figure.subplots(lines, 3, squeeze=False).ravel()
    for axes, field in zip(panels, fields, strict=False):
        values = field.top[:NUM_VALUES][::-1]
        axes.barh(range(len(values)), [value.share * 100 for value in values], color=GREY)
        axes.set_yticks(range(len(values)), [shown(value.name, 18) for value in values])
        for y, value in enumerate(values):
            axes.text(value.share * 100, y, f" {value.mean:.3g}", va="center", fontsize=8, color=COLOURS["train"])
        axes.set(title=shown(field.name, 30))
        axes.margins(x=0.18)
    for axes in panels[len(fields) :]:
        axes.set_axis_off()
    figure.supxlabel(
        f"% of train's values; in blue their {'mean label' if seen.regression else 'label rate'}", fontsize=8
    )
