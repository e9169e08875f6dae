"""The first step of preparation: files into chunks of staged columns, block by block, in bounded memory."""

from __future__ import annotations

import json
import os
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from ctr.data.columns.base import Staged
from ctr.data.readers.base import Block, Parsed, Reader, Reject
from ctr.errors import UserError

SHOWN = 300  # letters of a rejected row that are kept


class Staging(NamedTuple):
    """A column of the file, and how it is parsed."""

    column: str
    missing: tuple[str, ...]  # texts that stand for the empty text
    stage: Callable[[pa.Array], Staged]
    of_numbers: bool  # as a kind of column says


class Bad(NamedTuple):
    """Why a row cannot be read: by the first column that says so."""

    key: str  # of the column's staged form
    reason: str
    cure: str


@dataclass(frozen=True)
class Chunk:
    """A parsed block on disk."""

    path: Path
    part: str  # the split whose file it is from
    num_rows: int
    rejects: list[Reject]
    source: str

    def open(self) -> pa.RecordBatch:
        """The staged columns, memory-mapped."""
        return pa.ipc.open_file(pa.memory_map(str(self.path))).get_batch(0)


@dataclass(frozen=True)
class ChunkColumn:
    """A staged column of several chunks, which can be gone through again. `keep` filters the rows of each chunk."""

    chunks: Sequence[Chunk]
    key: str
    keep: Sequence[np.ndarray] | None = None

    def __iter__(self) -> Iterator[pa.Array]:
        for i, chunk in enumerate(self.chunks):
            array = chunk.open().column(self.key)
            whole = self.keep is None or bool(self.keep[i].all())
            yield array if whole or self.keep is None else array.filter(pa.array(self.keep[i]))


def stage_files(
    parts: Mapping[str, Sequence[Path]],
    reader: Reader,
    stagings: Mapping[str, Staging],
    folder: Path,
    *,
    refuse: bool,
    threads: int,
    progress: Callable[[int], None],
) -> list[Chunk]:
    """Parses the files of every part into chunks under `folder`, in order. Chunks that are there already, from a
    preparation that was killed, are not parsed again. `progress` is told of bytes.

    Raises UserError for the first row that cannot be read where `refuse`; else such rows are in the chunks' rejects.
    """
    columns = list(dict.fromkeys(staging.column for staging in stagings.values()))
    chunks: list[Chunk] = []
    waiting: deque[tuple[Future[Chunk], int]] = deque()

    def take() -> None:
        future, size = waiting.popleft()
        chunks.append(future.result())
        progress(size)

    with ThreadPoolExecutor(threads) as pool:
        try:
            number = 0
            for part, paths in parts.items():
                for path in paths:
                    before = 0
                    for block in reader.blocks(path, columns):
                        target = folder / f"{number:06d}.arrow"
                        future = pool.submit(_chunk, block, part, target, reader, columns, stagings, refuse)
                        waiting.append((future, block.position - before))
                        before, number = block.position, number + 1
                        if len(waiting) > threads:
                            take()
            while waiting:
                take()
        except BaseException:
            pool.shutdown(cancel_futures=True)
            raise
    return chunks


def _chunk(
    block: Block,
    part: str,
    target: Path,
    reader: Reader,
    columns: Sequence[str],
    stagings: Mapping[str, Staging],
    refuse: bool,
) -> Chunk:
    if target.exists():
        told = json.loads(pa.ipc.open_file(pa.memory_map(str(target))).schema.metadata[b"chunk"])
        rejects = [Reject(*reject) for reject in told["rejects"]]
        return Chunk(target, part, told["rows"], rejects, str(block.path))
    parsed = reader.parse(block, columns)
    for staging in stagings.values():
        if not staging.of_numbers and (reason := parsed.inexact.get(staging.column)):
            raise UserError(f"{block.path}, column {staging.column!r}: {reason}")
    arrays, bad = _stage(parsed, stagings)
    if refuse and (bad or parsed.rejects):
        raise UserError(_refusal(block.path, parsed, bad, stagings))
    rejects = list(parsed.rejects)
    for row, (key, reason, _) in bad.items():
        column = stagings[key].column
        cell = _cell(parsed.columns[column], row)
        rejects.append(Reject(parsed.line(row), f"column {column!r}: {reason}", cell))
    if bad:
        keep = np.ones(parsed.num_rows, dtype=bool)
        keep[list(bad)] = False
        arrays = {key: array.filter(pa.array(keep)) for key, array in arrays.items()}
    rejects = [Reject(line, reason, text[:SHOWN]) for line, reason, text in sorted(rejects)]
    num_rows = parsed.num_rows - len(bad)
    _write(target, arrays, {"rows": num_rows, "rejects": rejects})
    return Chunk(target, part, num_rows, rejects, str(block.path))


