"""Draws which keys mattered, and the score over each of them."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import matplotlib as mpl

mpl.use("Agg")
from matplotlib import pyplot as plt
from matplotlib.ticker import LogLocator
from optuna.importance import FanovaImportanceEvaluator, get_param_importances

from ctr.app.tune.outcome import Outcome, short
from ctr.app.tune.space import Range

DOTS, WIDE, HIGH, COLUMNS = 150, 3.2, 2.8, 4
ENOUGH = 4  # finished trials below which importance says nothing


def importances(outcome: Outcome) -> dict[str, float]:
    """The share of the score's variance over the space that each key explains, by fANOVA; empty where there are too few
    finished trials, or all have one score."""
    scores = {trial.values[0] for trial in outcome.ranked}
    if len(outcome.ranked) < ENOUGH or len(scores) < 2:
        return {}
    found = get_param_importances(
        outcome.study, evaluator=FanovaImportanceEvaluator(seed=0), target=lambda trial: trial.values[0]
    )
    return {key: float(share) for key, share in found.items() if math.isfinite(share)}


def draw(outcomes: Sequence[Outcome], folder: Path) -> list[tuple[str, str]]:
    """Writes importance.png, and slices of every member; returns their names and titles."""
    shares = {outcome.member.name: found for outcome in outcomes if (found := importances(outcome))}
    drawn = [_importance(shares, folder)] if shares else []
    return [*drawn, *(_slices(outcome, folder) for outcome in outcomes if outcome.ranked)]


def _importance(shares: dict[str, dict[str, float]], folder: Path) -> tuple[str, str]:
    figure, grid = _panels(len(shares), width=5.0)
    for axes, (name, found) in zip(grid, shares.items(), strict=True):
        keys = list(found)[::-1]
        axes.barh([short(key) for key in keys], [found[key] for key in keys])
        axes.set(title=name, xlim=(0, 1), xlabel="share of the variance")
    return _save(figure, folder, "importance.png", "Which keys mattered (fANOVA)")


def _slices(outcome: Outcome, folder: Path) -> tuple[str, str]:
    """A panel a key: the finished trials' scores over its values; later trials are darker, the best one is ringed."""
    figure, grid = _panels(len(outcome.member.space))
    best, numbers = outcome.best, [trial.number for trial in outcome.ranked]
    scores = [trial.values[0] for trial in outcome.ranked]
    for axes, (key, dimension) in zip(grid, outcome.member.space.items(), strict=True):
        said = [outcome.settings(trial)[key] for trial in outcome.ranked]
        if not isinstance(dimension, Range):
            axes.set_xticks(range(len(dimension.values)), [str(value) for value in dimension.values], fontsize="small")
            axes.tick_params(axis="x", rotation=20)
            said = [dimension.values.index(value) for value in said]
        elif dimension.log:
            axes.set_xscale("log")
            axes.xaxis.set_major_locator(
                LogLocator(subs=(1.0, 3.0) if dimension.high < 100 * dimension.low else (1.0,))
            )
            axes.xaxis.set_major_formatter("{x:g}")
            axes.xaxis.set_minor_formatter("")
        axes.scatter(said, scores, c=numbers, cmap="Blues", vmin=-max(numbers) - 1, edgecolors="grey", linewidths=0.3)
        assert best is not None
        axes.scatter(said[:1], scores[:1], s=90, facecolors="none", edgecolors="tab:red")
        axes.set(xlabel=short(key))
        axes.grid(alpha=0.3)
    grid[0].set_ylabel(f"valid {outcome.base.monitor}")
    figure.suptitle(outcome.member.name)
    return _save(figure, folder, f"{outcome.member.name}-slices.png", f"{outcome.member.name}: the score over each key")


def _panels(number: int, width: float = WIDE) -> tuple[Any, list[Any]]:
    columns = min(number, COLUMNS)
    rows = math.ceil(number / columns)
    figure, grid = plt.subplots(
        rows, columns, figsize=(width * columns, HIGH * rows), layout="constrained", squeeze=False
    )
    flat = list(grid.flat)
    for axes in flat[number:]:
        axes.set_visible(False)
    return figure, flat[:number]


def _save(figure: Any, folder: Path, file: str, title: str) -> tuple[str, str]:
    figure.savefig(folder / file, dpi=DOTS, metadata={"Software": None})
    plt.close(figure)
    return file, title
