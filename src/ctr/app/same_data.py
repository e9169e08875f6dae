"""Were two runs scored on the same rows, and by the same task?"""

from __future__ import annotations

import hashlib
import json
from typing import Any

from ctr.app import results
from ctr.app.results import Result
from ctr.batch import DataModule

ROWS = 65_536  # read at a time


def fingerprint(data: DataModule, split: str) -> dict[str, Any]:
    """How many rows a split has, and a hash of their labels and weights in order. Runs with equal ones were scored on
    the same rows, whatever fields they were shown."""
    digest = hashlib.sha256()
    for batch in data.loader(split, ROWS).batches():
        for column in (batch.labels, batch.weights):
            if column is not None:
                digest.update(column.cpu().numpy().tobytes())
    return {"num_rows": data.num_rows(split), "labels": digest.hexdigest()[:16]}


def rows(result: Result, split: str) -> str:
    """What tells the rows of its split from others. Of runs from before their labels were recorded, the dataset's
    settings."""
    recorded = result.scores.get("data", {}).get(split)
    if recorded is not None:
        return f"{recorded['num_rows']:,} rows, labels {recorded['labels']}"
    settings = {key: value for key, value in result.flat.items() if key.startswith("dataset.")}
    same = {key: value for key, value in settings.items() if not results.PLACE.fullmatch(key)}
    return "labels not recorded, settings " + _short(same)


def task(result: Result) -> str:
    """The objective that scores it; how a batch's losses are reduced does not matter there."""
    objective = dict(result.config["objective"])
    objective.pop("reduction", None)
    name = objective.pop("_target_").split(".")[-1]
    return " ".join([name, *(f"{key}={value}" for key, value in objective.items())])


def _short(node: Any) -> str:
    return hashlib.sha256(json.dumps(node, sort_keys=True, default=str).encode()).hexdigest()[:16]
