"""Where and how the arithmetic runs."""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext
from typing import Literal

import torch

from ctr.errors import UserError

Precision = Literal["fp32", "bf16"]


def find_device(name: str) -> torch.device:
    """The device, if this machine has it."""
    try:
        device = torch.device(name)
        torch.empty(1, device=device)
    except (RuntimeError, AssertionError) as error:
        raise UserError(
            f"device={name} is not on this machine: {str(error).splitlines()[0]}; use device=cpu"
        ) from error
    return device


def use_threads(count: int | None) -> int:
    """Sets the number of CPU threads, null leaving torch's choice, and returns it: results repeat bit for bit only
    at the same number. Denormal numbers are flushed to zero, which keeps saturated activations from slowing down."""
    if count is not None:
        if count < 1:
            raise UserError(f"threads must be at least 1, found {count}")
        torch.set_num_threads(count)
    torch.set_flush_denormal(True)
    return torch.get_num_threads()


def autocast(device: torch.device, precision: Precision) -> AbstractContextManager[object]:
    """fp32 as it is; bf16 for matrix products, with weights and sums in fp32."""
    if precision == "bf16":
        return torch.autocast(device.type, torch.bfloat16)
    return nullcontext()
