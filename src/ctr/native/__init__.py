"""Kernels behind the blocks and the table optimizers, and which of them run.

Every kernel stands for some lines of plain PyTorch, which run where there is none: on a GPU, in float64, under
`torch.compile` and `torch.export`, and on a machine without a C++ compiler.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Literal

import torch
from torch import Tensor

from ctr.errors import UserError
from ctr.native.library import NoCompiler, load

Kernels = Literal["auto", "native", "plain"]

_on = False
_straight = False


def use(kernels: Kernels) -> str:
    """Chooses the kernels of this process and says in a few words what runs.

    Raises UserError where "native" cannot be had; "auto" then goes on with plain PyTorch, and says so.
    """
    global _on
    _on = False
    if kernels == "plain":
        return "plain PyTorch (kernels=plain)"
    try:
        load()
    except NoCompiler as reason:
        if kernels == "native":
            raise UserError(f"kernels=native: {reason}; install g++ or clang++, or use kernels=plain") from reason
        return f"plain PyTorch, two to four times slower: {reason}"
    _on = True
    return "native kernels"


@contextmanager
def straight() -> Iterator[None]:
    """Inside, gradients of what was looked up may go straight to the rows of a table: nobody asks for them on the
    way."""
    global _straight
    before, _straight = _straight, True
    try:
        yield
    finally:
        _straight = before


def goes_straight() -> bool:
    return _straight


def in_use() -> bool:
    """Do native kernels run in this process, where they can?"""
    return _on


def serves(*tensors: Tensor, bf16: bool = False) -> bool:
    """Do the kernels take these tensors, and no compilation or export is watching? Numbers are float32, or bfloat16
    where the kernel has a form for it."""
    numbers = (torch.float32, torch.bfloat16) if bf16 else (torch.float32,)
    return (
        _on
        and not torch.compiler.is_compiling()
        and all(
            tensor.device.type == "cpu"
            and tensor.is_contiguous()
            and (tensor.dtype in numbers or not tensor.is_floating_point())
            for tensor in tensors
        )
    )


def check_range(ids: Tensor, num_rows: int) -> None:
    """Raises IndexError for an id that is no row of a table of `num_rows`: the kernels would read behind it."""
    low, high = ids.aminmax() if ids.numel() else (0, 0)
    if low < 0 or high >= num_rows:
        raise IndexError(f"feature ids must be from 0 to {num_rows - 1}, found {int(low)} to {int(high)}")
