"""Rows on disk: a folder a shard, an array a file, memory-mapped when read."""

from __future__ import annotations

import hashlib
import io
import os
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from ctr import disk
from ctr.data.rows import Layout, Rows, Span, concatenate

SHARD_ROWS = 2**19  # a multiple of the loader's block
MATRICES = ("ids", "values")


class ShardWriter:
    """Rows as they come, into shards of SHARD_ROWS rows; `arrays` gives the type and the columns of each array (0: the
    array has one dimension), `num_rows` how many rows will come."""

    def __init__(self, folder: Path, split: str, num_rows: int, arrays: Mapping[str, tuple[np.dtype[Any], int]]):
        self.folder, self.split, self.left, self.arrays = folder, split, num_rows, arrays
        self.names: list[str] = []
        self.files: dict[str, dict[str, int | str]] = {}
        self._open: dict[str, _ArrayFile] = {}
        self._room = 0

    def append(self, arrays: Mapping[str, np.ndarray]) -> None:
        at, count = 0, len(arrays["labels"])
        while at < count:
            if self._room == 0:
                self._begin()
            take = min(count - at, self._room)
            for name, array in arrays.items():
                self._open[name].append(array[at : at + take])
            at, self._room, self.left = at + take, self._room - take, self.left - take
            if self._room == 0:
                self.close()

    def close(self) -> None:
        """The shard is whole and on disk."""
        assert self._room == 0, f"{self._room} rows are missing in {self.names[-1]}"
        self.files |= {f"{self.names[-1]}/{name}.npy": file.close() for name, file in self._open.items()}
        self._open = {}

    def _begin(self) -> None:
        self._room = min(SHARD_ROWS, self.left)
        self.names.append(f"{self.split}-{len(self.names):05d}")
        path = self.folder / self.names[-1]
        path.mkdir()
        for name, (dtype, width) in self.arrays.items():
            shape = (self._room, width) if width or name in MATRICES else (self._room,)
            self._open[name] = _ArrayFile(path / f"{name}.npy", dtype, shape)


class _ArrayFile:
    """An .npy file that is written piece by piece."""

    def __init__(self, path: Path, dtype: np.dtype[Any], shape: tuple[int, ...]):
        header = io.BytesIO()
        described = {"descr": np.lib.format.dtype_to_descr(dtype), "fortran_order": False, "shape": shape}
        np.lib.format.write_array_header_1_0(header, described)
        self.file, self.digest, self.dtype, self.bytes = path.open("wb"), hashlib.sha256(), dtype, 0
        self._write(header.getvalue())

    def append(self, array: np.ndarray) -> None:
        self._write(np.ascontiguousarray(array, dtype=self.dtype).data.cast("B") if array.size else b"")

    def close(self) -> dict[str, int | str]:
        self.file.flush()
        os.fsync(self.file.fileno())
        self.file.close()
        return {"bytes": self.bytes, "sha256": self.digest.hexdigest()}

    def _write(self, content: bytes | memoryview) -> None:
        self.file.write(content)
        self.digest.update(content)
        self.bytes += len(content)


class Shards:
    """The rows of a split, in shards of SHARD_ROWS rows (the last may be shorter). `check` raises UserError once a
    file is known to be damaged; with True it waits until all are known to be whole."""

    def __init__(self, folders: Sequence[Path], layout: Layout, check: Callable[[bool], None]):
        self.folders, self.check = list(folders), check
        self.parts = [_open(folder, layout) for folder in folders]
        self.starts = np.cumsum([0, *(len(part) for part in self.parts)])

    def __len__(self) -> int:
        return int(self.starts[-1])

    @property
    def labels(self) -> np.ndarray:
        return np.concatenate([part.labels for part in self.parts])

    @property
    def times(self) -> np.ndarray | None:
        """(N,) float64, seconds since 1970, where the dataset has a time."""
        if not (self.folders[0] / "times.npy").exists():
            return None
        return np.concatenate([np.lib.format.open_memmap(folder / "times.npy", mode="r") for folder in self.folders])

    def read(self, spans: Sequence[Span]) -> Rows:
        pieces = []
        for start, stop in spans:
            while start < stop:
                i = int(np.searchsorted(self.starts, start, side="right")) - 1
                end = min(stop, int(self.starts[i + 1]))
                pieces.append(self.parts[i].read([(start - int(self.starts[i]), end - int(self.starts[i]))]))
                start = end
        return concatenate(pieces)


def _open(folder: Path, layout: Layout) -> Rows:
    def array(name: str) -> np.ndarray:
        return np.asarray(np.lib.format.open_memmap(folder / f"{name}.npy", mode="r"))

    def optional(name: str) -> np.ndarray | None:
        return array(name) if (folder / f"{name}.npy").exists() else None

    return Rows(layout, array("ids"), array("values"), array("labels"), optional("groups"), optional("weights"))


def fingerprint(path: Path) -> dict[str, int | str]:
    """The bytes of a file, and their sha256."""
    return {"bytes": path.stat().st_size, "sha256": disk.sha256(path)}
