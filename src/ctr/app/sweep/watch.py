"""The process of a run, watched: what becomes of it does not hurt the process that watches."""

from __future__ import annotations

import math
import multiprocessing
import os
import signal
import time
from contextlib import suppress
from multiprocessing.connection import Connection, wait
from multiprocessing.context import BaseContext
from multiprocessing.process import BaseProcess
from pathlib import Path

from ctr.app.run_folder import PATIENCE
from ctr.app.sweep import child, start

EVERY = 0.1  # seconds between two looks


def watched(work: child.Work, stop: Path, belongs: bool) -> child.Outcome:
    """Makes the run in a process of its own, and waits for its end. It is asked to save its state and end early where
    the file `stop` appears, and where this process `belongs` to a sweep's that is no more; then this one leaves too.
    """
    context = _fresh()
    answer, sender = context.Pipe(duplex=False)
    process = context.Process(target=child.main, args=(sender, work), name=work.folder.name)  # type: ignore[attr-defined]
    process.start()
    sender.close()
    try:
        return _outcome(process, answer, stop, belongs)
    except BaseException:
        process.kill()
        raise
    finally:
        process.join()


def _fresh() -> BaseContext:
    """For processes in which nothing has run: forks of one that has imported what a run needs, which takes seconds, and
    no more. On Windows, which has no such thing, each imports for itself."""
    method = "forkserver" if "forkserver" in multiprocessing.get_all_start_methods() else "spawn"
    multiprocessing.set_start_method(method, force=True)  # joblib's own would be told to the new process as its default
    context = multiprocessing.get_context(method)
    context.set_forkserver_preload(["ctr.app.stages"])
    return context


def _outcome(process: BaseProcess, answer: Connection, stop: Path, belongs: bool) -> child.Outcome:
    deadline = math.inf
    while not wait([answer, process.sentinel], EVERY):
        orphaned = belongs and os.getppid() != start.main_process()
        if deadline == math.inf and (stop.exists() or orphaned):
            process.terminate()
            deadline = time.monotonic() + PATIENCE
        if time.monotonic() > deadline:
            process.kill()
    if belongs and os.getppid() != start.main_process():
        os._exit(1)  # nobody waits for what this process would do next
    with suppress(EOFError):
        if answer.poll():
            outcome: child.Outcome = answer.recv()
            return outcome
    process.join()
    return child.Outcome(cause=_death(process.exitcode))


def _death(status: int | None) -> str:
    """Of a process that could not say why."""
    if status is None or status >= 0:
        return f"its process ended with status {status} and no word"
    name = signal.Signals(-status).name
    memory = ", as the system does when memory is short" if name == "SIGKILL" else ""
    return f"its process was killed by {name}{memory}"
