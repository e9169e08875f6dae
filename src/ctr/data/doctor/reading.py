"""Rows a span at a time, samples of them, and strangers' texts."""

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


def shown(text: str, limit: int = 48) -> str:
    """A stranger's text on one line: short, and what cannot be printed written as an escape."""
    text = text if len(text) <= limit else text[: limit - 1] + "…"
    return "".join(letter if letter.isprintable() else ascii(letter)[1:-1] for letter in text)
