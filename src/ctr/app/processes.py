"""Trainings as processes of their own: begun, watched, stopped. What fails is noted, what is stopped can go on."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import FrameType

from ctr import disk
from ctr.app import run_folder
from ctr.app.cli import TRACEBACK
from ctr.app.datasets import CONFIGS
from ctr.app.words import quoted

CODE = CONFIGS.parent
LAST_LINES = 5
SILENT = {"PYTHONUNBUFFERED": "1", "COLUMNS": "160"}


@dataclass(frozen=True)
class Place:
    """Where a training is: its folder, and beside it what its process has said."""

    folder: Path

    @property
    def log(self) -> Path:
        return self.folder.with_suffix(".log")

    @property
    def error(self) -> Path:
        """The end of the log, where the training has failed when it was last tried."""
        return self.folder.with_suffix(".error")

    @property
    def finished(self) -> bool:
        return (self.folder / run_folder.SCORES).exists()

    def failed(self) -> list[str]:
        return self.error.read_text(encoding="utf-8").splitlines() if self.error.exists() else []


@dataclass
class Child:
    """A training that runs."""

    place: Place
    process: subprocess.Popen[bytes]
    started: float

    @property
    def seconds(self) -> float:
        return time.monotonic() - self.started


class Stop:
    """Ctrl-C or SIGTERM, as it came."""

    signal: int | None = None

    def note(self, number: int, frame: FrameType | None) -> None:
        self.signal = number


@contextmanager
def noted() -> Iterator[Stop]:
    """Notes Ctrl-C and SIGTERM while the block runs."""
    stop = Stop()
    before = {number: signal.signal(number, stop.note) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield stop
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def threads_each(processes: int) -> int:
    """What each of so many trainings gets of the cores."""
    return max(1, (os.cpu_count() or 1) // processes)


def threads_of(folder: Path, otherwise: int) -> int:
    """A training that has begun goes on with its own number of threads, at which alone it repeats bit for bit."""
    begun = (folder / run_folder.CONFIG).exists()
    return (run_folder.read_config(folder).get("threads") if begun else None) or otherwise


def train(said: Iterable[str], folder: Path) -> list[str]:
    """The command of train.py with these overrides, into this folder."""
    return [sys.executable, str(CODE / "train.py"), *said, f"hydra.run.dir={quoted(folder.resolve())}"]


def start(command: Sequence[str], place: Place, threads: int) -> Child:
    """In a group of its own, so that Ctrl-C reaches it through us alone."""
    place.folder.parent.mkdir(parents=True, exist_ok=True)
    place.error.unlink(missing_ok=True)
    environment = {**os.environ, **SILENT, "OMP_NUM_THREADS": str(threads)}
    environment.pop(TRACEBACK, None)  # which our own command has set for itself: a run tells its mistakes in a line
    with place.log.open("ab") as log:
        log.write(f"$ {' '.join(command[1:])}\n".encode())
        log.flush()
        process = subprocess.Popen(  # noqa: S603
            command, stdout=log, stderr=subprocess.STDOUT, env=environment, start_new_session=True
        )
    return Child(place, process, time.monotonic())


def failure(child: Child) -> str:
    """How a training that has ended failed, in a line; empty where it has not. The last lines of what it said are kept
    beside it."""
    if child.process.returncode == 0 and child.place.finished:
        return ""
    lines = child.place.log.read_text("utf-8", errors="replace").split("\n$ ")[-1].splitlines()[1:]
    lines = [line for line in lines if line.strip()] or ["it said nothing"]
    messages = [i for i, line in enumerate(lines) if line.startswith("error:")]
    said = lines[messages[-1] :] if messages else lines[-LAST_LINES:]
    if child.process.returncode < 0:  # as where the machine runs out of memory
        said = [*said, f"ended by signal {-child.process.returncode}"]
    disk.write_text(child.place.error, "\n".join(said) + "\n")
    return f"FAILED (exit status {child.process.returncode}): {said[0] if messages else said[-1]}"


def stop(children: Sequence[Child]) -> None:
    """Asks every training to save and leave, and ends those that do not."""
    for child in children:
        child.process.terminate()
    deadline = time.monotonic() + run_folder.PATIENCE
    for child in children:
        try:
            child.process.wait(max(0.0, deadline - time.monotonic()))
        except subprocess.TimeoutExpired:
            child.process.kill()
            child.process.wait()
