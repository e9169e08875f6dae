"""Is a YAML file right: does it compose, and do all keys and values fit the classes that it names?"""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

from omegaconf import DictConfig, OmegaConf

from ctr.app import claim
from ctr.app.composed import compose, plain
from ctr.app.config import check_root, problems
from ctr.app.guide.groups import CONFIGS, WHOLE, Group, group, groups, is_whole, read, target
from ctr.errors import UserError


@dataclass(frozen=True)
class Checked:
    """What a file is, what is wrong with it, and which values a command has yet to give."""

    what: str
    wrong: list[str] = field(default_factory=list)
    to_say: list[str] = field(default_factory=list)


def check(path: Path, said: str | None = None, trust: Sequence[str] = ()) -> Checked:
    """`said` is the group of a file that is not in a folder of configs/, where its content does not tell. `trust` lists
    packages of your own whose classes it names. Raises UserError where it is no YAML or of no kind known."""
    if not path.is_file():
        raise UserError(f"there is no file {path}")
    content = read(path) or {}  # a file of comments alone sets nothing
    if not isinstance(content, dict):
        raise UserError(f"{path} holds {type(content).__name__}, where keys with values were expected")
    if "stages" in content and "model" in content and "defaults" not in content:
        return Checked("the config of a run", list(_wrong(content, trust)))
    chosen = None if path.resolve() == CONFIGS / "train.yaml" else group(said) if said else _group_of(path, content)
    what = f"a choice of {chosen.name}" if chosen else "the root of all configs"
    try:
        config = _composed(path, chosen)
        composed = plain(config, missing=True)
        missing = sorted(OmegaConf.missing_keys(config))
    except UserError as error:
        return Checked(what, [str(error)])
    return Checked(what, list(_wrong(composed, trust)), missing)


def _composed(path: Path, chosen: Group | None) -> DictConfig:
    """Of a file from elsewhere, as if it stood among the others of its group, under a name that none of them has."""
    if chosen is None:
        return compose([])
    if not chosen.key:
        raise UserError(f"{path} is of {chosen.name}, from which train.py does not choose; its own script checks it")
    if path.resolve().parent == chosen.folder:
        return compose([f"{chosen.key}={path.stem}"])
    with tempfile.TemporaryDirectory() as folder:
        name = f"{path.stem}_as_given"
        (Path(folder) / chosen.name).mkdir(parents=True)
        shutil.copyfile(path, Path(folder) / chosen.name / f"{name}.yaml")
        return compose([f"{chosen.key}={name}"], Path(folder))


def _group_of(path: Path, content: dict[Any, Any]) -> Group:
    """By the folder, or by what it holds: keys of the whole config, or the class that it names."""
    resolved = path.resolve()
    if resolved.is_relative_to(CONFIGS) and resolved.parent != CONFIGS:
        return group(resolved.parent.relative_to(CONFIGS).as_posix())
    if is_whole(path):
        return group("experiment")
    named = str(content.get("_target_", ""))
    parents = {entry for entry in content.get("defaults", []) if isinstance(entry, str)}
    for one in groups().values():
        known = [target(one.file(choice)) for choice in one.choices] if one.package != WHOLE else []
        same_home = named.startswith(("ctr.models.", "ctr.data.")) and any(
            other and other.rpartition(".")[0] == named.rpartition(".")[0] for other in known
        )
        if known and (named in known or same_home or parents & set(one.choices)):
            return one
    names = ", ".join(groups())
    raise UserError(
        f"{path}: what is this for? Begin it with '# @package {WHOLE}' if it sets keys of the whole config, as an "
        f"experiment, or say --group with one of {names}"
    )


def _wrong(config: dict[str, Any], trust: Sequence[str]) -> Iterator[str]:
    """Everything; a stage's copy of what the root has is left out."""
    seen: set[str] = set()
    steps: list[Callable[[], None]] = [partial(check_root, config), partial(claim.check, config.get("claim"))]
    for step in steps:
        try:
            step()
        except UserError as error:
            yield str(error)
    for problem in problems(config, trust):
        key, _, rest = problem.partition(": ")
        if f"{key.rpartition('.')[2]}: {rest}" not in seen:
            yield problem
        seen.add(f"{key.rpartition('.')[2]}: {rest}")
