"""A row for every model, found by the configs that there are."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any

import yaml

from ctr.app.baselines import BASELINES
from ctr.app.datasets import CONFIGS
from ctr.app.nodes import keys, number, texts
from ctr.app.reproduce import one_row
from ctr.app.reproduce.one_row import Defaults
from ctr.app.reproduce.table import Row


def models() -> list[str]:
    """Every model that has a config."""
    return sorted(path.stem for path in (CONFIGS / "model").glob("*.yaml"))


def read(node: Any, first: Defaults, where: str) -> Iterator[Row]:
    """A row for every model that has a config or a published number. Its settings are those of its experiment, where
    there is one, else `otherwise`, of which a setting of the model itself needs an argument of that name. `beside`
    lists by baseline the models that have a row in it as well, with the same settings, but for what a row's `ours` adds
    to its own. `within` makes the targets of the published numbers."""
    node = keys(node, where, ("experiment", "otherwise"), ("quick", "published", "within", "rows", "beside"))
    said, beside = node.get("rows", {}), keys(node.get("beside", {}), f"{where}.beside", (), BASELINES)
    within = _within(node["within"], f"{where}.within") if "within" in node else None
    for model in sorted({*models(), *node.get("published", {}), *node.get("quick", []), *said}):
        experiment = node["experiment"].format(model=model)
        own = dict(keys(said.get(model, {}), f"{where}.rows.{model}", (), (*one_row.KEYS, "ours")))
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
        row = one_row.read(model, own | {"overrides": [*own["overrides"], *ours]}, first, f"{where}.rows.{model}")
        target = row.target or (within and _around(row, *within))
        yield replace(row, target=target, beside=tuple(f"{model}, {baseline}" for baseline in others))
        for baseline in others:
            theirs = {"overrides": own["overrides"], "baseline": baseline}
            yield one_row.read(f"{model}, {baseline}", theirs, first, f"{where}.beside.{baseline}")


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
