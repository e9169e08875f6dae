"""What the process of a sweep has to know from its first job to its last: where it is, and whether it shall stop."""

from __future__ import annotations

import importlib.util
import os
import secrets
import signal
import sys
import warnings
from pathlib import Path
from types import FrameType
from typing import Any, ClassVar

from hydra.experimental.callback import Callback
from omegaconf import DictConfig, OmegaConf

from ctr.app.sweep import names, share

# What configs/ asks for. What is cached goes on from the sweep to its jobs, whose words are others.
OmegaConf.register_new_resolver("sweep_name", names.sweep_name, use_cache=True, replace=True)
OmegaConf.register_new_resolver("run_name", names.run_name, replace=True)
OmegaConf.register_new_resolver("parallel_jobs", share.default_jobs, use_cache=True, replace=True)
warnings.filterwarnings("ignore", r"\s*'hydra/launcher/joblib' is validated against ConfigStore")  # as it shall be

TOKEN = "CTR_SWEEP"  # noqa: S105 - in the environment of all processes of a sweep: its process's id, and a word of its own


class Sweep(Callback):
    """Called by Hydra, as configs/train.yaml says. Ctrl-C and SIGTERM are noted in a file, which all jobs watch,
    wherever they run: each saves its run and ends, those to come end at once, and so does the sweep.

    A second Ctrl-C does not wait for that.
    """

    here: ClassVar[Sweep | None] = None  # the sweep of this process

    folder: Path
    signal: int | None = None

    def on_multirun_start(self, config: DictConfig, **_: Any) -> None:
        _check_launcher(str(config.hydra.launcher._target_))
        self.folder = Path(config.hydra.sweep.dir)
        os.environ[TOKEN] = f"{os.getpid()}-{secrets.token_hex(4)}"
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, self.note)
        Sweep.here = self

    def note(self, number: int, frame: FrameType | None) -> None:
        if self.signal is not None:
            raise KeyboardInterrupt
        self.signal = number
        self.folder.mkdir(parents=True, exist_ok=True)
        stop_file(self.folder).touch()

    def end(self) -> None:
        stop_file(self.folder).unlink(missing_ok=True)
        Sweep.here = None


def token() -> str:
    return os.environ[TOKEN]


def main_process() -> int:
    """The process that the user has started."""
    return int(token().split("-")[0])


def stop_file(folder: Path) -> Path:
    return folder / f".stop-{token()}"


def _check_launcher(target: str) -> None:
    """Leaves, where the launcher is not installed: Hydra would only warn of an exception here."""
    package = ".".join(target.split(".")[:2])
    try:
        found = importlib.util.find_spec(package)
    except ModuleNotFoundError:
        found = None
    if found is None:
        sys.exit(f"error: {package} is not installed; the extra `launch` brings it: pip install -e '.[launch]'")
