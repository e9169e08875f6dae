"""Rows of a split in memory, all or some, with any of their fields shuffled."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np

from ctr.app.restore import Run
from ctr.data.module import Data
from ctr.data.rows import Rows, concatenate, spans
from ctr.errors import UserError
from ctr.metrics import Predictions, score
from ctr.schema import FeatureSchema


@dataclass(frozen=True)
class Sample:
    """Rows of a split, in the order of its file. `total` counts those of the whole split."""

    schema: FeatureSchema
    split: str
    rows: Rows
    total: int
    negatives_kept: float = 1.0

    @classmethod
    def draw(cls, data: Data, split: str, limit: int, seed: int) -> Sample:
        """At most `limit` rows, drawn without replacement where the split has more."""
        total = data.num_rows(split)
        numbers = np.arange(total)
        if total > limit:
            numbers = np.sort(np.random.default_rng(seed).choice(total, limit, replace=False))
        source, parts = data.splits[split], []
        for start, rows in spans(source):
            low, high = np.searchsorted(numbers, [start, start + len(rows)])
            parts.append(rows.take(numbers[low:high] - start))
        source.check(True)
        return cls(data.schema, split, concatenate(parts), total, data.negatives_kept)

    def __len__(self) -> int:
        return len(self.rows)

    def take(self, rows: np.ndarray) -> Sample:
        return replace(self, rows=self.rows.take(rows))

    def shuffled(self, orders: Mapping[int, np.ndarray]) -> Sample:
        """The same rows, but for each of these fields (by number) the slots of the rows that `orders` names: ids and
        values of all its slots move together."""
        ids, values = self.rows.ids.copy(), self.rows.values.copy()
        for field, order in orders.items():
            for stored, slots in ((ids, self.rows.layout.id_slots), (values, self.rows.layout.value_slots)):
                columns = [place for place, slot in enumerate(slots) if self.schema.slot_fields[slot] == field]
                stored[:, columns] = stored[order[:, None], columns]
        return replace(self, rows=replace(self.rows, ids=ids, values=values))

    @property
    def told(self) -> str:
        """How many rows, for people."""
        whole = f"all {self.total:,} rows of {self.split}"
        return whole if len(self) == self.total else f"{len(self):,} rows, drawn from {self.total:,} of {self.split}"


def order_of(seed: int, field: int, repeat: int, num_rows: int) -> np.ndarray:
    """A random order of the rows, of its own for each field and repeat: (num_rows,)."""
    return np.random.default_rng([seed, field, repeat]).permutation(num_rows)


def predict(run: Run, sample: Sample) -> Predictions:
    """What the run's trainer predicts for these rows, as it does for a whole split."""
    data = Data(sample.schema, {sample.split: sample.rows}, labels="real", source=sample.split)
    data.negatives_kept = sample.negatives_kept
    return run.trainer.predict(run.model, data, sample.split)


def metric(run: Run, sample: Sample) -> float:
    """The monitored metric of the run on these rows. Raises UserError where it is undefined on them."""
    monitor = run.trainer.monitor
    scores = score(predict(run, sample), [monitor])
    if reason := scores.undefined.get(monitor.name):
        raise UserError(f"{monitor.name} of {sample.told} is undefined: {reason}; take more rows (--rows)")
    return scores.values[monitor.name]
