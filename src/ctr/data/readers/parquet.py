"""Parquet files, row group after row group."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
from pyarrow import parquet

from ctr.data.readers.base import Block, Parsed, check_columns
from ctr.errors import UserError

BATCH_ROWS = 2**17


class Parquet:
    """Columns of text, numbers or dictionaries of them; a null is a missing value."""

    signed_labels = False
    fields: Mapping[str, Any] | None = None

    def names(self, path: Path) -> list[str]:
        try:
            return list(parquet.read_schema(path).names)
        except (OSError, pa.ArrowException, UnicodeDecodeError) as error:
            raise UserError(f"{path}: {error}") from error

    def blocks(self, path: Path, columns: Sequence[str]) -> Iterator[Block]:
        check_columns(path, self.names(path), columns)
        size = path.stat().st_size
        try:
            with parquet.ParquetFile(path) as file:
                row, total = 1, max(1, file.metadata.num_rows)
                for batch in file.iter_batches(BATCH_ROWS, columns=list(columns)):
                    yield Block(path, batch, row, size * (row + len(batch) - 1) // total)
                    row += len(batch)
        except (OSError, pa.ArrowException, UnicodeDecodeError) as error:
            raise UserError(f"{path}: {error}") from error

    def parse(self, block: Block, columns: Sequence[str]) -> Parsed:
        arrays = {name: as_text(block.content.column(name), f"{block.path}, column {name!r}") for name in columns}
        return Parsed(arrays, len(block.content), [], lambda row: block.first + row, "row")


def as_text(column: pa.Array, place: str) -> pa.DictionaryArray:
    """The cells as text, dictionary-encoded, null as the empty text; true and false as 1 and 0, time stamps as seconds
    since 1970.

    Raises UserError for nested columns, and for floats that stand for whole numbers which floats cannot tell apart.
    """
    kind = column.type.value_type if pa.types.is_dictionary(column.type) else column.type
    try:
        plain = column.cast(kind)
        if pa.types.is_floating(kind):
            plain = plain.cast(pa.float64())
            if (pc.max(pc.abs(plain)).as_py() or 0) >= 2**53 and pc.any(_indistinct(plain)).as_py():
                raise UserError(
                    f"{place}: floats of 2^53 and more, which cannot tell ids apart; store integers or text"
                )
            plain = column.cast(pa.float32()) if pa.types.is_float16(kind) else column.cast(kind)
        elif pa.types.is_boolean(kind):
            plain = plain.cast(pa.int8())
        elif pa.types.is_timestamp(kind):
            plain = pc.divide(plain.cast(pa.timestamp("us")).cast(pa.int64()).cast(pa.float64()), 1e6)
        coded = pc.fill_null(plain.cast(pa.string()), "").dictionary_encode()
        coded.dictionary.validate(full=True)  # a damaged file may hold what is not UTF-8
        return coded
    except pa.ArrowException as error:
        raise UserError(f"{place}: expected text or numbers, found the type {column.type}: {error}") from error


def _indistinct(x: pa.Array) -> pa.Array:
    return pc.and_(pc.greater_equal(pc.abs(x), 2.0**53), pc.is_finite(x))


READER = Parquet
