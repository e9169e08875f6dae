"""A table's finished runs without their weights, in one file beside it: what has run somewhere counts elsewhere.

Config, scores, machine and curves of each run are kept; what only this machine knows, as where its data are, is not.
"""

from __future__ import annotations

import calendar
import json
import os
import re
import time
import zipfile
import zlib
from collections.abc import Iterator
from pathlib import Path

import yaml

from ctr import disk
from ctr.app import curves, machine, run_folder
from ctr.app.reproduce.results import Results
from ctr.app.reproduce.runs import Run
from ctr.errors import UserError
from ctr.training.run_log import METRICS

FILES = (run_folder.CONFIG, run_folder.OVERRIDES, run_folder.SCORES, machine.MACHINE)
CURVES = re.compile(r"step|examples|train/loss|valid/.*")  # of a record; rates and norms are left out
Entry = tuple[tuple[int, int, int, int, int, int], str, bytes]  # when it was made, a file's name and its text
NAME = re.compile(rf"(?P<run>[\w.-]+/seed\d+)/({'|'.join(map(re.escape, FILES))}|\w+/{re.escape(METRICS)})")


def path(out: Path, table: str) -> Path:
    return out / f"{table}.runs.zip"


def write(results: Results, out: Path) -> None:
    """Writes the records of all finished runs of the table, and keeps those that were recorded of runs that have no
    folder here. The same runs give the same bytes."""
    file = path(out, results.table.name)
    entries = _recorded(file, results.root)
    for run in {run.folder: run for run in results.every_run()}.values():
        made = time.gmtime((run.folder / run_folder.SCORES).stat().st_mtime)[:6]
        entries[f"{run.row.key}/seed{run.number}"] = [(made, name, text.encode()) for name, text in _texts(run)]
    with disk.whole(file) as partial, zipfile.ZipFile(partial, "w") as archive:
        for folder, files in sorted(entries.items()):
            for made, name, text in files:
                entry = zipfile.ZipInfo(f"{folder}/{name}", made)
                archive.writestr(entry, text, zipfile.ZIP_DEFLATED, compresslevel=9)


def _recorded(source: Path, root: Path) -> dict[str, list[Entry]]:
    """What the file holds of runs that have no folder in `root`, by run. Raises UserError where it is damaged, or holds
    anything else."""
    if not source.exists():
        return {}
    found: dict[str, list[Entry]] = {}
    try:
        with zipfile.ZipFile(source) as archive:
            if damaged := archive.testzip():
                raise UserError(f"{source} is damaged at {damaged}; delete it, or fetch it again")
            for entry in archive.infolist():
                if not (match := NAME.fullmatch(entry.filename)):
                    raise UserError(f"{source} holds {entry.filename}, which is no file of a recorded run")
                if not (root / match["run"]).exists():
                    name = entry.filename.removeprefix(f"{match['run']}/")
                    found.setdefault(match["run"], []).append((entry.date_time, name, archive.read(entry)))
    except (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError) as error:
        raise UserError(f"{source} is damaged ({error}); delete it, or fetch it again") from error
    return found


def _texts(run: Run) -> Iterator[tuple[str, str]]:
    config = run_folder.read_config(run.folder)
    if config["dataset"].get("root"):
        config["dataset"]["root"] = Path(config["dataset"]["root"]).name
    config["dataset"].pop("cache", None)
    yield run_folder.CONFIG, yaml.safe_dump(config, sort_keys=False)
    for name in FILES[1:]:
        if (run.folder / name).exists():
            yield name, (run.folder / name).read_text(encoding="utf-8")
    for file in sorted(run.folder.glob(f"*/{METRICS}")):
        noted = (
            {key: value for key, value in record.items() if CURVES.fullmatch(key)}
            for record in curves.records(run.folder, file.parent.name)
        )
        yield f"{file.parent.name}/{METRICS}", "".join(f"{json.dumps(record)}\n" for record in noted)


def unpack(table: str, out: Path, root: Path) -> int:
    """Puts the recorded runs of a table into `root`, but those that have a folder there; returns how many.

    Raises UserError where the file is damaged, or holds anything else.
    """
    missing = _recorded(path(out, table), root)
    for run, files in missing.items():
        for made, name, text in sorted(files, key=lambda entry: entry[1] == run_folder.SCORES):
            file = root / run / name  # the scores come last, since with them a run counts as finished
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_bytes(text)
            seconds = calendar.timegm((*made, 0, 0, 0))
            os.utime(file, (seconds, seconds))
    return len(missing)
