"""The groups of configs/, their choices, and one line about each. Imports neither torch nor Hydra."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from textwrap import fill
from typing import Any

import yaml

from ctr.app.guide import classes, notes, pages
from ctr.errors import UserError, nearest

CONFIGS = Path(__file__).parents[4] / "configs"
WHOLE = "_global_"  # of groups whose files set keys of the whole config


@dataclass(frozen=True)
class Group:
    """A folder of choices. `package` is where they land in the config, `key` how a command says them; it is empty where
    train.py does not choose from the folder."""

    name: str
    package: str
    key: str  # empty where train.py does not choose from it
    default: str | None  # the choice of a command that says nothing

    @property
    def folder(self) -> Path:
        return CONFIGS / self.name

    @property
    def choices(self) -> list[str]:
        return sorted(path.stem for path in self.folder.glob("*.yaml"))

    def file(self, choice: str) -> Path:
        """The choice's file. Raises UserError where there is none."""
        if choice not in self.choices:
            raise UserError(
                f"there is no {self.name}/{choice}; there are {', '.join(self.choices)}{nearest(choice, self.choices)}"
            )
        return self.folder / f"{choice}.yaml"


@cache
def groups() -> dict[str, Group]:
    """All of them, by name: first those that train.yaml chooses from, in its order."""
    found = {}
    for entry in read(CONFIGS / "train.yaml")["defaults"]:
        if isinstance(entry, dict) and not any(said.startswith("override ") for said in entry):
            ((said, default),) = entry.items()
            key = said.removeprefix("optional ")
            name, _, package = key.partition("@")
            choice = None if default is None or "$" in default else default
            found[name] = Group(name, package or _package(name), key, choice)
    folders = {path.parent.relative_to(CONFIGS).as_posix() for path in CONFIGS.glob("**/*.yaml")} - {"."}
    others = {name: name if name.startswith("hydra/") else "" for name in sorted(folders - found.keys())}
    return found | {name: Group(name, _package(name), key, None) for name, key in others.items()}


def group(name: str) -> Group:
    """Raises UserError where there is no such group."""
    known = groups()
    if name not in known:
        raise UserError(f"there is no group {name!r}; there are {', '.join(known)}{nearest(name, known)}")
    return known[name]


def _package(name: str) -> str:
    files = list((CONFIGS / name).glob("*.yaml"))
    return WHOLE if files and all(is_whole(path) for path in files) else name.replace("/", ".")


def is_whole(path: Path) -> bool:
    """Does a file set keys of the whole config, rather than its group's part of it?"""
    return path.read_text(encoding="utf-8").lstrip().startswith(f"# @package {WHOLE}")


def read(path: Path) -> Any:
    """A file's content. Raises UserError where it is no YAML."""
    try:
        return yaml.safe_load(path.read_text(encoding="utf-8"))
    except yaml.YAMLError as error:
        raise UserError(f"{path} is no YAML: {' '.join(str(error).split())}") from error


def inherited(path: Path) -> Iterator[Path]:
    """The files of its group that a file builds on, the furthest first, and itself."""
    content = read(path)
    for entry in content.get("defaults", []) if isinstance(content, dict) else []:
        other = path.parent / f"{entry}.yaml"
        if isinstance(entry, str) and other.exists():
            yield from inherited(other)
    yield path


def target(path: Path) -> str | None:
    """The class that a file names, itself or by what it builds on."""
    named = [content["_target_"] for one in inherited(path) if "_target_" in (content := read(one) or {})]
    return str(named[-1]) if named else None


def about(path: Path) -> str:
    """One line: what a model's page says, the file's first comment, or what its class says."""
    named = target(path)
    if named and (page := pages.of_class(named)):
        return f"{page.title}. {page.citation}"
    found = " ".join(notes.opening(path)) or (classes.find(named).summary if named else "")
    return re.split(r"(?<!et al)\.\s", found)[0].rstrip(".")


def listing(name: str | None) -> str:
    """Every group with its choices, or one of them with a line about each choice."""
    if name is not None:
        chosen = group(name)
        width = max(map(len, chosen.choices), default=0)
        lines = [f"  {choice:<{width}}  {about(chosen.file(choice))}".rstrip() for choice in chosen.choices]
        return "\n".join([_heading(chosen), *lines])
    return "\n".join(
        f"{_heading(one)}\n{fill(', '.join(one.choices), 116, initial_indent='  ', subsequent_indent='  ')}"
        for one in groups().values()
    )


def _heading(group: Group) -> str:
    if not group.key:
        return f"{group.name}: not train.py's"
    default = f"{group.default} unless said otherwise" if group.default else "none unless said otherwise"
    return f"{group.name}: python train.py {group.key}=...  ({default})"
