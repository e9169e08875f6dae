"""Runs of a sweep that failed: each leaves a record in its folder, since it may have failed on another machine."""

from __future__ import annotations

import json
import shlex
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from ctr import disk
from ctr.app import run_folder, summary
from ctr.app.sweep import start
from ctr.app.sweep.child import Outcome

FAILED = "failed.json"
CONFIGS, CONFIG = Path("configs"), "train"  # what train.py reads, where its command does not say otherwise


def record(folder: Path, overrides: Sequence[str], outcome: Outcome) -> None:
    content = {
        "sweep": start.token(),
        "cause": outcome.cause,
        "command": command(folder, overrides),
        "traceback": outcome.traceback.splitlines(),
    }
    disk.write_text(folder / FAILED, json.dumps(content, indent=2) + "\n")


def forget(folder: Path) -> None:
    """A run that is tried again has not failed yet."""
    (folder / FAILED).unlink(missing_ok=True)


def of_sweep(folder: Path) -> dict[Path, dict[str, Any]]:
    """The records of this call of the sweep, by the folder of the run; those of earlier calls are not meant."""
    found = {path.parent: json.loads(path.read_text(encoding="utf-8")) for path in sorted(folder.rglob(FAILED))}
    return {run: record for run, record in found.items() if record["sweep"] == start.token()}


def command(folder: Path, overrides: Sequence[str]) -> str:
    """What makes this run alone, and goes on with it."""
    return shlex.join(["python", "train.py", *overrides, run_folder.word(folder)])


def configs(hydra: Any) -> list[str]:
    """The words of the sweep's command that say where its configs are, if any do."""
    found = {source.provider: source.path for source in hydra.runtime.config_sources}
    folders = {"--config-path": found["main"], "--config-dir": found.get("command-line")}
    said = [f"{flag}={path}" for flag, path in folders.items() if path and summary.short(Path(path)) != CONFIGS]
    name = [] if hydra.job.config_name == CONFIG else [f"--config-name={hydra.job.config_name}"]
    return [*said, *name, *(word for word in hydra.overrides.hydra if word.startswith("hydra.searchpath="))]


def listing(records: dict[Path, dict[str, Any]]) -> str:
    count = f"{len(records)} runs" if len(records) > 1 else "1 run"
    lines = [f"{count} failed; the same command tries again what is missing:"]
    for folder, record in records.items():
        lines += [
            f"  {folder.name}: {record['cause']}",
            f"    folder  {summary.short(folder)}",
            f"    alone   {record['command']}",
        ]
        if record["traceback"]:
            lines.append(f"    trace   {summary.short(folder / FAILED)}")
    return "\n".join(lines)
