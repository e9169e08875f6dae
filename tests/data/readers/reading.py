"""A file through its reader, with blocks of any size."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple
from unittest.mock import patch

from hypothesis import HealthCheck, settings

from ctr.data.readers import csv, reader, text
from ctr.data.readers.base import Reject

SHARE_FOLDER = settings(deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


class Found(NamedTuple):
    rows: list[tuple]  # the cells of the asked columns
    lines: list[int]
    rejects: list[Reject]


def read(
    folder: Path,
    content: str | bytes,
    columns: Sequence[str],
    spec: Any = "csv",
    *,
    name: str = "a.csv",
    size: int | None = None,
) -> Found:
    """All blocks of a file of this content; of `size` bytes at most, where it is given."""
    path = folder / name
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    made, rows, lines, rejects = reader(spec), [], [], []
    small = text.BLOCK_BYTES if size is None else size
    with patch.object(text, "BLOCK_BYTES", small), patch.object(csv, "CACHED", min(csv.CACHED, small)):
        for block in made.blocks(path, columns):
            parsed = made.parse(block, columns)
            cells = [parsed.columns[column].to_pylist() for column in columns]
            assert all(len(column) == parsed.num_rows for column in cells)
            rows += zip(*cells, strict=True)
            lines += map(parsed.line, range(parsed.num_rows))
            rejects += parsed.rejects
    return Found(rows, lines, rejects)
