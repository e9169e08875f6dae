"""Runs side by side, each a process of its own: what fails is noted, what is stopped can go on."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from types import FrameType

from ctr import disk
from ctr.app.cli import TRACEBACK
from ctr.app.reproduce import scores
from ctr.app.reproduce.runs import Run
from ctr.app.reproduce.time_left import clock, time_left

PATIENCE = 60.0  # seconds that a stopped run has to save its state
LAST_LINES = 5
SILENT = {"PYTHONUNBUFFERED": "1", "COLUMNS": "160"}


@dataclass
class _Child:
    run: Run
    process: subprocess.Popen[bytes]
    started: float


class Stop:
    """Ctrl-C or SIGTERM, as it came."""

    signal: int | None = None

    def note(self, number: int, frame: FrameType | None) -> None:
        self.signal = number


@contextmanager
def _noted() -> Iterator[Stop]:
    stop = Stop()
    before = {number: signal.signal(number, stop.note) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield stop
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def launch(
    runs: Sequence[Run], processes: int, known: dict[str, float], say: Callable[[str], None]
) -> tuple[list[Run], int | None]:
    """Makes the runs, `processes` at a time. Returns those that failed, and the signal that stopped it, if one did.

    `known` are seconds that a run of a row took before, by the row's key: what the time left is told from.
    """
    threads = max(1, (os.cpu_count() or 1) // processes)
    waiting, running, failed, done = deque(runs), list[_Child](), list[Run](), 0
    took = {key: [seconds] for key, seconds in known.items()}
    with _noted() as stop:
        try:
            while (waiting or running) and stop.signal is None:
                while waiting and len(running) < processes:
                    running.append(_start(waiting.popleft(), threads))
                    say(f"[{done}/{len(runs)}] {running[-1].run.name} begins, {running[-1].run.log}")
                for child in [child for child in running if child.process.poll() is not None]:
                    running.remove(child)
                    done, seconds = done + 1, time.monotonic() - child.started
                    if said := _end(child):
                        failed.append(child.run)
                    else:
                        took.setdefault(child.run.row.key, []).append(seconds)
                        said = f"{child.run.row.score} {_score(child.run)}"
                    left = time_left(waiting, [(c.run, time.monotonic() - c.started) for c in running], processes, took)
                    say(
                        f"[{done}/{len(runs)}] {child.run.name}: {said}, {clock(seconds)}; "
                        f"{len(running)} running, {len(waiting)} to come{left}"
                    )
                time.sleep(0.05)
        finally:
            _stop(running)
    return failed, stop.signal


def _start(run: Run, threads: int) -> _Child:
    """In a group of its own, so that Ctrl-C reaches it through us alone."""
    run.folder.parent.mkdir(parents=True, exist_ok=True)
    run.error.unlink(missing_ok=True)
    environment = {**os.environ, **SILENT, "OMP_NUM_THREADS": str(threads)}
    environment.pop(TRACEBACK, None)  # which our own command has set for itself: a run tells its mistakes in a line
    with run.log.open("ab") as log:
        command = run.command(threads)
        log.write(f"$ {' '.join(command[1:])}\n".encode())
        log.flush()
        process = subprocess.Popen(  # noqa: S603
            command, stdout=log, stderr=subprocess.STDOUT, env=environment, start_new_session=True
        )
    return _Child(run, process, time.monotonic())


def _end(child: _Child) -> str:
    """How a run failed, in a line; empty where it has not. The last lines of what it said are kept beside it."""
    if child.process.returncode == 0 and child.run.finished:
        return ""
    lines = child.run.log.read_text("utf-8", errors="replace").split("\n$ ")[-1].splitlines()[1:]
    lines = [line for line in lines if line.strip()] or ["it said nothing"]
    messages = [i for i, line in enumerate(lines) if line.startswith("error:")]
    said = lines[messages[-1] :] if messages else lines[-LAST_LINES:]
    disk.write_text(child.run.error, "\n".join(said) + "\n")
    return f"FAILED (exit status {child.process.returncode}): {said[0] if messages else said[-1]}"


def _stop(running: Sequence[_Child]) -> None:
    """Asks every run to save and leave, and ends those that do not."""
    for child in running:
        child.process.terminate()
    deadline = time.monotonic() + PATIENCE
    for child in running:
        try:
            child.process.wait(max(0.0, deadline - time.monotonic()))
        except subprocess.TimeoutExpired:
            child.process.kill()
            child.process.wait()


def _score(run: Run) -> str:
    value = scores.of_run(run.folder, run.row.score)
    return "undefined" if value is None else f"{value:.5f}"
