"""Criteo's click logs as they are given out: the label, I1-I13, C1-C26, divided by tabs, without a header line."""

from __future__ import annotations

from ctr.data.readers.csv import CSV


class Criteo(CSV):
    """train.txt of the Kaggle challenge, day_0 to day_23 of the terabyte log."""

    def __init__(self) -> None:
        columns = ["label", *(f"I{i}" for i in range(1, 14)), *(f"C{i}" for i in range(1, 27))]
        super().__init__(delimiter="\t", quote=None, columns=columns)


READER = Criteo
