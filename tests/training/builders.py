"""What the suites of training share: tiny data, shrunk models, a trainer, a run that stops, a look at its traces."""

from __future__ import annotations

import copy
import io
import json
from collections.abc import Callable, Iterator
from dataclasses import asdict
from functools import cache, partial
from pathlib import Path
from typing import Any

import torch
import yaml
from rich.console import Console
from torch import Tensor, nn

import ctr.models
from ctr.batch import Batch, Loader
from ctr.data import Synthetic
from ctr.data.module import Data
from ctr.data.rows import Layout, Rows
from ctr.schema import FeatureSchema
from ctr.training import Constant, LogLoss, Trainer, checkpoint
from ctr.training.dense import OPTIMIZERS
from ctr.training.progress import Progress
from tests.conftest import ROOT

MODELS = sorted(path.stem for path in (ROOT / "configs/model").glob("*.yaml"))


@cache
def data() -> Data:
    """240 rows to train on, in 8 batches of 32 (the last of 16), with a strong first- and second-order effect."""
    return Synthetic(
        num_train=240,
        num_valid=120,
        num_test=40,
        num_fields=4,
        vocabulary=8,
        zipf=0.5,
        effects=[1.5, 1.0],
        rank=1,
        rate=0.4,
        seed=7,
    ).open()


def other_data(**parts: Any) -> Data:
    """The data with another schema or other splits."""
    other = copy.copy(data())
    if "splits" in parts:
        rows = {name: as_rows(part) if isinstance(part, Batch) else part for name, part in parts["splits"].items()}
        parts["splits"] = rows
    for name, part in parts.items():
        setattr(other, name, part)
    return other


def as_rows(batch: Batch) -> Rows:
    """The batch as stored rows."""
    slots = tuple(range(batch.ids.shape[1]))
    optional = [None if part is None else part.numpy() for part in (batch.groups, batch.weights)]
    layout = Layout((0,) * len(slots), slots, slots)
    return Rows(layout, batch.ids.numpy(), batch.values.numpy(), batch.labels.numpy(), *optional)


def model(name: str, schema: FeatureSchema | None = None, seed: int = 1, **changes: Any) -> nn.Module:
    """The model of configs/model/<name>.yaml with small layers, built from this seed."""
    config = yaml.safe_load((ROOT / f"configs/model/{name}.yaml").read_text())
    small = {"embedding_dim": 4, "hidden_dims": [6, 5], "num_buckets": 500}
    small |= {"reduction_ratio": 1} if name == "fibinet" else {}  # one unit, where it is 3, may start dead
    config |= {key: value for key, value in small.items() if key in config} | changes
    torch.manual_seed(seed)
    return getattr(ctr.models, config.pop("_target_").split(".")[-1])(schema or data().schema, **config)


def optimizer(name: str) -> Callable[..., torch.optim.Optimizer]:
    """The optimizer of configs/optimizer/<name>.yaml, as the trainer is given it."""
    config = yaml.safe_load((ROOT / f"configs/optimizer/{name}.yaml").read_text())
    assert config.pop("_partial_")
    return partial(OPTIMIZERS[config.pop("_target_").split(".")[-1]], **config)


def groups(lr: float = 0.02, l2: float = 0.0, **changes: dict[str, float]) -> dict[str, dict[str, float]]:
    """The trainer's `groups`, with changes by group."""
    return {name: {"lr": lr, "l2": l2, **changes.get(name, {})} for name in ("embedding", "linear", "network")}


def trainer(**changes: Any) -> Trainer:
    """Three epochs of 8 steps with Adam, scored by AUC; any argument can be changed."""
    settings: dict[str, Any] = {
        "objective": LogLoss(reduction="mean"),
        "metrics": ["auc", "log_loss"],
        "monitor": "auc",
        "optimizer": optimizer("adam"),
        "groups": groups(),
        "schedule": Constant(),
        "clip_norm": 10.0,
        "batch_size": 32,
        "eval_batch_size": 64,
        "order": "shuffled",
        "max_epochs": 3,
        "max_steps": None,
        "patience": None,
        "eval_every": None,
        "save_every": None,
        "log_every": 1,
        "precision": "fp32",
        "compile": False,
        "profile": False,
        "device": "cpu",
        "seed": 3,
    }
    assert set(changes) <= set(settings), f"the trainer has no {set(changes) - set(settings)}"
    return Trainer(**settings | changes)


def fit(trainer: Trainer, model: nn.Module, out: Path, on: Any = None) -> Progress:
    return trainer.fit(model, on or data(), out, Console(file=io.StringIO()))


class Stopped(Exception):
    """What stands for a kill."""


class Changed:
    """The data with its train batches passed through `change(batch, step)`, steps counted from 1 over all epochs."""

    def __init__(self, change: Callable[[Batch, int], Batch], splits: dict[str, Batch] | None = None):
        self.change, self.inner = change, other_data(splits={**data().splits, **(splits or {})})
        self.schema, self.law, self.summary = self.inner.schema, self.inner.law, self.inner.summary
        self.negatives_kept, self.num_rows, self.mean_label = 1.0, self.inner.num_rows, self.inner.mean_label

    def loader(self, split: str, batch_size: int, **settings: Any) -> Loader:
        loader = self.inner.loader(split, batch_size, **settings)
        return _ChangedLoader(loader, self.change) if split == "train" else loader


class _ChangedLoader:
    def __init__(self, loader: Loader, change: Callable[[Batch, int], Batch]):
        self.loader, self.change = loader, change

    def __len__(self) -> int:
        return len(self.loader)

    def to(self, device: torch.device) -> None:
        """There is room nowhere else."""

    def batches(self, epoch: int = 0, skip: int = 0) -> Iterator[Batch]:
        for i, batch in enumerate(self.loader.batches(epoch, skip), start=1 + epoch * len(self) + skip):
            yield self.change(batch, i)


def stopping_after(step: int) -> Changed:
    """The data of a run that is stopped before its step `step` + 1."""

    def change(batch: Batch, number: int) -> Batch:
        if number > step:
            raise Stopped
        return batch

    return Changed(change)


def records(out: Path, *without: str) -> list[dict[str, float]]:
    """metrics.jsonl, less some names."""
    lines = [json.loads(line) for line in (out / "metrics.jsonl").read_text().splitlines()]
    return [{name: value for name, value in line.items() if name not in without} for line in lines]


def weights(model: nn.Module) -> dict[str, Tensor]:
    """A copy of the model's parameters."""
    return {name: parameter.detach().clone() for name, parameter in model.named_parameters()}


def state(out: Path) -> dict[str, Any]:
    """All that the newest checkpoint of a run holds, flat, less the time it took."""
    stored = checkpoint.load_newest(out / "checkpoints")
    assert stored is not None
    meta = {**stored.meta, "progress": {**stored.meta["progress"], "seconds": None}}
    model = {f"model.{name}": tensor for name, tensor in stored.model.items()}
    return {**asdict(stored)["trainer"], **model, "meta": meta}


def differing(one: dict[str, Any], other: dict[str, Any]) -> list[str]:
    """The names under which two states are not bit for bit the same."""
    assert one.keys() == other.keys()
    return [name for name in one if not _same(one[name], other[name])]


def _same(one: Any, other: Any) -> bool:
    return torch.equal(one, other) if isinstance(one, Tensor) else one == other
