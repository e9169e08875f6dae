"""Were two runs scored on the same rows, and by the same task?"""

from __future__ import annotations

import hashlib
import json
from typing import Any

from ctr.app import config_keys
from ctr.app.results import Result
from ctr.batch import DataModule
from ctr.schema import FeatureSchema, Field

ROWS = 65_536  # read at a time


def fingerprints(data: DataModule) -> dict[str, dict[str, Any]]:
    """Of the splits that are scored: how many rows, and a hash of their labels and weights in order. Runs with equal
    ones were scored on the same rows, whatever fields they were shown."""
    return {split: _fingerprint(data, split) for split in ("valid", "test")}


def _fingerprint(data: DataModule, split: str) -> dict[str, Any]:
    digest = hashlib.sha256()
    for batch in data.loader(split, ROWS).batches():
        for column in (batch.labels, batch.weights):
            if column is not None:
                digest.update(column.cpu().numpy().tobytes())
    return {"num_rows": data.num_rows(split), "labels": digest.hexdigest()[:16]}


def rows(result: Result, split: str) -> str:
    """What tells the rows of its split from others. Of runs from before their labels were recorded, the settings of
    the dataset stand for them."""
    recorded = result.scores.get("data", {}).get(split)
    if recorded is not None:
        return f"{recorded['num_rows']:,} rows, labels {recorded['labels']}"
    same = json.dumps(settings(result), sort_keys=True, default=str)
    return f"labels not recorded, dataset {hashlib.sha256(same.encode()).hexdigest()[:16]}"


def other_fields(a: Result, b: Result) -> list[str]:
    """The fields that one of them alone was shown, or that were encoded in another way."""
    one, other = ({field.name: field for field in _fields(result)} for result in (a, b))
    return [name for name in dict.fromkeys([*one, *other]) if one.get(name) != other.get(name)]


def _fields(result: Result) -> tuple[Field, ...]:
    return FeatureSchema.from_json(json.loads((result.folder / "schema.json").read_text(encoding="utf-8"))).fields


def settings(result: Result) -> dict[str, Any]:
    """The dataset's keys of its config, without those that say where it lies."""
    keys = {key: value for key, value in result.flat.items() if key.startswith("dataset.")}
    return {key: value for key, value in keys.items() if not config_keys.of_place(key)}


def task(result: Result) -> str:
    """The objective that scores it; how the losses of a batch are reduced does not matter there."""
    objective = dict(result.config["objective"])
    objective.pop("reduction", None)
    name = objective.pop("_target_").split(".")[-1]
    return " ".join([name, *(f"{key}={value}" for key, value in objective.items())])
