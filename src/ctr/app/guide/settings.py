"""Which files for the whole config, as experiments, go with a choice, and what they set."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from functools import cache
from typing import Any

from ctr.app.guide import notes
from ctr.app.guide.groups import Group, group, groups, inherited, is_whole, read

MOST = 4  # files that are named one by one


def elsewhere(chosen: Group, choice: str, key: str) -> str:
    """Which experiments and tuned settings that go with this choice give the key another value."""
    found = [f"{notes.one_line(value)} in {name}" for name, value in _set_by(chosen, choice, key)]
    others = [f"{len(found) - MOST} more"] if len(found) > MOST else []
    return f"Set to {'; '.join([*found[:MOST], *others])}." if found else ""


@cache
def _for_the_whole() -> dict[str, list[Mapping[str, Any]]]:
    """The files that set keys of the whole config, by group and choice: each with those that it builds on before it."""
    every = {f"{one.name}/{choice}": one.file(choice) for one in groups().values() for choice in one.choices}
    return {name: [read(one) or {} for one in inherited(path)] for name, path in every.items() if is_whole(path)}


def _set_by(chosen: Group, choice: str, key: str) -> Iterator[tuple[str, Any]]:
    for name, contents in _for_the_whole().items():
        if _choice_of(contents, chosen) == choice and not name.startswith(f"{chosen.name}/"):
            node: Any = contents[-1]
            for part in [*chosen.package.split("."), key]:
                node = node.get(part) if isinstance(node, Mapping) else None
            if node is not None:
                yield name, node


def _choice_of(contents: Sequence[Mapping[str, Any]], chosen: Group) -> str | None:
    """What a file for the whole config, or what it builds on, chooses of a group."""
    for content in reversed(contents):
        for entry in content.get("defaults", []):
            if isinstance(entry, dict) and (choice := entry.get(f"override /{chosen.key}")) is not None:
                return str(choice)
    return chosen.default


def experiments(model: str) -> list[str]:
    """The experiments of a model's YAML."""
    every = _for_the_whole().items()
    found = [name for name, contents in every if _choice_of(contents, group("model")) == model]
    return [name.removeprefix("experiment/") for name in found if name.startswith("experiment/")]
