"""What finished runs have left: found below folders, and those that differ in the seed alone put together."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import yaml

from ctr.app import config_keys, run_folder, summary
from ctr.errors import UserError


@dataclass(frozen=True)
class Result:
    """A finished run: its folder, its config and its scores."""

    folder: Path
    config: Mapping[str, Any]
    scores: Mapping[str, Any]

    @property
    def seed(self) -> int:
        return int(self.config["seed"])

    @property
    def monitor(self) -> str:
        return str(self.scores["monitor"])

    @property
    def dataset(self) -> str:
        """The last part of the folder of its data, or the name of its class."""
        return summary.dataset(self.config)

    @property
    def overrides(self) -> list[str]:
        """What its command said, without what is the seed's or the machine's."""
        said = run_folder.read_overrides(self.folder)
        return [word for word in said if not re.match(r"seed=|threads=|hydra\.", word)]

    @cached_property
    def flat(self) -> Mapping[str, Any]:
        """Every key of the config with its value, but the seed's."""
        return {key: value for key, value in run_folder.flat(self.config).items() if not config_keys.of_repetition(key)}


@dataclass(frozen=True)
class Found:
    """The finished runs below some folders; `skipped` are folders of runs that cannot be counted, each with why."""

    results: tuple[Result, ...]
    skipped: Mapping[Path, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Group:
    """Runs that differ in the seed alone, by seed. `name` tells the group from the others that were found."""

    name: str
    by_seed: Mapping[int, Result]

    @property
    def results(self) -> list[Result]:
        return [self.by_seed[seed] for seed in sorted(self.by_seed)]

    @property
    def first(self) -> Result:
        return self.results[0]


def find(roots: Iterable[Path]) -> Found:
    """The finished runs in these folders and below. Of several runs of one config and seed the newest counts.

    Raises UserError where there is none, with what was found instead.
    """
    roots = list(roots)
    results, skipped = list[Result](), dict[Path, str]()
    folders = sorted({path.parent for root in roots for path in root.rglob(run_folder.CONFIG)})
    for folder in folders:
        try:
            results.append(read(folder))
        except UserError as error:
            skipped[folder] = str(error)
    newest: dict[str, Result] = {}
    for result in sorted(results, key=lambda one: (one.folder / run_folder.SCORES).stat().st_mtime):
        key = f"{result.seed} {_key(result)}"
        if key in newest:
            skipped[newest[key].folder] = f"{result.folder} is a newer run of the same config and seed"
        newest[key] = result
    if not newest:
        reasons = "".join(f"\n  {reason}" for reason in list(skipped.values())[:5])
        raise UserError(f"no finished run (no {run_folder.SCORES}) under {', '.join(map(str, roots))}{reasons}")
    return Found(tuple(newest.values()), skipped)


def read(folder: Path) -> Result:
    """The finished run in this folder. Raises UserError where there is none, or where its files cannot be read."""
    try:
        config, scores = run_folder.read_config(folder), run_folder.read_scores(folder)
    except (OSError, ValueError, yaml.YAMLError) as error:
        if isinstance(error, UserError):
            raise
        raise UserError(f"{folder} cannot be read: {str(error).splitlines()[0]}") from error
    if not isinstance(config, Mapping) or "stages" not in config or not isinstance(scores, Mapping):
        raise UserError(f"{folder} cannot be read: its {run_folder.CONFIG} or {run_folder.SCORES} is no run's")
    return Result(folder, config, scores)


def groups(results: Iterable[Result]) -> list[Group]:
    """Runs that differ in the seed alone together, in the order in which they were made."""
    found: dict[str, dict[int, Result]] = {}
    for result in results:
        found.setdefault(_key(result), {})[result.seed] = result
    names = _names([next(iter(runs.values())) for runs in found.values()])
    return [Group(name, runs) for name, runs in zip(names, found.values(), strict=True)]


def differences(first: Result, *others: Result) -> dict[str, list[Any]]:
    """Keys in which configs differ, but for the seed, with the value of each (None where it has no such key). A stage's
    copy of a key of the root is left out."""
    every = (first, *others)
    keys = dict.fromkeys(key for result in every for key in result.flat)
    values = {key: [result.flat.get(key) for result in every] for key in keys}
    found = {key: each for key, each in values.items() if any(value != each[0] for value in each[1:])}
    copies = {key for key in found if (own := config_keys.of_root(key)) is not None and found.get(own) == found[key]}
    return {key: each for key, each in found.items() if key not in copies}


def _key(result: Result) -> str:
    same = {key: value for key, value in result.flat.items() if not config_keys.of_place(key)}
    return json.dumps([result.dataset, same], sort_keys=True, default=str)


def _names(firsts: Sequence[Result]) -> list[str]:
    """The models, with the dataset where there are several, and with the settings in which namesakes differ."""
    many = len({result.dataset for result in firsts}) > 1
    models = [summary.chain(one.config) + (f" on {one.dataset}" if many else "") for one in firsts]
    names = []
    for i, name in enumerate(models):
        namesakes = [firsts[i], *(firsts[j] for j, other in enumerate(models) if other == name and j != i)]
        told: dict[tuple[str, str], tuple[str, Any]] = {}
        for key, values in differences(*namesakes).items():
            if not config_keys.of_place(key):  # a rate that goes with another of its name is said once
                told.setdefault((key.split(".")[-1], str(values)), (key, values[0]))
        said = dict(told.values())
        called = config_keys.short(said)
        names.append(", ".join([name, *(f"{called[key]}={value}" for key, value in said.items())]))
    return names
