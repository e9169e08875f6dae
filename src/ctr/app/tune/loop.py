"""The search itself: trials begin, their runs are made side by side, and end."""

from __future__ import annotations

import signal
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import optuna
from optuna.trial import FrozenTrial, Trial, TrialState

from ctr.app import processes as trainings
from ctr.app.tune import ending, trials
from ctr.app.tune import study as studies
from ctr.app.tune.checking import Base
from ctr.app.tune.sweep import Member, Sweep
from ctr.app.tune.trials import Open, Running

STOPPED = (128 + signal.SIGTERM, -signal.SIGTERM)  # the latter before it has begun to train
TICK = 0.1  # seconds between two looks at the runs
BUSY = "another process is training in"  # what train.py says where a run has outlived the search that began it


@dataclass
class Search:
    """Where a search is. `elsewhere` are folders of runs that have outlived the search that began them."""

    sweep: Sweep
    bases: Mapping[str, Base]
    known: Mapping[str, optuna.Study]
    folder: Path
    processes: int
    say: Callable[[str], None]
    opened: list[Open] = field(default_factory=list)
    running: list[Running] = field(default_factory=list)
    elsewhere: set[Path] = field(default_factory=set)

    def run(self) -> int | None:
        """Searches until the budget is spent. Returns the signal that stopped it, if one did."""
        for member in self.sweep.members:
            study = self.known[member.name]
            for found in study.get_trials(deepcopy=False):
                if found.state == TrialState.RUNNING:
                    self._open(member, studies.go_on(study, found, self.sweep.sampler, member))
                elif found.state.is_finished():
                    ending.clean(found, trials.folder(self.folder, member, found.params))
        with trainings.noted() as stop:
            try:
                while stop.signal is None:
                    self._look()
                    self._end_trials()
                    self._fill()
                    if not self.opened and not self.running:
                        break
                    time.sleep(TICK)
            finally:
                trainings.stop([one.child for one in self.running])
        return stop.signal

    def _open(self, member: Member, trial: Trial) -> None:
        earlier = [one for one in studies.begun(self.known[member.name]) if one.number < trial.number]
        twin = next((one.number for one in earlier if one.params == trial.params), None)
        self.opened.append(Open(member, self.bases[member.name], trial, self.folder, self.sweep.seeds, twin))

    def _look(self) -> None:
        """Asks the pruner, and sees which runs have ended."""
        every = {run.folder for opened in self.opened for run in opened.runs.values()}
        self.elsewhere = {folder for folder in every - self._ours() if trials.held(folder)}
        for one in list(self.running):
            if self.sweep.pruner.name != "none" and not one.opened.pruned:
                one.opened.watch()
            if one.opened.pruned or one.opened.failures:
                one.stop()
            if (status := one.child.process.poll()) is None:
                continue
            self.running.remove(one)
            if one.asked is not None or status in STOPPED:
                continue  # it has saved its state, and goes on if it has to
            if (said := trainings.failure(one.child)) and BUSY in said:
                one.child.place.error.unlink()
            elif said:
                self.say(f"{one.opened.name}: {said}, {one.child.place.log}")

    def _ours(self) -> set[Path]:
        return {one.child.place.folder for one in self.running}

    def _end_trials(self) -> None:
        for opened in list(self.opened):
            busy = {run.folder for run in opened.runs.values()} & (self.elsewhere | self._ours())
            if not busy and (ended := self._ended(opened)) is not None:
                self.opened.remove(opened)
                ending.clean(ended, opened.folder)
                self._tell(opened, ended)

    def _ended(self, opened: Open) -> FrozenTrial | None:
        if opened.twin is not None:
            twin = opened.trial.study.get_trials(deepcopy=False)[opened.twin]
            return ending.end_as(opened, twin) if twin.state.is_finished() else None
        if self.sweep.pruner.name != "none" and not opened.pruned:
            opened.watch()  # of a run that was finished before anybody looked
        whole = all(run.finished for run in opened.runs.values())
        return ending.end(opened, self.sweep) if whole or opened.pruned or opened.failures else None

    def _fill(self) -> None:
        """Starts runs while there is room: of trials that have begun, else of the member with the fewest trials."""
        while len(self.running) + len(self.elsewhere) < self.processes:
            jobs = [(opened, seed) for opened in self.opened for seed in self._waiting(opened)]
            if jobs:
                opened, seed = jobs[0]
                threads = trainings.threads_each(self.processes)
                child = trainings.start(opened.command(seed, threads), opened.runs[seed], threads)
                self.running.append(Running(opened, child))
            elif (member := self._next_member()) is not None:
                self._open(member, studies.begin(self.known[member.name], self.sweep.sampler, member))
            else:
                return

    def _waiting(self, opened: Open) -> list[int]:
        """Seeds of a trial that can run now. The first one has to be through where a pruner looks at it."""
        if opened.twin is not None or opened.pruned or opened.failures:
            return []
        busy, runs, first = self.elsewhere | self._ours(), opened.runs, opened.runs[self.sweep.seeds[0]]
        if self.sweep.pruner.name != "none" and (not first.finished or first.folder in busy):
            runs = {self.sweep.seeds[0]: first}
        return [seed for seed, run in runs.items() if not run.finished and run.folder not in busy]

    def _next_member(self) -> Member | None:
        """Of those that have budget for another trial, and hope, the one with the fewest."""
        left = [member for member in self.sweep.members if self._wants(member)]
        return min(left, key=lambda member: len(studies.begun(self.known[member.name])), default=None)

    def _wants(self, member: Member) -> bool:
        found = studies.begun(self.known[member.name])
        spent = sum(trial.user_attrs.get("seconds", 0.0) for trial in found)
        late = self.sweep.hours is not None and spent >= 3600 * self.sweep.hours
        return len(found) < self.sweep.trials_of(member) and not late and not studies.hopeless(self.known[member.name])

    def _tell(self, opened: Open, ended: FrozenTrial) -> None:
        study = self.known[opened.member.name]
        done = sum(trial.state.is_finished() for trial in studies.begun(study))
        how = {
            TrialState.PRUNED: f"pruned after {len(ended.intermediate_values)} evaluations",
            TrialState.FAIL: f"FAILED: {ended.user_attrs.get('cause')}",
        }.get(ended.state) or f"valid {opened.base.monitor} {ended.values[0]:.5f}"
        said = ", ".join(f"{key.split('.')[-1]} {value}" for key, value in opened.settings.items())
        self.say(f"[{done}/{self.sweep.trials_of(opened.member)}] {opened.name}: {how} ({said})")
        if studies.hopeless(study):
            self.say(f"{opened.member.name}: all of its first trials have failed; no more of it are begun")
