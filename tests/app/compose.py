"""Configs as the command line composes them, and small runs in this process."""

import json
from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any

import yaml
from hydra import compose, initialize_config_dir
from omegaconf import DictConfig
from rich.console import Console

from ctr.app import stages
from ctr.app.config import plain
from tests.conftest import ROOT

TINY = [
    "trainer=debug",
    "dataset.num_train=2000",
    "dataset.num_valid=500",
    "dataset.num_test=500",
    "dataset.num_fields=4",
    "dataset.vocabulary=20",
    "threads=1",
    "board=scalars",
]


def config(*overrides: str) -> DictConfig:
    with initialize_config_dir(str(ROOT / "configs"), version_base="1.3"):
        return compose("train", overrides=list(overrides))


def tiny_run(out: Path, *overrides: str) -> float:
    """A run of 20 steps on 2,000 synthetic rows."""
    everything = [*TINY, *overrides]
    return stages.run(config(*everything), out, everything, Console(quiet=True))


def written_run(folder: Path, overrides: Sequence[str], seed: int, scores: Mapping[str, Any]) -> Path:
    """The folder of a run that nobody trained: what a composed config and these scores leave. `scores` are of the test
    split, unless they say otherwise."""
    folder.mkdir(parents=True)
    said = ["threads=1", *overrides, f"seed={seed}"]
    composed = plain(_composed(tuple(overrides)))
    composed["seed"] = seed
    (folder / "config.yaml").write_text(yaml.safe_dump(composed, sort_keys=False))
    (folder / "overrides.yaml").write_text(yaml.safe_dump(said))
    data = {split: {"num_rows": 4, "labels": "1a2b"} for split in ("valid", "test")}
    costs = {"parameters": 10, "epochs": 2, "seconds": 3.5, "memory": {"resident_mib": 100.0, "cuda_mib": None}}
    whole = {"test": scores} if "test" not in scores else scores
    (folder / "scores.json").write_text(json.dumps({"monitor": "auc", "data": data, **costs, **whole}))
    fields = [{"name": "user", "kind": "categorical", "num_features": 3}]
    (folder / "schema.json").write_text(json.dumps({"fields": fields}))
    return folder


@cache
def _composed(overrides: tuple[str, ...]) -> DictConfig:
    return config(*overrides)
