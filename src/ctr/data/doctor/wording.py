"""Numbers as people read them."""

from __future__ import annotations

from datetime import datetime, timezone

from ctr.data.doctor.fields import QUANTILES, FieldReport
from ctr.data.field_names import MISSING


def percent(share: float) -> str:
    return "0" if share == 0 else "<0.1%" if share < 0.0005 else f"{share:.1%}"


def typical(field: FieldReport) -> str:
    """The most frequent value, or min, median and max of a number."""
    number = field.number
    if number is not None:
        middle = number.quantiles[QUANTILES.index(0.5)]
        zeros = f", {percent(number.zeros)} 0" if number.zeros else ""
        return f"{number.low:.4g} … {middle:.4g} … {number.high:.4g}{zeros}"
    is_missing = not field.top or field.missing["train"] >= field.top_share
    return f"{percent(field.top_share)} {MISSING if is_missing else field.top[0].name}"


def score(alone: float) -> str:
    return "undefined" if alone != alone else f"{round(alone, 4) + 0.0:.4f}"


def moment(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, timezone.utc).strftime("%Y-%m-%d %H:%M:%S")
