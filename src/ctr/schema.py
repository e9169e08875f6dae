"""What a model may know about a dataset: its fields, in slot order."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from enum import Enum
from functools import cached_property
from itertools import accumulate
from typing import Any

from ctr.errors import UserError, nearest


class FieldKind(str, Enum):
    """How a field fills its slots."""

    CATEGORICAL = "categorical"  # one slot, value 1
    MULTIVALUED = "multivalued"  # several slots, values 1 or 1/n; unused slots hold value 0
    NUMERIC = "numeric"  # one slot, value x_i; several for a basis of x (piecewise linear, periodic)


@dataclass(frozen=True)
class Field:
    """One column of the data and the block of consecutive feature ids that it owns.

    `encoding` identifies how raw values became ids and values (a hash of the vocabulary, or of the fitted
    transform): two fields of equal shape and different encodings do not fit each other's weights. `shares` names the
    field whose block of feature ids this one uses too: one vocabulary, one set of weights.
    """

    name: str
    kind: FieldKind
    num_features: int
    num_slots: int = 1
    encoding: str = ""
    shares: str | None = None


@dataclass(frozen=True)
class FeatureSchema:
    """The fields of a dataset, in slot order.

    Feature ids are global: field f uses `offsets[f] .. offsets[f] + fields[f].num_features - 1`, a block that is its
    own unless it shares that of another field.
    """

    fields: tuple[Field, ...]

    def __post_init__(self) -> None:
        names = [field.name for field in self.fields]
        if not names:
            raise UserError("a schema needs at least one field; the dataset lists none")
        if repeated := sorted({name for name in names if names.count(name) > 1}):
            raise UserError(f"field names must differ; listed twice: {', '.join(repeated)}")
        for field in self.fields:
            if field.num_features < 1 or field.num_slots < 1:
                raise UserError(f"field {field.name!r} needs at least one feature and one slot, has {field}")
            owner = next((other for other in self.fields if other.name == field.shares), None)
            if field.shares is not None and (
                owner is None or owner.shares is not None or owner.num_features != field.num_features
            ):
                raise UserError(
                    f"field {field.name!r} shares the features of {field.shares!r}, which has to be a field of as many "
                    f"features that shares none itself"
                )

    @property
    def num_fields(self) -> int:
        return len(self.fields)

    @cached_property
    def num_features(self) -> int:
        return sum(field.num_features for field in self.fields if field.shares is None)

    @cached_property
    def num_slots(self) -> int:
        return sum(field.num_slots for field in self.fields)

    @cached_property
    def offsets(self) -> tuple[int, ...]:
        """The first feature id of each field."""
        owners = [field for field in self.fields if field.shares is None]
        starts = accumulate((field.num_features for field in owners), initial=0)
        first = {field.name: start for field, start in zip(owners, starts, strict=False)}
        return tuple(first[field.shares or field.name] for field in self.fields)

    @cached_property
    def slot_fields(self) -> tuple[int, ...]:
        """The field index of each slot."""
        return tuple(f for f, field in enumerate(self.fields) for _ in range(field.num_slots))

    def select(self, names: Sequence[str] | None) -> tuple[int, ...]:
        """The indices of these fields, in the schema's order; of all fields for None."""
        if names is None:
            return tuple(range(self.num_fields))
        known = [field.name for field in self.fields]
        if unknown := next((name for name in names if name not in known), None):
            raise UserError(f"no field {unknown!r} among {', '.join(known)}{nearest(unknown, known)}")
        if not names:
            raise UserError("a list of fields must name one or more; null stands for all of them")
        return tuple(index for index, name in enumerate(known) if name in names)

    def slots(self, names: Sequence[str] | None) -> tuple[int, ...]:
        """The slots of these fields, in order; all slots for None."""
        fields = set(self.select(names))
        return tuple(slot for slot, field in enumerate(self.slot_fields) if field in fields)

    @cached_property
    def fingerprint(self) -> str:
        """Equal for two schemas exactly when a checkpoint of one fits the other."""
        return hashlib.sha256(json.dumps(self.to_json(), sort_keys=True).encode()).hexdigest()[:16]

    def to_json(self) -> dict[str, Any]:
        entries = [{**asdict(field), "kind": field.kind.value} for field in self.fields]
        return {"fields": [{key: value for key, value in entry.items() if value is not None} for entry in entries]}

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> FeatureSchema:
        return cls(tuple(Field(**{**field, "kind": FieldKind(field["kind"])}) for field in data["fields"]))
