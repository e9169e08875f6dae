"""x_i * v_i for every slot, in plain PyTorch and by the native kernels."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable
from torch.nn import functional

from ctr import native
from ctr.native import calls


def lookup(table: Tensor, ids: Tensor, values: Tensor) -> Tensor:
    """table (N, D), ids (B, S) int32 or int64, values (B, S) -> (B, S, D)."""
    ones = all_ones(values)
    if native.serves(table, ids) and (ones or native.serves(values)) and _kernel_takes(table, values):
        run: Callable[..., Tensor] = _Lookup.apply
        return run(table, ids, None if ones else values)
    rows = functional.embedding(ids, table)
    return rows if ones else rows * values.unsqueeze(-1)


def all_ones(values: Tensor) -> bool:
    """Are these values 1 by construction (ctr.batch.ones)? Then nothing has to be multiplied."""
    if torch.compiler.is_compiling():
        return False
    return values.numel() > 0 and not any(values.stride()) and values.device.type == "cpu" and values[0, 0].item() == 1


def _kernel_takes(table: Tensor, values: Tensor) -> bool:
    return table.dtype == torch.float32 and values.dtype == torch.float32 and not values.requires_grad


class _Lookup(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, table: Tensor, ids: Tensor, values: Tensor | None) -> Tensor:
        out = table.new_empty(*ids.shape, table.shape[1])
        kernel = "lookup_i32" if ids.dtype == torch.int32 else "lookup_i64"
        calls.call(kernel, table, ids, values, ids.numel(), table.shape[1], out)
        ctx.ids, ctx.values, ctx.num_rows = ids, values, table.shape[0]
        return out

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor, None, None]:
        where: calls.Occurrences | None = getattr(ctx.ids, "occurrences", None)
        if where is None:  # the ids of a dense table: the same for all tables of the batch
            where = ctx.ids.occurrences = calls.occurrences(ctx.ids, ctx.num_rows)
        out = grad.new_empty(ctx.num_rows, grad.shape[-1])
        grad = grad.contiguous()
        calls.call("lookup_backward", grad, ctx.values, where.starts, where.order, ctx.num_rows, grad.shape[-1], out)
        return out, None, None
