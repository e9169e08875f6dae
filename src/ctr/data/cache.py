"""Prepared folders found by what they were made of, built by one process at a time, whole or absent."""

from __future__ import annotations

import errno
import json
import os
import shutil
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout
from rich.console import Console
from rich.progress import BarColumn, Progress, TaskID, TextColumn, TimeRemainingColumn

from ctr import disk
from ctr.data.contents import Contents, hashed
from ctr.data.prepare import STAGED, prepare
from ctr.data.prepared import FORMAT, MANIFEST, Damaged, PreparedData, open_folder
from ctr.data.recipe import Meter, Recipe
from ctr.errors import UserError

ABANDONED = 7 * 24 * 3600  # seconds after which a killed preparation is no longer kept to be gone on with


def open_cached(
    recipe: Recipe, parts: Mapping[str, Sequence[Path]], contents: Contents, cache: Path, window: int
) -> PreparedData:
    """The data of this recipe and these files, prepared now if they are not in the cache.

    Raises UserError for input that cannot be trained on, and for a cache that cannot be written.
    """
    key = hashed([FORMAT, recipe.description])
    if (found := _find(cache, key, contents, window)) is not None:
        return found
    work = f"{key}-{hashed(contents.stamps)}"
    try:
        cache.mkdir(parents=True, exist_ok=True)
        with _alone(cache / f"{work}.lock"):
            if (found := _find(cache, key, contents, window)) is not None:
                return found
            _drop_abandoned(cache, key, work)
            folder = _build(recipe, parts, contents, cache, key, cache / f".{work}.partial")
    except OSError as error:
        raise UserError(f"the cache {cache}: {error}; dataset.cache=... or CTR_CACHE names another folder") from error
    found = _open_whole(folder, window)
    assert found is not None, f"{folder} was damaged while it was built"
    return found


def _find(cache: Path, key: str, contents: Contents, window: int) -> PreparedData | None:
    """What is prepared by the recipe of this key from these contents; they are read only where there may be some."""
    if contents.known() is None and not any(cache.glob(f"{key}-*/{MANIFEST}")):
        return None
    return _open_whole(cache / f"{key}-{hashed(contents.read())}", window)


def _open_whole(folder: Path, window: int) -> PreparedData | None:
    """None where there is no such folder, or a damaged one."""
    if not (folder / MANIFEST).is_file():
        return None
    try:
        return open_folder(folder, window, in_cache=True)
    except Damaged as error:
        told = f"{folder / error.name} is damaged: it is not what was written; it is prepared anew"
        Console(stderr=True).print(told, soft_wrap=True, highlight=False)
        return None


def _build(
    recipe: Recipe, parts: Mapping[str, Sequence[Path]], contents: Contents, cache: Path, key: str, partial: Path
) -> Path:
    """Prepares in the folder `partial`, hashing the files meanwhile, and gives the result its name when it is whole."""
    _drop_torn(partial)
    started = time.perf_counter()
    with ThreadPoolExecutor(1) as pool, _meter() as meter:
        reading = pool.submit(contents.read)
        made = prepare(recipe, parts, partial, threads=_threads(), meter=meter)
        read = reading.result()
    if changed := contents.changed():
        raise UserError(f"{', '.join(changed)} changed while it was prepared; repeat the command")
    sources = {part: [str(path) for path in paths] for part, paths in parts.items()}
    manifest: dict[str, Any] = {"format": FORMAT, "sources": sources, "contents": read, **made}
    manifest = json.loads(json.dumps(manifest))  # as it is read back
    with (partial / MANIFEST).open("w", encoding="utf-8") as file:
        json.dump({**manifest, "checksum": hashed(manifest)}, file, indent=1)
        file.flush()
        os.fsync(file.fileno())
    disk.sync(partial)
    folder = cache / f"{key}-{hashed(read)}"
    _commit(partial, folder)
    seconds, rows = time.perf_counter() - started, manifest["rows"]["read"]
    told = f"prepared {rows:,} rows in {seconds:.1f} s ({rows / seconds:,.0f} rows/s), kept in {folder}"
    Console(stderr=True).print(told, soft_wrap=True, highlight=False)
    return folder


