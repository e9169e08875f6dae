"""The entries of a field in libFM or libFFM text: numbered features with values."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from ctr.data.columns.base import Slots, Staged
from ctr.data.columns.multivalued import fill
from ctr.data.vocabulary import IdVocabulary, Vocabulary
from ctr.errors import UserError
from ctr.schema import Field, FieldKind

ENTRY = pa.struct([("id", pa.int64()), ("value", pa.float64())])


class Entries:
    """Ids that train has keep a feature each, with their values as x_i; others become the field's OOV, value kept.

    The kind follows from the data: one entry of value 1 in every row makes a categorical field, a single id a numeric
    one, all else is multi-valued with as many slots as the longest row of any split.
    """

    of_numbers = False

    def stage(self, cells: pa.Array) -> Staged:
        if cells.type != pa.list_(ENTRY):
            raise UserError("a field of kind entries is read from libfm or libffm text; other columns have other kinds")
        return Staged(cells, [])

    def fit(self, name: str, train: Iterable[pa.Array], everything: Iterable[pa.Array]) -> FittedEntries:
        known = np.zeros(0, dtype=np.int64)
        for array in train:
            known = np.union1d(known, array.flatten().field("id").to_numpy())
        shortest, longest, ones = 1, 1, True
        for array in everything:
            lengths = pc.min_max(pc.list_value_length(array)).as_py()
            if len(array):
                shortest, longest = min(shortest, lengths["min"]), max(longest, lengths["max"])
                ones = ones and bool((array.flatten().field("value").to_numpy() == 1).all())
        kind = FieldKind.MULTIVALUED
        if longest == 1 and len(known) == 1:
            kind = FieldKind.NUMERIC
        elif longest == 1 and shortest == 1 and ones:
            kind = FieldKind.CATEGORICAL
        return FittedEntries(name, kind, IdVocabulary(known), longest)

    def restore(self, name: str, state: Mapping[str, Any], vocabulary: Vocabulary | None) -> FittedEntries:
        known = IdVocabulary(np.array(state["known"], dtype=np.int64))
        return FittedEntries(name, FieldKind(state["kind"]), known, state["num_slots"])


class FittedEntries:
    zero = "ids that train has not, counted as OOV"
    vocabulary = None

    def __init__(self, name: str, kind: FieldKind, known: IdVocabulary, num_slots: int):
        self.known = known
        self.field = Field(name, kind, known.num_features, num_slots, known.encoding)

    def slots(self, staged: pa.Array, table: np.ndarray | None) -> Slots:
        entries = staged.flatten()
        ids = self.known.ids(entries.field("id").to_numpy()).astype(np.uint64)
        lengths = pc.list_value_length(staged).to_numpy(zero_copy_only=False)
        values = entries.field("value").to_numpy()
        return fill(lengths, ids, values, self.field.num_slots, "sum")

    def state(self) -> dict[str, Any]:
        return {
            "kind": self.field.kind.value,
            "num_slots": self.field.num_slots,
            "known": self.known.known.tolist(),
        }


KIND = Entries
