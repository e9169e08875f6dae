"""The kinds of claim, as a table's file says them.

    better: [A, B]                    A's scores are better than B's; either may be a list: every pair counts
    best: {row: A, among: [B, C]}     better: [A, [B, C]]
    order: [A, B, C]                  A is better than B, B than C
    interior: [A, B, C, D]            the best of these, in order, is not at an end
    within: {row: A, low: 1, high: 2}
    ratio: {row: A, to: B, high: 2}   of A's score to B's
    untested: why

A claim's `score` is that of its rows unless it says so; {row: A, score: valid rmse at epoch 5} says so for one side.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

from ctr.app.nodes import keys
from ctr.app.reproduce import scores
from ctr.app.reproduce.table import Claim, Side
from ctr.errors import UserError, nearest

COMPARISONS = ("better", "best", "order", "interior")  # decided by paired tests, the others by intervals


def read(node: Any, rows: Mapping[str, str], where: str) -> Iterator[Claim]:
    """The claims of a table with these rows, each with the score it is measured by."""
    if not isinstance(node, Mapping):
        raise UserError(f"{where}: expected a mapping of names to claims, found {node!r}")
    for name, claim in node.items():
        at = f"{where}.{name}"
        keys(claim, at, ("says",), ("score", *KINDS))
        if len(kinds := [key for key in claim if key in KINDS]) != 1:
            raise UserError(f"{at}: a claim has one of {', '.join(KINDS)}; found {', '.join(kinds) or 'none'}")
        own = claim.get("score")
        sides = _Sides({row: own or score for row, score in rows.items()}, at)
        parts = KINDS[kinds[0]](claim[kinds[0]], sides)
        for side in (*parts.get("left", ()), *parts.get("right", ())):
            if kinds[0] in COMPARISONS and not scores.has_better(side.score):
                raise UserError(f"{at}: no value of {side.score} is better than another; say within")
        yield Claim(str(name), " ".join(str(claim["says"]).split()), kinds[0], **parts)


class _Sides:
    def __init__(self, rows: Mapping[str, str], where: str):
        self.rows, self.where = rows, where

    def one(self, node: Any) -> Side:
        row, score = node, None
        if isinstance(node, Mapping):
            keys(node, self.where, ("row", "score"))
            row, score = node["row"], node["score"]
        if row not in self.rows:
            raise UserError(f"{self.where}: there is no row {row!r}{nearest(row, self.rows)}")
        return Side(row, scores.known(score or self.rows[row], self.where))

    def several(self, node: Any) -> tuple[Side, ...]:
        return tuple(map(self.one, node if isinstance(node, list) else [node]))


def _better(node: Any, sides: _Sides) -> dict[str, Any]:
    if not isinstance(node, list) or len(node) != 2:
        raise UserError(f"{sides.where}.better: expected [the better, the other], found {node!r}")
    return {"left": sides.several(node[0]), "right": sides.several(node[1])}


def _best(node: Any, sides: _Sides) -> dict[str, Any]:
    node = keys(node, f"{sides.where}.best", ("row", "among"))
    others = list(sides.rows) if node["among"] == "all" else node["among"]
    return _better([node["row"], [row for row in others if row != node["row"]]], sides)


def _in_order(kind: str) -> Callable[[Any, _Sides], dict[str, Any]]:
    def read(node: Any, sides: _Sides) -> dict[str, Any]:
        if not isinstance(node, list) or len(node) < 3:
            raise UserError(f"{sides.where}.{kind}: expected three rows or more, in order; found {node!r}")
        return {"left": sides.several(node)}

    return read


def _within(node: Any, sides: _Sides) -> dict[str, Any]:
    node = keys(node, f"{sides.where}.within", ("row",), ("score", "low", "high"))
    if "low" not in node and "high" not in node:
        raise UserError(f"{sides.where}.within: needs low, high or both")
    left = {"row": node["row"], "score": node["score"]} if "score" in node else node["row"]
    return {"left": sides.several([left]), **{key: float(node[key]) for key in ("low", "high") if key in node}}


def _ratio(node: Any, sides: _Sides) -> dict[str, Any]:
    node = dict(keys(node, f"{sides.where}.ratio", ("row", "to"), ("score", "low", "high")))
    to = sides.several(node.pop("to"))
    return {**_within(node, sides), "right": to}


KINDS: dict[str, Callable[[Any, _Sides], dict[str, Any]]] = {
    "better": _better,
    "best": _best,
    "order": _in_order("order"),
    "interior": _in_order("interior"),
    "within": _within,
    "ratio": _ratio,
    "untested": lambda node, sides: {"reason": str(node)},
}
