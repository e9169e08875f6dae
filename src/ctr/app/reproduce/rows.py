"""The rows of a table's file: said one by one, as a grid, or found by the models that there are."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

import yaml

from ctr.app.baselines import BASELINES
from ctr.app.datasets import CONFIGS
from ctr.app.nodes import band, keys, number, texts
from ctr.app.reproduce import scores
from ctr.app.reproduce.table import Grid, Published, Row
from ctr.errors import UserError, nearest

BUDGETS = ("quick", "full")
EVERY_MODEL = "every model"  # in place of a grid's rows
OF_A_ROW = ("overrides", "baseline", "score", "published", "target", "budget", "note")


def models() -> list[str]:
    """Every model that has a config."""
    return sorted(path.stem for path in (CONFIGS / "model").glob("*.yaml"))


class Defaults:
    """What a row has where it does not say otherwise."""

    def __init__(self, score: str, repeat: tuple[str, ...]):
        self.score, self.repeat = score, repeat


def read(node: Mapping[str, Any], first: Defaults, where: str) -> tuple[list[Row], dict[str, Grid]]:
    """All rows of a table's file, and its grids by name."""
    rows = [_row(name, said, first, f"{where}.rows.{name}") for name, said in node.get("rows", {}).items()]
    if "every_model" in node:
        rows += _every_model(node["every_model"], first, f"{where}.every_model")
    grids = {}
    for name, grid in node.get("grids", {}).items():
        grids[name], cells = _grid(grid, first, f"{where}.grids.{name}")
        rows += cells
    return rows, grids


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


def _row(name: str, node: Any, first: Defaults, where: str) -> Row:
    node = keys(node, where, ("overrides",), OF_A_ROW[1:])
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


def _published(node: Any, score: str, where: str) -> tuple[Published, ...]:
    found = []
    for entry in node if isinstance(node, list) else [node]:
        entry = keys(entry, where, ("value", "source"), ("score", "spread", "seeds"))
        named = scores.known(entry.get("score", score), f"{where}.score")
        spread = None if entry.get("spread") is None else number(entry["spread"], f"{where}.spread")
        value = number(entry["value"], f"{where}.value")
        found.append(Published(named, value, spread, entry.get("seeds"), str(entry["source"])))
    return tuple(found)


def _every_model(node: Any, first: Defaults, where: str) -> Iterator[Row]:
    """A row for every model that has a config or a published number. Its settings are those of its experiment, where
    there is one, else `otherwise`, of which a setting of the model itself needs an argument of that name. `beside`
    lists by baseline the models that have a row in it as well, with the same settings, but for what a row's `ours` adds
    to its own. `within` makes the targets of the published numbers."""
    node = keys(node, where, ("experiment", "otherwise"), ("quick", "published", "within", "rows", "beside"))
    said, beside = node.get("rows", {}), keys(node.get("beside", {}), f"{where}.beside", (), BASELINES)
    within = _within(node["within"], f"{where}.within") if "within" in node else None
    for model in sorted({*models(), *node.get("published", {}), *node.get("quick", []), *said}):
        experiment = node["experiment"].format(model=model)
        own = dict(keys(said.get(model, {}), f"{where}.rows.{model}", (), (*OF_A_ROW, "ours")))
        ours = texts(own.pop("ours", []), f"{where}.rows.{model}.ours")
        own.setdefault("published", node.get("published", {}).get(model, []))
        own.setdefault("budget", "quick" if model in node.get("quick", []) else "full")
        if "overrides" in own:
            pass
        elif (CONFIGS / "experiment" / f"{experiment}.yaml").exists():
            own["overrides"] = [f"experiment={experiment}"]
        else:
            own["overrides"] = [f"model={model}", *_fitting(texts(node["otherwise"], f"{where}.otherwise"), model)]
            own["note"] = f"no published settings {own.get('note', '')}".strip()
        others = [name for name, listed in beside.items() if model in texts(listed, f"{where}.beside.{name}")]
        row = _row(model, own | {"overrides": [*own["overrides"], *ours]}, first, f"{where}.rows.{model}")
        target = row.target or (within and _around(row, *within))
        yield replace(row, target=target, beside=tuple(f"{model}, {baseline}" for baseline in others))
        for baseline in others:
            theirs = {"overrides": own["overrides"], "baseline": baseline}
            yield _row(f"{model}, {baseline}", theirs, first, f"{where}.beside.{baseline}")


def _within(node: Any, where: str) -> tuple[float, float]:
    """So many standard deviations of a published mean, where there are several runs, or so much of a single one."""
    node = keys(node, where, ("deviations", "otherwise"))
    return number(node["deviations"], f"{where}.deviations"), number(node["otherwise"], f"{where}.otherwise")


def _around(row: Row, deviations: float, otherwise: float) -> tuple[float, float] | None:
    """The band around the first number that is published of the row's score."""
    one = next((one for one in row.published if one.score == row.score), None)
    if one is None:
        return None
    width = otherwise if one.spread is None else deviations * one.spread
    return round(one.value - width, 5), round(one.value + width, 5)


def _fitting(overrides: Sequence[str], model: str) -> list[str]:
    path = CONFIGS / "model" / f"{model}.yaml"
    known = yaml.safe_load(path.read_text(encoding="utf-8")) if path.exists() else {}
    own = [word.split("=")[0].removeprefix("model.") if word.startswith("model.") else None for word in overrides]
    return [word for word, key in zip(overrides, own, strict=True) if key is None or key in known]


def _grid(node: Any, first: Defaults, where: str) -> tuple[Grid, list[Row]]:
    node = keys(node, where, ("rows", "columns"), ("overrides", "quick", "score", "note"))
    quick, rows = texts(node.get("quick", []), f"{where}.quick"), node["rows"]
    if rows == EVERY_MODEL:
        rows = {model: [f"model={model}"] for model in sorted({*models(), *quick})}
    if not isinstance(rows, Mapping) or not isinstance(node["columns"], Mapping):
        raise UserError(f"{where}: rows and columns are mappings of a name to its overrides, or rows: {EVERY_MODEL}")
    if unknown := [name for name in quick if name not in rows]:
        raise UserError(f"{where}.quick: no row {unknown[0]!r}{nearest(unknown[0], rows)}")
    more = {key: node[key] for key in ("score", "note") if key in node}
    cells = [
        _row(
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
