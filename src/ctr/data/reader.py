"""Strict reading of CSV and Parquet: every value as text, every row accounted for, or a refusal that says where."""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from pyarrow import csv as arrow_csv
from pyarrow import parquet

from ctr.errors import UserError, nearest


@dataclass(frozen=True)
class Place:
    """A column of a file, for messages."""

    path: Path
    column: str

    def __str__(self) -> str:
        return f"{self.path}, column {self.column!r}"

    def at(self, row: int) -> str:
        """Where row number `row` (from 0) stands: a CSV has a header line, and cells without line ends."""
        return f"{self}, row {row + 1}" if self.path.suffix == ".parquet" else f"{self}, line {row + 2}"


def find(root: str, name: str, source: str) -> Path:
    """The file `name` under `root`; where it is not there, an error that tells how to get it."""
    folder = Path(root).expanduser()
    advice = (
        f"Set dataset.root to the folder that holds the files, or the environment variable CTR_DATA to the folder "
        f"above it. {source}"
    ).rstrip()
    if not folder.is_dir():
        raise UserError(f"dataset.root is {str(folder)!r}, which is no folder. {advice}")
    if not (path := folder / name).is_file():
        there = ", ".join(sorted(entry.name for entry in folder.iterdir())) or "nothing"
        raise UserError(f"no file {name!r} in {str(folder)!r}, which holds {there}. {advice}")
    return path


def read_columns(path: Path, columns: Sequence[str], delimiter: str = ",") -> pa.Table:
    """These columns of a CSV (plain or compressed: .gz, .zst, .bz2) or Parquet file, as text.

    An empty cell, or a null, becomes the empty text. "NA" is text like any other.

    Raises UserError for a missing or repeated column, a row that is too short or too long, and bytes that are not
    UTF-8, with the file and the line.
    """
    read = _read_parquet if path.suffix == ".parquet" else _read_csv
    try:
        return read(path, list(columns), delimiter)
    except (pa.ArrowInvalid, pa.ArrowTypeError, OSError, EOFError, csv.Error) as error:
        raise UserError(f"{path}: {error}") from error


def _read_csv(path: Path, columns: list[str], delimiter: str) -> pa.Table:
    with pa.input_stream(str(path), compression="detect") as stream:
        text = io.TextIOWrapper(stream, encoding="utf-8-sig", errors="surrogateescape", newline="")
        header = next(csv.reader(text, delimiter=delimiter), [])
    if not header:
        raise UserError(f"{path}: the file is empty; expected a line of column names")
    if any("\udc80" <= character <= "\udcff" for character in "".join(header)):
        raise UserError(f"{path}: the line of column names is not UTF-8; save the file as UTF-8")
    _check_columns(path, header, columns)
    return arrow_csv.read_csv(
        path,
        read_options=arrow_csv.ReadOptions(use_threads=False),  # so that errors name the row
        parse_options=arrow_csv.ParseOptions(delimiter=delimiter, newlines_in_values=True, ignore_empty_lines=False),
        convert_options=arrow_csv.ConvertOptions(
            include_columns=columns, column_types=dict.fromkeys(columns, pa.string()), strings_can_be_null=False
        ),
    )


def _read_parquet(path: Path, columns: list[str], delimiter: str) -> pa.Table:
    _check_columns(path, parquet.read_schema(path).names, columns)
    table = parquet.read_table(path, columns=columns)
    return pa.table([_as_text(table[name], Place(path, name)) for name in columns], names=columns)


def _as_text(column: pa.ChunkedArray, place: Place) -> pa.ChunkedArray:
    try:
        return pc.fill_null(column.cast(pa.string()), "")
    except pa.ArrowNotImplementedError as error:
        raise UserError(f"{place}: expected text or numbers, found the type {column.type}") from error


def _check_columns(path: Path, header: list[str], columns: list[str]) -> None:
    if repeated := sorted({name for name in header if header.count(name) > 1}):
        raise UserError(f"{path}: columns must differ; repeated: {', '.join(repeated)}")
    for name in columns:
        if name not in header:
            raise UserError(f"{path}: no column {name!r}; the file has {', '.join(header)}{nearest(name, header)}")


def numbers(column: pa.ChunkedArray, place: Place) -> pa.ChunkedArray:
    """The column as float64, empty text as null. Raises UserError for what is no finite number, with its line."""
    texts = pc.utf8_trim_whitespace(column)
    texts = pc.if_else(pc.equal(texts, ""), pa.scalar(None, pa.string()), texts)
    try:
        result = texts.cast(pa.float64())
        finite = pc.fill_null(pc.is_finite(result), True)
    except pa.ArrowInvalid:
        finite = pa.array([_is_number(text) for text in texts.to_pylist()])
    if (row := pc.index(finite, False).as_py()) >= 0:
        raise UserError(f"{place.at(row)}: expected a finite number, found {column[row].as_py()!r}")
    return result


def float32(values: np.ndarray, column: pa.ChunkedArray, place: Place) -> np.ndarray:
    """The values in 32 bits. Raises UserError, with the line and the column's cell, for what does not fit."""
    with np.errstate(over="ignore"):
        result = values.astype(np.float32)
    if (wrong := np.flatnonzero(~np.isfinite(result))).size:
        row = int(wrong[0])
        raise UserError(f"{place.at(row)}: {column[row].as_py()!r} is too large for a number of 32 bits")
    return result


def _is_number(text: str | None) -> bool:
    try:
        return text is None or bool(np.isfinite(pa.scalar(text).cast(pa.float64()).as_py()))
    except pa.ArrowInvalid:
        return False
