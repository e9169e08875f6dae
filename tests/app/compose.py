"""Configs as the command line composes them, and small runs in this process."""

from pathlib import Path

from hydra import compose, initialize_config_dir
from omegaconf import DictConfig
from rich.console import Console

from ctr.app import stages
from tests.conftest import ROOT

TINY = [
    "trainer=debug",
    "dataset.num_train=2000",
    "dataset.num_valid=500",
    "dataset.num_test=500",
    "dataset.num_fields=4",
    "dataset.vocabulary=20",
    "threads=1",
]


def config(*overrides: str) -> DictConfig:
    with initialize_config_dir(str(ROOT / "configs"), version_base="1.3"):
        return compose("train", overrides=list(overrides))


def tiny_run(out: Path, *overrides: str) -> float:
    """A run of 20 steps on 2,000 synthetic rows."""
    everything = [*TINY, *overrides]
    return stages.run(config(*everything), out, everything, Console(quiet=True))
