"""Bars of fields and heat maps of pairs, as PNG files."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib import rc_context
from matplotlib.figure import Figure

from ctr import disk
from ctr.app.explain.measured import Measured
from ctr.data.field_names import shown

DOTS = 150
STYLE: dict[Any, Any] = {"font.size": 9, "text.parse_math": False, "axes.titlesize": 10}
WRITTEN = 14  # fields up to which a heat map has its numbers written in
LABELLED = 24  # letters of a field's name


def bars(path: Path, measured: Measured, fields: Sequence[str], label: str) -> None:
    """One bar a field, the largest on top, with the interval of its mean."""
    order = [thing[0] for thing in measured.largest()][::-1]
    means = measured.mean[order]
    intervals = [measured.interval(f) for f in order]
    with rc_context(STYLE):
        figure = Figure(figsize=(6.4, 1.0 + 0.24 * len(order)), layout="constrained")
        axes = figure.subplots()
        axes.barh(range(len(order)), means, color="#7ea6d9")
        for place, bounds in enumerate(intervals):
            if bounds is not None:
                axes.plot(bounds, (place, place), color="#20262e", linewidth=1.2)
        axes.set_yticks(range(len(order)), [shown(fields[f], LABELLED) for f in order])
        axes.axvline(0.0, color="#8a8f98", linewidth=0.8)
        axes.set(xlabel=label, title=f"Fields: mean and 95 % interval over {measured.over}")
        axes.spines[["top", "right"]].set_visible(False)
        _save(figure, path)


def heat(path: Path, measured: Measured, fields: Sequence[str], label: str, title: str) -> None:
    """A square a pair; both halves alike."""
    mean = measured.mean
    square = np.where(np.isnan(mean), mean.T, mean)
    labels, size = [shown(name, LABELLED) for name in fields], 2.2 + 0.36 * len(fields)
    with rc_context(STYLE):
        figure = Figure(figsize=(size + 1.6, size), layout="constrained")
        axes = figure.subplots()
        image = axes.imshow(np.ma.masked_invalid(square), cmap="Blues", vmin=0.0)
        axes.set_xticks(range(len(labels)), labels, rotation=45, ha="right", rotation_mode="anchor")
        axes.set_yticks(range(len(labels)), labels)
        axes.set_title(title)
        figure.colorbar(image, ax=axes, label=label, shrink=0.8)
        if len(fields) <= WRITTEN:
            _numbers(axes, square)
        _save(figure, path)


def _numbers(axes: Any, square: np.ndarray) -> None:
    bright = np.nanmax(square) / 2 if np.isfinite(square).any() else 0.0
    for (row, column), value in np.ndenumerate(square):
        if np.isfinite(value):
            colour = "white" if value > bright else "#20262e"
            axes.text(column, row, f"{value:.2g}", ha="center", va="center", fontsize=6.5, color=colour)


def _save(figure: Figure, path: Path) -> None:
    with disk.whole(path) as partial:
        figure.savefig(partial, format="png", dpi=DOTS, metadata={"Software": None})
