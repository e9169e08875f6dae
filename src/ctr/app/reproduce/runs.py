"""The runs of a row: where they are, what their command is, how far they are."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ctr.app import run_folder
from ctr.app.baselines.learners import LEARNERS
from ctr.app.composed import checked, compose
from ctr.app.config_keys import of_training
from ctr.app.processes import CODE, Place, threads_of, train
from ctr.app.reproduce.table import Row


@dataclass(frozen=True)
class Run:
    """One repetition of a row. Its folder is the row's and the number's alone, whatever table it is in."""

    row: Row
    number: int
    root: Path

    @property
    def folder(self) -> Path:
        return self.root / self.row.key / f"seed{self.number}"

    @property
    def place(self) -> Place:
        return Place(self.folder)

    @property
    def log(self) -> Path:
        return self.place.log

    @property
    def name(self) -> str:
        return f"{self.row.name} seed {self.number}"

    @property
    def finished(self) -> bool:
        return self.place.finished

    def command(self, threads: int, device: str | None = None) -> list[str]:
        """On this device; null leaves it to the config, and so does a baseline that knows none."""
        said = [*self.row.arguments(self.number), f"threads={threads_of(self.folder, threads)}"]
        if device and (not self.row.baseline or LEARNERS[self.row.baseline].read):
            said.append(f"device={device}")
        if self.row.baseline:
            script = [str(CODE / "scripts" / "baseline.py"), self.row.baseline, "--out", str(self.folder)]
            return [sys.executable, *script, *said]
        return train(said, self.folder)

    def failed(self) -> list[str]:
        """The last lines of its error, where it failed when it was last tried."""
        return self.place.failed()


def shown(row: Row) -> str:
    """The row's command as one would type it."""
    words = [row.baseline, *row.overrides] if row.baseline else list(row.overrides)
    script = "scripts/baseline.py" if row.baseline else "train.py"
    return " ".join(["python", script, *(_quoted(word) for word in words), *(w.format(n="N") for w in row.repeat)])


def _quoted(word: str) -> str:
    return f"'{word}'" if set(word) & set("[]{}() ~") else word


def of_rows(rows: Iterable[Row], numbers: Sequence[int], root: Path) -> list[Run]:
    """Repetition by repetition, so that a table that is stopped half-way has all rows; once where rows share a run."""
    rows = list(rows)
    runs = [Run(row, number, root) for number in numbers for row in rows]
    return list({run.folder: run for run in reversed(runs)}.values())[::-1]


def finished(row: Row, root: Path) -> list[Run]:
    """The row's finished runs, whoever asked for them."""
    numbers = [path.parent.name.removeprefix("seed") for path in (root / row.key).glob(f"seed*/{run_folder.SCORES}")]
    return [Run(row, number, root) for number in sorted(int(text) for text in numbers if text.isdigit())]


def config(row: Row, number: int = 1) -> dict[str, Any]:
    """The config that the row's command stands for. Raises UserError where it does not compose or fits no class."""
    return checked(compose(row.arguments(number)))


def outdated(made: Sequence[Run]) -> dict[Path, str]:
    """Of a row's finished runs the folders of those whose config has changed since, with what has. Keys that a run's
    number sets are not compared, nor what is new or gone."""
    if not made:
        return {}
    now, other = (run_folder.flat(config(made[0].row, number)) for number in (1, 2))
    own = "stages." if made[0].row.baseline else ()  # a baseline's stage is its own
    fixed = {key for key in now if now[key] == other.get(key) and of_training(key) and not key.startswith(own)}
    found = {}
    for run in made:
        then = run_folder.flat(run_folder.read_config(run.folder))
        changed = [key for key in then if key in fixed and now[key] != then[key]]
        if changed:
            found[run.folder] = "; ".join(f"{key}: {then[key]} there, {now[key]} now" for key in changed[:3])
    return found
