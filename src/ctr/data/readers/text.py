"""Text files as blocks of whole lines, plain or compressed."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pyarrow as pa

from ctr.data.readers.base import BLOCK_BYTES
from ctr.errors import UserError

COMPRESSED = {".gz": "gzip", ".zst": "zstd", ".bz2": "bz2", ".lz4": "lz4"}
BOM = b"\xef\xbb\xbf"


@contextmanager
def opened(path: Path) -> Iterator[tuple[Any, Any]]:
    """The file's text as a stream, and the file itself, whose place tells how far the reading is.

    Raises UserError, with the path, for what the system or the compression reports while it is read.
    """
    try:
        with path.open("rb", buffering=0) as file:
            kind = COMPRESSED.get(path.suffix)
            yield (file if kind is None else pa.CompressedInputStream(pa.PythonFile(file), kind)), file
    except (OSError, EOFError, pa.ArrowException) as error:
        raise UserError(f"{path}: {error}") from error


def pieces(path: Path, size: int | None = None) -> Iterator[tuple[bytes, int]]:
    """The text in pieces of `size` bytes (BLOCK_BYTES) or less, without a byte order mark, and how far into the file
    each reaches."""
    with opened(path) as (stream, file):
        first = True
        while piece := stream.read(size or BLOCK_BYTES):
            if first and piece.startswith(BOM):
                piece = piece[len(BOM) :]
            first = False
            yield piece, file.tell()
