"""Feature ids by their real names, and back."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from ctr.data.encoders import FieldEncoder
from ctr.data.field_names import FieldNames
from ctr.data.module import Data
from ctr.data.rows import spans
from ctr.errors import UserError, nearest


@dataclass(frozen=True)
class Feature:
    """A feature as people know it."""

    id: int  # its row in every table
    field: str
    token: str  # what stood in the cell, on one line; "(unseen or rare)", "(missing)", "(number)" for what was no token
    count: int  # how many slots of train hold it

    def __str__(self) -> str:
        return f"{self.field}={self.token}"


class Names:
    """The names of all features of a dataset.

    `Names(data).describe([3, 17])` tells of feature ids their field, token and count in train; `find("item=42")` the id
    of a token. Ids are the schema's, the rows of every `embedding` and `linear` table. Fields that share a vocabulary
    share its ids, which go by the name of the field that owns them. `counts` reads train once, when first asked for.
    """

    def __init__(self, data: Data):
        self.data, self.schema = data, data.schema
        encoders: Sequence[FieldEncoder | None] = data.encoders() or [None] * self.schema.num_fields
        self.fields = [
            FieldNames(field, offset, encoder)
            for field, offset, encoder in zip(self.schema.fields, self.schema.offsets, encoders, strict=True)
        ]  # one a field, in the order of the schema
        self._owners = [names for names in self.fields if names.field.shares is None]
        self._starts = np.array([names.offset for names in self._owners])

    @cached_property
    def counts(self) -> np.ndarray:
        """(num_features,) int64: how many used slots of train hold each feature."""
        counts = np.zeros(self.schema.num_features, dtype=np.int64)
        for _, rows in spans(self.data.splits["train"]):
            batch = rows.batch(slice(None))
            used = batch.ids[batch.values != 0].numpy()
            counts += np.bincount(used, minlength=len(counts))
        return counts

    def describe(self, ids: Iterable[int]) -> list[Feature]:
        """The features of these ids, in this order."""
        return [Feature(int(i), self.owner(i).field.name, self.token(i), int(self.counts[i])) for i in ids]

    def token(self, i: int) -> str:
        owner = self.owner(i)
        return owner.names([i - owner.offset])[0]

    def owner(self, i: int) -> FieldNames:
        """The field whose block of ids this one is in."""
        if not 0 <= i < self.schema.num_features:
            raise UserError(f"there is no feature {i}; ids run from 0 to {self.schema.num_features - 1:,}")
        return self._owners[int(np.searchsorted(self._starts, i, side="right")) - 1]

    def find(self, text: str) -> int:
        """The id of FIELD=TOKEN, or of a feature id written out. Raises UserError where there is none, with the nearest
        field or token."""
        field, mark, token = text.partition("=")
        if not mark:
            if not text.isdecimal():
                raise UserError(f"a feature is FIELD=TOKEN, as in {self._example()}, or its id; found {text!r}")
            self.owner(int(text))  # is there one?
            return int(text)
        known = {names.field.name: names for names in self.fields}
        if field not in known:
            raise UserError(f"there is no field {field!r}, only {', '.join(known)}{nearest(field, known)}")
        return known[field].offset + known[field].find(token)

    def _example(self) -> str:
        return f"{self.fields[0].field.name}={self.fields[0].names([self.fields[0].field.num_features - 1])[0]}"
