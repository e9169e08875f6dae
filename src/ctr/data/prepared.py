"""A prepared folder: its manifest, its files compared with their hashes, and the data in it."""

from __future__ import annotations

import json
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

FORMAT = 1  # of prepared folders; a new number makes new folders
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

    def __init__(self, folder: Path, name: str):
        self.name = name
        super().__init__(
            f"{folder / name} is damaged: it is not what was written. Delete {folder} and repeat the command, which "
            f"prepares the data anew"
        )


def open_folder(folder: Path, window: int) -> PreparedData:
    """The data of a prepared folder, wherever it was made. Raises UserError where it is none, or damaged."""
    if not (folder / MANIFEST).is_file():
        raise UserError(f"{str(folder)!r} is no prepared folder: it has no {MANIFEST}")
    try:
        manifest = json.loads((folder / MANIFEST).read_text(encoding="utf-8"))
        if (found := manifest["format"]) != FORMAT:
            raise UserError(f"{folder} has the format {found}, this version reads {FORMAT}; prepare it anew")
        whole = manifest.pop("checksum") == hashed(manifest)
    except UserError:
        raise
    except (ValueError, KeyError, AttributeError, TypeError) as error:
        raise Damaged(folder, MANIFEST) from error
    if not whole:
        raise Damaged(folder, MANIFEST)
    verification = Verification(folder, manifest["files"])
    verification.start()
    try:
        return PreparedData(folder, manifest, verification, window)
    except UserError:
        raise
    except (ValueError, OSError) as error:  # a file whose hash is not compared yet
        verification.check(wait=True)
        raise Damaged(folder, MANIFEST) from error


class Verification:
    """Compares the files with the manifest in a thread of its own."""

    def __init__(self, folder: Path, files: Mapping[str, Mapping[str, Any]]):
        self.folder, self.files, self.damaged = folder, files, ""
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
            raise Damaged(self.folder, self.damaged)

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
            f"train keeps {kept:g} of its negatives ({rows['dropped_negatives']:,} rows dropped); what is predicted "
            f"for valid and test is corrected for that"
        )
