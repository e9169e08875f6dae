"""The folder of a run: who may write in it, and what it says about the run."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import yaml
from filelock import FileLock, Timeout

from ctr import disk
from ctr.app import summary
from ctr.app.words import quoted
from ctr.errors import UserError

SafeLoader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)  # libyaml's reads a run's config ten times as fast
CONFIG, OVERRIDES, SCORES = "config.yaml", "overrides.yaml", "scores.json"
PATIENCE = 60.0  # seconds that a stopped run has to save its state
MAY_CHANGE = re.compile(r"board|(stages\.\w+\.)?trainer\.(max_epochs|max_steps|patience)")  # when a stopped run goes on


@contextmanager
def lock(out: Path) -> Iterator[None]:
    """Nobody else trains in this folder; a killed process leaves no lock behind."""
    out.mkdir(parents=True, exist_ok=True)
    try:
        with FileLock(out / ".lock", blocking=False):
            yield
    except Timeout as error:
        raise UserError(f"another process is training in {out}; wait for it, or choose another folder") from error


def trusted(config: Mapping[str, Any], overrides: list[str]) -> list[str]:
    """The packages whose classes a config may name; a file cannot grant that, only the command line."""
    trust = list(config["trust"])
    if trust and not any(override.lstrip("+").startswith("trust=") for override in overrides):
        raise UserError(f"trust={trust} was set by a config file; only the command line may trust a package")
    return trust


def wait(out: Path) -> None:
    """Until nobody trains in this folder: the run of a killed sweep may be there yet, saving its state."""
    try:
        with lock(out):
            return
    except UserError:
        print(f"waiting for another process that is training in {out}", flush=True)
    with FileLock(out / ".lock"):
        return


def word(out: Path) -> str:
    """What a command says to have its run in this folder."""
    shown = str(summary.short(out))
    return "hydra.run.dir=" + (shown if re.fullmatch(r"[\w./+-]+", shown) else quoted(shown))


def begin(out: Path, config: Mapping[str, Any], overrides: list[str]) -> None:
    """Writes the resolved config. Refuses to go on with a training of another config, to take a finished run for one,
    and limits that would have made another run of what is there."""
    begun = (out / SCORES).exists() or any(out.glob("*/checkpoints/step-*"))
    if begun and (out / CONFIG).exists():
        from ctr.app import limits  # here: the process of a sweep reads folders, and imports no torch

        same = _same(out, config)
        limits.check(out, read_config(out), config)
        if not same:
            (out / SCORES).unlink(missing_ok=True)  # before the config: they are of the run with other limits
    disk.write_text(out / CONFIG, yaml.safe_dump(dict(config), sort_keys=False))
    disk.write_text(out / OVERRIDES, yaml.safe_dump(overrides))


def finished(out: Path, config: Mapping[str, Any]) -> float | None:
    """The monitored score on valid of the run of this config, None where it has not finished, or may go on.

    Raises UserError where the folder holds a finished run of another config.
    """
    if not (out / SCORES).exists() or not _same(out, config):
        return None
    scores = read_scores(out)
    return float(scores["valid"][scores["monitor"]])


def _same(out: Path, config: Mapping[str, Any]) -> bool:
    """Was the run of this folder begun with this config, or with other limits alone? Raises UserError for any other."""
    stored = read_config(out)
    before, now = flat(stored), flat(config)
    changed = [key for key in sorted(before.keys() | now.keys()) if before.get(key) != now.get(key)]
    if differing := [key for key in changed if not MAY_CHANGE.fullmatch(key)]:
        if "trainer" not in stored:
            raise UserError(f"{out} holds a finished baseline (scripts/baseline.py); use a new folder, or delete it")
        shown = "; ".join(f"{key}: {before.get(key)} there, {now.get(key)} now" for key in differing[:3])
        raise UserError(f"{out} holds a run of another config ({shown}); repeat its command, or use a new folder")
    return not changed


def read_config(out: Path) -> dict[str, Any]:
    try:
        text = (out / CONFIG).read_text(encoding="utf-8")
    except OSError as error:
        raise _no_run(out) from error
    loader = SafeLoader(text)
    try:
        config: dict[str, Any] = loader.get_single_data()
    finally:
        loader.dispose()
    return config


def _no_run(out: Path) -> UserError:
    return UserError(f"{out} is not the folder of a run: it has no {CONFIG}")


def read_overrides(out: Path) -> list[str]:
    """What the run's command said."""
    path = out / OVERRIDES
    return list(yaml.safe_load(path.read_text(encoding="utf-8"))) if path.exists() else []


def read_scores(out: Path) -> dict[str, Any]:
    """The scores of a finished run. Raises UserError where it is none."""
    if not (out / CONFIG).exists():
        raise _no_run(out)
    if not (out / SCORES).exists():
        raise UserError(f"{out} has no {SCORES}: its run has not finished; repeat its command to go on")
    scores: dict[str, Any] = json.loads((out / SCORES).read_text(encoding="utf-8"))
    return scores


def last_stage(out: Path) -> str:
    """The stage whose model is the run's result."""
    return str(list(read_config(out)["stages"])[-1])


def write_json(path: Path, content: Any) -> None:
    disk.write_text(path, json.dumps(content, indent=2) + "\n")


def flat(node: Any, path: str = "") -> dict[str, Any]:
    if isinstance(node, Mapping) and node:
        return {
            key: value
            for name, item in node.items()
            for key, value in flat(item, f"{path}.{name}" if path else str(name)).items()
        }
    return {path: node}
