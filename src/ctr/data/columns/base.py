"""What a kind of column is: staged block by block, fitted on train, encoded into slots."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple, Protocol, runtime_checkable

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from ctr.data.vocabulary import Vocabulary
from ctr.errors import UserError
from ctr.schema import Field

MISSING = "missing values"  # what id 0 stands for in kinds without unseen tokens
UNSEEN = "unseen or rare tokens, counted as OOV"  # and in those with a vocabulary
FLOAT32_MAX = float(np.finfo(np.float32).max)


class Problem(NamedTuple):
    """Cells that cannot be read."""

    rows: np.ndarray  # their row numbers, rising
    reason: str  # what was expected
    cure: str = ""  # how to mend it, where that is neither to mend the file nor to leave the rows out


class Staged(NamedTuple):
    """A block of a column, parsed as far as no other block is needed: what is kept until train is known."""

    array: pa.Array
    problems: list[Problem]  # rows whose staged value means nothing


class Slots(NamedTuple):
    """A block of a column as the field's slots; ids count from 0 within the field."""

    ids: np.ndarray | None  # (n, slots) unsigned; None: slot i always has id i
    values: np.ndarray | None  # (n, slots) float32; None: always 1
    dropped: int = 0  # items that had no slot


class Encoder(Protocol):
    """A fitted column."""

    zero: str | None  # what id 0 stands for where that should be counted, as MISSING; else None

    @property
    def field(self) -> Field: ...

    @property
    def vocabulary(self) -> Vocabulary | None:
        """The tokens of the field's ids, where it has any."""
        ...

    def slots(self, staged: pa.Array, table: np.ndarray | None) -> Slots:
        """The slots of a block. `table`: the ids of the tokens in the block's dictionary; None without a vocabulary."""
        ...

    def state(self) -> dict[str, Any]:
        """What was fitted besides the vocabulary, as numbers and texts."""
        ...


class Column(Protocol):
    """The recipe of a column: its kind with its options, nothing fitted."""

    of_numbers: bool  # cells are read as numbers, which may be rounded; else as texts, which have to be exact

    def stage(self, cells: pa.Array) -> Staged:
        """Of a block of text cells, dictionary-encoded; the empty text is a missing value."""
        ...

    def fit(self, name: str, train: Iterable[pa.Array], everything: Iterable[pa.Array]) -> Encoder:
        """`train` holds the staged blocks of the train split; both can be gone through more than once. `everything`
        is for the shape of a field, never for its values.

        Raises UserError where train has nothing to fit to.
        """
        ...

    def restore(self, name: str, state: Mapping[str, Any], vocabulary: Vocabulary | None) -> Encoder:
        """The encoder of this state."""
        ...


@runtime_checkable
class TokenColumn(Protocol):
    """The recipe of a column of tokens, which the preparation counts; other fields may share its vocabulary."""

    of_numbers: bool

    def stage(self, cells: pa.Array) -> Staged: ...

    def tokens(self, staged: pa.Array) -> pa.DictionaryArray:
        """All tokens of a block."""
        ...

    def vocabulary(self, tokens: pa.Array, counts: np.ndarray) -> Vocabulary:
        """Of these tokens, which occur so often in train."""
        ...

    def fit_tokens(self, name: str, vocabulary: Vocabulary, owner: str | None, train: Iterable[pa.Array]) -> Encoder:
        """`owner`: the field that the vocabulary and the feature ids belong to, where it is another one."""
        ...

    def restore(self, name: str, state: Mapping[str, Any], vocabulary: Vocabulary | None) -> Encoder: ...


def numbers(cells: pa.DictionaryArray) -> Staged:
    """Text cells as floats, empty ones as null; of 32 bits where that changes none. Problems: what is no finite number,
    or none that fits 32 bits."""
    table = pc.utf8_trim_whitespace(cells.dictionary)
    table = pc.if_else(pc.equal(table, ""), pa.scalar(None, table.type), table)
    try:
        x = table.cast(pa.float64())
    except pa.ArrowInvalid:
        x = pa.array([_number(text) for text in table.to_pylist()], pa.float64())
    empty = pc.is_null(x).to_numpy(zero_copy_only=False)
    values = to_numpy(x)
    wrong = ~np.isfinite(values)
    large = ~wrong & (abs(values) > FLOAT32_MAX)
    indices = cells.indices.to_numpy(zero_copy_only=False)
    problems = [
        Problem(np.flatnonzero(bad[indices]), reason)
        for bad, reason in (
            (wrong, "expected a finite number"),
            (large, "expected a number of 32 bits; this one is too large"),
        )
        if bad.any()
    ]
    if not problems and (values.astype(np.float32) == values).all():
        values = values.astype(np.float32)
    mask = empty[indices] if empty.any() else None
    return Staged(pa.array(values[indices], mask=mask), problems)


def is_number(text: str) -> bool:
    """Does a cell of this text stand for a number, or for nan or an infinity?"""
    try:
        pa.scalar(text).cast(pa.float64())
    except pa.ArrowInvalid:
        return False
    return True


def _number(text: str | None) -> float | None:
    """NaN for what is no number."""
    if text is None:
        return None
    return float(pa.scalar(text).cast(pa.float64()).as_py()) if is_number(text) else float("nan")


def train_numbers(name: str, train: Iterable[pa.Array], limit: int = 2**22) -> np.ndarray:
    """The numbers of train without missing ones: all of them up to `limit`, evenly spaced ones beyond.

    Raises UserError where there are none.
    """
    blocks = [array.drop_null().to_numpy().astype(np.float64) for array in train]
    x = np.concatenate([np.zeros(0), *blocks])
    if len(x) == 0:
        raise UserError(f"field {name!r}: every cell of train is empty; this kind needs numbers")
    return x if len(x) <= limit else x[np.linspace(0, len(x) - 1, limit).astype(np.int64)]


def to_numpy(x: pa.Array, missing: float = 0.0) -> np.ndarray:
    """(n,) float64."""
    filled: np.ndarray = pc.fill_null(x, missing).to_numpy(zero_copy_only=False).astype(np.float64)
    return filled


def as_float32(name: str, values: np.ndarray) -> np.ndarray:
    """Raises UserError for what a transform has made too large."""
    with np.errstate(over="ignore"):
        result = values.astype(np.float32)
    if not np.isfinite(result).all():
        raise UserError(f"field {name!r}: its transform gives numbers too large for 32 bits; choose transform: log")
    return result


def at_least(name: str, value: object, least: int) -> None:
    if not isinstance(value, int) or isinstance(value, bool) or value < least:
        raise UserError(f"{name} must be a whole number of at least {least}, found {value!r}")


def one_of(name: str, value: object, known: tuple[str, ...]) -> None:
    if value not in known:
        raise UserError(f"{name} must be one of {', '.join(known)}, found {value!r}")
