"""The settings in which the groups of a board differ."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from ctr.app import config_keys

CLASS = "_target_"


def independent(settings: Mapping[str, Sequence[Any]]) -> tuple[dict[str, Sequence[Any]], list[str]]:
    """Those that say something of their own, and the names of the others: where the data are, settings that come with a
    class (another model brings other keys), and those that always go with another, as an L2 of two tables may."""
    keys = [key for key in settings if not config_keys.of_place(key)]
    classes, kept = list[str](), dict[str, Sequence[Any]]()
    for key in keys:
        if key.endswith(CLASS) and not any(_follows(settings[key], settings[one]) for one in classes):
            classes.append(key)
    for key in keys:
        brought = key not in classes and any(_follows(settings[key], settings[one]) for one in classes)
        if not brought and not any(list(map(text, settings[key])) == list(map(text, each)) for each in kept.values()):
            kept[key] = settings[key]
    return kept, [key for key in settings if key not in kept]


def _follows(values: Sequence[Any], cause: Sequence[Any]) -> bool:
    """One value for each value of the cause."""
    return len({(text(a), text(b)) for a, b in zip(values, cause, strict=True)}) == len(set(map(text, cause)))


def text(value: Any) -> str:
    """A setting as YAML's flow style has it; a class by its name; a dash where a group has no such key."""
    if value is None:
        return "-"
    if isinstance(value, str):
        return value.rsplit(".", 1)[-1] if value.startswith(("ctr.", "torch.", "sklearn.", "lightgbm.")) else value
    if isinstance(value, bool):
        return str(value).lower()
    return f"{value:g}" if isinstance(value, float) else json.dumps(value, default=str)
