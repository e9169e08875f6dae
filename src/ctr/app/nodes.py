"""Nodes of a page of data, a table's or a sweep's: of the shape that is asked for, or refused with the place."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from ctr.errors import UserError, nearest


def keys(node: Any, where: str, required: Sequence[str], optional: Sequence[str] = ()) -> Mapping[str, Any]:
    """The node, a mapping of these keys. Raises UserError where it is another."""
    known = [*required, *optional]
    if not isinstance(node, Mapping):
        raise UserError(f"{where}: expected a mapping with {', '.join(known)}; found {node!r}")
    for key in node:
        if key not in known:
            raise UserError(
                f"{where}: nothing reads the key {key!r}; known are {', '.join(known)}{nearest(key, known)}"
            )
    for key in required:
        if key not in node:
            raise UserError(f"{where}: the key {key!r} is missing")
    return node


def texts(node: Any, where: str) -> list[str]:
    """A list of texts; lists in it, as YAML's aliases give, are taken apart."""
    if not isinstance(node, list):
        raise UserError(f"{where}: expected a list, found {node!r}")
    found: list[str] = []
    for item in node:
        found += texts(item, where) if isinstance(item, list) else [" ".join(str(item).split())]
    return found


def number(node: Any, where: str) -> float:
    if isinstance(node, bool) or not isinstance(node, (int, float)):
        raise UserError(f"{where}: expected a number, found {node!r}")
    return float(node)


def band(node: Any, where: str) -> tuple[float, float]:
    """[low, high]."""
    if not isinstance(node, list) or len(node) != 2:
        raise UserError(f"{where}: expected [low, high], found {node!r}")
    low, high = (number(bound, where) for bound in node)
    if low > high:
        raise UserError(f"{where}: the lower bound comes first, found {node!r}")
    return low, high
