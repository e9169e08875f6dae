"""Fields of one number, measured a span of rows at a time."""

from __future__ import annotations

import numpy as np

from ctr.data.doctor.fields import QUANTILES, FieldReport, Number, RowCounts, effective_number, smoothed
from ctr.data.doctor.scores import auc, auc_either_way, correlation_squared, r_squared
from ctr.data.doctor.values import View
from ctr.data.rows import Rows

BINS = 32  # of equally many rows, to fit the label rate


class NumberTally:
    """First all of train is added, then `fit` called, then the other splits are added."""

    def __init__(self, view: View):
        self.view, self.rows = view, RowCounts()
        self.zeros, self.total, self.low, self.high = 0, 0.0, np.inf, -np.inf
        self.sample: list[np.ndarray] = []  # of train
        self.scores: list[np.ndarray] = []  # (n, 2) of the sampled rows of valid: x, and the rate of its bin

    def add(self, split: str, rows: Rows, sampled: np.ndarray) -> None:
        """`sampled` are the places among these rows that the sample has."""
        x = self.view.number(rows)
        there = ~np.isnan(x)
        self.rows.add(split, len(rows), int(there.sum()), int((~there).sum()), 0)
        if split == "train":
            self.sample.append(x[sampled])
            self.zeros, self.total = self.zeros + int((x == 0).sum()), self.total + float(x[there].sum())
            self.low = min(self.low, float(x.min(initial=np.inf, where=there)))
            self.high = max(self.high, float(x.max(initial=-np.inf, where=there)))
        elif split == "valid":
            some = x[sampled]
            filled = np.where(np.isnan(some), self.middle, some)
            self.scores.append(np.stack([filled, self.rates[self._bin(some)]], axis=1))

    def fit(self, labels: np.ndarray, mean: float) -> None:
        """`labels` are those of the sampled rows of train, `mean` that of all."""
        self.numbers = np.concatenate(self.sample)
        self.known = self.numbers[~np.isnan(self.numbers)]
        self.middle, self.edges = 0.0, np.zeros(0)
        if len(self.known):
            self.middle = float(np.median(self.known))
            self.edges = np.unique(np.quantile(self.known, np.arange(1, BINS) / BINS))
        bins, size = self._bin(self.numbers), len(self.edges) + 2
        sums = np.bincount(bins, labels.astype(np.float64), minlength=size)
        self.rates = smoothed(sums, np.bincount(bins, minlength=size), mean)

    def _bin(self, x: np.ndarray) -> np.ndarray:
        """0 is missing; edges belong to the bin above them."""
        return np.where(np.isnan(x), 0, np.searchsorted(self.edges, x, side="right") + 1)

    def report(self, kind: str, labels: np.ndarray, regression: bool) -> FieldReport:
        """`labels` are those of the sampled rows of valid."""
        straight, binned = np.concatenate(self.scores).T
        alone = (
            [correlation_squared(straight, labels), r_squared(binned, labels)]
            if regression
            else [auc_either_way(straight, labels), auc(binned, labels)]
        )
        counts = np.unique(self.numbers, return_counts=True)[1]  # missing is one value
        rows, missing = self.rows, self.rows.shares(self.rows.missing)
        return FieldReport(
            name=self.view.field.name,
            kind=kind,
            num_features=self.view.field.num_features,
            num_seen=len(counts),
            effective=effective_number(counts),
            known=rows.shares(rows.known),
            missing=missing,
            oov=rows.shares(rows.oov),
            top=[],
            top_share=max(float(counts.max() / len(self.numbers)), missing["train"]),
            number=self._number(),
            alone=max(alone, key=lambda score: -np.inf if np.isnan(score) else score),
        )

    def _number(self) -> Number:
        if not len(self.known):
            nothing = float("nan")
            return Number(nothing, nothing, nothing, 0.0, (nothing,) * len(QUANTILES))
        at = tuple(float(q) for q in np.quantile(self.known, QUANTILES))
        mean = self.total / self.rows.known["train"]
        return Number(self.low, mean, self.high, self.zeros / self.rows.rows["train"], at)
