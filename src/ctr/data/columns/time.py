"""The hour or the weekday of a time stamp, as a categorical field."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime, timezone
from typing import Any, Literal

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from ctr.data.columns.base import MISSING, Problem, Slots, Staged, numbers, one_of, to_numpy
from ctr.data.vocabulary import Vocabulary
from ctr.errors import UserError
from ctr.schema import Field, FieldKind

PARTS = {"hour": 24, "weekday": 7}


class Time:
    """Hour h has id h + 1, weekday d (Monday is 0) id d + 1; a missing time has id 0. Nothing is fitted.

    `format`: "unix" seconds, "unix_ms" milliseconds, or strptime's, such as "%y%m%d%H"; times without a zone are
    taken as they are, and `utc_offset` hours are added to unix times.
    """

    def __init__(self, *, part: Literal["hour", "weekday"], format: str = "unix", utc_offset: float = 0):
        one_of("part", part, tuple(PARTS))
        if not isinstance(utc_offset, (int, float)):
            raise UserError(f"utc_offset must be a number of hours, found {utc_offset!r}")
        check_format(format)
        self.part, self.format, self.utc_offset = part, format, utc_offset
        self.of_numbers = format.startswith("unix")

    def stage(self, cells: pa.Array) -> Staged:
        seconds, problems = read_times(cells, self.format)
        local = to_numpy(seconds) + (3600 * self.utc_offset if self.format.startswith("unix") else 0)
        of_day = np.floor(local / 3600) % 24 if self.part == "hour" else (np.floor(local / 86400) + 3) % 7
        ids = np.where(np.isfinite(of_day), of_day + 1, 0).astype(np.int8)
        ids[pc.is_null(seconds).to_numpy(zero_copy_only=False)] = 0
        return Staged(pa.array(ids), problems)

    def fit(self, name: str, train: Iterable[pa.Array], everything: Iterable[pa.Array]) -> FittedTime:
        return FittedTime(name, self.part)

    def restore(self, name: str, state: Mapping[str, Any], vocabulary: Vocabulary | None) -> FittedTime:
        return FittedTime(name, self.part)


def check_format(format: object) -> None:
    """Raises UserError for what is neither unix, unix_ms nor a format of strptime."""
    if not isinstance(format, str) or (format not in ("unix", "unix_ms") and "%" not in format):
        raise UserError(f"format of a time must be unix, unix_ms or strptime's, such as '%Y-%m-%d'; found {format!r}")


def read_times(cells: pa.Array, format: str) -> Staged:
    """Seconds since 1970 as float64, empty cells as null. Problems: what the format does not fit."""
    if format.startswith("unix"):
        x, problems = numbers(cells)
        return Staged(pc.divide(x, 1000.0 if format == "unix_ms" else 1.0), problems)
    read = [_seconds(text, format) for text in cells.dictionary.to_pylist()]
    table = np.array([np.nan if second is None else second for second in read])
    indices = cells.indices.to_numpy(zero_copy_only=False)
    empty = pc.equal(cells.dictionary, "").to_numpy(zero_copy_only=False)[indices]
    seconds = table[indices]
    wrong = np.flatnonzero(np.isnan(seconds) & ~empty)
    problems = [Problem(wrong, f"expected a time of the format {format!r}")] if len(wrong) else []
    return Staged(pa.array(seconds, mask=empty | np.isnan(seconds)), problems)


def _seconds(text: str, format: str) -> float | None:
    try:
        time = datetime.strptime(text, format)
    except ValueError:
        return None
    return (time if time.tzinfo else time.replace(tzinfo=timezone.utc)).timestamp()


class FittedTime:
    zero = MISSING
    vocabulary = None

    def __init__(self, name: str, part: str):
        self.field = Field(name, FieldKind.CATEGORICAL, PARTS[part] + 1, 1, part)

    def slots(self, staged: pa.Array, table: np.ndarray | None) -> Slots:
        return Slots(staged.to_numpy()[:, None].astype(np.uint8), None)

    def state(self) -> dict[str, Any]:
        return {}


KIND = Time
