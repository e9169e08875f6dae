"""Whether other processes leave a run the cores that its threads want.

The threads of a run wait for each other many times a step, and do so awake. Where one of them has no core of its own,
the others wait for the scheduler: two runs of two threads on two cores take longer than one after the other.
"""

from __future__ import annotations

import os
import time
from pathlib import Path

STAT = Path("/proc/stat")


def warning(threads: int, seconds: float = 0.2) -> str | None:
    """What to tell of a machine whose other processes are busy, as far as this system counts (Linux)."""
    if threads == 1 or (before := _ticks()) is None:
        return None
    time.sleep(seconds)
    after = _ticks()
    cores = os.cpu_count() or 1
    if after is None or (passed := sum(after) - sum(before)) <= 0:
        return None
    idle = cores * (after[3] + after[4] - before[3] - before[4]) / passed
    if idle > threads - 0.5:
        return None
    return (
        f"other processes keep {cores - idle:.1f} of {cores} cores busy, and {threads} threads that lack a core slow "
        f"each other down; while those are busy, threads={max(1, int(idle + 0.5))} is faster (docs/performance.md)"
    )


def _ticks() -> list[int] | None:
    """What all cores together have spent since the start: as user, nice, system, idle, waiting for a disk, and more."""
    try:
        return [int(number) for number in STAT.read_text().split("\n", 1)[0].split()[1:9]]
    except (OSError, ValueError):
        return None
