"""From configs/sweep/<name>.yaml to a Sweep. Whatever it does not understand it refuses, with the place."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from omegaconf import OmegaConf
from omegaconf.errors import OmegaConfBaseException
from yaml import YAMLError

from ctr.app.datasets import CONFIGS
from ctr.app.nodes import keys, number, texts
from ctr.app.tune import methods, space
from ctr.app.tune.sweep import Member, Sweep
from ctr.errors import UserError, nearest

SWEEPS = CONFIGS / "sweep"
OBJECTIVES = ("score", "seconds", "parameters")
OPTIONAL = ("overrides", "space", "models", "sampler", "pruner", "objectives", "hours", "start")
OURS = ("seed", "threads", "claim", "trust")  # the tuner gives every run its own, or only a command line may set them
SAME = ("dataset", "task", "monitor", "metrics")  # scores would not compare


def names() -> list[str]:
    return sorted(path.stem for path in SWEEPS.glob("*.yaml"))


def path_of(name: str) -> Path:
    """The file of this name in configs/sweep/, or at this path."""
    if name.endswith(".yaml"):
        if not Path(name).is_file():
            raise UserError(f"sweep={name}: there is no such file")
        return Path(name)
    if name not in (known := names()):
        raise UserError(f"there is no sweep {name!r}; there are {', '.join(known)}{nearest(name, known)}")
    return SWEEPS / f"{name}.yaml"


def read(name: str, more: Sequence[str] = (), trials: int | None = None) -> Sweep:
    """The sweep of this name; `more` are overrides of every trial besides the file's, `trials` another budget."""
    path = path_of(name)
    where = path.name
    try:
        node: Any = OmegaConf.to_container(
            OmegaConf.create(path.read_text(encoding="utf-8"))
        )  # as Hydra reads YAML: 1e-4 is a number
    except (YAMLError, OmegaConfBaseException, OSError) as error:
        raise UserError(f"{where}: {' '.join(str(error).split())}") from error
    node = keys(node, where, ("title", "trials", "seeds"), OPTIONAL)
    sampler = methods.sampler(node.get("sampler", "tpe"), f"{where}.sampler")
    objectives = tuple(methods.one_of(o, OBJECTIVES, f"{where}.objectives") for o in node.get("objectives", ["score"]))
    if objectives[0] != "score" or len(set(objectives)) < len(objectives) or len(objectives) > 2:
        raise UserError(f"{where}.objectives: expected [score], [score, seconds] or [score, parameters]")
    pruner = methods.pruner(node.get("pruner", "none"), f"{where}.pruner")
    if pruner.name != "none" and len(objectives) > 1:
        raise UserError(f"{where}.pruner: with two objectives there is no telling which trial is behind; say none")
    start = node.get("start", sampler.name != "grid")
    if not isinstance(start, bool) or (start and sampler.name == "grid"):
        raise UserError(f"{where}.start: expected true or false, and false for a grid; found {start!r}")
    sweep = Sweep(
        name=path.stem,
        title=" ".join(str(node["title"]).split()),
        members=tuple(_members(node, path.stem, more, where)),
        sampler=sampler,
        pruner=pruner,
        objectives=objectives,
        seeds=_seeds(node["seeds"], f"{where}.seeds"),
        trials=methods.whole(
            node["trials"] if trials is None else trials, f"{where}.trials" if trials is None else "--trials"
        ),
        hours=None if node.get("hours") is None else number(node["hours"], f"{where}.hours"),
        start=start,
    )
    if sampler.name == "grid" and any(member.grid_size is None for member in sweep.members):
        raise UserError(
            f"{where}: a grid has lists, whole numbers and ranges with a step; one of its ranges has no end"
        )
    return sweep


def _members(node: Mapping[str, Any], name: str, more: Sequence[str], where: str) -> list[Member]:
    common, shared = texts(node.get("overrides", []), f"{where}.overrides"), node.get("space", {})
    models = node.get("models", {name: {}})
    if not isinstance(models, Mapping) or not models:
        raise UserError(f"{where}.models: expected a mapping of names to overrides and space; found {models!r}")
    found = []
    for model, said in models.items():
        at = f"{where}.models.{model}" if "models" in node else where
        said = keys(said, at, (), ("overrides", "space"))
        own = texts(said.get("overrides", []), f"{at}.overrides")
        searched = {**space.read(shared, f"{where}.space"), **space.read(said.get("space", {}), f"{at}.space")}
        member = Member(str(model), (*common, *own, *more), searched)
        _check_keys(member, more, at)
        found.append(member)
    return found


def _check_keys(member: Member, more: Sequence[str], where: str) -> None:
    if not member.space:
        raise UserError(
            f"{where}: there is nothing to search; say space: {{trainer.optimizer.lr: {{low: ..., high: ...}}}}"
        )
    fixed = {word.split("=")[0].lstrip("+"): word for word in member.overrides}
    for key, word in [*fixed.items(), *((key, "") for key in member.space)]:
        if word and ("=" not in word or word.startswith("~")):
            raise UserError(f"{where}: {word!r} is no override such as model=nfm")
        if (key in OURS and word not in more) or key.split(".")[0] == "hydra":
            raise UserError(f"{where}: {key} cannot be set here: every run gets it from the tuner or the command line")
        if key in SAME and not word:
            raise UserError(f"{where}.space: {key} cannot be searched: scores of different {key}s do not compare")
        if word and key in member.space:
            raise UserError(f"{where}: {key} is both fixed ({word}) and searched")
    if "seed" in fixed or "threads" in fixed or "claim" in fixed:
        raise UserError(f"{where}: seed, threads and claim are the tuner's to set")


def _seeds(node: Any, where: str) -> tuple[int, ...]:
    if (
        not isinstance(node, list)
        or not node
        or any(type(seed) is not int for seed in node)
        or len(set(node)) < len(node)
    ):
        raise UserError(f"{where}: expected a list of different whole numbers, found {node!r}")
    return tuple(node)
