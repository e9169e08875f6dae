"""What a reader is: files into blocks, blocks into columns of text, every row kept or accounted for."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple, Protocol

import pyarrow as pa

from ctr.errors import UserError, nearest

BLOCK_BYTES = 24 * 2**20  # below what the C library hands back to the system at every release


class Reject(NamedTuple):
    """A row that cannot be read."""

    line: int  # of the file, or row number where a file has no lines; from 1
    reason: str  # what was expected
    text: str  # what was found


@dataclass(frozen=True)
class Block:
    """Some consecutive rows of a file, not yet parsed."""

    path: Path
    content: Any
    first: int  # the line (or row) number of its first row
    position: int  # bytes of the file read so far, for the progress bar


@dataclass(frozen=True)
class Parsed:
    """The columns of a block, row by row, and what was left out."""

    columns: dict[str, pa.Array]  # of text, dictionary-encoded, or lists of entries
    num_rows: int
    rejects: list[Reject]
    line: Callable[[int], int]  # row of these columns to line of the file
    unit: str = "line"
    inexact: Mapping[str, str] = field(default_factory=dict)  # columns whose texts are no ids, and why


class Reader(Protocol):
    """A format with its options."""

    signed_labels: bool  # binary labels may be -1 and 1 by the format's custom
    fields: Mapping[str, Any] | None  # the fields of data that name none, where the format can tell

    def names(self, path: Path) -> list[str]:
        """The columns of a file. Raises UserError for a file that cannot be read."""
        ...

    def blocks(self, path: Path, columns: Sequence[str]) -> Iterator[Block]:
        """One after another, in bounded memory."""
        ...

    def parse(self, block: Block, columns: Sequence[str]) -> Parsed:
        """Of one block, in any thread."""
        ...


def list_of_names(option: str, names: object) -> list[str]:
    """Raises UserError for what is no list of different texts."""
    if not isinstance(names, (list, tuple)) or not all(isinstance(name, str) for name in names):
        raise UserError(f"reader.{option} must be a list of names, found {names!r}")
    if not names or len(set(names)) < len(names):
        raise UserError(f"reader.{option} must list different names, found {list(names)}")
    return list(names)


def check_columns(path: Path, found: Sequence[str], wanted: Sequence[str]) -> None:
    """Raises UserError for a column that is twice in the file, and for one that it lacks."""
    if repeated := sorted({name for name in found if list(found).count(name) > 1}):
        raise UserError(f"{path}: columns must differ; repeated: {', '.join(repeated)}")
    for name in wanted:
        if name not in found:
            raise UserError(f"{path}: no column {name!r}; the file has {', '.join(found)}{nearest(name, found)}")
