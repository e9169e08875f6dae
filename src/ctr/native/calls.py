"""The kernels, called with tensors. Shapes are those of the plain PyTorch beside each call; nothing is checked here."""

from __future__ import annotations

import ctypes
from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np
import torch
from torch import Tensor

from ctr.native.library import load

Argument = Tensor | np.ndarray | int | float | None


def call(name: str, *arguments: Argument) -> Any:
    """Tensors and arrays as pointers, whole numbers as int64, others as float; the number of threads comes last."""
    kernel = getattr(load(), name)
    return kernel(*_converted(kernel, *arguments), torch.get_num_threads())


def of_dtype(name: str, numbers: Tensor) -> str:
    """The name of the kernel's form for these numbers, float32 or bfloat16."""
    return f"{name}_{'bf16' if numbers.dtype == torch.bfloat16 else 'f32'}"


def _converted(kernel: Any, *arguments: Argument) -> list[int | float | None]:
    """What ctypes turns into C by the types of the kernel's parameters, which its first call tells it."""
    if kernel.argtypes is None:
        kernel.argtypes = [_kind(argument) for argument in arguments]
    return [  # here and not in a function of its own: a small step has a hundred arguments
        argument.data_ptr()
        if isinstance(argument, Tensor)
        else argument.ctypes.data
        if isinstance(argument, np.ndarray)
        else argument
        for argument in arguments
    ]


def _kind(argument: Argument) -> type[Any]:
    if isinstance(argument, int):
        return ctypes.c_int64
    return ctypes.c_float if isinstance(argument, float) else ctypes.c_void_p


@dataclass(frozen=True)
class Occurrences:
    """Where each row stands in a batch: row u in the slots order[starts[u]] ... order[starts[u + 1] - 1]."""

    starts: Tensor  # (rows + 1,) int32
    order: Tensor  # (B * S,) int32


_expected = 4096  # how many different rows the last batch had: a guess at the next


def distinct(ids: Tensor) -> tuple[Tensor, Tensor, Occurrences]:
    """(B, S) int64 ids: the different ones (U,), each slot's place among them (B, S) int32, and their occurrences."""
    global _expected
    n = ids.numel()
    rows, local = torch.empty(n, dtype=torch.int64), torch.empty(ids.shape, dtype=torch.int32)
    starts, order = torch.empty(n + 1, dtype=torch.int32), torch.empty(n, dtype=torch.int32)
    kernel = load().distinct
    kernel.restype = ctypes.c_int64
    found: int = kernel(*_converted(kernel, ids, n, rows, local, starts, order, _expected))
    _expected = max(4096, found)
    return rows[:found], local, Occurrences(starts[: found + 1], order)


def occurrences(ids: Tensor, num_rows: int) -> Occurrences:
    """Of each of `num_rows` rows."""
    wide = ids.to(torch.int64)
    starts, order = torch.empty(num_rows + 1, dtype=torch.int32), torch.empty(ids.numel(), dtype=torch.int32)
    kernel = load().occurrences
    kernel(*_converted(kernel, wide, wide.numel(), num_rows, starts, order))
    return Occurrences(starts, order)


def write_slots(stored: np.ndarray, rows: np.ndarray, slots: tuple[int, ...], constant: np.ndarray) -> np.ndarray:
    """These rows of `stored`, (N, width), written out to all slots, (B, S): column k goes to slots[k]."""
    columns = _columns(slots, len(constant))
    rows = np.ascontiguousarray(rows, dtype=np.int64)
    out = np.empty((len(rows), len(constant)), dtype=constant.dtype)
    numbers = (columns, constant, len(constant), out)
    call(f"slots_{stored.dtype.name}", stored, stored.shape[1], rows, len(rows), *numbers)
    return out


@cache
def _columns(slots: tuple[int, ...], count: int) -> np.ndarray:
    """The stored column of each of `count` slots, (S,) int32; -1 where none is."""
    columns = np.full(count, -1, dtype=np.int32)
    columns[list(slots)] = np.arange(len(slots))
    return columns
