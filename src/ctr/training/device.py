"""Where and how the arithmetic runs."""

from __future__ import annotations

import time
from contextlib import AbstractContextManager, nullcontext
from functools import cache
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
    """bf16 where the device has units for it and is faster with them, if the choice is left to us; and what there is to
    say about it.

    Raises UserError for bf16 on a GPU without it.
    """
    units = bf16_units(device)
    if choice == "fp32" or (choice == "auto" and not units):
        return "fp32", "fp32"
    if device.type == "cuda":
        if not units:
            raise UserError(f"precision=bf16: {gpu_name(device)} has no bf16 units; use precision=fp32")
        return "bf16", f"bf16 by {units}"
    said = f"bf16 by {units}" if units else "bf16 without units for it on this CPU"
    if units and bf16_is_faster():
        return "bf16", said
    return ("fp32", f"fp32, faster here than {said}") if choice == "auto" else ("bf16", f"{said}, slower than fp32")


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


@cache
def bf16_is_faster() -> bool:
    """Whether this CPU multiplies matrices faster in bf16. Having units for it says little: there are processors whose
    AVX-512 takes longer for bf16 than for float32."""
    fp32 = torch.ones(512, 512)
    operands = {matrix.dtype: matrix for matrix in (fp32, fp32.bfloat16())}
    seconds: dict[torch.dtype, list[float]] = {dtype: [] for dtype in operands}
    for _ in range(6):  # by turns, so that what else runs here meets both
        for dtype, matrix in operands.items():
            began = time.perf_counter()
            torch.nn.functional.linear(matrix, matrix)
            seconds[dtype].append(time.perf_counter() - began)
    return min(seconds[torch.bfloat16]) < min(seconds[torch.float32])


def autocast(device: torch.device, precision: Precision) -> AbstractContextManager[object]:
    """fp32 as it is; bf16 for matrix products, with weights and sums in fp32."""
    if precision == "bf16":
        return torch.autocast(device.type, torch.bfloat16)
    return nullcontext()
