"""The best trial as an experiment file, which composes to the very config that the trial had."""

from __future__ import annotations

import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import yaml
from hydra.core.override_parser.overrides_parser import OverridesParser
from omegaconf import DictConfig, OmegaConf

from ctr import disk
from ctr.app import composed
from ctr.app.tune.checking import is_group

EXPERIMENTS = "experiment"  # a folder of this name is where Hydra looks for experiment=...


def write(folder: Path, name: str, words: Sequence[str], told: Sequence[str], command: str) -> Path:
    """Writes <folder>/experiment/<name>.yaml from the overrides of a trial; `told` says where it comes from, `command`
    runs it."""
    words = [*words, "claim=null"]  # what an included experiment claims is not of these settings
    config = composed.compose(words)
    path = folder / EXPERIMENTS / f"{name}.yaml"
    path.parent.mkdir(parents=True, exist_ok=True)
    head = ["@package _global_", *told, f"  {command}"]
    body = "".join(_block(key, value) for key, value in page(words, config).items())
    text = "\n".join(f"# {line}" for line in head) + "\n" + body
    disk.write_text(path, text)
    again = composed.compose([f"experiment={name}"], more=folder)
    assert OmegaConf.to_container(again) == OmegaConf.to_container(config), f"{path} is not the config of the trial"
    return path


def _block(key: str, value: Any) -> str:
    """A choice a line, and lists of numbers in one."""
    nested = isinstance(value, (dict, list)) and key != "defaults"
    style = None if nested else False
    return str(yaml.safe_dump({key: value}, sort_keys=False, default_flow_style=style, width=110))


def page(words: Sequence[str], config: DictConfig) -> dict[str, Any]:
    """The overrides as a file: choices become its defaults list, other experiments are included, values are set."""
    included, choices, values = list[Any](), list[Any](), dict[str, Any]()
    for word in OverridesParser.create().parse_overrides(list(words)):
        key = word.key_or_group + (f"@{word.package}" if word.package else "")
        if key == EXPERIMENTS:
            included = [word.value()] if word.value() else []
        elif is_group(key):
            choices = [one for one in choices if f"override /{key}" not in one]
            choices.append({f"override /{key}": word.value()})
        else:
            _put(values, key.split("."), _value(config, key))
    defaults = [*included, "_self_", *choices] if included else choices
    return {**({"defaults": defaults} if defaults else {}), **values}


def _value(config: DictConfig, key: str) -> Any:
    """As the config says it, interpolations and all."""
    node: Any = OmegaConf.to_container(config, resolve=False)
    for name in key.split("."):
        node = node[name]
    return node


def _put(node: dict[str, Any], path: Sequence[str], value: Any) -> None:
    for name in path[:-1]:
        node = node.setdefault(name, {})
    node[path[-1]] = value


def seeds_for(used: Sequence[int], number: int = 5) -> list[int]:
    """Seeds to measure with: the first ones that nothing was chosen by."""
    return [seed for seed in range(1, number + len(used) + 1) if seed not in used][:number]


def today() -> str:
    return time.strftime("%Y-%m-%d", time.gmtime())


def launch(folder: Path, names: Sequence[str], seeds: Sequence[int] = ()) -> str:
    """The command that trains these experiments of a sweep's folder, over seeds where there are any."""
    where = folder.relative_to(Path.cwd()) if folder.is_absolute() and folder.is_relative_to(Path.cwd()) else folder
    many = f" seed={','.join(map(str, seeds))}" if seeds else ""
    return f"python train.py --config-dir {where}{' -m' * bool(seeds)} experiment={','.join(names)}{many}"
