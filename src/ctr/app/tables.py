"""Tables of finished runs: mean and standard deviation over seeds."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pandas as pd

from ctr.app import run_folder, summary
from ctr.errors import UserError

IGNORED = ("seed", "threads")  # runs that differ in nothing else are repetitions of one experiment


def table(roots: Sequence[Path], split: str, metrics: Sequence[str]) -> pd.DataFrame:
    """One row for all runs that differ in the seed alone: how many, their scores' mean and standard deviation.

    `roots` are run folders or folders above them. Where rows are of the same dataset and model, `differs` names the
    config keys in which they do. Raises UserError where there is no finished run.
    """
    folders = sorted({path.parent for root in roots for path in root.rglob("scores.json")})
    if not folders:
        raise UserError(f"no finished run (no scores.json) under {', '.join(map(str, roots))}")
    groups: dict[str, list[Path]] = {}
    configs: dict[str, dict[str, Any]] = {}
    for folder in folders:
        config = run_folder.flat(run_folder.read_config(folder))
        config = {key: value for key, value in config.items() if key.split(".")[-1] not in IGNORED}
        key = json.dumps(config, sort_keys=True, default=str)
        groups.setdefault(key, []).append(folder)
        configs[key] = config
    rows = [_row(runs, configs[key], split, metrics) for key, runs in groups.items()]
    for row, config in zip(rows, configs.values(), strict=True):
        others = [
            other
            for theirs, other in zip(rows, configs.values(), strict=True)
            if (theirs["dataset"], theirs["model"]) == (row["dataset"], row["model"])
        ]
        differing = [key for key in config if any(other.get(key) != config[key] for other in others)]
        row["differs"] = " ".join(
            f"{key}={config[key]}" for key in differing if not key.startswith(("stages", "claim"))
        )
    frame = pd.DataFrame(rows)
    return frame if frame["differs"].any() else frame.drop(columns="differs")


def _row(runs: Sequence[Path], config: Mapping[str, Any], split: str, metrics: Sequence[str]) -> dict[str, Any]:
    all_scores = [run_folder.read_scores(run) for run in runs]
    row: dict[str, Any] = {
        "dataset": Path(str(config.get("dataset.root", config["dataset._target_"].split(".")[-1]))).name,
        "model": summary.chain(run_folder.read_config(runs[0])),
        "seeds": len(runs),
    }
    for metric in metrics or [name for name in all_scores[0][split] if name != "undefined"]:
        values = pd.Series([scores[split].get(metric) for scores in all_scores], dtype="float64")
        row[f"{split} {metric}"] = _mean_and_spread(values)
    return {
        **row,
        "epochs": _mean([scores["epochs"] for scores in all_scores]),
        "seconds": _mean([scores["seconds"] for scores in all_scores]),
        "parameters": all_scores[0]["parameters"],
    }


def _mean_and_spread(values: pd.Series) -> str:
    if values.isna().any():
        return f"undefined in {int(values.isna().sum())} of {len(values)}"
    return f"{values.mean():.5f}" + (f" ± {values.std(ddof=1):.5f}" if len(values) > 1 else "")


def _mean(values: Sequence[float]) -> float:
    return round(sum(values) / len(values), 1)


def markdown(frame: pd.DataFrame) -> str:
    lines = [list(frame.columns), ["---"] * len(frame.columns), *frame.astype(str).to_numpy().tolist()]
    return "\n".join("| " + " | ".join(cells) + " |" for cells in lines)
