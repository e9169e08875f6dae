"""Fields of tokens, counted a span of rows at a time."""

from __future__ import annotations

import numpy as np

from ctr.data.doctor.fields import FieldReport, RowCounts, Value, effective_number, smoothed
from ctr.data.doctor.scores import auc, r_squared
from ctr.data.doctor.values import View
from ctr.data.rows import Rows

TOP = 10  # values that are listed


class TokenTally:
    """First all of train is added, then `fit` called, then the other splits are added."""

    def __init__(self, view: View):
        self.view, self.rows = view, RowCounts()
        self.counts = np.zeros(view.field.num_features, dtype=np.int64)
        self.sums = np.zeros(view.field.num_features)  # of labels
        self.scores: list[np.ndarray] = []  # of the sampled rows of valid

    def add(self, split: str, rows: Rows, sampled: np.ndarray) -> None:
        """`sampled` are the places among these rows that the sample has."""
        at, ids = self.view.items(rows)
        empty, unknown = ids == self.view.missing_id, ids == self.view.oov_id
        known, there, oov = (_rows(at[which], len(rows)) for which in (~(empty | unknown), ~empty, unknown))
        self.rows.add(split, len(rows), known, len(rows) - there, oov)
        if split == "train":
            np.add.at(self.counts, ids, 1)
            np.add.at(self.sums, ids, rows.labels[at].astype(np.float64))
        elif split == "valid":
            counts = np.bincount(at, minlength=len(rows))
            score = np.bincount(at, self.rates[ids], minlength=len(rows)) / np.maximum(counts, 1)
            self.scores.append(np.where(counts > 0, score, self.mean)[sampled])

    def fit(self, labels: np.ndarray, mean: float) -> None:
        """`mean` is that of all labels of train."""
        self.mean, self.rates = mean, smoothed(self.sums, self.counts, mean)

    def report(self, kind: str, labels: np.ndarray, regression: bool) -> FieldReport:
        """`labels` are those of the sampled rows of valid."""
        frequent, total = _largest(self.counts), self.counts.sum()
        means = self.sums[frequent] / self.counts[frequent]
        seen = self.counts[self.counts > 0]
        rows, missing = self.rows, self.rows.shares(self.rows.missing)
        return FieldReport(
            name=self.view.field.name,
            kind=kind,
            num_features=self.view.field.num_features,
            num_seen=len(seen),
            effective=effective_number(seen),
            known=rows.shares(rows.known),
            missing=missing,
            oov=rows.shares(rows.oov),
            top=[
                Value(name, int(self.counts[i]), float(self.counts[i] / total), float(mean))
                for i, name, mean in zip(frequent, self.view.names(frequent.tolist()), means, strict=True)
            ],
            top_share=max(min(1.0, self.counts.max() / rows.rows["train"]), missing["train"]),
            number=None,
            alone=(r_squared if regression else auc)(np.concatenate(self.scores), labels),
        )


def _rows(at: np.ndarray, num_rows: int) -> int:
    """How many rows are named at least once."""
    named = np.zeros(num_rows, dtype=bool)
    named[at] = True
    return int(named.sum())


def _largest(counts: np.ndarray) -> np.ndarray:
    """The places of the TOP largest above 0, largest first, then by place."""
    bound = np.partition(counts, -TOP)[-TOP] if len(counts) > TOP else 0
    candidates = np.flatnonzero(counts >= max(1, bound))
    return candidates[np.argsort(-counts[candidates], kind="stable")][:TOP]
