"""How long the runs that are left may take."""

from __future__ import annotations

from collections.abc import Sequence

from ctr.app import run_folder
from ctr.app.reproduce.runs import Run


def time_left(
    waiting: Sequence[Run], running: Sequence[tuple[Run, float]], processes: int, took: dict[str, list[float]]
) -> str:
    """From what runs of the same row took; of rows that never ran, from the mean of all that did."""
    if not took:
        return ""
    means = {key: sum(seconds) / len(seconds) for key, seconds in took.items()}
    usual = sum(means.values()) / len(means)
    rest = sum(means.get(run.row.key, usual) for run in waiting)
    rest += sum(max(0.0, means.get(run.row.key, usual) - spent) for run, spent in running)
    guessed = len({run.row.key for run in [*waiting, *(run for run, _ in running)]} - means.keys())
    doubt = f" if the {guessed} rows that never ran take what the others do" if guessed else ""
    return f", about {clock(rest / processes)} left{doubt}" if waiting or running else ""


def clock(seconds: float) -> str:
    """90 s, 12 min, 3.5 h."""
    if seconds < 100:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 6000 else f"{seconds / 3600:.1f} h"


def known_seconds(runs: Sequence[Run]) -> dict[str, float]:
    """What the last finished run of each row took in training."""
    return {run.row.key: float(run_folder.read_scores(run.folder)["seconds"]) for run in runs}
