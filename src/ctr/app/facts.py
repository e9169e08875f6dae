"""What runs say about where and when they were made."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from ctr.app import machine, run_folder


def facts(folders: Iterable[Path]) -> dict[str, list[str]]:
    """Of finished runs: the versions of each package and the classes of machine with threads and kernels, the commonest
    first, and days (UTC)."""
    folders = list(folders)
    recorded = [one for one in map(machine.recorded, folders) if one]
    return {
        "versions": _versions(recorded),
        "machines": _counted(map(_machine, recorded)),
        "days": sorted({day(folder) for folder in folders}),
    }


def day(folder: Path) -> str:
    """When the run finished."""
    return time.strftime("%Y-%m-%d", time.gmtime((folder / run_folder.SCORES).stat().st_mtime))


def _versions(recorded: Sequence[dict[str, Any]]) -> list[str]:
    names = dict.fromkeys(name for one in recorded for name in one["versions"])
    numbers = {name: Counter(one["versions"][name] for one in recorded if name in one["versions"]) for name in names}
    return [f"{name} {', '.join(number for number, _ in numbers[name].most_common())}" for name in names]


def _counted(words: Iterable[str]) -> list[str]:
    """Each once; with how many there are of it where there is another."""
    counts = Counter(words).most_common()
    return [word if len(counts) == 1 else f"{word} ({count} run{'s' * (count != 1)})" for word, count in counts]


def _machine(one: dict[str, Any]) -> str:
    return (
        f"{one['processor']}, {one.get('cores', 'unknown')} cores, {one.get('instructions', 'unknown')}"
        f"{' and AMX' if one.get('bf16') == 'AMX' else ''}, "
        f"{one['threads']} thread{'s' * (one['threads'] != 1)} a run, {one['kernels']} kernels"
        f"{', ' + one['gpu'] if one.get('gpu') else ''}"
    )
