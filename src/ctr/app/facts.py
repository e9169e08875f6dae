"""What runs say about where and when they were made."""

from __future__ import annotations

import time
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from ctr.app import machine, run_folder


def facts(folders: Iterable[Path]) -> dict[str, list[str]]:
    """Of finished runs: versions, the classes of machine with threads and kernels, and days (UTC), each once."""
    folders = list(folders)
    recorded = [one for one in map(machine.recorded, folders) if one]
    return {
        "versions": list(dict.fromkeys(map(_versions, recorded))),
        "machines": list(dict.fromkeys(map(_machine, recorded))),
        "days": sorted({day(folder) for folder in folders}),
    }


def day(folder: Path) -> str:
    """When the run finished."""
    return time.strftime("%Y-%m-%d", time.gmtime((folder / run_folder.SCORES).stat().st_mtime))


def _versions(one: dict[str, Any]) -> str:
    return ", ".join(f"{name} {number}" for name, number in one["versions"].items())


def _machine(one: dict[str, Any]) -> str:
    return (
        f"{one['processor']}, {one.get('cores', 'unknown')} cores, {one.get('instructions', 'unknown')}; "
        f"{one['threads']} thread{'s' * (one['threads'] != 1)} a run, {one['kernels']} kernels"
        f"{', ' + one['gpu'] if one.get('gpu') else ''}"
    )
