"""A search as data: what is fixed, what is searched, how, and for how long."""

from __future__ import annotations

import hashlib
import math
import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from ctr.app.tune.space import Space, said

SLUG = 60  # characters of a trial folder's name before its hash


@dataclass(frozen=True)
class Member:
    """One model of a comparison, or the only one: its overrides in every trial, and its space."""

    name: str
    overrides: tuple[str, ...]
    space: Space

    def words(self, values: Mapping[str, Any]) -> list[str]:
        """The overrides of a trial with these values of the space's keys."""
        return [*self.overrides, *(said(key, values[key]) for key in self.space)]

    def folder(self, values: Mapping[str, Any]) -> str:
        """Names a trial by what it says: the same settings are the same trial."""
        told = "_".join(f"{key.split('.')[-1]}-{_short(value)}" for key, value in values.items())
        slug = re.sub(r"[^\w.]+", "-", f"{self.name}_{told}")[:SLUG].rstrip("-_.")
        return f"{slug}-{hashlib.sha256(repr(self.words(values)).encode()).hexdigest()[:8]}"

    @property
    def grid_size(self) -> int | None:
        """How many settings the space has; None where they cannot be counted."""
        sizes = [dimension.grid for dimension in self.space.values()]
        return None if any(size is None for size in sizes) else math.prod(len(size) for size in sizes if size)


def _short(value: Any) -> str:
    return f"{value:.3g}" if isinstance(value, float) else str(value)


@dataclass(frozen=True)
class Sampler:
    """`startup`: trials drawn at random before TPE begins to learn from them."""

    name: str
    seed: int
    startup: int


@dataclass(frozen=True)
class Pruner:
    """`startup` and `warmup`: trials, and evaluations of each, before the median may end one. `most`: evaluations of
    the longest trial that hyperband plans with; `reduction`: of so many trials of a bracket one goes on."""

    name: str
    startup: int = 0
    warmup: int = 0
    most: int = 0
    reduction: int = 0


@dataclass(frozen=True)
class Sweep:
    """Every member gets `trials` trials, each the mean of a run for every one of the `seeds`; no trial begins once the
    member's runs have trained for `hours`. With `start` the first trial is what the config says without the sweep."""

    name: str
    title: str
    members: tuple[Member, ...]
    sampler: Sampler
    pruner: Pruner
    objectives: tuple[str, ...]
    seeds: tuple[int, ...]
    trials: int
    hours: float | None
    start: bool

    @property
    def is_comparison(self) -> bool:
        return len(self.members) > 1

    def trials_of(self, member: Member) -> int:
        """A grid that is smaller than the budget is searched whole."""
        if self.sampler.name != "grid":
            return self.trials
        assert member.grid_size is not None
        return min(self.trials, member.grid_size)

    def to_json(self) -> dict[str, Any]:
        """What has to stay as it is while the search goes on."""
        kept = {key: getattr(self, key) for key in ("objectives", "seeds", "start")}
        members = {
            member.name: {
                "overrides": list(member.overrides),
                "space": {key: str(dimension) for key, dimension in member.space.items()},
            }
            for member in self.members
        }
        kept |= {"sampler": asdict(self.sampler), "pruner": asdict(self.pruner), "models": members}
        return {key: list(value) if isinstance(value, tuple) else value for key, value in kept.items()}
