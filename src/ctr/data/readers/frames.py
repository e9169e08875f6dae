"""pandas DataFrames, handed over from Python."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa

from ctr.data.readers.base import Block, Parsed, check_columns
from ctr.data.readers.parquet import BATCH_ROWS, parsed
from ctr.errors import UserError


class Frames:
    """DataFrames by name: a path stands for the frame of that name. NaN, None and NA are missing values."""

    signed_labels = False
    fields: Mapping[str, Any] | None = None

    def __init__(self, frames: Mapping[str, pd.DataFrame]):
        self.frames = {name: frame.rename(columns=str) for name, frame in frames.items()}

    def names(self, path: Path) -> list[str]:
        return list(self.frames[path.name].columns)

    def blocks(self, path: Path, columns: Sequence[str]) -> Iterator[Block]:
        check_columns(path, self.names(path), columns)
        frame = self.frames[path.name]
        for start in range(0, len(frame), BATCH_ROWS):
            part = frame.iloc[start : start + BATCH_ROWS]
            try:
                table = pa.table({name: pa.array(part[name], from_pandas=True) for name in columns})
            except (pa.ArrowException, OverflowError, UnicodeError, TypeError, ValueError) as error:
                raise UserError(f"{path}: {error}; a column holds one type of value") from error
            yield Block(path, table, start + 1, start + len(part))

    def parse(self, block: Block, columns: Sequence[str]) -> Parsed:
        table = block.content.combine_chunks()
        none = pa.array([], pa.string())
        arrays = {name: table[name].combine_chunks() if table.num_rows else none for name in columns}
        return parsed(block, arrays, table.num_rows)
