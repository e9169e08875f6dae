"""Tables of finished runs: mean and standard deviation over seeds."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pandas as pd

from ctr.app import run_folder, summary
from ctr.errors import UserError

SEED = re.compile(r"(seed|threads|(stages\.\w+\.)?trainer\.seed)")  # runs that differ in nothing else are repetitions


def table(roots: Sequence[Path], split: str, metrics: Sequence[str]) -> pd.DataFrame:
    """One row for all runs that differ in the seed alone: how many seeds, their scores' mean and standard deviation.

    `roots` are run folders or folders above them; of several runs with one seed the last counts. Where rows are of
    one dataset and model, `overrides` shows what their commands said. Raises UserError where no run has finished.
    """
    folders = sorted({path.parent for root in roots for path in root.rglob(run_folder.SCORES)})
    if not folders:
        raise UserError(f"no finished run (no {run_folder.SCORES}) under {', '.join(map(str, roots))}")
    groups: dict[str, dict[int, Path]] = {}
    for folder in sorted(folders, key=lambda folder: (folder / run_folder.SCORES).stat().st_mtime):
        config = run_folder.read_config(folder)
        same = {key: value for key, value in run_folder.flat(config).items() if not SEED.fullmatch(key)}
        groups.setdefault(json.dumps(same, sort_keys=True, default=str), {})[config["seed"]] = folder
    frame = pd.DataFrame([_row(list(runs.values()), split, metrics) for runs in groups.values()])
    if not frame.duplicated(["dataset", "model"]).any():
        frame = frame.drop(columns="overrides")
    return frame.sort_values(["dataset", "model"])


def _row(runs: Sequence[Path], split: str, metrics: Sequence[str]) -> dict[str, Any]:
    all_scores = [run_folder.read_scores(run) for run in runs]
    config = run_folder.read_config(runs[0])
    row: dict[str, Any] = {
        "dataset": Path(config["dataset"].get("root") or config["dataset"]["_target_"].split(".")[-1]).name,
        "model": summary.chain(config),
        "seeds": len(runs),
    }
    for metric in metrics or [name for name in all_scores[0][split] if name != "undefined"]:
        values = pd.Series([scores[split].get(metric) for scores in all_scores], dtype="float64")
        row[f"{split} {metric}"] = _mean_and_spread(values)
    said = [word for word in run_folder.read_overrides(runs[0]) if not re.match(r"seed=|threads=|hydra\.", word)]
    return {
        **row,
        "steps": _mean([scores["steps"] for scores in all_scores]),
        "seconds": _mean([scores["seconds"] for scores in all_scores]),
        "parameters": all_scores[0]["parameters"],
        "overrides": " ".join(said),
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
