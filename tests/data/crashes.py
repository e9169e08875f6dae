"""Runs in a process of its own, `python -m tests.data.crashes NAME FOLDER`, and prints what came of it as JSON. Others
are forked from it before it has any thread, so that hundreds of them cost no import."""

from __future__ import annotations

import hashlib
import importlib.util
import json
import os
import resource
import shutil
import signal
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from itertools import islice
from pathlib import Path
from typing import Any
from unittest import mock

import ctr.data.prepare
from ctr.batch import SPLITS
from ctr.data import Prepared, shards
from ctr.data.columns.categorical import Categorical
from ctr.data.prepared import MANIFEST, PreparedData
from ctr.data.readers import text
from ctr.data.readers.csv import CSV
from tests.data.small import FIELDS, open_rows, rows

FEW = {name: FIELDS[name] for name in ("row", "user", "price")}


def forked(work: Callable[[], Any], told: Path) -> int:
    """The process number; what `work` returns, or the error that ends it, is in the file `told` afterwards, and what it
    prints beside it."""
    pid = os.fork()
    if pid:
        return pid
    try:
        file = told.open("w")  # before the work may lose the right to
        os.dup2(os.open(f"{told}.err", os.O_CREAT | os.O_WRONLY | os.O_APPEND), 2)
        try:
            result = {"result": work()}
        except Exception as error:
            result = {"error": type(error).__name__, "message": str(error)}
        resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
        file.write(json.dumps(result))
        file.flush()
    finally:
        sys.stderr.flush()
        os._exit(0)


def alone(work: Callable[[], Any], told: Path) -> Any:
    """The result of `work` in a process of its own; None where it was killed."""
    os.waitpid(forked(work, told), 0)
    return read(told)


def read(told: Path) -> Any:
    return json.loads(told.read_text() or "null")


def digest(data: PreparedData) -> str:
    found = hashlib.sha256(data.schema.fingerprint.encode())
    for split in SPLITS:
        batch = data.rows(split)
        for part in (batch.ids, batch.values, batch.labels):
            found.update(part.numpy().tobytes())
    return found.hexdigest()


def opened(folder: Path, cache: str = "cache") -> str:
    return digest(open_rows(folder, fields=FEW, cache=str(folder / cache)))


def leftovers(cache: Path) -> list[str]:
    """What is in the cache besides prepared folders, locks and the memory of contents."""
    return [
        path.name
        for path in cache.iterdir()
        if path.name != "contents" and path.suffix != ".lock" and not (path / MANIFEST).is_file()
    ]


# --- several processes at once ---


def together(folder: Path, count: int, work: Callable[[], Any]) -> dict[str, Any]:
    """What `count` processes do that begin at the same time, and what they print."""
    files = [folder / f"told-{i}" for i in range(count)]
    start = time.time() + 0.3

    def wait() -> Any:
        time.sleep(max(0.0, start - time.time()))
        return work()

    pids = [forked(wait, file) for file in files]
    for pid in pids:
        os.waitpid(pid, 0)
    results = [read(file) for file in files]
    printed = "".join(Path(f"{file}.err").read_text() for file in files)
    for file in files:
        file.unlink()
        Path(f"{file}.err").unlink()
    return {"results": results, "printed": printed, "leftovers": leftovers(folder / "cache")}


def race(folder: Path) -> list[dict[str, Any]]:
    """Eight that want the same data; and eight of which the first that has staged them is killed in its lock."""
    undisturbed = together(folder, 8, lambda: opened(folder))
    shutil.rmtree(folder / "cache")
    fit = Categorical.fit_tokens

    def once(*given: Any) -> Any:
        try:
            os.close(os.open(folder / "killed", os.O_CREAT | os.O_EXCL))
        except FileExistsError:
            return fit(*given)
        time.sleep(0.3)
        return os.kill(os.getpid(), signal.SIGKILL)

    with mock.patch.object(Categorical, "fit_tokens", once):
        return [undisturbed, together(folder, 8, lambda: opened(folder))]


def damage(folder: Path) -> dict[str, Any]:
    """Eight that find the same damaged folder; and one that may not write there."""
    alone(lambda: opened(folder), folder / "told")
    (shard,) = (folder / "cache").glob("*/train-00000/ids.npy")
    shard.write_bytes(shard.read_bytes()[:-1] + b"\xff")
    return {"race": together(folder, 8, lambda: opened(folder)), "reader": readers(folder, "damaged")["damaged"]}


# --- killed at every step ---

STEPS = [
    (os, "replace"), (os, "rename"), (os, "fsync"), (os, "mkdir"), (os, "unlink"), (os, "rmdir"),
    (shutil, "rmtree"), (shards._ArrayFile, "_write"), (ctr.data.prepare, "save_encoders"), (CSV, "parse"),
]  # fmt: skip


@contextmanager
def counted(last: int) -> Iterator[list[str]]:
    """The steps that are taken, as they are; this process is killed before it takes number `last`."""
    taken: list[str] = []
    lock = threading.Lock()

    def wrapped(call: Callable[..., Any]) -> Callable[..., Any]:
        def counting(*given: Any, **named: Any) -> Any:
            with lock:
                if len(taken) == last:
                    os.kill(os.getpid(), signal.SIGKILL)
                taken.append(call.__name__)
            return call(*given, **named)

        return counting

    with ExitStack() as stack:
        for place, name in STEPS:
            stack.enter_context(mock.patch.object(place, name, wrapped(getattr(place, name))))
        yield taken


