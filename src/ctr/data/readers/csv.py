"""Tables of text: comma, tab or any other delimiter, with a header line or with names from the config."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator, Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
from pyarrow import csv as arrow_csv

from ctr.data.readers import quotes
from ctr.data.readers.base import BLOCK_BYTES, Block, Parsed, Reject, check_columns, list_of_names
from ctr.data.readers.text import BOM, pieces
from ctr.errors import UserError

CACHED = 2**20  # bytes parsed at once: about twice as fast as whole blocks, which no processor's cache holds


class CSV:
    """Cells divided by `delimiter`. Text between two `quote`s may hold delimiters, line ends, and quotes written twice;
    null: a quote is a letter like any other. `columns` names the columns of files that have no header line.

    Rows that are too short or too long, bytes that are not UTF-8 and quotes inside a cell are rejects.
    """

    signed_labels = False
    fields: Mapping[str, Any] | None = None

    def __init__(self, *, delimiter: str = ",", quote: str | None = '"', columns: Sequence[str] | None = None):
        if not isinstance(delimiter, str) or len(delimiter.encode()) != 1 or delimiter in "\r\n":
            raise UserError(f'delimiter must be one character, found {delimiter!r}; in YAML a tab is "\\t"')
        if quote is not None and (
            not isinstance(quote, str) or len(quote.encode()) != 1 or quote in (delimiter, "\r", "\n")
        ):
            raise UserError(f"quote must be null or one character other than the delimiter, found {quote!r}")
        self.delimiter, self.quote = delimiter, quote
        self.columns = None if columns is None else list_of_names("columns", columns)

    def names(self, path: Path) -> list[str]:
        if self.columns is not None:
            return self.columns
        text = b""
        for piece, _ in pieces(path, size=CACHED):
            text += piece
            if quotes.first_end(text, self.quote):
                break
            self._check_length(path, text, 1)
        try:
            line = text[: quotes.first_end(text, self.quote) or len(text)].decode()
        except UnicodeDecodeError as error:
            raise UserError(f"{path}: the line of column names is not UTF-8; save the file as UTF-8") from error
        rows = csv.reader(
            io.StringIO(line, newline=""),
            delimiter=self.delimiter,
            quotechar=self.quote,
            quoting=csv.QUOTE_NONE if self.quote is None else csv.QUOTE_MINIMAL,
        )
        try:
            header = next(rows, [])
        except csv.Error as error:
            raise UserError(f"{path}: the line of column names: {error}") from error
        if not header:
            raise UserError(f"{path}: the file is empty; expected a line of column names")
        return header

    def blocks(self, path: Path, columns: Sequence[str]) -> Iterator[Block]:
        names = self.names(path)
        check_columns(path, names, columns)
        pending, line, header, position = b"", 1, self.columns is None, 0
        for piece, position in pieces(path):
            pending = pending + piece if pending else piece
            if header and (end := quotes.first_end(pending, self.quote)):
                line += pending.count(b"\n", 0, end)
                pending, header = pending[end:], False
            if not header:
                pending, rejects = self._without_strays(path, pending, line, final=False)
                end = quotes.last_end(pending, self.quote)
                if end or rejects:
                    yield Block(path, (names, pending[:end], rejects), line, position)
                    line += pending.count(b"\n", 0, end) + len(rejects)
                    pending = pending[end:]
            self._check_length(path, pending, line)
        if pending and not header:
            pending, rejects = self._without_strays(path, pending, line, final=True)
            yield Block(path, (names, pending, rejects), line, position)

    def parse(self, block: Block, columns: Sequence[str]) -> Parsed:
        names, content, rejects = block.content
        rejects = list(rejects)
        lines = _Lines(content, self.quote, block.first, [reject.line for reject in rejects])
        content, kept = self._readable(content, len(names), lines, rejects)
        table, ragged = self._read(block.path, content, names, columns)
        for row in ragged:
            reason = f"expected {len(names)} columns, found {row.actual_columns}"
            rejects.append(Reject(lines.of(int(kept[row.number - 1])), reason, row.text))
        rows = np.delete(kept, [row.number - 1 for row in ragged])
        arrays = {name: _coded(table[name]) for name in columns}
        return Parsed(arrays, len(rows), sorted(rejects), lambda row: lines.of(int(rows[row])))

    def _readable(
        self, content: bytes, num_columns: int, lines: _Lines, rejects: list[Reject]
    ) -> tuple[bytes, np.ndarray]:
        """The text without the records that PyArrow would misread or not read at all, and the numbers of those that
        are left; the others join the rejects."""
        if self._is_plain(content, num_columns):
            return content, np.arange(len(lines))
        kept, good, start = [], [], 0
        for record, end in enumerate(lines.ends.tolist()):
            if (reason := self._misread(content[start:end], num_columns)) is None:
                kept.append(record)
                good.append(content[start:end])
            else:
                shown = ascii(content[start:end].rstrip(b"\r\n"))[2:-1]
                rejects.append(Reject(lines.of(record), reason, shown))
            start = end
        return b"".join(good), np.array(kept, dtype=np.int64)

    def _is_plain(self, content: bytes, num_columns: int) -> bool:
        """UTF-8, no empty line, no carriage return by itself: known at the speed of memory."""
        blank = content.startswith((b"\n", b"\r\n")) or b"\n\n" in content or b"\n\r\n" in content
        if (blank and num_columns > 1) or content.count(b"\r") != content.count(b"\r\n"):
            return False
        try:
            return content.isascii() or bool(content.decode())
        except UnicodeDecodeError:
            return False

    def _misread(self, record: bytes, num_columns: int) -> str | None:
        body = record.removesuffix(b"\n").removesuffix(b"\r") if record.endswith(b"\n") else record
        if not body and num_columns > 1:
            return f"expected {num_columns} columns, found an empty line"
        outside = body if self.quote is None else b"".join(body.split(self.quote.encode())[::2])
        if b"\r" in outside:
            return r"expected lines that end in \n or \r\n, found a carriage return alone"
        try:
            body.decode()
        except UnicodeDecodeError:
            return "expected UTF-8"
        return None

    def _read(
        self, path: Path, content: bytes, names: list[str], columns: Sequence[str]
    ) -> tuple[pa.Table, list[arrow_csv.InvalidRow]]:
        """The columns of the records that are neither too short nor too long, and those that are."""
        quoted = self.quote is not None and self.quote.encode() in content
        whole = len(content) + 64
        if content.startswith(BOM):
            content = BOM + content  # PyArrow drops one at the start, where it is a letter of the first cell
        ragged: list[arrow_csv.InvalidRow] = []

        def skip(row: arrow_csv.InvalidRow) -> str:
            ragged.append(row)
            return "skip"

        if not content:
            return pa.table({name: pa.array([], pa.string()) for name in columns}), ragged
        # PyArrow loses the line end of a quoted cell where its blocks part "\r" from "\n"
        for size in [whole] if quoted and b"\r" in content else [CACHED, whole]:
            ragged.clear()
            try:
                table = arrow_csv.read_csv(
                    pa.BufferReader(content),
                    arrow_csv.ReadOptions(use_threads=False, column_names=names, block_size=size),
                    arrow_csv.ParseOptions(
                        delimiter=self.delimiter,
                        quote_char=self.quote or False,
                        newlines_in_values=quoted,
                        ignore_empty_lines=False,
                        invalid_row_handler=skip,
                    ),
                    arrow_csv.ConvertOptions(
                        include_columns=list(columns),
                        column_types=dict.fromkeys(columns, pa.string()),
                        strings_can_be_null=False,
                    ),
                )
            except pa.ArrowInvalid as error:  # a record longer than CACHED
                if size == whole:
                    raise UserError(f"{path}: {error}") from error
            else:
                return table, ragged
        raise AssertionError("the last size returns or raises")

    def _without_strays(self, path: Path, text: bytes, line: int, final: bool) -> tuple[bytes, list[Reject]]:
        if self.quote is None:
            return text, []
        try:
            return quotes.without_strays(text, line, self.delimiter, self.quote, final)
        except UserError as error:
            raise UserError(f"{path}, {error}") from error

    def _check_length(self, path: Path, pending: bytes, line: int) -> None:
        if len(pending) > 4 * BLOCK_BYTES:
            raise UserError(
                f"{path}, line {line}: a record of more than {len(pending) >> 20} MiB; is a quote not closed? Set "
                f"reader.quote=null where quotes are letters"
            )


class _Lines:
    """The line of the file on which each record of a block begins."""

    def __init__(self, content: bytes, quote: str | None, first: int, removed: list[int]):
        self.content, self.quote, self.first, self.removed = content, quote, first, sorted(removed)

    def __len__(self) -> int:
        quoted = self.quote is not None and self.quote.encode() in self.content
        return len(self.ends) if quoted else self.content.count(b"\n") + (self.content[-1:] not in (b"", b"\n"))

    @cached_property
    def ends(self) -> np.ndarray:
        """The place after each record."""
        ends = quotes.ends(self.content, self.quote)
        rest = len(self.content) > (int(ends[-1]) if len(ends) else 0)
        return np.append(ends, len(self.content)) if rest else ends

    @cached_property
    def _before(self) -> np.ndarray:
        """How many line ends stand before each record."""
        newlines = np.flatnonzero(np.frombuffer(self.content, dtype=np.uint8) == quotes.NEWLINE)
        return np.searchsorted(newlines, np.concatenate([[0], self.ends]))

    def of(self, record: int) -> int:
        line = self.first + int(self._before[record])
        for gone in self.removed:
            line += gone <= line
        return line


def _coded(column: pa.ChunkedArray) -> pa.DictionaryArray:
    """One dictionary for all chunks."""
    if len(column) == 0:
        return pa.array([], pa.string()).dictionary_encode()
    chunks = column.dictionary_encode().chunks
    indices = pa.concat_arrays([chunk.indices for chunk in chunks])
    return pa.DictionaryArray.from_arrays(indices, chunks[-1].dictionary)


READER = CSV
