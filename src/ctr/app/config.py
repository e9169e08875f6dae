"""The one door from config to objects. A config is data, not a program.

A `_target_` may only name a class on an exact list: what `ctr.models`, `ctr.data` and `ctr.training` export, a few
optimizers of torch, and, where the command line says `trust=[package]`, classes of that package. Names are looked up
on the list, never imported, except for those of a trusted package.
"""

from __future__ import annotations

import importlib
import inspect
import types
import typing
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from typing import Any, Literal

import ctr.data
import ctr.models
import ctr.training
from ctr import native
from ctr.app import composed
from ctr.app.composed import plain as plain  # a config goes through both, one after the other
from ctr.errors import UserError, nearest
from ctr.training.dense import OPTIMIZERS
from ctr.training.device import Choice

TARGETS: dict[str, Callable[..., Any]] = {
    f"{module.__name__}.{name}": getattr(module, name)
    for module in (ctr.models, ctr.data, ctr.training)
    for name in getattr(module, "RECIPES", module.__all__)
} | {f"torch.optim.{name}": optimizer for name, optimizer in OPTIMIZERS.items()}
SPECIAL = {"_target_", "_partial_"}
ROOT_KEYS: dict[str, Any] = {
    **dict.fromkeys(("dataset", "model", "trainer", "objective", "stages"), Mapping[str, Any]),
    **dict.fromkeys(("labels", "monitor", "device"), str),
    "precision": Choice,
    "kernels": native.Kernels,
    **dict.fromkeys(("metrics", "trust"), Sequence[str]),
    "start": Literal["zero", "mean"],
    "seed": int,
    "threads": int | None,
    "board": typing.Literal["full", "scalars"],
    "claim": Any,  # by ctr.app.claim
}


def check_root(config: Mapping[str, Any]) -> None:
    """Refuses root keys that nothing reads, and root keys of another type."""
    for key, value in config.items():
        if key not in ROOT_KEYS:
            raise UserError(f"{key}: nothing reads this key; known are {', '.join(ROOT_KEYS)}{nearest(key, ROOT_KEYS)}")
        if not matches(value, ROOT_KEYS[key]):
            raise UserError(f"{key}: expected {_say(ROOT_KEYS[key])}, found {value!r}")


def check(node: Any, trust: Sequence[str] = (), path: str = "") -> None:
    """Walks a plain config and refuses, with path and reason, every `_target_` that is not on the list, and every
    argument that its class does not take, lacks, or takes in another type. Builds nothing."""
    for problem in problems(node, trust, path):
        raise UserError(problem)


def problems(node: Any, trust: Sequence[str] = (), path: str = "") -> Iterator[str]:
    """All that `check` refuses a config for. Values that a command has yet to give (???) are let pass."""
    for where, target in _targets(node, path):
        arguments = {key: value for key, value in target.items() if key not in SPECIAL}
        runtime = set() if target.get("_partial_") else {"schema"}
        try:
            found = find_target(target["_target_"], trust, where)
        except UserError as error:
            yield str(error)
        else:
            yield from _argument_problems(found, arguments, runtime, where)


def build(node: Mapping[str, Any], trust: Sequence[str] = (), path: str = "", **runtime: Any) -> Any:
    """The object that a checked node describes; `runtime` are arguments that no config can hold.

    With `_partial_: true` it is a function of the remaining arguments.
    """
    target = find_target(node["_target_"], trust, path)
    arguments = {key: _build_nested(value, trust, f"{path}.{key}") for key, value in node.items() if key not in SPECIAL}
    if node.get("_partial_"):
        return partial(target, **arguments, **runtime)
    try:
        return target(**arguments, **runtime)
    except (ValueError, RuntimeError) as error:
        raise UserError(f"{path} ({target.__name__}): {error}") from error


def _build_nested(value: Any, trust: Sequence[str], path: str) -> Any:
    if isinstance(value, Mapping):
        if "_target_" in value:
            return build(value, trust, path)
        return {key: _build_nested(item, trust, f"{path}.{key}") for key, item in value.items()}
    if isinstance(value, list):
        return [_build_nested(item, trust, f"{path}[{i}]") for i, item in enumerate(value)]
    return value