def _commit(partial: Path, folder: Path) -> None:
    """Gives the folder its name. Another process may have prepared the same contents under other paths."""
    if folder.exists() and _open_whole(folder, 2**20) is None:
        _remove(folder)
    try:
        os.rename(partial, folder)
    except OSError as error:
        if error.errno not in (errno.ENOTEMPTY, errno.EEXIST):
            raise
        shutil.rmtree(partial)
    disk.sync(folder.parent)


def _drop_abandoned(cache: Path, key: str, work: str) -> None:
    """What is left of removals that were cut off; and of preparations that no process works on, by the same recipe
    whose files have changed since, and by any recipe that nobody has gone on with for a long time."""
    for gone in cache.glob(".*.gone-*"):  # of no use to anyone, whether or not its process lives
        shutil.rmtree(gone, ignore_errors=True)
    for other in cache.glob(".*.partial"):
        name = other.name[1:].removesuffix(".partial")
        with suppress(OSError):  # Timeout, which is one: its process lives
            if name != work and (name.startswith(f"{key}-") or _is_old(other)):
                with FileLock(cache / f"{name}.lock", blocking=False):
                    shutil.rmtree(other, ignore_errors=True)


def _is_old(partial: Path) -> bool:
    """Has nothing been added to it for so long?"""
    last = max(path.stat().st_mtime for path in (partial, *partial.iterdir()))
    return time.time() - last > ABANDONED


def _drop_torn(partial: Path) -> None:
    """What a killed preparation left is gone on with, unless the machine itself has stopped since: then what had not
    reached the disk is torn."""
    boot = Path("/proc/sys/kernel/random/boot_id")
    now = boot.read_text() if boot.exists() else str(os.getpid())
    mark = partial / STAGED / "boot"
    if partial.exists() and not (mark.exists() and mark.read_text() == now):
        shutil.rmtree(partial)
    mark.parent.mkdir(parents=True, exist_ok=True)
    mark.write_text(now)


@contextmanager
def _alone(path: Path) -> Iterator[None]:
    """One process prepares; the others wait for it. A killed one leaves no lock behind."""
    lock = FileLock(path)
    try:
        lock.acquire(timeout=0)
    except Timeout:
        Console(stderr=True).print("waiting for another process that prepares the same data", highlight=False)
        lock.acquire()
    try:
        yield
    finally:
        lock.release()


@contextmanager
def _meter() -> Iterator[Meter]:
    """A bar with the rate and the time that is left, on a terminal."""
    console = Console(stderr=True)
    columns = (
        TextColumn("{task.description:>9}"),
        BarColumn(),
        TextColumn("{task.fields[rate]}"),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=console, transient=True, disable=not sys.stderr.isatty()) as progress:
        tasks: dict[str, tuple[TaskID, float]] = {}

        def tell(what: str, done: int, total: int) -> None:
            if what not in tasks:
                tasks[what] = progress.add_task(what, total=total, rate=""), time.perf_counter()
            task, started = tasks[what]
            a_second = done / max(time.perf_counter() - started, 1e-3)
            unit = f"{a_second / 2**20:,.0f} MiB/s" if what == "reading" else f"{a_second:,.0f}/s"
            progress.update(task, completed=done, total=total, rate=unit)

        yield tell


def _threads() -> int:
    """Threads of a preparation: each holds a block of some 100 MiB."""
    affinity: Callable[[int], set[int]] | None = getattr(os, "sched_getaffinity", None)
    return min(8, len(affinity(0)) if affinity else os.cpu_count() or 1)


def _remove(folder: Path) -> None:
    """Under its own name at once, from the disk then."""
    gone = folder.with_name(f".{folder.name}.gone-{os.getpid()}-{time.time_ns()}")
    os.rename(folder, gone)
    shutil.rmtree(gone, ignore_errors=True)
