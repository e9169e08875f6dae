"""The page of a search, its trials as CSV, its plots, and the best settings as experiment files."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from optuna.trial import FrozenTrial, TrialState

from ctr import disk
from ctr.app.grids import comma_separated, pipes
from ctr.app.reproduce.time_left import clock
from ctr.app.tables.words import plus_minus
from ctr.app.tune import best, plots
from ctr.app.tune.outcome import Outcome, lines, score, short
from ctr.app.tune.sweep import Sweep

PAGE, TABLE = "report.md", "trials.csv"
FLATTERS = (
    "Settings were chosen by the valid split alone; the test split was not looked at. The best of many trials flatters "
    "itself: measure it on seeds that chose nothing."
)


def write(sweep: Sweep, found: Sequence[Outcome], folder: Path, command: str) -> Path:
    """Writes all of it into the sweep's folder; returns the page."""
    every = [line for outcome in found for line in lines(outcome)]
    disk.write_text(folder / TABLE, comma_separated(every, otherwise="model"))
    for outcome in found:
        if (trial := outcome.best) is not None:
            _experiment(sweep, outcome, trial, folder, command)
    drawn = plots.draw(found, folder)
    pictures = [f"![{title}]({file})" for file, title in drawn]
    parts = [f"# {sweep.title}", f"Written by `{command}`, {best.today()}. {FLATTERS}", _budget(sweep, found)]
    parts += [_chosen(sweep, found, folder), *(["## Plots", *pictures] if pictures else []), "## Trials"]
    for outcome in found:
        parts += [f"### {outcome.member.name}", _table([_shown(line) for line in lines(outcome)])]
    page = folder / PAGE
    disk.write_text(page, "\n\n".join(parts) + "\n")
    return page


def _experiment(sweep: Sweep, outcome: Outcome, trial: FrozenTrial, folder: Path, command: str) -> None:
    seeds = f"seed{'s' * (len(sweep.seeds) > 1)} {', '.join(map(str, sweep.seeds))}"
    told = [
        f"{outcome.member.name}, {sweep.title}:",
        f"trial {trial.number}, the best of {len(outcome.trials)} trials ({outcome.counts}).",
        f"Found by {command}, {best.today()}.",
        f"valid {outcome.base.monitor} {score(trial)} over {seeds}, which has chosen it and so flatters it.",
    ]
    words = outcome.member.words(outcome.settings(trial))
    best.write(folder, outcome.name, words, told, best.launch(folder, [outcome.name]))


def _budget(sweep: Sweep, found: Sequence[Outcome]) -> str:
    """What every model was given, and what it really took."""
    pruner = "no pruner" if sweep.pruner.name == "none" else f"the {sweep.pruner.name} pruner"
    each = f"{sweep.trials} trials" + (f", at most {sweep.hours:g} hours" if sweep.hours else "")
    given = f"Each model was given {each}, seeds {', '.join(map(str, sweep.seeds))}, {pruner}, {sweep.sampler.name}."
    rows = [
        {
            "model": outcome.member.name,
            "trials": len(outcome.trials),
            "ended": outcome.counts,
            "runs": int(outcome.spent("runs")),
            "epochs": int(outcome.spent("epochs")),
            "training": clock(outcome.spent("seconds")),
            f"best valid {outcome.base.monitor}": score(outcome.best),
            **({"the config's own": score(outcome.trials[0]) if outcome.trials else ""} if sweep.start else {}),
        }
        for outcome in found
    ]
    return "\n\n".join(["## Budget", given, _table(rows)])


def _chosen(sweep: Sweep, found: Sequence[Outcome], folder: Path) -> str:
    parts, seeds = ["## Chosen"], best.seeds_for(sweep.seeds)
    for outcome in found:
        if (trial := outcome.best) is None:
            causes = [one.user_attrs.get("cause", "") for one in outcome.of(TrialState.FAIL)]
            parts.append(f"{outcome.member.name}: no trial has finished. {' '.join(causes[:1])}".strip())
            continue
        parts.append(
            f"{outcome.member.name}, trial {trial.number}, valid {outcome.base.monitor} {score(trial)}: "
            f"`experiment/{outcome.name}.yaml`\n\n```\n"
            + "\n".join(f"{key}: {value}" for key, value in outcome.settings(trial).items())
            + "\n```"
        )
    if command := measured_by(found, folder, seeds):
        parts.append(f"On five seeds that have chosen nothing:\n\n```bash\n{command}\n```")
    return "\n\n".join(parts)


def measured_by(found: Sequence[Outcome], folder: Path, seeds: Sequence[int]) -> str:
    """The command that runs the chosen settings over seeds; empty where there are none."""
    names = [outcome.name for outcome in found if outcome.best is not None]
    return best.launch(folder, names, seeds) if names else ""


def _shown(line: dict[str, Any]) -> dict[str, Any]:
    """A line of the page: mean and spread together, keys by their last name, folders left to the CSV."""
    told = {key: value for key, value in line.items() if key not in ("model", "sd", "seeds", "folder")}
    score = next(key for key in told if key.startswith("valid "))
    if told[score] is not None:
        told[score] = plus_minus(told[score], line["sd"])
    return {short(key): value for key, value in told.items()}


def _table(rows: Sequence[dict[str, Any]]) -> str:
    """Markdown; columns that nobody fills are left out."""
    columns = list(dict.fromkeys(key for row in rows for key in row)) or ["trial"]
    return pipes([columns, *([_cell(row.get(key)) for key in columns] for row in rows)])


def _cell(value: Any) -> str:
    if value is None:
        return ""
    return f"{value:.5g}" if isinstance(value, float) else str(value)