def find_target(name: Any, trust: Sequence[str], path: str) -> Callable[..., Any]:
    """The class that `_target_: name` may stand for. Raises UserError for all others."""
    if isinstance(name, str) and name in TARGETS:
        return TARGETS[name]
    if isinstance(name, str) and name.split(".")[0] in trust:
        return _import_class(name, path)
    raise UserError(
        f"{path}: _target_ {name!r} is not allowed; a class of your own package needs trust=[package] on the command "
        f"line{nearest(name, TARGETS)}"
    )


def _import_class(name: str, path: str) -> Callable[..., Any]:
    module, _, attribute = name.rpartition(".")
    try:
        found = getattr(importlib.import_module(module), attribute)
    except (ImportError, AttributeError, ValueError) as error:
        raise UserError(f"{path}: _target_ {name!r} cannot be imported: {error}") from error
    if not inspect.isclass(found) or found.__module__.split(".")[0] != name.split(".")[0]:
        raise UserError(f"{path}: _target_ {name!r} is no class of the package {name.split('.')[0]!r}")
    return found


def _targets(node: Any, path: str) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """All nodes with a `_target_`, inner ones first, with their paths."""
    if isinstance(node, Mapping):
        if odd := [key for key in node if isinstance(key, str) and key.startswith("_") and key not in SPECIAL]:
            raise UserError(f"{path}: key {odd[0]!r} is not supported; only {', '.join(sorted(SPECIAL))} are special")
        for key, value in node.items():
            yield from _targets(value, f"{path}.{key}" if path else str(key))
        if "_target_" in node:
            yield path, node
    elif isinstance(node, list):
        for i, value in enumerate(node):
            yield from _targets(value, f"{path}[{i}]")


def _argument_problems(
    target: Callable[..., Any], arguments: Mapping[str, Any], runtime: set[str], path: str
) -> Iterator[str]:
    parameters = inspect.signature(target).parameters
    hints = typing.get_type_hints(target.__init__)
    name = getattr(target, "__name__", str(target))
    known = [key for key in parameters if key not in runtime]
    for key, value in arguments.items():
        if key not in known:
            yield f"{path}.{key}: {name} has no argument {key!r}, only {', '.join(known)}{nearest(key, known)}"
        elif value != composed.MISSING and not matches(value, hints.get(key, Any)):
            yield f"{path}.{key}: expected {_say(hints[key])}, found {value!r}"
    if target.__module__.split(".")[0] == "torch":
        return  # torch's classes have defaults, and their first argument comes at run time
    for key in known:
        if key not in arguments and parameters[key].default is inspect.Parameter.empty:
            yield f"{path}.{key}: {name} needs this argument; its YAML lists all of them"


def matches(value: Any, expected: Any) -> bool:
    """Is a config's value of this type? An int counts as a float, a bool as neither; nodes with a `_target_` are
    checked on their own."""
    if expected is Any or (isinstance(value, Mapping) and "_target_" in value):
        return True
    origin, inner = typing.get_origin(expected), typing.get_args(expected)
    if origin in (typing.Union, types.UnionType):
        return any(matches(value, option) for option in inner)
    if origin is typing.Literal:
        return any(type(value) is type(option) and value == option for option in inner)
    if isinstance(origin, type) and issubclass(origin, Mapping):
        return isinstance(value, Mapping) and all(
            matches(key, inner[0]) and matches(item, inner[1]) for key, item in value.items()
        )
    if isinstance(origin, type) and issubclass(origin, Sequence):
        return isinstance(value, list) and all(matches(item, inner[0]) for item in value)
    if expected is type(None):
        return value is None
    if expected in (int, float):
        return isinstance(value, (int, expected)) and not isinstance(value, bool)
    if expected in (bool, str):
        return isinstance(value, expected)
    return False  # a run-time object, which only a node with a `_target_` can stand for


def _say(expected: Any) -> str:
    origin, inner = typing.get_origin(expected), typing.get_args(expected)
    if origin is typing.Literal:
        return f"one of {', '.join(map(str, inner))}"
    if origin in (typing.Union, types.UnionType):
        return " or ".join(map(_say, inner))
    if isinstance(origin, type) and issubclass(origin, Mapping):
        return f"a mapping, each value {_say(inner[1])}"
    if isinstance(origin, type) and issubclass(origin, Sequence):
        return f"a list, each entry {_say(inner[0])}"
    names = {
        Any: "anything",
        type(None): "null",
        int: "a whole number",
        float: "a number",
        str: "a text",
        bool: "true or false",
    }
    return names.get(expected, f"a node with the _target_ of a {getattr(expected, '__name__', expected)}")
