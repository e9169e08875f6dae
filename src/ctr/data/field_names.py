"""What the feature ids of a field were before encoding: tokens, bins, hours."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from ctr.data.columns import base
from ctr.data.columns.hashed import FittedHashed
from ctr.data.encoders import FieldEncoder
from ctr.data.vocabulary import Vocabulary
from ctr.errors import UserError, nearest
from ctr.schema import Field, FieldKind

WEEKDAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")
UNKNOWN, MISSING, EMPTY, NUMBER = "(unseen or rare)", "(missing)", "(empty)", "(number)"
SEARCHED = 20_000  # tokens, the most frequent ones, among which a misspelled one is looked for


def shown(text: str, limit: int = 48) -> str:
    """A stranger's text on one line: short, and what cannot be printed written as an escape."""
    text = text if len(text) <= limit else text[: limit - 1] + "…"
    return "".join(letter if letter.isprintable() else ascii(letter)[1:-1] for letter in text)


@dataclass(frozen=True)
class FieldNames:
    """The names of a field's features. `made_by` is its encoder, None where the data do not come from cells."""

    field: Field
    offset: int  # the first of its feature ids
    made_by: FieldEncoder | None

    @property
    def is_number(self) -> bool:
        return self.field.kind is FieldKind.NUMERIC

    @property
    def oov_id(self) -> int | None:
        """The id that tokens share which are rare or not in train."""
        return None if self.is_number or self._zero_is_missing else 0

    @cached_property
    def missing_id(self) -> int | None:
        """The id of a missing value. A missing item among others is none: a row without items misses the field."""
        if self.is_number or self.field.kind is FieldKind.MULTIVALUED:
            return None
        if self._zero_is_missing:
            return 0
        place = -1 if self.vocabulary is None else pc.index(self.vocabulary.tokens, "").as_py()
        return None if place < 0 else place + 1

    @property
    def vocabulary(self) -> Vocabulary | None:
        return None if self.made_by is None else self.made_by.encoder.vocabulary

    def names(self, ids: Iterable[int]) -> list[str]:
        """What stood in the cells that became these ids, which count from 0 within the field."""
        return [self._name(int(i)) for i in ids]

    def find(self, token: str) -> int:
        """The id within the field of a token, as it stood in the cells or as `names` writes it; of a hashed field its
        bucket. Raises UserError where the field has none, with the nearest token."""
        vocabulary = self.vocabulary
        if vocabulary is not None and token and (i := int(vocabulary.ids(pa.array([token]))[0])):
            return i
        special = {UNKNOWN: self.oov_id, MISSING: self.missing_id}.get(token)
        if special is not None:
            return special
        count = self.field.num_features if vocabulary is None else min(self.field.num_features, SEARCHED)
        names = self.names(range(count))
        if token in names:
            return names.index(token)
        if self.made_by is not None and isinstance(self.made_by.encoder, FittedHashed):
            slots = self.made_by.encode(pa.array([token]))
            assert slots.ids is not None
            return int(slots.ids[0, 0])
        near = nearest(token, names[:SEARCHED]) or f"; it has such as {', '.join(names[1:4])}"
        raise UserError(f"field {self.field.name!r} has no feature {token!r} in train{near}")

    @property
    def _zero_is_missing(self) -> bool:
        return self.made_by is not None and self.made_by.encoder.zero == base.MISSING

    @cached_property
    def _state(self) -> dict[str, Any]:
        return {} if self.made_by is None else self.made_by.encoder.state()

    def _name(self, i: int) -> str:
        state, vocabulary = self._state, self.vocabulary
        if i == self.missing_id:
            return MISSING
        if i == self.oov_id or ("known" in state and i == 0):
            return UNKNOWN
        if vocabulary is not None:
            return shown(vocabulary.tokens[i - 1].as_py()) or EMPTY
        if "edges" in state:
            edges = ["-∞", *(f"{edge:g}" for edge in state["edges"]), "∞"]
            return f"[{edges[i - 1]}, {edges[i]})"
        if "known" in state:
            return str(state["known"][i - 1])
        if i < len(state.get("knots", ())):
            return f"knot {state['knots'][i]:g}"
        if waves := state.get("frequencies"):
            return f"{'sine' if i < len(waves) else 'cosine'} {i % len(waves) + 1}"
        part = None if self.made_by is None else getattr(self.made_by.recipe.kind, "part", None)
        if part is not None:
            return WEEKDAYS[i - 1] if part == "weekday" else f"{i - 1} h"
        return NUMBER if self.is_number and self.field.num_features == 1 else f"id {i}"
