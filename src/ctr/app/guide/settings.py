"""Which files for the whole config, as experiments, go with a choice, and what they set."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from ctr.app.guide import notes
from ctr.app.guide.groups import WHOLE, Group, group, groups, read

MOST = 4  # files that are named one by one


def elsewhere(chosen: Group, choice: str, key: str) -> str:
    """Which experiments and tuned settings that go with this choice give the key another value."""
    found = [f"{notes.one_line(value)} in {name}" for name, value in _set_by(chosen, choice, key)]
    others = [f"{len(found) - MOST} more"] if len(found) > MOST else []
    return f"Set to {'; '.join([*found[:MOST], *others])}." if found else ""


def _set_by(chosen: Group, choice: str, key: str) -> Iterator[tuple[str, Any]]:
    for other in groups().values():
        for path in sorted(other.folder.glob("*.yaml")) if other.package == WHOLE else ():
            content = read(path) or {}
            if _choice_of(content, chosen) == choice:
                node: Any = content
                for name in [*chosen.package.split("."), key]:
                    node = node.get(name, None) if isinstance(node, Mapping) else None
                if node is not None:
                    yield f"{other.name}/{path.stem}", node


def _choice_of(content: Mapping[str, Any], chosen: Group) -> str | None:
    """What a file for the whole config chooses of a group."""
    for entry in content.get("defaults", []):
        if isinstance(entry, dict) and (choice := entry.get(f"override /{chosen.key}")) is not None:
            return str(choice)
    return chosen.default


def experiments(model: str) -> list[str]:
    """The experiments of a model's YAML."""
    paths = sorted(group("experiment").folder.glob("*.yaml"))
    return [path.stem for path in paths if _choice_of(read(path) or {}, group("model")) == model]
