"""A prepared folder: its manifest, its files compared with their hashes, and the data in it."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from threading import Thread
from typing import Any

from ctr.data.contents import hashed
from ctr.data.encoders import FieldEncoder, load_encoders
from ctr.data.module import Data
from ctr.data.rows import Layout
from ctr.data.shards import Shards, fingerprint
from ctr.errors import UserError
from ctr.schema import FeatureSchema

FORMAT = 2  # of prepared folders; a new number makes new folders
MANIFEST = "manifest.json"
PATIENCE = 0.25  # seconds that an opening waits for its files to be verified; the rest goes on beside the training


class PreparedData(Data):
    """Data of a prepared folder."""

    def __init__(self, folder: Path, manifest: Mapping[str, Any], verification: Verification, window: int):
        layout = Layout(**{name: tuple(slots) for name, slots in manifest["layout"].items()})
        self.folder, self.manifest = folder, manifest
        self.negatives_kept = float(manifest["negatives_kept"])
        self.temporary: object = None  # what keeps the folder, where it is a temporary one
        super().__init__(
            FeatureSchema.from_json(manifest["schema"]),
            {
                split: Shards([folder / name for name in names], layout, verification.check)
                for split, names in manifest["shards"].items()
            },
            labels=manifest["labels"],
            source=manifest["label_source"],
            notes=[*manifest["notes"], *_notes(manifest)],
            window=window,
        )

    def encoders(self) -> list[FieldEncoder]:
        """What made the slots of the raw cells, field by field."""
        return load_encoders(self.folder / "encoders", self.manifest["recipe"])


class Damaged(UserError):
    """A prepared folder is not as it was written."""

    def __init__(self, folder: Path, name: str, given_up: bool = False):
        self.name = name
        cure = f"Delete {folder} and repeat the command that prepared it"
        if given_up:
            cure = "The folder is given up: repeat the command, which prepares the data anew"
        super().__init__(f"{folder / name} is damaged: it is not what was written. {cure}")


def open_folder(folder: Path, window: int, in_cache: bool = False) -> PreparedData:
    """The data of a prepared folder, wherever it was made; `in_cache`: whoever finds it damaged prepares it anew.
    Raises UserError where it is none, or damaged."""
    if not in_cache and not (folder / MANIFEST).is_file():
        raise UserError(f"{str(folder)!r} is no prepared folder: it has no {MANIFEST}")
    try:
        inode = (folder / MANIFEST).stat().st_ino
        manifest = json.loads((folder / MANIFEST).read_text(encoding="utf-8"))
        if (found := manifest["format"]) != FORMAT:
            raise UserError(f"{folder} has the format {found}, this version reads {FORMAT}; prepare it anew")
        whole = manifest.pop("checksum") == hashed(manifest)
    except UserError:
        raise
    except (OSError, ValueError, KeyError, AttributeError, TypeError) as error:
        raise Damaged(folder, MANIFEST) from error
    if not whole:
        raise Damaged(folder, MANIFEST)
    verification = Verification(folder, manifest["files"], inode if in_cache else None)
    verification.start()
    try:
        return PreparedData(folder, manifest, verification, window)
    except UserError:
        raise
    except (ValueError, OSError) as error:  # a file whose hash is not compared yet
        verification.check(wait=True)
        raise Damaged(folder, MANIFEST) from error


class Verification:
    """Compares the files with the manifest in a thread of its own. `inode` is that of the manifest of a folder which is
    prepared anew where it is damaged; None for any other."""

    def __init__(self, folder: Path, files: Mapping[str, Mapping[str, Any]], inode: int | None):
        self.folder, self.files, self.inode, self.damaged = folder, files, inode, ""
        self._thread = Thread(target=self._run, daemon=True)

    def start(self) -> None:
        """Sizes at once, contents beside the caller's work. Raises UserError for a file that is known to be damaged."""
        for name, told in self.files.items():
            path = self.folder / name
            if not path.is_file() or path.stat().st_size != told["bytes"]:
                self.damaged = name
                return self.check()
        self._thread.start()
        self._thread.join(PATIENCE)
        return self.check()

    def check(self, wait: bool = False) -> None:
        if wait and self._thread.is_alive():
            self._thread.join()
        if self.damaged:
            raise Damaged(self.folder, self.damaged, self.inode is not None and self._given_up())

    def _given_up(self) -> bool:
        """Takes the manifest away, without which the folder is none: the next start prepares it anew, even if it would
        not have waited until the damage is found. Who has the folder open goes on, and one that has taken its place
        meanwhile stays. A rename is atomic, so this waits for no lock: that is held for as long as a build takes."""
        manifest = self.folder / MANIFEST
        try:
            if manifest.stat().st_ino == self.inode:
                os.replace(manifest, self.folder / f"damaged-{MANIFEST}")
        except FileNotFoundError:
            return True  # by another process
        except OSError:  # a cache that this process may not write
            return False
        return True

    def _run(self) -> None:
        for name, told in self.files.items():
            try:
                if fingerprint(self.folder / name) != dict(told):
                    self.damaged = name
                    return
            except OSError:
                self.damaged = name
                return


def _notes(manifest: Mapping[str, Any]) -> Iterator[str]:
    rows, kept = manifest["rows"], manifest["negatives_kept"]
    for reason, count in rows["rejected"].items():
        yield f"{count:,} rows of {rows['read']:,} left out: {reason}"
    if kept != 1:
        yield (
            f"train keeps {kept:g} of its negatives ({rows['dropped_negatives']:,} rows dropped); where the task "
            f"predicts probabilities, those of valid and test are corrected for that"
        )
