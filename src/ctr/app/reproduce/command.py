"""What `scripts/reproduce.py` does: list, run what is missing, write."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from ctr.app.reproduce import launch, reading, records, report, runs, time_left
from ctr.app.reproduce.results import Results
from ctr.app.reproduce.table import Row, Table
from ctr.errors import UserError


@dataclass(frozen=True)
class Request:
    """The command line."""

    table: str
    seeds: tuple[int, ...]  # none: those of the budget
    budget: str
    processes: int
    root: Path
    out: Path
    only: tuple[str, ...]
    said: str  # the command as typed
    records: bool = False  # do recorded runs count as made?
    device: str | None = None  # of every run; None: what its config says

    def read(self, folder: Path = reading.TABLES) -> tuple[Table, list[Row], tuple[int, ...]]:
        """The table, the rows to run, and their repetitions."""
        table = reading.read(self.table, folder)
        if self.processes < 1:
            raise UserError(f"--processes must be at least 1, found {self.processes}")
        return table, table.chosen(self.budget, self.only), self.seeds or table.seeds[self.budget]


def listing(request: Request, folder: Path = reading.TABLES) -> str:
    """A line a row: its budget, how many of its runs are there, and why it cannot run (with --only of these alone)."""
    table, chosen, numbers = request.read(folder)
    lines = [f"{table.name}: {table.title}"]
    for row in table.rows:
        there = sum(run.finished for run in runs.of_rows([row], numbers, request.root))
        mark = "*" if row in chosen else " "
        trouble = _why_not(row) if row in chosen or not request.only else ""
        told = (
            f"{mark} {row.name:<32} {'quick' if row.quick else 'full':<6}{there}/{len(numbers)}  {trouble or row.note}"
        )
        lines.append(told.rstrip())
    return "\n".join(
        [*lines, f"* of this budget: {len(chosen)} rows, {table.repetition}s {', '.join(map(str, numbers))}"]
    )


def _why_not(row: Row) -> str:
    try:
        runs.config(row)
    except UserError as error:
        return f"does not compose: {error}"
    return ""


def reproduce(
    request: Request, say: Callable[[str], None], run: bool = True, folder: Path = reading.TABLES
) -> tuple[list[runs.Run], int | None]:
    """Runs what is missing, if asked to, and writes the table. Returns what failed, and the signal that stopped it."""
    table, chosen, numbers = request.read(folder)
    if request.records and (there := records.unpack(table.name, request.out, request.root)):
        say(f"{table.name}: {there} runs are taken from {records.path(request.out, table.name)}")
    wanted = runs.of_rows(chosen, numbers, request.root)
    missing = [one for one in wanted if not one.finished]
    failed: list[runs.Run] = []
    stopped: int | None = None
    if run and missing:
        say(f"{table.name}: {len(wanted) - len(missing)} of {len(wanted)} runs are there, {len(missing)} to make")
        before = time_left.known_seconds([made for row in chosen for made in runs.finished(row, request.root)])
        began = time.monotonic()
        failed, stopped = launch.launch(missing, request.processes, before, say, request.device)
        say(f"{len(missing)} runs asked for, {len(failed)} failed, {time_left.clock(time.monotonic() - began)}")
    asked = {row.name: row for row in [*table.chosen(request.budget), *chosen]}
    results = Results(table, request.root, tuple(runs.of_rows(asked.values(), numbers, request.root)))
    for run_folder, what in results.outdated.items():
        say(f"left out, since its config is another by now: {run_folder} ({what}); delete it to repeat the run")
    say(f"table {report.write(results, request.out, request.said)}")
    return failed, stopped


def failures(failed: Sequence[runs.Run]) -> str:
    """What failed, with the last lines that each has said."""
    told = ["\n".join([f"{run.name}: {run.log}", *(f"    {line}" for line in run.failed())]) for run in failed]
    return "\n".join([f"{len(failed)} runs failed:", *told])
