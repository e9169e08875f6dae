"""Limits of a run that goes on: they may change where it ends as a run that had them from its start."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import groupby
from pathlib import Path
from typing import Any

from ctr.errors import UserError
from ctr.training import checkpoint
from ctr.training.progress import Progress

LENGTHS = ("max_epochs", "max_steps")
ANY_LENGTH = ("ctr.training.Constant", "ctr.training.Plateau")  # schedules that do not ask how long the training is


def check(out: Path, before: Mapping[str, Any], now: Mapping[str, Any]) -> None:
    """Raises UserError where the checkpoints in `out` are no beginning of a run of the config `now`, which differs from
    `before` in limits alone."""
    for name, stage in now["stages"].items():
        if (progress := _progress(out / name / "checkpoints")) is None:
            continue
        where, there, here = f"{out}: stage {name}", before["stages"][name]["trainer"], stage["trainer"]
        _check_made(where, here, progress)
        changed = {limit: there.get(limit) for limit in (*LENGTHS, "patience") if there.get(limit) != here.get(limit)}
        _check_schedule(where, changed, here)
        if changed and not _ended(here, progress):
            _check_followers(where, name, changed, out, now["stages"])


def _progress(folder: Path) -> Progress | None:
    """Of the newest checkpoint that can tell it."""
    for step in sorted(checkpoint.steps(folder), reverse=True):
        if found := checkpoint.progress(checkpoint.step_folder(folder, step)):
            return Progress.from_json(found)
    return None


def _check_made(where: str, trainer: Mapping[str, Any], progress: Progress) -> None:
    """Would one of the limits have ended the stage before?"""
    stalls = [len(list(run)) for improved, run in groupby(progress.improvements[:-1]) if not improved]
    least = {
        "max_epochs": progress.epoch + (progress.batch > 0),
        "max_steps": progress.step,
        "patience": max(stalls, default=0) + 1,
    }
    for limit, made in least.items():
        if (said := trainer.get(limit)) is not None and said < made:
            raise UserError(
                f"{where} has made {progress.step:,} steps, the last in epoch {least['max_epochs']:,}, and would have "
                f"ended before with {limit}={said}; say {limit}={made} or more, or use a new folder"
            )


def _check_schedule(where: str, changed: Mapping[str, Any], trainer: Mapping[str, Any]) -> None:
    """Would the steps that are made have had other learning rates?"""
    for limit in LENGTHS:
        if limit in changed and (schedule := trainer["schedule"]["_target_"]) not in ANY_LENGTH:
            raise UserError(
                f"{where} has begun with {limit}={_word(changed[limit])}, and {_word(trainer[limit])} would have given "
                f"its steps other learning rates: those of {schedule} follow from the length of the whole training. "
                f"Repeat the run's command, or use a new folder"
            )


def _check_followers(
    where: str, name: str, changed: Mapping[str, Any], out: Path, stages: Mapping[str, Mapping[str, Any]]
) -> None:
    """Has a later stage started from weights that would be trained further?"""
    for follower, stage in stages.items():
        source = stage.get("warm_start") or {}
        if source.get("stage") == name and checkpoint.steps(out / follower / "checkpoints"):
            kept = " ".join(f"stages.{name}.trainer.{limit}={_word(value)}" for limit, value in changed.items())
            raise UserError(
                f"{where} would be trained further, though stage {follower} has started from its weights; say {kept} "
                f"to leave it as it is, or use a new folder"
            )


def _ended(trainer: Mapping[str, Any], progress: Progress) -> bool:
    made = {"max_epochs": progress.epoch, "max_steps": progress.step, "patience": progress.stalled}
    return any(trainer.get(limit) is not None and trainer[limit] <= reached for limit, reached in made.items())


def _word(value: int | None) -> str:
    """As Hydra reads it."""
    return "null" if value is None else str(value)
