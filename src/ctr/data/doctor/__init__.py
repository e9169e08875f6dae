"""The data doctor: what to check of a dataset before anything is trained on it. Memory is bounded by spans of rows, a
few numbers for every feature, samples of SAMPLE rows, and hashes (ctr.data.doctor.duplicates)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from ctr.data.doctor.duplicates import Duplicates, Hashes
from ctr.data.doctor.fields import FieldReport
from ctr.data.doctor.labels import Labels, Times, over_order, over_time
from ctr.data.doctor.numbers import NumberTally
from ctr.data.doctor.tokens import TokenTally
from ctr.data.doctor.values import views
from ctr.data.module import Data
from ctr.data.prepared import PreparedData
from ctr.data.rows import spans
from ctr.schema import FeatureSchema, Field

SAMPLE = 2**20  # rows of train whose numbers, and rows of valid whose scores, are kept


@dataclass(frozen=True)
class Examination:
    """All that was measured. `manifest` is empty where the data are not prepared ones."""

    schema: FeatureSchema
    folder: Path | None
    manifest: Mapping[str, Any]
    regression: bool
    labels: Mapping[str, Labels]  # by split
    order: Sequence[Labels]  # train in the order of its file
    times: Times | None
    fields: Sequence[FieldReport]  # in the order of the schema
    duplicates: Duplicates

    @property
    def by_score(self) -> list[FieldReport]:
        """The fields, the best predictor first."""
        return sorted(self.fields, key=lambda field: -np.nan_to_num(field.alone, nan=-np.inf))


def examine(data: Data) -> Examination:
    """Reads every split once. Fields are scored on valid, with label rates that were fitted on train."""
    prepared = data if isinstance(data, PreparedData) else None
    manifest: Mapping[str, Any] = {} if prepared is None else prepared.manifest
    labels = {split: source.labels for split, source in data.splits.items()}
    train = Labels.of(labels["train"])
    regression = manifest["labels"] == "real" if manifest else not set(np.unique(labels["train"])) <= {0, 1}
    first = data.splits["train"].read([(0, 1)])
    found = views(data.schema, first.layout, data.encoders())
    tallies = [NumberTally(view) if view.is_number else TokenTally(view) for view in found]
    hashes = Hashes(found, sum(map(len, data.splits.values())))
    samples = {split: _even_sample(len(source), SAMPLE) for split, source in data.splits.items()}
    for split, source in data.splits.items():  # train comes first
        for start, rows in spans(source):
            low, high = np.searchsorted(samples[split], [start, start + len(rows)])
            for tally in tallies:
                tally.add(split, rows, samples[split][low:high] - start)
            hashes.add(split, rows)
        source.check(True)
        if split == "train":
            for tally in tallies:
                tally.fit(labels[split][samples[split]], train.mean)
    kinds = manifest.get("recipe", {}).get("fields", {})
    return Examination(
        data.schema,
        None if prepared is None else prepared.folder,
        manifest,
        regression,
        {split: Labels.of(some) for split, some in labels.items()},
        over_order(labels["train"]),
        over_time(data.splits),
        [
            tally.report(
                _kind(kinds, tally.view.field), labels["valid"][samples["valid"]].astype(np.float64), regression
            )
            for tally in tallies
        ],
        hashes.count(),
    )


def _kind(recipes: Mapping[str, Any], field: Field) -> str:
    """As the config says it; the schema's where there is none."""
    recipe = recipes.get(field.name, field.kind.value)
    return str(recipe if isinstance(recipe, str) else recipe["kind"])


def _even_sample(num_rows: int, limit: int) -> np.ndarray:
    """(at most `limit`,) int64: evenly spaced row numbers, all of them where they are no more."""
    return np.arange(num_rows) if num_rows <= limit else np.linspace(0, num_rows - 1, limit).astype(np.int64)
