"""What a preparation is to do."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ctr.data import targets
from ctr.data.columns import FieldRecipe
from ctr.data.encoding import key
from ctr.data.module import Labels
from ctr.data.readers.base import Reader
from ctr.data.splits import Split
from ctr.data.staging import Staging

Meter = Callable[[str, int, int], None]  # what is being done, done, in all


@dataclass(frozen=True)
class Recipe:
    """How files become rows of slots. `description` says all of it in JSON: the same text, the same result."""

    reader: Reader
    fields: Sequence[FieldRecipe]
    label: str
    labels: Labels
    label_values: Mapping[str, float] | None
    group: str | None
    weight: str | None
    time: tuple[str, str] | None  # column and format
    split: Split | None
    missing: tuple[str, ...]
    refuse: bool  # rows that cannot be read; else they are counted and left out
    negatives: tuple[float, int] | None  # the share of train's negatives that is kept, and the seed
    description: Mapping[str, Any]

    def stagings(self) -> dict[str, Staging]:
        """Every column that is read, by the name of its staged form."""
        label = targets.Label(self.labels, self.label_values, self.reader.signed_labels)
        read = {"label": Staging(self.label, (), label.stage, of_numbers=self.label_values is None)}
        if self.weight is not None:
            read["weight"] = Staging(self.weight, (), targets.Weight().stage, of_numbers=True)
        if self.group is not None:
            read["group"] = Staging(self.group, (), targets.Group().stage, of_numbers=False)
        if self.time is not None:
            column, format = self.time
            read["time"] = Staging(column, (), targets.When(format).stage, of_numbers=format.startswith("unix"))
        if self.split is not None and self.split.column is not None:
            read["split"] = Staging(self.split.column, (), targets.Group().stage, of_numbers=False)
        for field in self.fields:
            missing = self.missing if field.missing is None else field.missing
            read[key(field)] = Staging(field.column, missing, field.kind.stage, field.kind.of_numbers)
        return read
