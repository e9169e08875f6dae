"""A dataset by the name of its config, for scripts that train nothing."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ctr.app.composed import CONFIGS as CONFIGS
from ctr.app.composed import compose
from ctr.app.config import build, check, plain
from ctr.batch import DataModule


def dataset_config(name: str, overrides: Sequence[str] = ()) -> dict[str, Any]:
    """What configs/dataset/<name>.yaml says; `overrides` as on the command line of train.py."""
    config = plain(compose([f"dataset={name}", *overrides]))
    check(config["dataset"], path="dataset")
    dataset: dict[str, Any] = config["dataset"]
    return dataset


def open_dataset(name: str, overrides: Sequence[str] = ()) -> DataModule:
    """The data of configs/dataset/<name>.yaml, prepared if need be."""
    data: DataModule = build(dataset_config(name, overrides), [], "dataset").open()
    return data
