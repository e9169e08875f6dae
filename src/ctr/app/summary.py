"""What a person sees of a run."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rich.console import Console
from rich.table import Table

if TYPE_CHECKING:  # what finished runs have left is read without torch
    from torch import nn


def headline(config: Mapping[str, Any]) -> str:
    """Which models, on what, how."""
    dataset = config["dataset"].get("root") or config["dataset"]["_target_"].split(".")[-1]
    return f"{chain(config)} on {dataset}, seed {config['seed']}"


def dataset(config: Mapping[str, Any]) -> str:
    """The last part of the folder of the data, or the name of their class."""
    node = config["dataset"]
    return Path(node.get("root") or node["_target_"].split(".")[-1].lower()).name


def chain(config: Mapping[str, Any]) -> str:
    """The models of all stages, in order."""
    return " -> ".join(stage["model"]["_target_"].split(".")[-1] for stage in config["stages"].values())


def model_line(model: nn.Module) -> str:
    blocks = ", ".join(f"{name} {count:,}" for name, count in parameter_counts(model).items() if count)
    return f"{type(model).__name__} with {sum(p.numel() for p in model.parameters()):,} parameters ({blocks})"


def parameter_counts(model: nn.Module) -> dict[str, int]:
    """Parameters by top-level block; those that belong to no block by their own name."""
    counts: dict[str, int] = {}
    for name, parameter in model.named_parameters():
        block = name.split(".")[0]
        counts[block] = counts.get(block, 0) + parameter.numel()
    return counts


def show(console: Console, out: Path, scores: Mapping[str, Any], model: nn.Module) -> None:
    """The table at the end of a run."""
    titles, rows = score_rows(scores)
    table = Table()
    table.add_column("metric", no_wrap=True)
    for title in titles:
        table.add_column(title, justify="right")
    for row in rows:
        table.add_row(*row)
    console.print(model_line(model), soft_wrap=True, highlight=False)
    console.print(table)
    for line in [*undefined(scores), *scores["warnings"]]:
        console.print(line, soft_wrap=True)
    if scores["claim"]:
        console.print(scores["claim"], soft_wrap=True, highlight=False)
    folder = short(out)
    console.print(
        f"{effort(scores)}\nrun         {folder}\nlook at it  tensorboard --logdir {folder}",
        soft_wrap=True,
        highlight=False,
    )


def score_rows(scores: Mapping[str, Any]) -> tuple[list[str], list[list[str]]]:
    """The titles of the splits, and a row a metric with its value in each."""
    splits = _splits(scores)
    metrics = [metric for metric in scores["valid"] if metric != "undefined"]
    return list(splits.values()), [[metric, *(_cell(scores[split], metric) for split in splits)] for metric in metrics]


def undefined(scores: Mapping[str, Any]) -> list[str]:
    """Of each metric without a value, why."""
    return [
        f"{split} {name} is undefined: {reason}"
        for split in _splits(scores)
        for name, reason in scores[split].get("undefined", {}).items()
    ]


def effort(scores: Mapping[str, Any]) -> str:
    return f"best at step {scores['best_step']:,} of {scores['steps']:,}, {scores['seconds']:.1f} s"


def _splits(scores: Mapping[str, Any]) -> dict[str, str]:
    titles = {"valid": "valid", "test": "test", "law_realised": "test, by the true law"}
    return {split: title for split, title in titles.items() if split in scores}


def short(path: Path) -> Path:
    """As one would type it here."""
    return path.relative_to(Path.cwd()) if path.is_relative_to(Path.cwd()) else path


def _cell(scores: Mapping[str, Any], metric: str) -> str:
    return f"{scores[metric]:.5f}" if metric in scores else "undefined"
