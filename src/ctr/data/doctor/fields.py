"""What is told of a field."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

SMOOTHING = 20.0  # rows of train's average that are added to each value's
QUANTILES = (0.01, 0.05, 0.25, 0.5, 0.75, 0.95, 0.99)


@dataclass(frozen=True)
class Value:
    """A frequent value in train; items of a multi-valued field count one by one."""

    name: str
    count: int
    share: float
    mean: float  # of the labels of its rows


@dataclass(frozen=True)
class Number:
    """A numeric field in train; missing values left out where they can be told from 0."""

    low: float
    mean: float
    high: float
    zeros: float  # share of rows
    quantiles: tuple[float, ...]  # at QUANTILES


@dataclass(frozen=True)
class FieldReport:
    """A field. Shares by split are of rows."""

    name: str
    kind: str
    num_features: int
    num_seen: int  # different values in train, missing and OOV among them
    effective: float  # exp of the entropy of train's values
    known: Mapping[str, float]  # rows with a value that is neither missing nor OOV
    missing: Mapping[str, float]
    oov: Mapping[str, float]  # rows with a token that is rare or not in train
    top: Sequence[Value]
    top_share: float  # of the most frequent value, of train's rows
    number: Number | None
    alone: float  # AUC or R^2 on valid, NaN where it is undefined


@dataclass
class RowCounts:
    """Rows of each split: all, with a known value, without any, with an OOV token."""

    rows: dict[str, int] = field(default_factory=dict)
    known: dict[str, int] = field(default_factory=dict)
    missing: dict[str, int] = field(default_factory=dict)
    oov: dict[str, int] = field(default_factory=dict)

    def add(self, split: str, rows: int, known: int, missing: int, oov: int) -> None:
        for counts, more in ((self.rows, rows), (self.known, known), (self.missing, missing), (self.oov, oov)):
            counts[split] = counts.get(split, 0) + more

    def shares(self, counts: Mapping[str, int]) -> dict[str, float]:
        return {split: counts[split] / rows for split, rows in self.rows.items()}


def effective_number(counts: np.ndarray) -> float:
    """exp of the entropy of counts above 0."""
    shares = counts / max(1, counts.sum())
    return float(np.exp(-(shares * np.log(shares)).sum()))


def smoothed(sums: np.ndarray, counts: np.ndarray, mean: float) -> np.ndarray:
    """Label rates, drawn towards the mean of all rows where there are few."""
    rates: np.ndarray = (sums + SMOOTHING * mean) / (counts + SMOOTHING)
    return rates
