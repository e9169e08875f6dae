"""Figures as SVG text that takes the page's own colour of ink, light or dark."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from io import StringIO
from typing import Any

import matplotlib
from markupsafe import Markup
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter

from ctr.data.doctor.plots import NOTHING, STYLE

INK, PAPER = "#0a0b0c", "#fefdfc"  # stand for the page's own colours; no figure has them for anything else
INKED = ("text.color", "axes.edgecolor", "axes.labelcolor", "xtick.color", "ytick.color", "grid.color")
LOOK: dict[Any, Any] = {
    **STYLE,
    **dict.fromkeys(INKED, INK),
    "axes.grid": True,
    "grid.alpha": 0.13,
    "axes.axisbelow": True,
    "axes.linewidth": 0.6,
    "xtick.major.width": 0.6,
    "ytick.major.width": 0.6,
    "lines.linewidth": 1.6,
}
PANEL, WIDE, SMALL = (5.0, 3.1), (10.0, 4.2), (3.3, 2.1)  # inches


@dataclass(frozen=True)
class Drawing:
    """A figure of the page, with what one reads off it and what is not drawn."""

    title: str
    svg: Markup
    caption: str = ""
    size: str = "panel"


def drawing(title: str, paint: Callable[[Figure], str | None], size: str = "panel", salt: str = "") -> Drawing:
    """Calls `paint` with a figure; what it returns is the caption. `salt` keeps equal titles of a page apart."""
    with matplotlib.rc_context({**LOOK, "svg.hashsalt": f"{salt} {title}"}):
        figure = Figure(figsize={"panel": PANEL, "wide": WIDE, "small": SMALL}[size], layout="constrained")
        caption = paint(figure) or ""
        file = StringIO()
        figure.savefig(file, format="svg", transparent=True, metadata=NOTHING)
    text = file.getvalue()
    text = re.sub(r' id="(group-\d+)[^"]*"', r' class="\1"', text[text.index("<svg") :].replace(INK, "currentColor"))
    text = text.replace(PAPER, "var(--paper)")
    text = re.sub(r'<g id="[^"]*"', "<g", text)  # nothing refers to them, and those of several figures are alike
    name = Markup.escape(title)
    text = text.replace("<svg ", f'<svg role="img" aria-label="{name}" ', 1)
    return Drawing(title, Markup(text), caption, size)  # noqa: S704  # matplotlib escapes texts


def belongs(artist: Any, place: int) -> None:
    """The artist shows the group of this place: the page can point at it."""
    artist.set_gid(f"group-{place}")


def logarithmic(axes: Axes, letters: str) -> None:
    """Logarithmic axes with plain numbers at them."""
    for letter in letters:
        axes.set(**{f"{letter}scale": "log"})
        axis = axes.xaxis if letter == "x" else axes.yaxis
        axis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:,.0f}" if value >= 1 else f"{value:g}"))
        axis.set_minor_formatter(NullFormatter())
        low, high = axis.get_view_interval()
        if high < 100 * low:
            axis.set_major_locator(LogLocator(subs=(1, 2, 5)))


def number_ends(axes: Axes, ends: Sequence[tuple[float, float, int, str]], top: float | None = None) -> None:
    """Writes numbers to the right of (x, y, number, colour), moved apart where they would meet, none above `top`."""
    low, high = axes.get_ylim()
    ends = sorted(ends, key=lambda end: (end[1], -end[2]))
    for end, y in zip(ends, apart([y for _, y, _, _ in ends], (high - low) * 0.052, top or high), strict=True):
        x, _, number, colour = end
        axes.annotate(str(number), (x, y), (4, 0), textcoords="offset points", va="center", fontsize=8, color=colour)


def apart(places: Sequence[float], gap: float, top: float) -> list[float]:
    """Places in rising order, pushed up until they are `gap` apart, and down again from `top`."""
    risen: list[float] = []
    for place in places:
        risen.append(max(place, risen[-1] + gap) if risen else place)
    for i in reversed(range(len(risen))):
        risen[i] = min(risen[i], risen[i + 1] - gap if i + 1 < len(risen) else top)
    return risen
