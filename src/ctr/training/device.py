"""Where and how the arithmetic runs."""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext
from typing import Literal

import torch

from ctr.errors import UserError
from ctr.training.memory import keep_freed

Precision = Literal["fp32", "bf16"]
Choice = Literal["auto", "fp32", "bf16"]


def find_device(name: str) -> torch.device:
    """The device, if this machine has it. A GPU's convolutions are in float32 from then on, as its matrix products
    are: cuDNN's TF32 keeps 10 bits of a number."""
    try:
        device = torch.device(name)
        torch.empty(1, device=device)
    except (RuntimeError, AssertionError) as error:
        raise UserError(
            f"device={name} is not on this machine: {str(error).splitlines()[0]}; use device=cpu"
        ) from error
    if device.type == "cuda":
        for kind in ("conv", "rnn"):
            getattr(torch.backends.cudnn, kind).fp32_precision = "ieee"
    return device


def use_threads(count: int | None) -> int:
    """Sets the number of CPU threads, null leaving torch's choice, and returns it: results repeat bit for bit only
    at the same number. Denormal numbers are flushed to zero, which keeps saturated activations from slowing down."""
    if count is not None:
        if count < 1:
            raise UserError(f"threads must be at least 1, found {count}")
        torch.set_num_threads(count)
    torch.set_flush_denormal(True)
    keep_freed()
    return torch.get_num_threads()


def find_precision(choice: Choice, device: torch.device) -> tuple[Precision, str]:
    """bf16 where the device has units for it, if the choice is left to us; and what there is to say about it.

    Raises UserError for bf16 on a GPU without it.
    """
    units = bf16_units(device)
    if choice == "auto":
        return ("bf16", f"bf16 by {units}") if units else ("fp32", "fp32")
    if choice == "bf16" and not units:
        if device.type == "cuda":
            raise UserError(f"precision=bf16: {gpu_name(device)} has no bf16 units; use precision=fp32")
        return "bf16", "bf16 without units for it on this CPU, which is slower than precision=fp32"
    return choice, f"{choice} by {units}" if choice == "bf16" else choice


def gpu_name(device: torch.device) -> str:
    """What its maker calls this CUDA device."""
    return torch.cuda.get_device_name(device)


def bf16_units(device: torch.device) -> str:
    """What multiplies bf16 matrices on this device, if anything does."""
    if device.type == "cuda":
        return "tensor cores" if torch.cuda.is_bf16_supported(including_emulation=False) else ""
    if device.type != "cpu":
        return ""
    units = torch.cpu.get_capabilities()
    return "AMX" if units.get("amx_bf16") else "AVX-512" if units.get("avx512_bf16") else ""


def autocast(device: torch.device, precision: Precision) -> AbstractContextManager[object]:
    """fp32 as it is; bf16 for matrix products, with weights and sums in fp32."""
    if precision == "bf16":
        return torch.autocast(device.type, torch.bfloat16)
    return nullcontext()
