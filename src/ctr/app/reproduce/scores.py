"""A score by its name, from the files of a run: what a table shows and a claim compares.

test auc                   of the best weights, as scores.json has them; `valid` likewise
recovered log_loss         (model - base rate) / (law - base rate) on test, where the law behind the data is known
valid rmse at epoch 5      while it was trained; `train loss` is the mean of the epoch, dropout on
seconds, seconds per epoch, epochs, parameters; `seconds of pretrain` is a stage's own
seconds relative to LR     divided by that of the row LR, seed by seed, where both are of the same data and machine
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ctr.app import curves, run_folder
from ctr.errors import UserError, nearest
from ctr.metrics import METRICS

COSTS = ("seconds", "seconds per epoch", "epochs", "parameters")
BASE = ("auc", "log_loss")  # metrics of which the base rate's score is known
AT_EPOCH = re.compile(r"(train loss|valid \w+) at epoch (\d+)")
RELATIVE = re.compile(r"(.+?) relative to (.+)")
OF_STAGE = re.compile(r"(seconds|seconds per epoch|epochs) of (\w+)")


def known(name: Any, where: str) -> str:
    """The name, if it names a score. Raises UserError otherwise."""
    examples = [*COSTS, "train loss at epoch 5", *(f"recovered {metric}" for metric in BASE)]
    examples += [f"{split} {metric}" for split in ("valid", "test") for metric in METRICS]
    plain = relative(str(name))[0]
    if match := AT_EPOCH.fullmatch(plain):
        plain = "train loss at epoch 5" if match[1] == "train loss" else match[1]
    if plain in examples or OF_STAGE.fullmatch(plain):
        return str(name)
    raise UserError(f"{where}: there is no score {name!r}{nearest(plain, examples)}")


def relative(name: str) -> tuple[str, str | None]:
    """The score itself, and the row whose score divides it, if any does."""
    match = RELATIVE.fullmatch(name)
    return (match[1], match[2]) if match else (name, None)


def of_last_stage(name: str) -> str:
    """The same cost, of no stage by name."""
    match = OF_STAGE.fullmatch(name)
    return match[1] if match else name


def is_time(name: str) -> bool:
    return name.startswith("seconds")


def has_better(name: str) -> bool:
    """Is one value of it better than another? Not of a calibration, which is best in between."""
    words = name.split()
    return words[0] not in ("valid", "test") or METRICS[words[1]].higher_is_better is not None


def higher_is_better(name: str) -> bool:
    words = name.split()
    if words[0] in ("valid", "test"):
        return METRICS[words[1]].higher_is_better is not False
    return words[0] == "recovered"


def of_run(folder: Path, name: str) -> float | None:
    """The score of a finished run; None where it has none."""
    if match := AT_EPOCH.fullmatch(name):
        return curves.by_epoch(folder, match[1]).get(int(match[2]))
    scores = run_folder.read_scores(folder)
    if match := OF_STAGE.fullmatch(name):
        stage = scores.get("stages", {}).get(match[2])
        return None if stage is None else _cost(stage, match[1])
    if name in COSTS:
        last = scores.get("stages", {}).get(run_folder.last_stage(folder), scores)
        return _cost(last if name == "seconds per epoch" else scores, name)
    split, metric = name.split()
    if split == "recovered":
        return _recovered(scores, metric)
    value = scores[split].get(metric)
    return None if value is None else float(value)


def _cost(node: Mapping[str, Any], name: str) -> float | None:
    if name == "seconds per epoch":
        return float(node["seconds"]) / node["epochs"] if node.get("epochs") else None
    return None if node.get(name) is None else float(node[name])


def _recovered(scores: Mapping[str, Any], metric: str) -> float | None:
    law, test = scores.get("law_realised", {}), scores["test"]
    if metric not in law or metric not in test or (metric == "log_loss" and "normalized_entropy" not in test):
        return None
    base = 0.5 if metric == "auc" else test["log_loss"] / test["normalized_entropy"]
    return float((test[metric] - base) / (law[metric] - base))
