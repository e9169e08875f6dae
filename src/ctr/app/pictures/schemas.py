"""Schemas to draw models on: a dataset's own, or that of Frappe as it is known, where its files are not there."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from ctr.app.config import build
from ctr.batch import DataModule
from ctr.errors import UserError
from ctr.schema import FeatureSchema, Field, FieldKind

FEATURES = {  # of each field of configs/dataset/frappe.yaml, once its vocabularies are fitted
    "user": 955,
    "item": 4083,
    "daytime": 8,
    "weekday": 8,
    "isweekend": 3,
    "homework": 4,
    "cost": 3,
    "weather": 10,
    "country": 81,
    "city": 234,
}
FRAPPE = FeatureSchema(tuple(Field(name, FieldKind.CATEGORICAL, count) for name, count in FEATURES.items()))


def of_dataset(dataset: Mapping[str, Any], trust: Sequence[str] = ()) -> tuple[FeatureSchema, str]:
    """The schema of a dataset's config, prepared if need be; and a remark, where its files are not there and it is
    Frappe's. Raises UserError where another dataset cannot be opened."""
    try:
        data: DataModule = build(dataset, trust, "dataset").open()
        return data.schema, ""
    except UserError as error:
        fields = dataset.get("fields") or dict.fromkeys((dataset.get("reader") or {}).get("starts", ()), "categorical")
        if fields != dict.fromkeys(FEATURES, "categorical"):
            raise
        return FRAPPE, f"drawn with the field sizes that Frappe is known to have, as its files cannot be read: {error}"
