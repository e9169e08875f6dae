"""What a result depends on besides the config: chosen where that leaves it open, recorded, kept when a run goes on."""

from __future__ import annotations

import json
import os
import platform
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch

from ctr import __version__, disk, native
from ctr.errors import UserError
from ctr.training.device import bf16_units, find_precision, gpu_name, use_threads
from ctr.training.trainer import Trainer

MACHINE = "machine.json"


def settle(out: Path, config: Mapping[str, Any], trainers: Mapping[str, Trainer]) -> str:
    """Threads, kernels and the precision of each stage, as recorded in the folder of a run that goes on; says what they
    are. Raises UserError where this machine cannot go on as the run began."""
    before = recorded(out) if any(out.glob("*/checkpoints/step-*")) else {}
    threads = use_threads(before.get("threads", config["threads"]))
    try:
        kernels = native.use(before.get("kernels", config["kernels"]))
    except UserError as error:
        if not before:
            raise
        raise UserError(
            f"this run began with native kernels, and here {error.__cause__}; "
            f"install g++ or clang++ to go on, or start another"
        ) from error
    for name, trainer in trainers.items():
        if stored := before.get("precision", {}).get(name):
            trainer.precision, trainer.precision_note = find_precision(stored, trainer.device)
    gpu = next((gpu_name(trainer.device) for trainer in trainers.values() if trainer.device.type == "cuda"), None)
    facts = {
        "threads": threads,
        "kernels": "native" if native.in_use() else "plain",
        "precision": {name: trainer.precision for name, trainer in trainers.items()},
        "processor": platform.machine(),
        "cores": os.cpu_count(),
        "instructions": torch.backends.cpu.get_cpu_capability(),
        "bf16": bf16_units(torch.device("cpu")),
        "gpu": gpu,
        "versions": {"ctr": __version__, "torch": torch.__version__, "python": platform.python_version()},
    }
    disk.write_text(out / MACHINE, json.dumps(facts, indent=2) + "\n")
    precision = " and ".join(dict.fromkeys(trainer.precision_note for trainer in trainers.values()))
    where = gpu or f"{threads} thread{'s' * (threads != 1)}, {kernels}"
    return f"{where}, {precision}"


def settle_as(out: Path) -> None:
    """For the evaluation of a finished run: as it was trained."""
    before = recorded(out)
    use_threads(before.get("threads"))
    native.use("auto" if before.get("kernels") == "native" else "plain")


def recorded(out: Path) -> dict[str, Any]:
    path = out / MACHINE
    return dict(json.loads(path.read_text(encoding="utf-8"))) if path.exists() else {}
