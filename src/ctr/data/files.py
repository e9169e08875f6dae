"""Names in a config to files on disk."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from ctr.errors import UserError

ROOT = (
    "Set dataset.root to the folder that holds the files, or the environment variable CTR_DATA to the folder above it."
)
CUT = (
    "Where all rows are in the train file, valid and test are cut from it: dataset.valid=null dataset.test=null "
    "'dataset.split={by: random, valid: 0.1, test: 0.1}'."
)


def find(root: str, names: str | Sequence[str], source: str, after_train: bool = False) -> list[Path]:
    """The files of these names under `root`, in order. A name may be a pattern ("day_*.gz") or a folder of part files,
    both in the order of the names; in a folder, names that begin with "." or "_" are no parts.

    Raises UserError, with what is there and `source`, which tells how to get the data, where there is none;
    `after_train`: those of train have been found.
    """
    folder = Path(root).expanduser()
    if not folder.is_dir():
        raise UserError(f"dataset.root is {str(folder)!r}, which is no folder. {ROOT} {source}".rstrip())
    found: list[Path] = []
    for name in [names] if isinstance(names, str) else names:
        path = folder / name
        if path.is_dir():
            parts = sorted(part for part in path.iterdir() if part.is_file() and part.name[0] not in "._")
        elif path.is_file():
            parts = [path]
        else:
            parts = sorted(part for part in folder.glob(name) if part.is_file()) if set("*?[") & set(name) else []
        if not parts:
            there = ", ".join(sorted(entry.name for entry in folder.iterdir())) or "nothing"
            advice = f"{CUT if after_train else ROOT} {source}".rstrip()
            raise UserError(f"no file {name!r} in {str(folder)!r}, which holds {there}. {advice}")
        found += parts
    return found
