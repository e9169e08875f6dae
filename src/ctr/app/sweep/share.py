"""A machine shared by the jobs of a sweep: how many at a time, and with which threads and GPU each."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any

MOST = 8  # jobs side by side on CPUs, by default: more of them wait for memory


def cores() -> int:
    """Those that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def default_jobs(device: str) -> int:
    """Jobs side by side where the command does not say: one a GPU, or one a core."""
    if not device.startswith("cuda"):
        return min(cores(), MOST)
    import torch  # this late, since only a parallel sweep on GPUs asks

    return max(1, torch.cuda.device_count()) if device == "cuda" else 1


def parallel(launcher: Mapping[str, Any]) -> bool:
    """Do jobs run side by side?"""
    return not str(launcher["_target_"]).endswith(".BasicLauncher")


def threads(launcher: Mapping[str, Any], available: int) -> int | None:
    """CPU threads of one job, where the config leaves that open; None where it has the machine to itself.

    joblib's jobs share the cores, n_jobs = -1 being one a core, -2 one fewer. submitit's have cpus_per_task; without
    it, jobs on this machine start all at once and have one each, and Slurm's have what Slurm gives them.
    """
    name = str(launcher["_target_"]).rsplit(".", 1)[-1]
    if name == "JoblibLauncher":
        jobs = int(launcher["n_jobs"])
        return max(1, available // (jobs if jobs > 0 else max(1, available + 1 + jobs)))
    if name in ("LocalLauncher", "SlurmLauncher"):
        return launcher.get("cpus_per_task") or (1 if name == "LocalLauncher" else None)
    return None


def gpu(job: int, count: int, visible: str | None) -> str:
    """The GPU of this job, job modulo count, as CUDA_VISIBLE_DEVICES names it; `visible` is its value so far."""
    names = visible.split(",") if visible else [str(number) for number in range(count)]
    return names[job % count].strip()
