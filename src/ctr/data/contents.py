"""What files hold, without reading them twice."""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from ctr import disk
from ctr.data.shards import fingerprint
from ctr.errors import UserError


def hashed(described: Any) -> str:
    """Equal for equal descriptions in JSON; the order of names counts, as that of fields and columns does."""
    return hashlib.sha256(json.dumps(described).encode()).hexdigest()[:16]


class Contents:
    """What files hold: the sha256 of each. A file of the same path, size, inode and time of change as one that was read
    before is not read again."""

    def __init__(self, parts: Mapping[str, Sequence[Path]], memory: Path):
        self.parts, self.memory = parts, memory
        self.stamps: dict[str, Any] = {part: [_stamp(path) for path in paths] for part, paths in parts.items()}

    def known(self) -> dict[str, list[str]] | None:
        """The hashes, where they are all remembered."""
        found = {part: [self._remembered(stamp) for stamp in stamps] for part, stamps in self.stamps.items()}
        hashes = {part: [digest for digest in digests if digest] for part, digests in found.items()}
        return hashes if hashes == found else None

    def read(self) -> dict[str, list[str]]:
        return {
            part: [
                self._remembered(stamp) or self._read(path, stamp)
                for path, stamp in zip(paths, self.stamps[part], strict=True)
            ]
            for part, paths in self.parts.items()
        }

    def changed(self) -> list[str]:
        """The files that are no longer as they were."""
        pairs = [
            (path, stamp)
            for part, paths in self.parts.items()
            for path, stamp in zip(paths, self.stamps[part], strict=True)
        ]
        return [str(path) for path, stamp in pairs if _stamp(path) != stamp]

    def _remembered(self, stamp: Mapping[str, Any]) -> str | None:
        try:
            return self._place(stamp).read_text()
        except OSError:
            return None

    def _read(self, path: Path, stamp: Mapping[str, Any]) -> str:
        try:
            digest = str(fingerprint(path)["sha256"])
        except OSError as error:
            raise UserError(f"{path}: {error}") from error
        if time.time_ns() - stamp["written"] > 2 * 10**9:  # a file just written may change within a tick of the clock
            with suppress(OSError):  # a memory that cannot be written costs time only
                self.memory.mkdir(parents=True, exist_ok=True)
                disk.write_text(self._place(stamp), digest)
        return digest

    def _place(self, stamp: Mapping[str, Any]) -> Path:
        return self.memory / hashed(stamp)


class FixedContents(Contents):
    """Contents that are known by other means."""

    def __init__(self, hashes: dict[str, list[str]]):
        self.stamps: dict[str, Any] = hashes

    def known(self) -> dict[str, list[str]] | None:
        return self.stamps

    def read(self) -> dict[str, list[str]]:
        return self.stamps

    def changed(self) -> list[str]:
        return []


def _stamp(path: Path) -> dict[str, Any]:
    stat = path.stat()
    return {
        "path": str(path.resolve()),
        "size": stat.st_size,
        "written": stat.st_mtime_ns,
        "changed": stat.st_ctime_ns,
        "inode": stat.st_ino,
    }
