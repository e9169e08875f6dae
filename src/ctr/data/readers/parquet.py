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
EXACT = {16: 11, 32: 24, 64: 53}  # floats of so many bits tell whole numbers apart up to this power of 2


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
        return parsed(block, {name: block.content.column(name) for name in columns}, len(block.content))


def parsed(block: Block, columns: Mapping[str, pa.Array], num_rows: int) -> Parsed:
    """Typed columns as columns of text. Raises UserError for nested ones."""
    texts: dict[str, pa.Array] = {}
    inexact: dict[str, str] = {}
    for name, column in columns.items():
        try:
            plain = _plain(column)
            texts[name] = as_text(plain)
            if pa.types.is_floating(plain.type) and _too_large(plain):
                power, bits = EXACT[plain.type.bit_width], plain.type.bit_width
                inexact[name] = (
                    f"floats of 2^{power} and more, which {bits} bits cannot tell apart as ids; store integers or text"
                )
        except pa.ArrowException as error:
            place = f"{block.path}, column {name!r}"
            raise UserError(f"{place}: expected text or numbers, found the type {column.type}: {error}") from error
    return Parsed(texts, num_rows, [], lambda row: block.first + row, "row", inexact)


def as_text(plain: pa.Array) -> pa.DictionaryArray:
    """The cells as text, dictionary-encoded, null as the empty text; true and false as 1 and 0, time stamps as seconds
    since 1970, floats that are whole numbers as integers: a null in a column of ids has made them floats."""
    kind = plain.type
    if pa.types.is_boolean(kind):
        plain = plain.cast(pa.int8())
    elif pa.types.is_timestamp(kind):
        plain = pc.divide(plain.cast(pa.timestamp("us")).cast(pa.int64()).cast(pa.float64()), 1e6)
    text = _float_text(plain) if pa.types.is_floating(plain.type) else plain.cast(pa.string())
    coded = pc.fill_null(text, "").dictionary_encode()
    coded.dictionary.validate(full=True)  # a damaged file may hold what is not UTF-8
    return coded


def _plain(column: pa.Array) -> pa.Array:
    return column.cast(column.type.value_type) if pa.types.is_dictionary(column.type) else column


def _float_text(x: pa.Array) -> pa.Array:
    wide = x.cast(pa.float64())
    whole = pc.and_(pc.equal(pc.floor(wide), wide), pc.less(pc.abs(wide), 2.0**63))
    integers = pc.if_else(whole, wide, pa.scalar(None, pa.float64())).cast(pa.int64(), safe=False)
    return pc.coalesce(integers.cast(pa.string()), x.cast(pa.string()))


def _too_large(x: pa.Array) -> bool:
    """Are there finite numbers that stand for several whole ones?"""
    wide = x.cast(pa.float64())
    large = pc.and_(pc.greater_equal(pc.abs(wide), 2.0 ** EXACT[x.type.bit_width]), pc.is_finite(wide))
    return bool(pc.any(large).as_py())


READER = Parquet
