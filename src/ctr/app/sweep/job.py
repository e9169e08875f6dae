"""One job of a sweep, in the process that Hydra's launcher has chosen for it."""

from __future__ import annotations

import math
import os
import signal
import sys
import time
from pathlib import Path
from typing import Any

from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException

from ctr.app import run_folder, summary
from ctr.app.sweep import child, failures, share, start, watch
from ctr.errors import Stopped, UserError

LOG = "log.txt"  # what a run says while others run beside it


def run(cfg: DictConfig, hydra: Any) -> float:
    """The run's monitored score on valid; a finished run of this very config is not repeated, and nothing is opened.

    A run that fails leaves a record, and NaN for Hydra's own sweeper, which would begin no further batch of jobs after
    an error; other sweepers get the UserError, which they may count. Where the sweep is asked to stop, its own process
    raises Stopped, and jobs in other processes end as if they had failed, without a record.
    """
    folder, stop = Path(hydra.runtime.output_dir), start.stop_file(Path(hydra.sweep.dir))
    own = os.getpid() == start.main_process()
    if not own:
        signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the sweep's own process
    failures.forget(folder)
    cause = "the sweep is stopped"
    if not stop.exists():
        outcome = _outcome(cfg, folder, hydra, stop)
        if outcome.score is not None:
            return outcome.score
        if not stop.exists():
            cause = outcome.cause
            failures.record(folder, [*failures.configs(hydra), *hydra.overrides.task], outcome)
            print(f"error in {summary.short(folder)}: {cause}", file=sys.stderr, flush=True)
    if own and stop.exists():
        raise Stopped(cause)
    if str(hydra.sweeper._target_).endswith(".BasicSweeper"):
        return math.nan
    raise UserError(f"{folder.name}: {cause}")


def _outcome(cfg: DictConfig, folder: Path, hydra: Any, stop: Path) -> child.Outcome:
    try:
        return _finished(cfg, folder) or _trained(cfg, folder, hydra, stop)
    except UserError as error:
        return child.Outcome(cause=str(error))


def _finished(cfg: DictConfig, folder: Path) -> child.Outcome | None:
    try:
        config: Any = OmegaConf.to_container(cfg, resolve=True)
    except OmegaConfBaseException:
        return None  # the run will say what is wrong
    score = run_folder.finished(folder, config)
    if score is None:
        return None
    print(f"{folder.name} has finished already: valid {cfg.monitor} {score:.5f}", flush=True)
    return child.Outcome(score)


def _trained(cfg: DictConfig, folder: Path, hydra: Any, stop: Path) -> child.Outcome:
    parallel = share.parallel(hydra.launcher)
    work = child.Work(
        cfg=cfg,
        folder=folder,
        overrides=list(hydra.overrides.task),
        job=int(hydra.job.num),
        parallel=parallel,
        threads=share.threads(hydra.launcher, share.cores()),
        log=folder / LOG if parallel else None,
    )
    if parallel:
        print(f"{folder.name} begins; what it says is in {summary.short(folder / LOG)}", flush=True)
    began = time.monotonic()
    worker = str(hydra.launcher._target_).endswith(".JoblibLauncher") and os.getpid() != start.main_process()
    outcome = watch.watched(work, stop, belongs=worker)  # submitit's jobs have another parent, and Slurm's may stay
    if parallel and outcome.score is not None:
        seconds = time.monotonic() - began
        print(f"{folder.name} ends: valid {cfg.monitor} {outcome.score:.5f}, {seconds:.0f} s", flush=True)
    return outcome
