"""One row of a table's file."""

from __future__ import annotations

from typing import Any

from ctr.app.baselines import BASELINES
from ctr.app.nodes import band, keys, number, texts
from ctr.app.reproduce import scores
from ctr.app.reproduce.table import Published, Row
from ctr.errors import UserError, nearest

BUDGETS = ("quick", "full")
KEYS = ("overrides", "baseline", "score", "published", "target", "budget", "note")


class Defaults:
    """What a row has where it does not say otherwise."""

    def __init__(self, score: str, repeat: tuple[str, ...]):
        self.score, self.repeat = score, repeat


def read(name: str, node: Any, first: Defaults, where: str) -> Row:
    """The row of this name. Raises UserError for what nothing reads, with the place."""
    node = keys(node, where, ("overrides",), KEYS[1:])
    if (budget := node.get("budget", "full")) not in BUDGETS:
        raise UserError(f"{where}.budget: expected quick or full, found {budget!r}")
    if (baseline := node.get("baseline")) not in (None, *BASELINES):
        raise UserError(f"{where}.baseline: there is no {baseline!r}{nearest(baseline, BASELINES)}")
    score = scores.known(node.get("score", first.score), f"{where}.score")
    return Row(
        name=str(name),
        overrides=_overrides(node["overrides"], f"{where}.overrides"),
        repeat=first.repeat,
        score=score,
        baseline=baseline,
        published=_published(node.get("published", []), score, f"{where}.published"),
        target=band(node["target"], f"{where}.target") if "target" in node else None,
        quick=budget == "quick",
        note=" ".join(str(node.get("note", "")).split()),
    )


def _overrides(node: Any, where: str) -> tuple[str, ...]:
    found = texts(node, where)
    said = [word.split("=")[0].lstrip("+~") for word in found]
    for word, key in zip(found, said, strict=True):
        if "=" not in word and not word.startswith("~"):
            raise UserError(f"{where}: {word!r} is no override such as model=fm")
        if key in ("seed", "threads") or key.startswith("hydra."):
            raise UserError(f"{where}: {key} is set by the command that runs the table")
        if said.count(key) > 1:
            raise UserError(f"{where}: {key} is said twice")
    return tuple(found)


def _published(node: Any, score: str, where: str) -> tuple[Published, ...]:
    found = []
    for entry in node if isinstance(node, list) else [node]:
        entry = keys(entry, where, ("value", "source"), ("score", "spread", "seeds"))
        named = scores.known(entry.get("score", score), f"{where}.score")
        spread = None if entry.get("spread") is None else number(entry["spread"], f"{where}.spread")
        value = number(entry["value"], f"{where}.value")
        found.append(Published(named, value, spread, entry.get("seeds"), str(entry["source"])))
    return tuple(found)
