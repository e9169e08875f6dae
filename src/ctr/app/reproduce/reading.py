"""From tables/<name>.yaml to a Table. Whatever it does not understand it refuses, with the place."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

from ctr.app.datasets import CONFIGS
from ctr.app.nodes import keys, texts
from ctr.app.reproduce import claims, plots, rows, scores
from ctr.app.reproduce.one_row import BUDGETS, Defaults
from ctr.app.reproduce.table import Table
from ctr.errors import UserError, nearest

TABLES = CONFIGS.parent / "tables"
KEYS = (
    "about",
    "notes",
    "repeat",
    "settings",
    "rows",
    "grids",
    "every_model",
    "claims",
    "plots",
)  # settings: anchors


def names(folder: Path = TABLES) -> list[str]:
    return sorted(path.stem for path in folder.glob("*.yaml"))


def read(name: str, folder: Path = TABLES) -> Table:
    """The table of this name. Raises UserError where there is none, or where its file says what nothing reads."""
    if name not in (known := names(folder)):
        raise UserError(f"there is no table {name!r}; there are {', '.join(known)}{nearest(name, known)}")
    where = f"tables/{name}.yaml"
    try:
        node = yaml.safe_load((folder / f"{name}.yaml").read_text(encoding="utf-8"))
    except yaml.YAMLError as error:
        raise UserError(f"{where}: {error}") from error
    node = keys(node, where, ("title", "scores", "seeds"), KEYS)
    listed = tuple(scores.known(score, f"{where}.scores") for score in texts(node["scores"], f"{where}.scores"))
    repetition, repeat = _repeat(node.get("repeat"), f"{where}.repeat")
    found, grids = rows.read(node, Defaults(listed[0], repeat), where)
    called = [row.name for row in found]
    claimed = tuple(claims.read(node.get("claims", {}), {row.name: row.score for row in found}, f"{where}.claims"))
    named = [claim.name for claim in claimed]
    if not found or len(set(called)) < len(called):
        raise UserError(f"{where}: rows need names of their own, and there must be one; found {'; '.join(called)}")
    table = Table(
        name=name,
        title=str(node["title"]),
        about=" ".join(str(node.get("about", "")).split()),
        notes=tuple(texts(node.get("notes", []), f"{where}.notes")),
        scores=listed,
        repetition=repetition,
        seeds=_seeds(node["seeds"], f"{where}.seeds"),
        rows=tuple(found),
        claims=claimed,
        plots=tuple(plots.read(node.get("plots", {}), called, grids, named, listed[0], f"{where}.plots")),
    )
    for score in table.every_score():
        if (base := scores.relative(score)[1]) not in (None, *called):
            raise UserError(f"{where}: {score}: there is no row {base!r}{nearest(str(base), called)}")
    return table


def _seeds(node: Any, where: str) -> Mapping[str, tuple[int, ...]]:
    node = keys(node, where, BUDGETS)
    for budget in BUDGETS:
        listed = node[budget]
        if not isinstance(listed, list) or not listed or any(type(seed) is not int for seed in listed):
            raise UserError(f"{where}.{budget}: expected a list of whole numbers, found {listed!r}")
    return {budget: tuple(node[budget]) for budget in BUDGETS}


def _repeat(node: Any, where: str) -> tuple[str, tuple[str, ...]]:
    """What a repetition is called and what changes in it: the seed, and more where the table says so."""
    if node is None:
        return "seed", ("seed={n}",)
    node = keys(node, where, ("name", "overrides"))
    return str(node["name"]), ("seed={n}", *texts(node["overrides"], f"{where}.overrides"))
