"""The runs of a table side by side, each a process of its own."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Sequence

from ctr.app import processes as trainings
from ctr.app.processes import Child
from ctr.app.reproduce import scores
from ctr.app.reproduce.runs import Run
from ctr.app.reproduce.time_left import clock, time_left


def launch(
    runs: Sequence[Run],
    processes: int,
    known: dict[str, float],
    say: Callable[[str], None],
    device: str | None = None,
) -> tuple[list[Run], int | None]:
    """Makes the runs, `processes` at a time. Returns those that failed, and the signal that stopped it, if one did.

    `known` are seconds that a run of a row took before, by the row's key: what the time left is told from.
    """
    threads = trainings.threads_each(processes)
    waiting, running, failed, done = deque(runs), list[tuple[Run, Child]](), list[Run](), 0
    took = {key: [seconds] for key, seconds in known.items()}
    with trainings.noted() as stop:
        try:
            while (waiting or running) and stop.signal is None:
                while waiting and len(running) < processes:
                    run = waiting.popleft()
                    running.append((run, trainings.start(run.command(threads, device), run.place, threads)))
                    say(f"[{done}/{len(runs)}] {run.name} begins, {run.log}")
                for run, child in [pair for pair in running if pair[1].process.poll() is not None]:
                    running.remove((run, child))
                    done, seconds = done + 1, child.seconds
                    if said := trainings.failure(child):
                        failed.append(run)
                    else:
                        took.setdefault(run.row.key, []).append(seconds)
                        said = f"{run.row.score} {_score(run)}"
                    left = time_left(waiting, [(other, c.seconds) for other, c in running], processes, took)
                    say(
                        f"[{done}/{len(runs)}] {run.name}: {said}, {clock(seconds)}; "
                        f"{len(running)} running, {len(waiting)} to come{left}"
                    )
                time.sleep(0.05)
        finally:
            trainings.stop([child for _, child in running])
    return failed, stop.signal


def _score(run: Run) -> str:
    value = scores.of_run(run.folder, run.row.score)
    return "undefined" if value is None else f"{value:.5f}"
