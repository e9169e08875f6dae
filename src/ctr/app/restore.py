"""A finished run, from its folder."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from omegaconf import OmegaConf
from omegaconf.errors import OmegaConfBaseException
from torch import nn

from ctr.app import machine, run_folder
from ctr.app.config import build, check
from ctr.batch import DataModule
from ctr.errors import UserError
from ctr.training import checkpoint, snapshot
from ctr.training.trainer import Trainer


@dataclass(frozen=True)
class Run:
    """The last stage of a run, with its best weights."""

    config: dict[str, Any]
    data: DataModule
    model: nn.Module
    trainer: Trainer


def restore(out: Path, overrides: Sequence[str] = (), trust: Sequence[str] = (), device: str | None = None) -> Run:
    """The run in this folder. `overrides` such as `dataset.root=elsewhere` change where its data are; `device`
    evaluates it elsewhere than it was trained.

    Raises UserError where the folder holds no run, or other weights than its scores are of, or the data are no longer
    those that it was trained on.
    """
    if others := [override for override in overrides if not override.startswith("dataset.")]:
        raise UserError(f"only keys of dataset can be changed, as in dataset.root=elsewhere; found {others[0]}")
    stored = OmegaConf.create(run_folder.read_config(out))
    OmegaConf.set_struct(stored, True)
    try:
        config: Any = OmegaConf.to_container(OmegaConf.merge(stored, OmegaConf.from_dotlist(list(overrides))))
    except OmegaConfBaseException as error:
        raise UserError(f"overrides {list(overrides)}: {str(error).splitlines()[0]}") from error
    name = run_folder.last_stage(out)
    stage = config["stages"][name]
    if "trainer" not in stage:
        raise UserError(f"{out} is the run of a baseline (scripts/baseline.py), which keeps scores and no weights")
    if device is not None:
        stage["trainer"]["device"] = device
    check(config, trust)
    machine.settle_as(out)
    data = build(config["dataset"], trust, "dataset").open()
    scores = run_folder.read_scores(out) if (out / run_folder.SCORES).exists() else {}
    best = checkpoint.load_best(out / name / "checkpoints", scores.get("best_step"))
    snapshot.check_schema(best, data.schema)
    model = build(stage["model"], trust, f"stages.{name}.model", schema=data.schema)
    snapshot.load_weights(model, best)
    return Run(config, data, model, build(stage["trainer"], trust, f"stages.{name}.trainer"))
