"""What the slots of a field say: tokens or a number, and what they were before encoding."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from ctr.data.encoders import FieldEncoder
from ctr.data.field_names import FieldNames
from ctr.data.rows import Layout, Rows
from ctr.schema import FeatureSchema


@dataclass(frozen=True)
class View(FieldNames):
    """A field's names, and its place in stored rows."""

    ids: slice | None  # columns of Rows.ids; None: slot i always has the field's feature i
    values: slice | None  # columns of Rows.values; None: always 1

    def items(self, rows: Rows) -> tuple[np.ndarray, np.ndarray]:
        """The row and the local id of every used slot, row by row: two arrays (items,) int64."""
        local = self._local(rows)
        if self.values is None and self.field.num_slots == 1:
            return np.arange(len(rows)), local[:, 0]
        used = self._values(rows) != 0
        return np.nonzero(used)[0], local[used]

    def number(self, rows: Rows) -> np.ndarray:
        """(n,) float64, NaN where missing. One slot holds the encoded value, in which a missing one is 0. Several
        slots are read back: piecewise linear ones by their knots, waves by the angle of the slowest, which repeats
        itself only beyond 1 / (2 c) deviations from the mean."""
        values, state = self._values(rows), self._state
        if self.field.num_slots == 1:
            return np.array(values[:, 0])
        if "frequencies" in state:
            slowest = int(np.argmin(np.abs(state["frequencies"])))
            sine, cosine = values[:, slowest], values[:, len(state["frequencies"]) + slowest]
            z = np.arctan2(sine, cosine) / (2 * np.pi * state["frequencies"][slowest])
            x, missing = state["mean"] + state["std"] * z, (sine == 0) & (cosine == 0)
        else:
            knots = np.array(state.get("knots", np.arange(self.field.num_features)), dtype=np.float64)
            knots = knots if len(knots) > 1 else np.array([knots[0], knots[0] + 1])
            x, missing = (knots[self._local(rows)] * values).sum(axis=1), (values == 0).all(axis=1)
        return np.where(missing, np.nan, x)

    def _local(self, rows: Rows) -> np.ndarray:
        """(n, slots) int64, ids within the field."""
        if self.ids is None:
            return np.broadcast_to(np.arange(self.field.num_slots), (len(rows), self.field.num_slots))
        return rows.ids[:, self.ids].astype(np.int64) - self.offset

    def _values(self, rows: Rows) -> np.ndarray:
        """(n, slots) float64."""
        if self.values is None:
            return np.ones((len(rows), self.field.num_slots))
        return rows.values[:, self.values].astype(np.float64)


def views(schema: FeatureSchema, layout: Layout, encoders: Sequence[FieldEncoder] | None) -> list[View]:
    """One a field, in the order of the schema."""
    made_by = [None] * schema.num_fields if encoders is None else encoders
    first = np.cumsum([0, *(field.num_slots for field in schema.fields)])
    return [
        View(
            field,
            offset,
            encoder,
            _columns(layout.id_slots, int(start), field.num_slots),
            _columns(layout.value_slots, int(start), field.num_slots),
        )
        for field, offset, start, encoder in zip(schema.fields, schema.offsets, first[:-1], made_by, strict=True)
    ]


def _columns(stored: Sequence[int], start: int, num_slots: int) -> slice | None:
    """Where the slots of a field are among the stored ones; None where they are not."""
    place = int(np.searchsorted(stored, start))
    return slice(place, place + num_slots) if place < len(stored) and stored[place] == start else None