def _stage(parsed: Parsed, stagings: Mapping[str, Staging]) -> tuple[dict[str, pa.Array], dict[int, Bad]]:
    """The staged columns, and every row that cannot be read."""
    arrays: dict[str, pa.Array] = {}
    bad: dict[int, Bad] = {}
    for key, staging in stagings.items():
        cells = without(parsed.columns[staging.column], staging.missing)
        staged = staging.stage(cells)
        arrays[key] = _narrow(staged.array)
        for problem in staged.problems:
            for row in problem.rows.tolist():
                bad.setdefault(row, Bad(key, problem.reason, problem.cure))
    return arrays, bad


def without(cells: pa.Array, texts: Sequence[str]) -> pa.Array:
    """The cells with these texts as missing values; entries, which are no text, as they are."""
    if not any(texts) or pa.types.is_nested(cells.type):
        return cells
    plain = cells.cast(pa.string())
    return pc.if_else(pc.is_in(plain, value_set=pa.array(texts, pa.string())), "", plain).dictionary_encode()


def _narrow(array: pa.Array) -> pa.Array:
    """A dictionary of few tokens with codes of two bytes, which is most of them."""
    if not pa.types.is_dictionary(array.type) or len(array.dictionary) > 2**15:
        return array
    return pa.DictionaryArray.from_arrays(array.indices.cast(pa.int16()), array.dictionary)


def _refusal(path: Path, parsed: Parsed, bad: Mapping[int, Bad], stagings: Mapping[str, Staging]) -> str:
    """What a person is told of the first row that cannot be read."""
    advice = "mend the file, or leave such rows out and have them counted: dataset.bad_rows=reject"
    first = min(bad, default=None)
    if parsed.rejects and (first is None or parsed.rejects[0].line < parsed.line(first)):
        line, reason, text = parsed.rejects[0]
        such = _such(sum(one.reason == reason for one in parsed.rejects))
        return f"{path}, {parsed.unit} {line}: {reason}; found {_short(text)!r}{such}. {advice}"
    assert first is not None
    key, reason, cure = bad[first]
    column = stagings[key].column
    count = sum(other == bad[first] for other in bad.values())
    cell = _short(_cell(parsed.columns[column], first))
    where = f"{path}, column {column!r}, {parsed.unit} {parsed.line(first)}"
    return f"{where}: {reason}; found {cell!r}{_such(count)}. {cure or advice}"


def _such(count: int) -> str:
    return f" ({count:,} such rows in this block)" if count > 1 else ""


def _short(text: str) -> str:
    return text if len(text) <= 80 else f"{text[:80]}..."


def _cell(column: pa.Array, row: int) -> str:
    return str(column[row].as_py())


def _write(path: Path, arrays: Mapping[str, pa.Array], chunk: Mapping[str, Any]) -> None:
    """The file appears whole or not at all."""
    batch = pa.record_batch(list(arrays.values()), names=list(arrays))
    schema = batch.schema.with_metadata({"chunk": json.dumps(chunk)})
    partial = path.with_suffix(".partial")
    with pa.OSFile(str(partial), "wb") as file, pa.ipc.new_file(file, schema) as writer:
        writer.write_batch(batch.replace_schema_metadata(schema.metadata))
    os.replace(partial, path)
