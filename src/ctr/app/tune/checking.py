"""Before any trial: does every key of a space exist, and does the config take what the space may draw?"""

from __future__ import annotations

import copy
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from hydra import compose, initialize_config_dir
from omegaconf import DictConfig, OmegaConf

from ctr.app import composed, run_folder
from ctr.app.config_keys import of_training
from ctr.app.datasets import CONFIGS
from ctr.app.tune.space import Range, said
from ctr.app.tune.sweep import Member, Sweep
from ctr.errors import UserError, nearest
from ctr.metrics import METRICS


@dataclass(frozen=True)
class Base:
    """What a member's trials have in common: the config without the sweep, the score that it monitors, the stage that
    has it, and what the config itself says for the keys of the space."""

    config: Mapping[str, Any]
    monitor: str
    stage: str
    own: Mapping[str, Any]

    @property
    def direction(self) -> Literal["maximize", "minimize"]:
        return "maximize" if METRICS[self.monitor].higher_is_better else "minimize"

    @property
    def fixed(self) -> dict[str, Any]:
        """Every key that a trial is trained by, with its value."""
        return {key: value for key, value in run_folder.flat(self.config).items() if of_training(key)}


def bases(sweep: Sweep, trust: Sequence[str] = ()) -> dict[str, Base]:
    """By member. Raises UserError for a key that the config lacks, a value that it does not take, and models whose
    scores do not compare."""
    found = {member.name: _base(member, sweep.start, trust) for member in sweep.members}
    monitors = {base.monitor for base in found.values()}
    if len(monitors) > 1:
        raise UserError(f"{sweep.name}: its models monitor different scores, {', '.join(sorted(monitors))}")
    return found


def is_group(key: str) -> bool:
    """Does the key choose a file of configs/, as model=nfm and optimizer@trainer.optimizer=adam do?"""
    return (CONFIGS / key.split("@")[0]).is_dir()


def _base(member: Member, start: bool, trust: Sequence[str]) -> Base:
    where = f"space of {member.name}"
    plain = composed.compose([*member.overrides])
    config = composed.checked(plain, trust)
    monitor = str(config["monitor"])
    if monitor not in METRICS or METRICS[monitor].higher_is_better is None:
        known = [name for name, metric in METRICS.items() if metric.higher_is_better is not None]
        raise UserError(
            f"monitor={monitor} has no better and worse; choose {', '.join(known)}{nearest(monitor, known)}"
        )
    own = {key: _own(member, plain, key, where) for key in member.space}
    _check_ends(member, plain, trust, where)
    if start:
        for key, value in own.items():
            if member.space[key].inner(value) is None:
                raise UserError(
                    f"{where}: the config says {said(key, value)}, which is not among {member.space[key]}. Widen that, "
                    f"or say start: false, so that the first trial is not the config's own"
                )
    return Base(config, monitor, list(config["stages"])[-1], own)


def _own(member: Member, plain: DictConfig, key: str, where: str) -> Any:
    """What the config says for this key without the sweep."""
    if is_group(key):
        with initialize_config_dir(str(CONFIGS), version_base="1.3"):
            whole = compose("train", overrides=[*member.overrides], return_hydra_config=True)
        return whole.hydra.runtime.choices.get(key)
    known = run_folder.flat(OmegaConf.to_container(plain, resolve=True))
    if key not in known:
        below = [name for name in known if name.startswith(f"{key}.")]
        reason = f"holds {', '.join(below[:3])}: name one of them" if below else "is no key of the config"
        raise UserError(f"{where}: {key} {reason}{'' if below else nearest(key, known)}")
    value = known[key]
    if isinstance(dimension := member.space[key], Range) and dimension.whole and isinstance(value, float):
        raise UserError(
            f"{where}.{key}: a range of whole numbers, and the config has {value}; write {float(dimension.low)}"
        )
    return value


def _check_ends(member: Member, plain: DictConfig, trust: Sequence[str], where: str) -> None:
    """Composes settings such that every choice and both ends of every range are in one of them."""
    groups = {key: dimension for key, dimension in member.space.items() if is_group(key)}
    for i in range(max(len(dimension.ends) for dimension in member.space.values())):
        values = {key: dimension.ends[i % len(dimension.ends)] for key, dimension in member.space.items()}
        words = [said(key, values[key]) for key in groups]
        try:
            trial = composed.compose([*member.overrides, *words]) if words else copy.deepcopy(plain)
            for key in values.keys() - groups.keys():
                OmegaConf.update(trial, key, values[key])
            composed.checked(trial, trust)
        except UserError as error:
            raise UserError(f"{where}: {error}") from error
