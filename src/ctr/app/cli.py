"""From the command line to a run, and from an error to one clear message. Imports no torch until a run begins."""

from __future__ import annotations

import argparse
import math
import os
import secrets
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import hydra
from hydra.core.hydra_config import HydraConfig
from hydra.errors import HydraException, MissingConfigException
from hydra.types import RunMode
from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException

from ctr.app import run_folder
from ctr.app.sweep import job
from ctr.app.sweep.end import to_the_end
from ctr.errors import Stopped, UserError, nearest

MENDABLE = (UserError, HydraException, OmegaConfBaseException, OSError)  # by the user, and told without a traceback
TRACEBACK = "HYDRA_FULL_ERROR"  # set to 1 in the environment to see tracebacks

OmegaConf.register_new_resolver("run_id", lambda: secrets.token_hex(3), use_cache=True, replace=True)


def train(configs: Path) -> None:
    """`train.py`: composes the config from the command line, runs it, and hands a sweep its score."""
    failed: list[Exception] = []

    @hydra.main(version_base="1.3", config_path=str(configs), config_name="train")
    def main(cfg: DictConfig) -> float:
        now = HydraConfig.get()
        if now.mode is RunMode.MULTIRUN:
            return job.run(cfg, now)
        try:
            return _run(cfg, Path(now.runtime.output_dir), list(now.overrides.task))
        except MENDABLE as error:
            failed.append(error)  # past Hydra, which would repeat the whole command on the way
            return math.nan

    def whole() -> None:
        to_the_end(main)
        if failed:
            raise failed[0]

    guard(whole)


def _run(cfg: DictConfig, out: Path, overrides: list[str]) -> float:
    """A run, which says how it goes on where it is stopped."""
    go_on = f"the same command with {run_folder.word(out)} goes on"
    try:
        from ctr.app import stages  # here, so that --help and tab completion need not import torch

        return stages.run(cfg, out, overrides)
    except Stopped as stopped:
        raise Stopped(f"{stopped}; {go_on}") from stopped
    except KeyboardInterrupt as stopped:
        raise KeyboardInterrupt(go_on) from stopped


def add_trust(parser: argparse.ArgumentParser) -> None:
    """The option of scripts that build what a config names."""
    says = "a package of your own whose classes configs name; may be repeated"
    parser.add_argument("--trust", action="append", default=[], metavar="PACKAGE", help=says)


def add_table_options(parser: argparse.ArgumentParser) -> None:
    """The options of scripts that print tables of finished runs."""
    parser.add_argument("--split", choices=["valid", "test"], default="test")
    parser.add_argument("--metrics", default="", help="such as auc,log_loss, or all; the first two by default")
    parser.add_argument("--format", choices=["text", "markdown", "latex", "csv", "html"], default="text")


def guard(main: Callable[[], Any]) -> None:
    """Runs `main`; what the user can mend is told in one message, with exit status 1 and without a traceback."""
    if os.environ.get(TRACEBACK) == "1":
        main()
        return
    os.environ[TRACEBACK] = "1"  # Hydra hands its errors on instead of printing them itself
    try:
        main()
    except BrokenPipeError:  # the reader of our output, such as `| head`, has seen enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    except MENDABLE as error:
        print(f"error: {explain(error)}", file=sys.stderr)
        sys.exit(1)
    except KeyboardInterrupt as error:
        print("; ".join(["stopped", *map(str, error.args)]), file=sys.stderr)
        sys.exit(130)
    except Stopped as error:
        print(error, file=sys.stderr)
        sys.exit(143)


def explain(error: Exception) -> str:
    """The error's message, with the nearest known key or choice where one was misspelled."""
    message = str(error).strip()
    if isinstance(error, UserError):
        return message
    if isinstance(error, MissingConfigException) and error.options and error.missing_cfg_file:
        choice = error.missing_cfg_file.split("/")[-1]
        choices = ", ".join(error.options)
        more = "; `pip install -e '.[launch]'` brings others" if "hydra/launcher/" in error.missing_cfg_file else ""
        return f"there is no {error.missing_cfg_file}; there are {choices}{nearest(choice, error.options)}{more}"
    cause: BaseException | None = error
    while cause is not None and not isinstance(cause, OmegaConfBaseException):
        cause = cause.__cause__
    if isinstance(cause, OmegaConfBaseException) and cause.parent_node is not None and cause.key is not None:
        known = [str(key) for key in cause.parent_node]
        return f"{message.splitlines()[0]} Known keys there: {', '.join(known)}{nearest(cause.key, known)}"
    return message
