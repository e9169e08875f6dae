"""Rows a span at a time, and samples of them."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from ctr.data.rows import Rows, Source

SPAN = 2**17  # rows in memory at once


def spans(source: Source) -> Iterator[tuple[int, Rows]]:
    """The rows of a split, SPAN at a time, each with the number of its first."""
    for start in range(0, len(source), SPAN):
        yield start, source.read([(start, min(start + SPAN, len(source)))])


def even_sample(num_rows: int, limit: int) -> np.ndarray:
    """(at most `limit`,) int64: evenly spaced row numbers, all of them where they are no more."""
    return np.arange(num_rows) if num_rows <= limit else np.linspace(0, num_rows - 1, limit).astype(np.int64)
