"""What the system is asked for about memory. Where it does not know the request, all works as before."""

from __future__ import annotations

import ctypes
import re
import sys
from contextlib import suppress
from pathlib import Path

import torch
from torch import Tensor

M_TRIM_THRESHOLD, M_MMAP_THRESHOLD = -1, -3  # of malloc.h
MADV_HUGEPAGE, MADV_COLLAPSE = 14, 25  # of Linux's mman.h
LARGE_PAGE = 2 * 2**20


def keep_freed() -> None:
    """Has glibc keep the memory of freed activations for the next step, where it would give it back to the system and
    pay for every page again: a third of a DeepFM's step. Tables, above the threshold, are not affected."""
    with suppress(OSError, AttributeError):
        mallopt = ctypes.CDLL(None).mallopt
        mallopt(M_MMAP_THRESHOLD, 64 * 2**20)
        mallopt(M_TRIM_THRESHOLD, 256 * 2**20)


def in_large_pages(tensor: Tensor) -> None:
    """Has Linux move a tensor of 8 MiB or more to pages of 2 MiB, where it lies. Rows read at random then miss far
    fewer page addresses: at 50 million ids an FM's step takes two thirds of the time. Costs a second for 1 GB, once."""
    size = tensor.numel() * tensor.element_size()
    if tensor.device.type != "cpu" or size < 8 * 2**20:
        return
    first = -(-tensor.data_ptr() // LARGE_PAGE) * LARGE_PAGE
    length = (tensor.data_ptr() + size) // LARGE_PAGE * LARGE_PAGE - first
    with suppress(OSError, AttributeError):
        madvise = ctypes.CDLL(None).madvise
        for advice in (MADV_HUGEPAGE, MADV_COLLAPSE):
            madvise(ctypes.c_void_p(first), ctypes.c_size_t(length), advice)


def forget_peak() -> None:
    """From now on `peak` tells of what comes, where the system can forget what was before: Linux and CUDA."""
    with suppress(OSError):
        Path("/proc/self/clear_refs").write_text("5")
    if torch.cuda.is_initialized():
        torch.cuda.reset_peak_memory_stats()


def peak() -> dict[str, float | None]:
    """The most memory this process has had, in MiB: resident, and of CUDA what tensors took; None where unknown."""
    cuda = torch.cuda.max_memory_allocated() / 2**20 if torch.cuda.is_initialized() else None
    resident = _peak_resident()
    return {
        "resident_mib": None if resident is None else round(resident, 1),
        "cuda_mib": None if cuda is None else round(cuda, 1),
    }


def _peak_resident() -> float | None:
    """Linux's own record first: its getrusage counts in what the parent had when it started this process."""
    with suppress(OSError):
        if match := re.search(r"^VmHWM:\s*(\d+) kB", Path("/proc/self/status").read_text(), flags=re.M):
            return int(match[1]) / 1024
    try:
        import resource
    except ImportError:  # Windows
        return None
    most = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return most / (2**20 if sys.platform == "darwin" else 1024)
