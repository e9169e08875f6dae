"""Checkpoints that are whole or absent: directories of safetensors and JSON under a sha256 manifest.

`<folder>/step-00000150/` holds model.safetensors, trainer.safetensors (optimizer and random states), meta.json
(progress, schema, versions) and manifest.json. It is written under a temporary name, flushed to the disk and
renamed, so that a kill at any moment leaves the checkpoints before it as they were. Nothing is ever unpickled.
"""

from __future__ import annotations

import json
import os
import shutil
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor

from ctr import disk
from ctr.errors import UserError

MANIFEST = "manifest.json"


@dataclass(frozen=True)
class Checkpoint:
    """A training at one step."""

    model: dict[str, Tensor]
    trainer: dict[str, Tensor]
    meta: dict[str, Any]


class DamagedCheckpoint(UserError):
    """A checkpoint's files are not those that were written."""


def save(folder: Path, step: int, checkpoint: Checkpoint) -> Path:
    """Writes the checkpoint of a step; it appears whole or, after a kill or an error, not at all. Prunes older ones."""
    final = step_folder(folder, step)
    partial = folder / f".partial-{final.name}-{os.getpid()}"
    folder.mkdir(parents=True, exist_ok=True)
    _sweep(folder)
    partial.mkdir()
    try:
        save_file(_plain(checkpoint.model), partial / "model.safetensors")
        save_file(_plain(checkpoint.trainer), partial / "trainer.safetensors")
        (partial / "meta.json").write_text(json.dumps(checkpoint.meta, indent=1))
        manifest = {path.name: disk.sha256(path) for path in sorted(partial.iterdir())}
        (partial / MANIFEST).write_text(json.dumps(manifest, indent=1))
        for path in [*partial.iterdir(), partial]:
            disk.sync(path)
        if final.exists():
            shutil.rmtree(final)
        partial.rename(final)
        disk.sync(folder)
        prune(folder, step)
    except (OSError, SafetensorError) as error:
        shutil.rmtree(partial, ignore_errors=True)
        free = shutil.disk_usage(folder).free
        raise UserError(
            f"the checkpoint of step {step} could not be written to {folder}: {error}; {free:,} bytes are free there. "
            f"Earlier checkpoints are as they were: make room and run the same command again"
        ) from error
    return final


def load(path: Path, trainer: bool = True) -> Checkpoint:
    """The checkpoint in this directory; without `trainer` not what only the next step would need, which is twice as
    large as the model. Raises DamagedCheckpoint where a file is missing or has changed."""
    _verify(path)
    return Checkpoint(
        model=load_file(path / "model.safetensors"),
        trainer=load_file(path / "trainer.safetensors") if trainer else {},
        meta=json.loads((path / "meta.json").read_text()),
    )


def load_newest(folder: Path, trainer: bool = True) -> Checkpoint | None:
    """The newest whole checkpoint of the folder, with a warning for each damaged one that was passed over; None where
    the folder has none at all. Raises UserError where all are damaged: to begin anew is not ours to decide."""
    damages: list[str] = []
    for step in sorted(steps(folder), reverse=True):
        try:
            found = load(step_folder(folder, step), trainer)
        except DamagedCheckpoint as error:
            damages.append(str(error))
            continue
        for damage in damages:
            print(f"warning: {damage}; going back to the checkpoint before it", file=sys.stderr)
        return found
    if damages:
        raise UserError(
            f"no checkpoint in {folder} is whole: {'; '.join(damages)}. To begin anew, delete {folder} and repeat the "
            f"command, or give it another hydra.run.dir"
        )
    return None


def load_best(folder: Path, step: int | None = None) -> Checkpoint:
    """The checkpoint with the best valid score: that of this step, or the one that the newest checkpoint names."""
    best_step = _named_best(folder) if step is None or not steps(folder) else step
    try:
        return load(step_folder(folder, best_step), trainer=False)
    except DamagedCheckpoint as error:
        raise DamagedCheckpoint(
            f"the run's best weights, those of step {best_step}, are lost: {error}. To train them again, delete "
            f"{folder} and repeat the run's command"
        ) from error


def _named_best(folder: Path) -> int:
    newest = load_newest(folder, trainer=False)
    if newest is None:
        raise UserError(f"{folder} holds no checkpoint; was the run stopped before its first one?")
    best_step: int | None = newest.meta["progress"]["best_step"]
    if best_step is None:
        raise UserError(f"the run of {folder} was stopped before its first evaluation; run its command again to go on")
    return best_step


def _verify(path: Path) -> None:
    """Raises DamagedCheckpoint where a file is missing or has changed. A file that cannot be read for now, such as one
    of a network that is away, may be whole: that error passes as it is."""
    try:
        manifest = json.loads((path / MANIFEST).read_text())
        for name, digest in manifest.items():
            if disk.sha256(path / name) != digest:
                raise DamagedCheckpoint(f"{path / name} is not the file that was written: its sha256 differs")
    except DamagedCheckpoint:
        raise
    except (FileNotFoundError, ValueError) as error:
        raise DamagedCheckpoint(f"{path} is no whole checkpoint ({MANIFEST}): {error}") from error
    except OSError as error:
        error.filename = error.filename or str(path)  # which a read does not tell
        raise


def prune(folder: Path, step: int) -> None:
    """Removes all checkpoints but this one, the one before it, the best ones that these name, and whole later ones.

    A later one was damaged when the run fell back behind it. Where it is whole, the run will come to it again.
    """
    present = sorted(steps(folder))
    newest = [other for other in present if other <= step][-2:]
    best = {found["best_step"] for other in newest if (found := progress(step_folder(folder, other)))}
    later = {other for other in present if other > step and not _damaged(step_folder(folder, other))}
    for other in set(present) - {*newest, *best, *later}:
        doomed = folder / f".removed-{other}"
        step_folder(folder, other).rename(doomed)  # first out of sight, so that no half of it can be taken for one
        shutil.rmtree(doomed)


def progress(path: Path) -> dict[str, Any] | None:
    """What the checkpoint in this directory says of the progress; None where its meta.json is damaged."""
    try:
        found: dict[str, Any] = json.loads((path / "meta.json").read_text())["progress"]
    except (FileNotFoundError, ValueError):
        return None
    return found


def _damaged(path: Path) -> bool:
    try:
        _verify(path)
    except DamagedCheckpoint:
        return True
    return False


def steps(folder: Path) -> list[int]:
    try:
        return [int(path.name.removeprefix("step-")) for path in folder.iterdir() if path.name.startswith("step-")]
    except FileNotFoundError:  # and no other error, which glob would hide: what cannot be read may be full
        return []


def step_folder(folder: Path, step: int) -> Path:
    return folder / f"step-{step:08d}"


def _plain(tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    return {name: tensor.detach().cpu().contiguous() for name, tensor in tensors.items()}


def _sweep(folder: Path) -> None:
    """Removes what a killed run left half-written or half-removed."""
    for leftover in [*folder.glob(".partial-*"), *folder.glob(".removed-*")]:
        shutil.rmtree(leftover, ignore_errors=True)
