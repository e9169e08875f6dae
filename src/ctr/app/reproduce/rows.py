"""The rows of a table's file: said one by one, as a grid, or found by the models that there are."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ctr.app.nodes import keys, texts
from ctr.app.reproduce import every_model, one_row
from ctr.app.reproduce.one_row import Defaults
from ctr.app.reproduce.table import Grid, Row
from ctr.errors import UserError, nearest

EVERY_MODEL = "every model"  # in place of a grid's rows


def read(node: Mapping[str, Any], first: Defaults, where: str) -> tuple[list[Row], dict[str, Grid]]:
    """All rows of a table's file, and its grids by name."""
    rows = [one_row.read(name, said, first, f"{where}.rows.{name}") for name, said in node.get("rows", {}).items()]
    if "every_model" in node:
        rows += every_model.read(node["every_model"], first, f"{where}.every_model")
    grids = {}
    for name, grid in node.get("grids", {}).items():
        grids[name], cells = _grid(grid, first, f"{where}.grids.{name}")
        rows += cells
    return rows, grids


def _grid(node: Any, first: Defaults, where: str) -> tuple[Grid, list[Row]]:
    node = keys(node, where, ("rows", "columns"), ("overrides", "quick", "score", "note"))
    quick, rows = texts(node.get("quick", []), f"{where}.quick"), node["rows"]
    if rows == EVERY_MODEL:
        rows = {model: [f"model={model}"] for model in sorted({*every_model.models(), *quick})}
    if not isinstance(rows, Mapping) or not isinstance(node["columns"], Mapping):
        raise UserError(f"{where}: rows and columns are mappings of a name to its overrides, or rows: {EVERY_MODEL}")
    if unknown := [name for name in quick if name not in rows]:
        raise UserError(f"{where}.quick: no row {unknown[0]!r}{nearest(unknown[0], rows)}")
    more = {key: node[key] for key in ("score", "note") if key in node}
    cells = [
        one_row.read(
            Grid.cell(row, column),
            {
                "overrides": [node.get("overrides", []), row_says, column_says],
                "budget": "quick" if row in quick else "full",
                **more,
            },
            first,
            f"{where}.{row}.{column}",
        )
        for row, row_says in rows.items()
        for column, column_says in node["columns"].items()
    ]
    return Grid(tuple(map(str, rows)), tuple(map(str, node["columns"]))), cells
