"""A trial and its runs: what their files say. A run is a train.py of its own in trials/<what it says>/seed<N>."""

from __future__ import annotations

import json
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import optuna

from ctr.app import run_folder
from ctr.app.processes import Child, Place, threads_of, train
from ctr.app.tune import study as studies
from ctr.app.tune.checking import Base
from ctr.app.tune.sweep import Member
from ctr.errors import UserError
from ctr.training.run_log import METRICS as RECORDS

TRIALS = "trials"


def folder(root: Path, member: Member, params: Mapping[str, Any]) -> Path:
    """Of a trial that has drawn this."""
    return root / TRIALS / member.folder(studies.settings(params, member))


@dataclass
class Open:
    """A trial that has begun and not ended. `twin` is an earlier one that says the same."""

    member: Member
    base: Base
    trial: optuna.Trial
    root: Path
    seeds: Sequence[int]
    twin: int | None = None
    pruned: bool = False
    seen: int = -1  # bytes of the first run's records

    @property
    def name(self) -> str:
        return f"{self.member.name} trial {self.trial.number}"

    @property
    def settings(self) -> dict[str, Any]:
        return studies.settings(self.trial.params, self.member)

    @property
    def folder(self) -> Path:
        return folder(self.root, self.member, self.trial.params)

    @property
    def runs(self) -> dict[int, Place]:
        """By seed."""
        return {seed: Place(self.folder / f"seed{seed}") for seed in self.seeds}

    def command(self, seed: int, threads: int) -> list[str]:
        folder = self.runs[seed].folder
        ours = ["claim=null", f"seed={seed}", f"threads={threads_of(folder, threads)}"]
        return train(["board=scalars", *self.member.words(self.settings), *ours], folder)

    @property
    def failures(self) -> dict[int, str]:
        """Why, by seed."""
        return {seed: " ".join(said) for seed, run in self.runs.items() if (said := run.failed())}

    def watch(self) -> None:
        """Hands the valid scores of the first seed to the pruner, each the best so far, until it has seen enough. What
        it was told before a kill it is not told again, but asked again."""
        records = self.runs[self.seeds[0]].folder / self.base.stage / RECORDS
        if not records.exists() or self.seen == (size := records.stat().st_size):
            return
        self.seen = size
        told = self.trial.study.get_trials(deepcopy=False)[self.trial.number].intermediate_values
        last, better = max(told, default=0), max if self.base.direction == "maximize" else min
        best: float | None = None
        for step, value in enumerate(valid_scores(records, self.base.monitor), 1):
            best = value if best is None else better(best, value)
            if step not in told:
                self.trial.report(best, step)
            if step >= last and self.trial.should_prune():
                self.pruned = True
                return


@dataclass
class Running:
    """A run of a trial; `asked` is when it was asked to stop, by the monotonic clock."""

    opened: Open
    child: Child
    asked: float | None = None

    def stop(self) -> None:
        now = time.monotonic()
        if self.asked is None:
            self.asked = now
            self.child.process.terminate()
        elif now - self.asked > run_folder.PATIENCE:
            self.child.process.kill()


def valid_scores(records: Path, monitor: str) -> list[float]:
    """Of every evaluation so far; a line that is being written is left for the next time."""
    found = []
    for line in records.read_text(encoding="utf-8").splitlines():
        try:
            record = json.loads(line)
        except ValueError:
            break
        if f"valid/{monitor}" in record:
            found.append(float(record[f"valid/{monitor}"]))
    return found


def held(folder: Path) -> bool:
    """Does another process train there, one that outlived the search that began it?"""
    if not (folder / ".lock").exists():
        return False
    try:
        with run_folder.lock(folder):
            return False
    except UserError:
        return True
