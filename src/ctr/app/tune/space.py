"""What a key of the config may be: a range of numbers, or one of several values."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from ctr.app.nodes import keys, number
from ctr.app.words import quoted
from ctr.errors import UserError

PLAIN = re.compile(r"[A-Za-z_][\w./-]*")  # texts that Hydra's command line takes without quotes
WORDS = ("true", "false", "null", "nan", "inf", "yes", "no", "on", "off")


@dataclass(frozen=True)
class Range:
    """From `low` to `high`, both included; whole numbers where both are whole. `log`: evenly by ratio."""

    low: float
    high: float
    log: bool
    step: float | None

    @property
    def whole(self) -> bool:
        return isinstance(self.low, int) and isinstance(self.high, int)

    def drawn(self, value: Any) -> Any:
        """The value for the config that stands behind one that was drawn: no more digits than a person would give."""
        return value if self.whole else min(max(float(f"{value:.6g}"), self.low), self.high)

    def inner(self, value: Any) -> Any:
        """The other way round; None where the value is not in the range."""
        if isinstance(value, bool) or not isinstance(value, (int, float)) or not self.low <= value <= self.high:
            return None
        steps = 0.0 if self.step is None else (value - self.low) / self.step
        return value if math.isclose(steps, round(steps), abs_tol=1e-9) else None

    @property
    def grid(self) -> list[Any] | None:
        """All values, from low to high; None where they cannot be counted."""
        if self.log or (self.step is None and not self.whole):
            return None
        step = self.step or 1
        return [self.low + i * step for i in range(math.floor((self.high - self.low) / step + 1e-9) + 1)]

    @property
    def ends(self) -> list[Any]:
        return [self.low, self.high]

    def __str__(self) -> str:
        step = f" in steps of {self.step}" if self.step else ""
        return f"{self.low} to {self.high}{', log' * self.log}{step}"


@dataclass(frozen=True)
class Choices:
    """One of these values; lists are among them."""

    values: tuple[Any, ...]

    @property
    def labels(self) -> list[Any]:
        """As Optuna knows them: it stores no lists."""
        return [json.dumps(value) if isinstance(value, list) else value for value in self.values]

    def drawn(self, value: Any) -> Any:
        return self.values[self.labels.index(value)]

    def inner(self, value: Any) -> Any:
        return self.labels[self.values.index(value)] if value in self.values else None

    @property
    def grid(self) -> list[Any] | None:
        return list(self.values)

    @property
    def ends(self) -> list[Any]:
        return list(self.values)

    def __str__(self) -> str:
        return ", ".join(map(str, self.values))


Dimension = Range | Choices
Space = Mapping[str, Dimension]


def read(node: Any, where: str) -> dict[str, Dimension]:
    """A mapping of keys to what each may be. Raises UserError for what is neither a range nor a list."""
    if not isinstance(node, Mapping):
        raise UserError(f"{where}: expected a mapping of config keys to ranges and lists; found {node!r}")
    return {str(key): _dimension(said, f"{where}.{key}") for key, said in node.items()}


def _dimension(node: Any, where: str) -> Dimension:
    if isinstance(node, list):
        if len(node) < 2 or any(node.count(value) > 1 or isinstance(value, dict) for value in node):
            raise UserError(f"{where}: a list has at least two values, each of its own; found {node!r}")
        return Choices(tuple(node))
    node = keys(node, where, ("low", "high"), ("log", "step"))
    low, high = (number(node[bound], f"{where}.{bound}") for bound in ("low", "high"))
    step = None if node.get("step") is None else number(node["step"], f"{where}.step")
    log = node.get("log", False)
    if not low < high or not isinstance(log, bool) or (log and (low <= 0 or step is not None)):
        raise UserError(
            f"{where}: low has to be below high; with log: true low is above 0, and there is no step; "
            f"found {dict(node)}"
        )
    whole = all(isinstance(node[bound], int) for bound in ("low", "high")) and float(step or 1).is_integer()
    if step is not None and step <= 0:
        raise UserError(f"{where}.step: expected a number above 0, found {step}")
    return (
        Range(int(low), int(high), log, None if step is None else int(step)) if whole else Range(low, high, log, step)
    )


def said(key: str, value: Any) -> str:
    """The override of train.py that gives the key this value."""
    return f"{key}={_text(value)}"


def _text(value: Any) -> str:
    if isinstance(value, list):
        return f"[{','.join(map(_text, value))}]"
    if isinstance(value, str) and (not PLAIN.fullmatch(value) or value.lower() in WORDS):
        return quoted(value)
    return value if isinstance(value, str) else json.dumps(value)
