"""Files of TensorBoard events that are whole or absent."""

from __future__ import annotations

import hashlib
import os
import time
from collections.abc import Iterable
from pathlib import Path

from tensorboard.compat.proto.event_pb2 import Event
from tensorboard.compat.proto.summary_pb2 import Summary
from torch.utils.tensorboard import RecordWriter

PREFIX = "events.out.tfevents"  # by which TensorBoard knows its files


def written(folder: Path, kind: str, key: object) -> bool:
    return any(folder.glob(f"{PREFIX}.*.{kind}-{key}"))


def write(folder: Path, kind: str, key: object, step: int, summaries: Iterable[Summary]) -> None:
    """A file of these summaries at this step, in place of an older one of this kind; nothing, where there is one of
    this kind and key.

    Its name puts it behind all files that were begun before: TensorBoard reads them by the second in their names, and
    one that is begun later takes back what stands at its first step or later.
    """
    if written(folder, kind, key):
        return
    folder.mkdir(parents=True, exist_ok=True)
    older = list(folder.glob(f"{PREFIX}.*.{kind}-*"))
    now = time.time()
    partial = folder / f".{kind}.{os.getpid()}"  # by no name that TensorBoard knows
    with partial.open("wb") as file:
        writer = RecordWriter(file)
        writer.write(Event(wall_time=now, file_version="brain.Event:2").SerializeToString())
        for summary in summaries:
            writer.write(Event(wall_time=now, step=step, summary=summary).SerializeToString())
    os.replace(partial, folder / f"{PREFIX}.{int(now) + 1}.{kind}-{key}")
    for path in older:
        path.unlink()


def hashed(summaries: Iterable[Summary]) -> str:
    digest = hashlib.sha256()
    for summary in summaries:
        digest.update(summary.SerializeToString(deterministic=True))
    return digest.hexdigest()[:12]
