"""Which files for the whole config, as experiments, go with a choice, and what they set."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import cache
from typing import Any

from ctr.app.guide import notes
from ctr.app.guide.groups import Group, group, groups, is_whole, read

MOST = 4  # files that are named one by one


def elsewhere(chosen: Group, choice: str, key: str) -> str:
    """Which experiments and tuned settings that go with this choice give the key another value."""
    found = [f"{notes.one_line(value)} in {name}" for name, value in _set_by(chosen, choice, key)]
    others = [f"{len(found) - MOST} more"] if len(found) > MOST else []
    return f"Set to {'; '.join([*found[:MOST], *others])}." if found else ""


@cache
def _for_the_whole() -> dict[str, Mapping[str, Any]]:
    """The files that set keys of the whole config, by group and choice."""
    every = {f"{one.name}/{choice}": one.file(choice) for one in groups().values() for choice in one.choices}
    return {name: read(path) or {} for name, path in every.items() if is_whole(path)}


def _set_by(chosen: Group, choice: str, key: str) -> Iterator[tuple[str, Any]]:
    for name, content in _for_the_whole().items():
        if _choice_of(content, chosen) == choice and not name.startswith(f"{chosen.name}/"):
            node: Any = content
            for part in [*chosen.package.split("."), key]:
                node = node.get(part) if isinstance(node, Mapping) else None
            if node is not None:
                yield name, node


def _choice_of(content: Mapping[str, Any], chosen: Group) -> str | None:
    """What a file for the whole config chooses of a group."""
    for entry in content.get("defaults", []):
        if isinstance(entry, dict) and (choice := entry.get(f"override /{chosen.key}")) is not None:
            return str(choice)
    return chosen.default


def experiments(model: str) -> list[str]:
    """The experiments of a model's YAML."""
    every = _for_the_whole().items()
    found = [name for name, content in every if _choice_of(content, group("model")) == model]
    return [name.removeprefix("experiment/") for name in found if name.startswith("experiment/")]
