"""What Optuna knows of a search, in one SQLite file: a trial is there whole or not, whenever the process is killed.

SQLite rather than Optuna's journal file: a journal whose last line was cut short by a kill cannot be read again.
Whatever a trial draws is a function of the sampler's seed, the trial's number and the trials that have ended, so that
a search that was killed and goes on draws what it would have drawn.
"""

from __future__ import annotations

import hashlib
import os
import random
import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

import optuna
from optuna.pruners import BasePruner, HyperbandPruner, MedianPruner, NopPruner
from optuna.samplers import BaseSampler, RandomSampler, TPESampler
from optuna.storages import RDBStorage
from optuna.trial import FrozenTrial, Trial, TrialState

from ctr.app.tune.checking import Base
from ctr.app.tune.space import Choices
from ctr.app.tune.sweep import Member, Pruner, Sampler, Sweep
from ctr.errors import UserError

FILE = "study.db"
HOPELESS = 3  # trials that fail before any succeeds
RETRY_OF = "retry_of"  # an attribute of a trial: the number of the failed one that it stands for

optuna.logging.set_verbosity(optuna.logging.WARNING)
warnings.filterwarnings("ignore", category=optuna.exceptions.ExperimentalWarning)


def open_all(folder: Path, sweep: Sweep, bases: Mapping[str, Base]) -> dict[str, optuna.Study]:
    """The studies of the members, by name; made if need be, all of them or none."""
    path = folder / FILE
    if not path.exists():
        partial = path.with_suffix(".partial")
        partial.unlink(missing_ok=True)
        storage = _storage(partial)
        for member in sweep.members:
            base = bases[member.name]
            both: list[Literal["maximize", "minimize"]] = [base.direction, "minimize"]
            study = optuna.create_study(
                storage=storage, study_name=member.name, directions=both[: len(sweep.objectives)]
            )
            if sweep.start:
                study.enqueue_trial({key: member.space[key].inner(value) for key, value in base.own.items()})
        storage.engine.dispose()
        os.replace(partial, path)
    try:
        storage, pruner = _storage(path), _pruner(sweep.pruner)
        return {
            member.name: optuna.load_study(storage=storage, study_name=member.name, pruner=pruner)
            for member in sweep.members
        }
    except (RuntimeError, KeyError) as error:
        raise UserError(f"{path} cannot be read by Optuna {optuna.__version__}: {error}") from error


def _storage(path: Path) -> RDBStorage:
    return RDBStorage(f"sqlite:///{path.resolve()}", engine_kwargs={"connect_args": {"timeout": 60}})


def _pruner(pruner: Pruner) -> BasePruner:
    if pruner.name == "median":
        return MedianPruner(n_startup_trials=pruner.startup, n_warmup_steps=pruner.warmup)
    if pruner.name == "hyperband":
        return HyperbandPruner(min_resource=1, max_resource=pruner.most, reduction_factor=pruner.reduction)
    return NopPruner()


def begun(study: optuna.Study) -> list[FrozenTrial]:
    """The trials that the budget has paid for, by number: those that have begun, without failures tried again."""
    trials = study.get_trials(deepcopy=False)
    again = {trial.user_attrs.get(RETRY_OF) for trial in trials}
    return [trial for trial in trials if trial.state != TrialState.WAITING and trial.number not in again]


def hopeless(study: optuna.Study) -> bool:
    """Have the first trials all failed? Then something is wrong that no settings mend."""
    ended = [trial.state for trial in begun(study) if trial.state.is_finished()]
    return len(ended) >= HOPELESS and all(state == TrialState.FAIL for state in ended)


def retry(study: optuna.Study) -> int:
    """Puts every failed trial in line once more; returns how many."""
    failed = [trial for trial in begun(study) if trial.state == TrialState.FAIL]
    for trial in failed:
        study.enqueue_trial(trial.params, user_attrs={RETRY_OF: trial.number})
    return len(failed)


def begin(study: optuna.Study, sampler: Sampler, member: Member) -> Trial:
    """The next trial: the first in line, else one that is drawn."""
    trials = study.get_trials(deepcopy=False)
    if sampler.name == "grid" and not any(trial.state == TrialState.WAITING for trial in trials):
        place = sum(RETRY_OF not in trial.user_attrs for trial in trials)
        study.enqueue_trial(_of_grid(member, sampler.seed, place))
    return _draw(study.ask(), sampler, member)


def go_on(study: optuna.Study, found: FrozenTrial, sampler: Sampler, member: Member) -> Trial:
    """A trial that has begun, with the settings that it has; a kill may have come between two of them."""
    return _draw(Trial(study, found._trial_id), sampler, member)


def settings(params: Mapping[str, Any], member: Member) -> dict[str, Any]:
    """What the trial says, by key of the config."""
    return {key: dimension.drawn(params[key]) for key, dimension in member.space.items()}


def _draw(trial: Trial, sampler: Sampler, member: Member) -> Trial:
    """Every draw has a generator of its own, so that it does not matter how many of them a kill has left to make."""
    trial.study.sampler = _sampler(sampler, f"{member.name} {trial.number}")
    _ = trial.relative_params  # those that are drawn together
    for key, dimension in member.space.items():
        trial.study.sampler = _sampler(sampler, f"{member.name} {trial.number} {key}")
        if isinstance(dimension, Choices):
            trial.suggest_categorical(key, dimension.labels)
        elif dimension.whole:
            trial.suggest_int(
                key, int(dimension.low), int(dimension.high), step=int(dimension.step or 1), log=dimension.log
            )
        else:
            trial.suggest_float(key, dimension.low, dimension.high, step=dimension.step, log=dimension.log)
    return trial


def _sampler(sampler: Sampler, draw: str) -> BaseSampler:
    seed = int.from_bytes(hashlib.sha256(f"{sampler.seed} {draw}".encode()).digest()[:4], "big")
    if sampler.name == "tpe":
        return TPESampler(seed=seed, n_startup_trials=sampler.startup, constant_liar=True)
    return RandomSampler(seed=seed)


def _of_grid(member: Member, seed: int, place: int) -> dict[str, Any]:
    """The settings at this place of the grid, shuffled: a budget that is smaller than the grid is a sample of it."""
    assert member.grid_size is not None
    order = list(range(member.grid_size))
    random.Random(seed).shuffle(order)  # noqa: S311
    index, found = order[place], {}
    for key, dimension in member.space.items():
        assert dimension.grid is not None
        index, digit = divmod(index, len(dimension.grid))
        found[key] = dimension.inner(dimension.grid[digit])
    return found
