"""What a result depends on besides the config: chosen where that leaves it open, recorded, kept when a run goes on."""

from __future__ import annotations

import json
import platform
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch

from ctr import __version__, disk, native
from ctr.training.device import find_precision, use_threads
from ctr.training.trainer import Trainer

MACHINE = "machine.json"


def settle(out: Path, config: Mapping[str, Any], trainers: Mapping[str, Trainer]) -> str:
    """Threads, kernels and precision of a run, as recorded in its folder if it goes on; says what they are."""
    before = recorded(out) or config
    threads, kernels = use_threads(before["threads"]), native.use(before["kernels"])
    for trainer in trainers.values():
        trainer.precision, precision = find_precision(before["precision"], trainer.device)
    facts = {
        "threads": threads,
        "kernels": "native" if native.in_use() else "plain",
        "precision": trainer.precision,
        "processor": platform.machine(),
        "versions": {"ctr": __version__, "torch": torch.__version__, "python": platform.python_version()},
    }
    disk.write_text(out / MACHINE, json.dumps(facts, indent=2) + "\n")
    return f"{threads} threads, {kernels}, {precision}"


def settle_as(out: Path) -> None:
    """For the evaluation of a finished run: as it was trained."""
    if before := recorded(out):
        use_threads(before["threads"])
        native.use("plain" if before["kernels"] == "plain" else "auto")


def recorded(out: Path) -> dict[str, Any] | None:
    path = out / MACHINE
    return dict(json.loads(path.read_text(encoding="utf-8"))) if path.exists() else None
