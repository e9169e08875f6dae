"""The run of a baseline: a folder like that of `train.py`, so that tables take it as a row."""

from __future__ import annotations

import importlib
import secrets
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from rich.console import Console
from threadpoolctl import threadpool_limits

from ctr.app import machine, run_folder, same_data, summary
from ctr.app.baselines import matrices
from ctr.app.baselines.fitting import Fitted, Learner, Splits
from ctr.app.baselines.learners import LEARNERS
from ctr.app.composed import checked, compose
from ctr.app.config import build
from ctr.batch import Batch, DataModule
from ctr.errors import UserError, nearest
from ctr.metrics import Scores, score
from ctr.metrics.calibration import undo_down_sampling
from ctr.training import memory
from ctr.training.evaluate import as_predictions
from ctr.training.objective import LogLoss
from ctr.training.trainer import Trainer

READ = ("dataset", "task", "metrics", "monitor", "seed", "threads")  # keys that a baseline has a use for


def run(name: str, overrides: Sequence[str], out: Path | None, console: Console) -> Path:
    """Fits the baseline, scores it on valid and, once, on test, and returns its folder."""
    if name not in LEARNERS:
        raise UserError(f"there is no baseline {name!r}; there are {', '.join(LEARNERS)}{nearest(name, LEARNERS)}")
    learner = LEARNERS[name]
    for override in overrides:
        key = override.lstrip("+~").split("=")[0]
        if learner.read is None and key.split(".")[0] not in READ:
            raise UserError(f"{override}: a baseline reads {', '.join(READ)}, and nothing else{nearest(key, READ)}")
    config = checked(compose(overrides))
    trainer: Trainer = build(config["trainer"], [], "trainer")
    if not isinstance(trainer.objective, LogLoss):
        raise UserError("a baseline predicts the probability of a label of 0 or 1: use task=binary")
    options = learner.read(config) if learner.read else None  # what it cannot do is said before data are read
    learner.require()
    out = out or _new_folder(name, config)
    with run_folder.lock(out):
        memory.forget_peak()
        threads = _begin(learner, out, config, overrides, trainer)
        data: DataModule = build(config["dataset"], [], "dataset").open()
        run_folder.write_json(out / "schema.json", data.schema.to_json())
        console.print(f"{name} on\n{data.summary}", soft_wrap=True, highlight=False)
        began = time.perf_counter()
        parts = {split: matrices.read(data, split) for split in ("train", "valid", "test")}
        with threadpool_limits(threads):
            fitted = learner.fit(
                Splits(
                    data.schema,
                    parts,
                    lambda z: _gain(trainer, data, parts, z),
                    config["seed"],
                    threads,
                    options,
                    console.print,
                )
            )
        seconds = round(time.perf_counter() - began, 2)
        _finish(learner, out, config, trainer, data, parts, fitted, seconds, console)
    return out


def _new_folder(name: str, config: Mapping[str, Any]) -> Path:
    return Path(
        "outputs", summary.dataset(config), name, f"{time.strftime('%Y-%m-%d_%H-%M-%S')}-{secrets.token_hex(3)}"
    )


def _begin(learner: Learner, out: Path, config: Mapping[str, Any], overrides: Sequence[str], trainer: Trainer) -> int:
    """The folder's facts; returns the number of threads."""
    run_folder.begin(out, config, list(overrides))
    machine.settle(out, config, {"train": trainer})
    facts = machine.recorded(out)
    facts["versions"][learner.library] = importlib.import_module(learner.library).__version__
    facts["kernels"] = "no"  # of ours
    run_folder.write_json(out / machine.MACHINE, facts)
    return int(facts["threads"])


def _scores(trainer: Trainer, data: DataModule, part: Batch, logits: np.ndarray) -> Scores:
    z = undo_down_sampling(torch.from_numpy(np.asarray(logits, dtype=np.float64)), data.negatives_kept)
    weights = None if part.weights is None else part.weights.double()
    return score(as_predictions(z, part.labels.double(), trainer.objective, weights, part.groups), trainer.metrics)


def _gain(trainer: Trainer, data: DataModule, parts: Mapping[str, Batch], logits: np.ndarray) -> float:
    """The monitored score on valid, so that more is better."""
    values = _scores(trainer, data, parts["valid"], logits)
    name = trainer.monitor.name
    if name not in values.values:
        raise UserError(f"{name} of the valid split is undefined: {values.undefined[name]}; choose another monitor")
    return values.values[name] if trainer.monitor.higher_is_better else -values.values[name]


def _finish(
    learner: Learner,
    out: Path,
    config: dict[str, Any],
    trainer: Trainer,
    data: DataModule,
    parts: Mapping[str, Batch],
    fitted: Fitted,
    seconds: float,
    console: Console,
) -> None:
    found = {split: _scores(trainer, data, parts[split], logits).to_json() for split, logits in fitted.logits.items()}
    for part in ("claim",) if learner.read else ("claim", "model", "trainer"):
        config.pop(part)
    config["stages"] = {"train": {"model": {"_target_": fitted.target, **fitted.settings}}}
    run_folder.begin(out, config, run_folder.read_overrides(out))
    run_folder.write_json(
        out / run_folder.SCORES,
        {
            **found,
            **{f"law_{name}": law.to_json() for name, law in trainer.evaluate_law(data, "test").items()},
            "monitor": trainer.monitor.name,
            "steps": fitted.steps,
            "epochs": fitted.epochs,
            "parameters": fitted.parameters,
            "seconds": seconds,
            "memory": memory.peak(),
            "data": same_data.fingerprints(data),
            "chosen": dict(fitted.settings),
            "claim": None,
        },
    )
    shown = ", ".join(
        f"{split} {name} {value:.5f}" for split in found for name, value in list(found[split].items())[:2]
    )
    chosen = ", ".join(f"{key}={value}" for key, value in fitted.settings.items())
    console.print(f"{chosen}; {shown}\nrun  {out}", soft_wrap=True, highlight=False)
