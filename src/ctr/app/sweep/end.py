"""The end of a sweep: what failed, the table of what did not, and what to do with it."""

from __future__ import annotations

import signal
import sys
from collections.abc import Callable
from concurrent.futures.process import BrokenProcessPool
from pathlib import Path
from typing import Any

from ctr.app import summary
from ctr.app.sweep import failures
from ctr.app.sweep.start import Sweep
from ctr.errors import Stopped, UserError


def to_the_end(main: Callable[[], Any]) -> None:
    """Runs `main`. Where it was a sweep, tells how that ended, and leaves with status 1 if a run failed, with 130 or
    143 if it was stopped; any other command passes as it is."""
    error: BaseException | None = None
    try:
        main()
    except (Exception, Stopped, KeyboardInterrupt) as raised:
        if Sweep.here is None:
            raise
        error = raised
    if (sweep := Sweep.here) is None:
        return
    sweep.end()
    if failed := failures.of_sweep(sweep.folder):
        print(failures.listing(failed), file=sys.stderr)
    if sweep.signal is not None or isinstance(error, KeyboardInterrupt):
        print(f"stopped; the same command goes on ({summary.short(sweep.folder)})", file=sys.stderr)
        sys.exit(128 + (sweep.signal or signal.SIGINT))
    if not failed and error is not None and not isinstance(error, BrokenProcessPool):
        raise error
    _show(sweep.folder)
    if isinstance(error, BrokenProcessPool):
        raise UserError(
            "a process of the launcher was killed, and the launcher has ended those beside it; the same command goes on"
        ) from error
    if error is not None and not isinstance(error, UserError):
        raise error
    if failed:
        sys.exit(1)


def _show(folder: Path) -> None:
    """The table of the runs in this folder, if any has finished."""
    from ctr.app import tables  # here: it takes seconds to import

    shown = summary.short(folder)
    try:
        print(tables.shown([folder]))
    except UserError as error:
        print(error, file=sys.stderr)
        return
    print(
        f"sweep       {shown}; hydra.sweep.dir={shown} adds other values to it\n"
        f"compare     python scripts/compare.py {shown}\n"
        f"look at it  python scripts/report.py {shown}, tensorboard --logdir {shown}",
        flush=True,
    )
