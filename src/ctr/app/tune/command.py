"""What `scripts/tune.py` does: check, search what is left, write."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml
from filelock import FileLock, Timeout
from optuna.trial import TrialState

from ctr import disk
from ctr.app import run_folder
from ctr.app.processes import Place
from ctr.app.tune import checking, reading, report, trials
from ctr.app.tune import study as studies
from ctr.app.tune.best import seeds_for
from ctr.app.tune.checking import Base
from ctr.app.tune.loop import Search
from ctr.app.tune.outcome import Outcome, outcomes, score
from ctr.app.tune.sweep import Sweep
from ctr.errors import UserError

SWEEP = "sweep.yaml"  # what is searched; another search does not go on in its folder


@dataclass(frozen=True)
class Request:
    """The command line."""

    sweep: str
    overrides: tuple[str, ...]
    trials: int | None
    processes: int
    out: Path | None
    said: str  # the command as typed


def listing() -> str:
    """The sweeps that there are, a line each."""
    return "\n".join(f"{name}: {reading.read(name).title}" for name in reading.names())


def tune(
    request: Request, say: Callable[[str], None], run: bool = True, retry: bool = False
) -> tuple[list[Outcome], int | None]:
    """Searches what is left of the budget, if asked to, and writes what was found. Returns that, and the signal that
    stopped it."""
    if request.processes < 1:
        raise UserError(f"--processes must be at least 1, found {request.processes}")
    sweep = reading.read(request.sweep, request.overrides, request.trials)
    bases = checking.bases(sweep, _trusted(request))
    folder = request.out or Path("outputs", "tune", sweep.name)
    if not run and not (folder / studies.FILE).exists():
        raise UserError(f"{folder} holds no search ({studies.FILE}); run it first, without --report")
    with _alone(folder) if run else nullcontext():  # a report may be written while the search goes on
        _keep(folder, sweep, bases)
        known = studies.open_all(folder, sweep, bases)
        if run and (made := max(map(len, map(studies.begun, known.values())))) > sweep.trials:
            raise UserError(f"{folder} has {made} trials already; --trials can only grow")
        for outcome in outcomes(sweep, bases, known) if retry else []:
            say(f"{outcome.member.name}: {_retry(outcome, folder)} failed trials in line once more")
        stopped = Search(sweep, bases, known, folder, request.processes, say).run() if run else None
        found = outcomes(sweep, bases, known)
        page = report.write(sweep, found, folder, request.said)
    say(summary(found, folder, page))
    return found, stopped


@contextmanager
def _alone(folder: Path) -> Iterator[None]:
    """Nobody else searches in this folder; a killed process leaves no lock behind."""
    folder.mkdir(parents=True, exist_ok=True)
    try:
        with FileLock(folder / ".lock", blocking=False):
            yield
    except Timeout as error:
        raise UserError(f"another process is tuning in {folder}; wait for it, or choose another (--out)") from error


def _trusted(request: Request) -> list[str]:
    """The packages that the command line trusts; a file cannot."""
    said = [
        word.lstrip("+").removeprefix("trust=") for word in request.overrides if word.lstrip("+").startswith("trust=")
    ]
    return [name.strip() for name in said[-1].strip("[]").split(",")] if said else []


def _retry(outcome: Outcome, folder: Path) -> int:
    """Failed trials go on where their runs have failed; returns how many."""
    for trial in outcome.of(TrialState.FAIL):
        for seed in outcome.sweep.seeds:
            Place(trials.folder(folder, outcome.member, trial.params) / f"seed{seed}").error.unlink(missing_ok=True)
    return studies.retry(outcome.study)


def _keep(folder: Path, sweep: Sweep, bases: Mapping[str, Base]) -> None:
    """Refuses to go on with another search, or with configs that have changed since it began."""
    now = {**sweep.to_json(), "configs": {name: base.fixed for name, base in bases.items()}}
    path = folder / SWEEP
    if path.exists():
        before: dict[str, Any] = run_folder.flat(yaml.safe_load(path.read_text(encoding="utf-8")))
        after = run_folder.flat(yaml.safe_load(yaml.safe_dump(now)))
        keys = sorted(before.keys() | after.keys(), key=lambda key: (key.startswith("configs."), key))
        if changed := [key for key in keys if before.get(key) != after.get(key)]:
            told = "; ".join(f"{key}: {before.get(key)} there, {after.get(key)} now" for key in changed[:3])
            raise UserError(
                f"{folder} holds another search ({told}); repeat its command, with more trials if you like (--trials), "
                f"or choose another folder (--out)"
            )
        return
    disk.write_text(path, yaml.safe_dump(now, sort_keys=False))


def summary(found: list[Outcome], folder: Path, page: Path) -> str:
    """What to look at, and what to do next."""
    lines = []
    for outcome in found:
        if (trial := outcome.best) is None:
            lines.append(f"{outcome.member.name}: no trial has finished ({outcome.counts})")
            continue
        told = ", ".join(f"{key}={value}" for key, value in outcome.settings(trial).items())
        reached = f"valid {outcome.base.monitor} {score(trial)}"
        where = f"trial {trial.number} of {len(outcome.trials)} ({outcome.counts})"
        lines.append(f"{outcome.member.name}: {reached}, {where}\n  {told}")
    for outcome in found:
        for trial in outcome.of(TrialState.FAIL):
            lines.append(f"{outcome.member.name} trial {trial.number} FAILED: {trial.user_attrs.get('cause')}")
    if any(outcome.of(TrialState.FAIL) for outcome in found):
        lines.append("failed trials are tried again with --retry")
    if command := report.measured_by(found, folder, seeds_for(found[0].sweep.seeds)):
        lines.append(f"on seeds that have chosen nothing:\n  {command}")
    return "\n".join([*lines, f"report {page}"])
