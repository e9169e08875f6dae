"""What the runs of a table have left: read from their files, and from nowhere else."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from ctr.app import machine, run_folder
from ctr.app.facts import facts
from ctr.app.reproduce import runs, scores
from ctr.app.reproduce.runs import Run
from ctr.app.reproduce.table import Row, Side, Table
from ctr.app.reproduce.verdicts import Verdict, judge

# of machine.json: runs that share them have like times
TIMED = ("threads", "processor", "cores", "instructions", "bf16", "gpu")
MARKS = {  # by the folder of the data
    "frappe": (
        "train negatives re-drawn",
        "valid and test are the published files row for row, and so are train's positives; the items of train's "
        "negatives are another draw, so a number compares with a published one as a rerun would (the mark goes by the "
        "name of the folder; of files from scripts/download.py it is not so)",
    )
}


@dataclass(frozen=True)
class Results:
    """The finished runs of a table's rows, and what is missing of those that were asked for."""

    table: Table
    root: Path
    wanted: tuple[Run, ...]

    @cached_property
    def finished(self) -> Mapping[str, Sequence[Run]]:
        """By row. A run counts where its config still says what it was made with."""
        every = {row.name: runs.finished(row, self.root) for row in self.table.rows}
        return {name: [run for run in made if run.folder not in self.outdated] for name, made in every.items()}

    @cached_property
    def outdated(self) -> Mapping[Path, str]:
        """Folders of finished runs whose row is by now another, with what has changed."""
        each = [runs.outdated(runs.finished(row, self.root)) for row in self.table.rows]
        return {folder: what for changed in each for folder, what in changed.items()}

    @cached_property
    def timed(self) -> set[Path]:
        """Folders of the runs whose times compare: those on the machine, and with the threads, that most have had."""
        by_machine: dict[str, set[Path]] = {}
        for run in self.every_run():
            by_machine.setdefault(_class_of_machine(run), set()).add(run.folder)
        return max(by_machine.values(), key=len, default=set())

    @cached_property
    def verdicts(self) -> Sequence[Verdict]:
        return judge(self.table.claims, self.of)

    @property
    def missing(self) -> list[Run]:
        return [run for run in self.wanted if not run.finished]

    @property
    def rows(self) -> list[Row]:
        """Those that were asked for, and those that have run."""
        asked = {run.row.name for run in self.wanted}
        return [row for row in self.table.rows if row.name in asked or self.finished[row.name]]

    def of(self, side: Side) -> dict[int, float]:
        """A row's score by repetition, where it has one."""
        score, base = scores.relative(side.score)
        if base is not None:
            return self._relative(side.row, score, base)
        made = self.finished[side.row]
        if scores.is_time(side.score):
            made = [run for run in made if run.folder in self.timed]
        values = {run.number: scores.of_run(run.folder, side.score) for run in made}
        return {number: value for number, value in values.items() if value is not None}

    def _relative(self, row: str, score: str, base: str) -> dict[int, float]:
        """The row's score divided by that of `base`, where both are of the same data and, if it is a time, of the like
        machine. A stage's own is divided by the other's last stage."""
        divisors = {run.number: run for run in self.finished[base]}
        found = {}
        for run in self.finished[row]:
            other = divisors.get(run.number)
            if other is None or data_folder(run) != data_folder(other):
                continue
            if scores.is_time(score) and _class_of_machine(run) != _class_of_machine(other):
                continue
            own, divisor = scores.of_run(run.folder, score), scores.of_run(other.folder, scores.of_last_stage(score))
            if own is not None and divisor:
                found[run.number] = own / divisor
        return found

    def every_run(self) -> list[Run]:
        return [run for row in self.rows for run in self.finished[row.name]]

    def data_of(self, row: Row) -> str:
        """The data that the row's runs say they were made on, with their mark."""
        folders = [data_folder(run) for run in self.finished[row.name][:1]]
        return ", ".join(f"{name}, {MARKS[name][0]}" if name in MARKS else name for name in folders)

    def marks(self) -> list[tuple[str, str]]:
        """The marks of the runs, each with what it means."""
        return [MARKS[name] for name in dict.fromkeys(map(data_folder, self.every_run())) if name in MARKS]

    def facts(self) -> dict[str, list[str]]:
        """Of all runs: versions, the class of machine, threads, days."""
        return facts(run.folder for run in self.every_run())


def _class_of_machine(run: Run) -> str:
    """Runs that share it have like times."""
    recorded = machine.recorded(run.folder)
    return repr([recorded.get(key) for key in TIMED])


def data_folder(run: Run) -> str:
    """The name of the data: the last part of its folder, or its class."""
    dataset: Mapping[str, Any] = run_folder.read_config(run.folder)["dataset"]
    return Path(dataset.get("root") or dataset["_target_"].split(".")[-1].lower()).name
