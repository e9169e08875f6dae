"""What was measured, as tables."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd

from ctr.app.explain.explanation import Explanation
from ctr.app.explain.measured import Measured
from ctr.app.explain.neighbours import Neighbours
from ctr.app.explain.row import Contributions


def importances(told: Explanation) -> pd.DataFrame:
    """One row a field, the most important first; `low` and `high` bound the mean."""
    return _frame(told.importance, told.fields, ["field"], worse(told))


def worse(told: Explanation) -> str:
    return f"{'drop' if told.higher_is_better else 'rise'} of {told.metric}"


def ablations(told: Explanation) -> pd.DataFrame:
    return _frame(told.ablation, told.fields, ["field", "other"], "lack of additivity")


def terms(told: Explanation) -> pd.DataFrame | None:
    """None for models without terms of pairs."""
    if told.terms is None or told.spread is None:
        return None
    frame = _frame(told.terms, told.fields, ["field", "other"], "mean size")
    spread = pd.Series([told.spread[thing] for thing in told.terms.largest()], dtype=float)
    frame.insert(3, "standard deviation", spread)
    return frame


def parts(told: Contributions) -> pd.DataFrame:
    """The largest in size first, but for w_0, which leads."""
    ordered = sorted(told.parts, key=lambda part: (part.name != "w_0", -abs(part.amount)))
    return pd.DataFrame(
        {
            "part": [part.name for part in ordered],
            "value": [part.value for part in ordered],
            "contribution": [part.amount for part in ordered],
        }
    )


def neighbours(told: Neighbours) -> pd.DataFrame:
    """Those of the field first."""
    listed = [*told.same_field, *told.other_fields]
    return pd.DataFrame(
        {
            "field": [one.feature.field for one in listed],
            "token": [one.feature.token for one in listed],
            "id": [one.feature.id for one in listed],
            "count in train": [one.feature.count for one in listed],
            "cosine": [one.cosine for one in listed],
        }
    )


def _frame(measured: Measured, fields: Sequence[str], keys: Sequence[str], value: str) -> pd.DataFrame:
    rows = []
    for thing in measured.largest():
        low, high = measured.interval(*thing) or (np.nan, np.nan)
        names = dict(zip(keys, (fields[i] for i in thing), strict=True))
        rows.append({**names, value: measured.mean[thing], "low": low, "high": high})
    return pd.DataFrame(rows, columns=[*keys, value, "low", "high"])
