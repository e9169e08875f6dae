"""The keys of a flat config: which of them say what is trained, and what to call them shortly."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable

REPETITION = re.compile(r"(seed|threads|board|claim(\..*)?|(stages\.\w+\.)?trainer\.seed)")
PLACE = re.compile(r"dataset\.(root|cache)|device|(stages\.\w+\.)?trainer\.device|trust")


def of_repetition(key: str) -> bool:
    """May runs differ in it that repeat each other? The seed, and how a run is watched and judged."""
    return REPETITION.fullmatch(key) is not None


def of_place(key: str) -> bool:
    """Does it say where the data are, and on what machine a run is made?"""
    return PLACE.fullmatch(key) is not None


def of_training(key: str) -> bool:
    """Does it say what is trained, and how?"""
    return not (of_repetition(key) or of_place(key))


def of_root(key: str) -> str | None:
    """The key of the root that this one of a stage is a copy of, if it may be one."""
    match = re.fullmatch(r"stages\.\w+\.((?:model|trainer)\..+)", key)
    return match[1] if match else None


def short(keys: Iterable[str]) -> dict[str, str]:
    """For each key the shortest end of it that no other one has."""
    ends = {key: [key.split(".", n)[-1] for n in reversed(range(key.count(".") + 1))] for key in keys}
    others = Counter(end for each in ends.values() for end in each)
    return {key: next((end for end in each if others[end] == 1), key) for key, each in ends.items()}
