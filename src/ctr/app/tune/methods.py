"""How a sweep's file says how to search: its sampler and its pruner."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ctr.app.nodes import keys
from ctr.app.tune.sweep import Pruner, Sampler
from ctr.errors import UserError, nearest

SAMPLERS, PRUNERS = ("tpe", "random", "grid"), ("none", "median", "hyperband")


def sampler(node: Any, where: str) -> Sampler:
    said = {"name": node} if isinstance(node, str) else keys(node, where, ("name",), ("seed", "startup"))
    name = one_of(said["name"], SAMPLERS, where)
    return Sampler(
        name, whole(said.get("seed", 1), f"{where}.seed"), whole(said.get("startup", 10), f"{where}.startup")
    )


def pruner(node: Any, where: str) -> Pruner:
    said = (
        {"name": node}
        if isinstance(node, str)
        else keys(node, where, ("name",), ("startup", "warmup", "most", "reduction"))
    )
    name = one_of(said["name"], PRUNERS, where)
    fitting = {"none": (), "median": ("startup", "warmup"), "hyperband": ("most", "reduction")}[name]
    said = keys(said, where, ("name", "most") if name == "hyperband" else ("name",), fitting)
    usual = {"startup": 5, "warmup": 0, "reduction": 3}
    return Pruner(
        name, **{key: whole(said.get(key, usual.get(key)), f"{where}.{key}", key != "warmup") for key in fitting}
    )


def whole(node: Any, where: str, positive: bool = True) -> int:
    if type(node) is not int or node < positive:
        raise UserError(f"{where}: expected a whole number of at least {int(positive)}, found {node!r}")
    return node


def one_of(node: Any, known: Sequence[str], where: str) -> str:
    if node not in known:
        raise UserError(f"{where}: expected one of {', '.join(known)}; found {node!r}{nearest(node, known)}")
    return str(node)
