"""How a trial ends, by the files of its runs."""

from __future__ import annotations

import json
import math
import shutil
from pathlib import Path

from optuna.trial import FrozenTrial, TrialState

from ctr.app import run_folder
from ctr.app.processes import Place
from ctr.app.tune.sweep import Sweep
from ctr.app.tune.trials import Open
from ctr.training import checkpoint


def cost(run: Place) -> tuple[int, float]:
    """Epochs and seconds of training, all stages together; of a run that has not finished, as far as it has saved."""
    if run.finished:
        stages = run_folder.read_scores(run.folder)["stages"].values()
        return sum(stage["epochs"] for stage in stages), sum(stage["seconds"] for stage in stages)
    saved = []
    for folder in run.folder.glob("*/checkpoints"):
        newest = max(checkpoint.steps(folder), default=None)
        if newest is not None:
            meta = json.loads((checkpoint.step_folder(folder, newest) / "meta.json").read_text(encoding="utf-8"))
            saved.append(meta["progress"])
    return sum(one["epoch"] for one in saved), sum(one["seconds"] for one in saved)


def end(opened: Open, sweep: Sweep) -> FrozenTrial:
    """Tells Optuna how the trial has ended, by the files of its runs. The valid split alone is looked at."""
    trial, study = opened.trial, opened.trial.study
    costs = [cost(run) for run in opened.runs.values()]
    trial.set_user_attr("epochs", sum(epochs for epochs, _ in costs))
    trial.set_user_attr("seconds", round(sum(seconds for _, seconds in costs), 2))
    trial.set_user_attr("runs", sum(1 for epochs, seconds in costs if seconds))
    if opened.pruned:
        return study.tell(trial, state=TrialState.PRUNED)
    if failures := opened.failures:
        return _failed(opened, "; ".join(f"seed {seed}: {said}" for seed, said in failures.items()))
    found = {seed: run_folder.read_scores(run.folder) for seed, run in opened.runs.items()}
    valid = {seed: scores["valid"].get(opened.base.monitor, math.nan) for seed, scores in found.items()}
    if odd := [seed for seed, value in valid.items() if not math.isfinite(value)]:
        return _failed(opened, f"valid {opened.base.monitor} is no number for seed {', '.join(map(str, odd))}")
    trial.set_user_attr("scores", list(valid.values()))
    values = {
        "score": sum(valid.values()) / len(valid),
        "seconds": sum(scores["seconds"] for scores in found.values()) / len(found),
        "parameters": max(scores["parameters"] for scores in found.values()),
    }
    trial.set_user_attr("parameters", values["parameters"])
    return study.tell(trial, [float(values[name]) for name in sweep.objectives])


def end_as(opened: Open, twin: FrozenTrial) -> FrozenTrial:
    """An earlier trial said the same, and cost what there was to pay."""
    trial = opened.trial
    for key in ("scores", "parameters", "cause"):
        if key in twin.user_attrs:
            trial.set_user_attr(key, twin.user_attrs[key])
    trial.set_user_attr("same_as", twin.number)
    for step, value in twin.intermediate_values.items():
        trial.report(value, step)
    return trial.study.tell(trial, twin.values if twin.state == TrialState.COMPLETE else None, twin.state)


def _failed(opened: Open, cause: str) -> FrozenTrial:
    opened.trial.set_user_attr("cause", cause[:500])
    return opened.trial.study.tell(opened.trial, state=TrialState.FAIL)


def clean(ended: FrozenTrial, folder: Path) -> None:
    """Checkpoints are large, and of no more use once a trial has ended, but for a failure that may be tried again."""
    if ended.state != TrialState.FAIL:
        for checkpoints in folder.glob("*/*/checkpoints"):
            shutil.rmtree(checkpoints, ignore_errors=True)
