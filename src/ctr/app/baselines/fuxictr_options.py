"""The settings of a config of ours in FuxiCTR's words. What FuxiCTR cannot do is refused by name, so that what runs
there is what the config says.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import torch

from ctr.app.baselines.fuxictr_models import COUNTERPARTS, Counterpart
from ctr.errors import UserError

START = 1e-4  # standard deviation that all of FuxiCTR's tables start with
LOWEST_RATE = 1e-6  # that its plateau schedule goes down to


@dataclass(frozen=True)
class Options:
    target: str  # a class of model_zoo
    model: dict[str, Any]  # its settings
    epochs: int
    clip_norm: float


def of(config: Mapping[str, Any]) -> Options:
    """What a resolved config of train.py is there. Raises UserError where it has no such model, or cannot do what a
    setting says."""
    if len(config["stages"]) > 1:
        raise UserError(f"FuxiCTR trains in one stage, and this config has {', '.join(config['stages'])}")
    settings = dict(config["model"])
    ours = settings.pop("_target_").rpartition(".")[2]
    if ours not in COUNTERPARTS:
        raise UserError(f"FuxiCTR has no model that is our {ours}; it has {', '.join(COUNTERPARTS)}")
    counterpart = COUNTERPARTS[ours]
    options = _model(counterpart, settings) | _loop(config, counterpart) | _place(config["device"])
    return Options(counterpart.target, options, *_length(config))


def _model(counterpart: Counterpart, settings: Mapping[str, Any]) -> dict[str, Any]:
    if unknown := settings.keys() - counterpart.known:
        raise UserError(f"nothing says what model.{min(unknown)} is in FuxiCTR's {counterpart.target}")
    for key, value in {"init_std": START, **counterpart.only}.items():
        if key in settings and settings[key] != value:
            raise UserError(f"FuxiCTR's {counterpart.target} needs model.{key}={value}; the config has {settings[key]}")
    found = {theirs: settings[ours] for ours, theirs in counterpart.names.items()}
    for keys, turn in counterpart.turned.items():
        found |= turn(*(settings[key] for key in keys))
    return found | ({"embedding_dim": settings["embedding_dim"]} if "embedding_dim" in settings else {})


def _loop(config: Mapping[str, Any], counterpart: Counterpart) -> dict[str, Any]:
    """What its models are told of how they are trained."""
    trainer = config["trainer"]
    optimizer, groups, schedule = trainer["optimizer"], trainer["groups"], trainer["schedule"]
    kind = optimizer["_target_"].rpartition(".")[2]
    usual = {"betas": [0.9, 0.999], "eps": 1e-8, "weight_decay": 0.0, "catch_up": True}
    if kind not in ("Adam", "LazyAdam") or any(optimizer.get(key, value) != value for key, value in usual.items()):
        raise UserError(f"FuxiCTR is run with Adam as torch has it; the config has {dict(optimizer)}")
    if trainer["objective"] != {"_target_": "ctr.training.LogLoss", "reduction": "mean"}:
        raise UserError(f"FuxiCTR has the mean log loss; the config has {dict(trainer['objective'])}")
    if len(rates := {group["lr"] for group in groups.values()}) > 1:
        raise UserError(f"FuxiCTR has one learning rate; the config's groups have {sorted(rates)}")
    network = "network" not in counterpart.groups and groups["network"]["l2"]
    l2 = {groups[name]["l2"] for name in counterpart.groups}
    if len(l2) > 1 or network:
        raise UserError(
            f"FuxiCTR's {counterpart.target} has one L2, on {' and '.join(counterpart.groups)}; trainer.groups has "
            + ", ".join(f"{group['l2']} on {name}" for name, group in groups.items())
        )
    for key, value in {"max_steps": None, "eval_every": None, "order": "shuffled", "precision": "fp32"}.items():
        if trainer[key] != value:
            said = "null" if value is None else value
            raise UserError(f"FuxiCTR is run with trainer.{key}={said}; the config has {trainer[key]}")
    if config["start"] != "zero":
        raise UserError("FuxiCTR's constants start at 0: say start=zero, or trainer=bars")
    if trainer["batch_size"] is None:
        raise UserError("say the batch size for FuxiCTR, such as trainer.batch_size=4096, or trainer=bars")
    monitors = {"auc": ("AUC", "max"), "log_loss": ("logloss", "min")}
    if trainer["monitor"] not in monitors:
        raise UserError(f"FuxiCTR monitors auc or log_loss; the config has {trainer['monitor']}")
    monitor, mode = monitors[trainer["monitor"]]
    rate = rates.pop()
    return {
        "learning_rate": rate,
        counterpart.l2: float(l2.pop()) or None,  # a whole number is no L2 to it
        "batch_size": trainer["batch_size"],
        "early_stop_patience": 10**9 if trainer["patience"] is None else trainer["patience"],
        "reduce_lr_on_plateau": _plateau(schedule, rate),
        "monitor": monitor,
        "monitor_mode": mode,
        "optimizer": "adam",
        "loss": "binary_crossentropy",
        "metrics": ["AUC", "logloss"],
    }


def _plateau(schedule: Mapping[str, Any], rate: float) -> bool:
    kind = schedule["_target_"].rpartition(".")[2]
    if kind == "Constant":
        return False
    theirs = {"factor": 0.1, "patience": 1, "min_scale": LOWEST_RATE / rate}
    if kind != "Plateau" or any(abs(schedule[key] - value) > 1e-9 for key, value in theirs.items()):
        raise UserError(f"FuxiCTR has schedule constant, or plateau with {theirs}; the config has {kind}")
    return True


def _place(device: str) -> dict[str, int]:
    """Of its GPUs the number; nothing for a CPU, its default."""
    where = torch.device(device)
    return {"gpu": where.index or 0} if where.type == "cuda" else {}


def _length(config: Mapping[str, Any]) -> tuple[int, float]:
    trainer = config["trainer"]
    clip = float("inf") if trainer["clip_norm"] is None else trainer["clip_norm"]
    return trainer["max_epochs"], clip
