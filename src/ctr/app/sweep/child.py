"""The process of one run of a sweep. Importing this is cheap, since the process of the sweep does too."""

from __future__ import annotations

import os
import signal
import sys
import threading
import traceback
from contextlib import suppress
from dataclasses import dataclass
from multiprocessing import parent_process
from multiprocessing.connection import Connection
from pathlib import Path

from omegaconf import DictConfig

from ctr.app.sweep import share
from ctr.errors import Stopped, UserError


@dataclass(frozen=True)
class Work:
    """What a run needs to know. `log` is where it writes what it says, None being the terminal."""

    cfg: DictConfig
    folder: Path
    overrides: list[str]
    job: int
    parallel: bool
    threads: int | None
    log: Path | None


@dataclass(frozen=True)
class Outcome:
    """How a run ended: its score, or why there is none."""

    score: float | None = None
    cause: str = ""
    traceback: str = ""


def main(answer: Connection, work: Work) -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # a terminal sends it to all; the sweep has it, and asks for a stop
    threading.Thread(target=_leave_with_parent, daemon=True).start()
    if work.log is not None:
        log = os.open(work.log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)
        os.dup2(log, sys.stdout.fileno())
        os.dup2(log, sys.stderr.fileno())
    outcome = _outcome(work)
    with suppress(BrokenPipeError):  # nobody is there to hear of it
        answer.send(outcome)


def _leave_with_parent() -> None:
    """The run saves its state and ends when the process of its job is no more, by whatever death."""
    parent = parent_process()
    assert parent is not None
    parent.join()
    os.kill(os.getpid(), signal.SIGTERM)


def _outcome(work: Work) -> Outcome:
    import torch

    from ctr.app import run_folder, stages

    if work.threads is not None:
        torch.set_num_threads(min(work.threads, torch.get_num_threads()))  # where the config leaves it open
    if work.parallel and work.cfg.device == "cuda" and (count := torch.cuda.device_count()) > 1:
        os.environ["CUDA_VISIBLE_DEVICES"] = share.gpu(work.job, count, os.environ.get("CUDA_VISIBLE_DEVICES"))
    try:
        run_folder.wait(work.folder)
        return Outcome(stages.run(work.cfg, work.folder, work.overrides))
    except Stopped as stopped:
        return Outcome(cause=str(stopped))
    except UserError as error:
        return Outcome(cause=str(error))
    except Exception as error:
        last = traceback.format_exception_only(error)[-1].strip()
        return Outcome(cause=last, traceback=traceback.format_exc())
