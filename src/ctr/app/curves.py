"""The learning curves of runs, from the records that a stage keeps while it trains; and how seeds are drawn together.

A curve has a name: `train loss`, dropout on, or `valid` and a metric.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from ctr.app import run_folder
from ctr.errors import UserError
from ctr.training.run_log import METRICS

if TYPE_CHECKING:
    from matplotlib.axes import Axes

NUM_POINTS = 300  # of a line in a figure


def records(folder: Path, stage: str) -> list[dict[str, Any]]:
    """What a stage of a run noted, in order. Empty for a run that keeps no records. Raises UserError where they cannot
    be read."""
    path = folder / stage / METRICS
    if not path.exists():
        return []
    try:
        return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
    except (OSError, ValueError) as error:
        raise UserError(f"{path} cannot be read: {error}") from error


def by(noted: Sequence[Mapping[str, Any]], name: str, place: str = "step") -> dict[int, float]:
    """The curve by `step` or by `examples`, both counted from the start of the stage; without what is not finite."""
    key = name.replace(" ", "/")
    return {int(one[place]): float(one[key]) for one in noted if math.isfinite(one.get(key, math.nan))}


def by_epoch(folder: Path, name: str) -> dict[int, float]:
    """The curve of the last stage by epoch; the train loss is the mean of the epoch. Empty for a run that keeps no
    records, or was not evaluated once an epoch."""
    stage = run_folder.last_stage(folder)
    trainer = run_folder.read_config(folder)["stages"][stage].get("trainer", {})
    if trainer.get("eval_every") is not None:
        return {}
    points: dict[int, float] = {}
    total, steps, before = 0.0, 0, 0
    for record in records(folder, stage):
        if "train/loss" in record:
            total += record["train/loss"] * (record["step"] - before)
            steps, before = steps + record["step"] - before, record["step"]
            continue
        value = total / max(1, steps) if name == "train loss" else record.get(name.replace(" ", "/"), math.nan)
        points[len(points) + 1] = value
        total, steps = 0.0, 0
    return {epoch: value for epoch, value in points.items() if math.isfinite(value)}


def mean_and_spread(curves: Sequence[Mapping[int, float]]) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """The places that all curves have, and there the mean and the standard deviation (0 for one curve)."""
    common = sorted(set.intersection(*(set(curve) for curve in curves)))
    values = np.array([[curve[place] for place in common] for curve in curves])
    spread = values.std(0, ddof=1) if len(values) > 1 else np.zeros(len(common))
    return np.array(common), values.mean(0), spread


def draw(
    axes: Axes, curves: Sequence[Mapping[int, float]], colour: Any, label: str = "", crowded: bool = False
) -> None:
    """Mean ± standard deviation as a line and a band, over what all curves have; each curve's own line, thin, to its
    end, unless the figure is crowded."""
    if len(curves) > 1 and not crowded:
        for curve in curves:
            axes.plot(*_thinned(np.array(list(curve)), np.array(list(curve.values()))), color=colour, lw=0.5, alpha=0.4)
    common, mean, spread = mean_and_spread(curves)
    low = _thinned(common, mean - spread)
    axes.fill_between(
        *low, _thinned(common, mean + spread)[1], color=colour, alpha=0.1 if crowded else 0.2, linewidth=0
    )
    axes.plot(*_thinned(common, mean), color=colour, label=label)


def _thinned(places: np.ndarray, values: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """At most NUM_POINTS: each the mean of its neighbours, at the last of them."""
    if len(places) <= NUM_POINTS:
        return places, values
    parts = np.array_split(np.arange(len(places)), NUM_POINTS)
    return np.array([places[part[-1]] for part in parts]), np.array([values[part].mean() for part in parts])