def kill(folder: Path) -> dict[str, Any]:
    """For every fourth step of a preparation, and the last eight: kill there, look at what is left, open again."""
    text.BLOCK_BYTES = 2**11

    def dying(last: int) -> list[str]:
        with counted(last) as taken:
            opened(folder)
        return taken

    def checked() -> dict[str, Any]:
        prepared = [path.parent for path in (folder / "cache").glob(f"[!.]*/{MANIFEST}")]
        found = [digest(Prepared(root=str(path), window=2**20).open()) for path in prepared]
        marked = list((folder / "cache").glob(".*.partial/staged/boot"))
        chunks = len(list(marked[0].parent.glob("*.arrow"))) if marked else 0
        with counted(-1) as taken:
            again = opened(folder)
        parsed = taken.count("parse")
        return {"found": found, "chunks": chunks, "parsed": parsed, "again": again, "left": leftovers(folder / "cache")}

    steps = alone(lambda: dying(-1), folder / "told")["result"]
    expected = alone(lambda: opened(folder), folder / "told")["result"]
    points = []
    for last in sorted({*range(0, len(steps), 4), *range(len(steps) - 8, len(steps))}):
        shutil.rmtree(folder / "cache", ignore_errors=True)
        assert alone(lambda last=last: dying(last), folder / "told") is None
        points.append(alone(checked, folder / "told")["result"])
    return {"expected": expected, "parsed": steps.count("parse"), "points": points}


# --- disks that take nothing ---


def disks(folder: Path) -> dict[str, Any]:
    """For files of at most so many bytes: the error, what has its final name, what opens when there is room again. And
    what those find who may not write into the cache."""
    full = []
    for size in (0, 100, 500, 1000, 2000, 3000):

        def limited(size: int = size) -> str:
            resource.setrlimit(resource.RLIMIT_FSIZE, (size, resource.RLIM_INFINITY))
            return opened(folder)

        failed = alone(limited, folder / "told")
        named = [path.name for path in (folder / "cache").glob(f"[!.]*/{MANIFEST}")]
        full.append([failed, named, alone(lambda: opened(folder), folder / "told")])
        shutil.rmtree(folder / "cache")
    return {"full": full} | readers(folder, "empty", "none", "whole")


def readers(folder: Path, *caches: str) -> dict[str, Any]:
    """What somebody finds who may not write: in an empty cache, in none, in one with the data, or damaged data."""
    with tempfile.TemporaryDirectory() as temporary:
        place = Path(temporary)
        shutil.copy(folder / "train.csv", place)
        for cache in {*caches} - {"none"}:
            (place / cache).mkdir()
        for cache in {*caches} & {"whole", "damaged"}:
            alone(lambda cache=cache: opened(place, cache), folder / "told")
        for shard in place.glob("damaged/*/train-00000/ids.npy"):
            shard.write_bytes(shard.read_bytes()[:-1] + b"\xff")
        for path in [place, *place.rglob("*")]:
            path.chmod(0o555 if path.is_dir() else 0o444)

        def as_reader(cache: str) -> str:
            if os.geteuid() == 0:
                os.setuid(65534)
            return opened(place, cache)

        told = {cache: alone(lambda cache=cache: as_reader(cache), folder / "told") for cache in caches}
        for path in [place, *place.rglob("*")]:
            path.chmod(0o755)
    return told


# --- memory ---


def memory(folder: Path) -> dict[str, int]:
    """The largest resident size, in bytes, of preparing few and many rows, in blocks of 1 MiB."""
    spec = importlib.util.spec_from_file_location("criteo_like", Path("benchmarks/criteo_like.py"))
    assert spec is not None
    assert spec.loader is not None
    text.BLOCK_BYTES = 2**20

    def write() -> None:
        made = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(made)
        made.write(folder / "200000.csv", 200_000)
        with (folder / "200000.csv").open() as rows:
            (folder / "20000.csv").write_text("".join(islice(rows, 20_001)))

    numeric = {f"I{i}": {"kind": "numeric", "transform": "z_score"} for i in range(1, 14)}
    fields = numeric | {f"C{i}": {"kind": "categorical", "min_count": 2} for i in range(1, 27)}

    def prepared(count: int) -> int:
        open_rows(folder, fields=fields, train=f"{count}.csv", missing=[])
        return 1024 * resource.getrusage(resource.RUSAGE_SELF).ru_maxrss

    alone(write, folder / "told")
    return {
        str(count): alone(lambda count=count: prepared(count), folder / "told")["result"] for count in (20_000, 200_000)
    }


if __name__ == "__main__":
    name, place = sys.argv[1], Path(sys.argv[2])
    place.joinpath("train.csv").write_text(f"label,row,user,item,price,tags,ts\n{rows(400)}")
    os.utime(place / "train.csv", (0, 0))  # so that its hash is remembered from the first
    print(json.dumps(globals()[name](place)))
