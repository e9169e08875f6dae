"""A choice with every argument explained, or a whole composition with what differs from the defaults."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from functools import cache
from pathlib import Path
from textwrap import wrap
from typing import Any

import yaml

from ctr.app.guide import classes, notes, pages, settings
from ctr.app.guide.groups import Group, group, inherited, is_whole, read, target
from ctr.errors import UserError

WIDTH = 100


def show(words: Sequence[str]) -> str:
    """`model/nfm`, or overrides as for train.py."""
    if len(words) == 1 and "=" not in words[0]:
        name, _, choice = words[0].rpartition("/")
        if not name:
            raise UserError(
                f"say GROUP/CHOICE, as model/nfm, or overrides, as experiment=nfm_frappe; found {words[0]!r}"
            )
        chosen = group(name)
        path = chosen.file(choice)
        return whole([f"{chosen.key}={choice}"], path) if of_the_whole(chosen, path) else part(chosen, choice)
    return whole(words)


def of_the_whole(chosen: Group, path: Path) -> bool:
    """Is the choice shown as a whole config, rather than as its part of one?"""
    return chosen.package == "stages" or is_whole(path)


def part(chosen: Group, choice: str) -> str:
    """The choice's part of the config, every argument with its type, what it is for, and who sets it otherwise."""
    path = chosen.file(choice)
    content = _merged(path)
    named = target(path)
    known = classes.find(named) if named else classes.Class("")
    said = _commented(f"{chosen.name}/{choice}")
    if named and (page := pages.of_class(named)):
        said += _commented(f"{page.title}. Its page: docs/models/{page.name}.md")
    for paragraph in notes.opening(path) + known.docstring.split("\n\n"):
        said += _commented(" ".join(paragraph.split()))
    if known.name and not known.docstring:
        said += _commented(f"{named} is not of this project; its own documentation says what the arguments are.")
    comments = {key: text for one in inherited(path) for key, text in notes.by_key(one).items()}
    for key, value in content.items():
        explained = [f"{known.arguments[key].capitalize()}."] if key in known.arguments else []
        explained += [known.explained(key)] if not key.startswith("_") else []
        explained += [f"({comments[key]})"] if key in comments else []
        said += ["", *_commented(" ".join(filter(None, explained)))]
        if elsewhere := settings.elsewhere(chosen, choice, key):
            said += _commented(elsewhere)
        said += _dumped(key, value)
    return "\n".join([*said, "", *_commands(chosen, choice, content)]) + "\n"


def _dumped(key: str, value: Any) -> list[str]:
    if isinstance(value, Mapping) and value:
        return str(yaml.safe_dump({key: value}, sort_keys=False, default_flow_style=None, width=WIDTH)).splitlines()
    return [f"{key}: {notes.one_line(value)}"]


def _merged(path: Path) -> dict[str, Any]:
    """A file's keys and those of the files it builds on, as they are written there."""
    found: dict[str, Any] = {}
    for one in inherited(path):
        content = read(one) or {}
        found |= {key: value for key, value in content.items() if key != "defaults"}
    return found


def _commented(text: str) -> list[str]:
    return [f"# {line}" for line in wrap(text, WIDTH)]


def _commands(chosen: Group, choice: str, content: Mapping[str, Any]) -> list[str]:
    if not chosen.key:
        return []
    said = [f"python train.py {chosen.key}={choice}"]
    if changed := next((key for key, value in content.items() if type(value) in (int, float)), None):
        value = content[changed]
        said.append(f"{said[0]} {chosen.package}.{changed}={2 * value if value else 1}")
    if chosen.name == "model":
        said += [f"python train.py experiment={name}" for name in settings.experiments(choice)]
        said.append(f"python scripts/configs.py draw model={choice} dataset=frappe --format table")
    return ["# For example:", *(f"#   {command}" for command in said)]


def whole(words: Sequence[str], path: Path | None = None) -> str:
    """The config of a command; each value that a bare train.py would not have stands beside the one that it has."""
    from ctr.app.composed import compose, plain

    config = plain(compose(words), missing=True)
    for stage in config["stages"].values():
        stage.update({name: f"${{{name}}}" for name in ("model", "trainer") if stage.get(name) == config[name]})
    said = [f"# python train.py {' '.join(words)}"]
    for paragraph in notes.opening(path) if path else []:
        said += _commented(paragraph)
    return "\n".join([*said, *_lines(config, _defaults(), "")]) + "\n"


@cache
def _defaults() -> Mapping[str, Any]:
    from ctr.app.composed import compose, plain

    return plain(compose([]))


def _lines(node: Mapping[str, Any], default: Any, indent: str) -> Iterator[str]:
    known = default if isinstance(default, Mapping) else {}
    for key, value in node.items():
        if isinstance(value, Mapping) and value:
            yield f"{indent}{key}:" + ("" if key in known else "  # not in the defaults")
            yield from _lines(value, known.get(key), indent + "  ")
        else:
            other = key in known and known[key] != value and not isinstance(known[key], Mapping)
            yield f"{indent}{key}: {notes.one_line(value)}" + (
                f"  # default: {notes.one_line(known[key])}" if other else ""
            )
