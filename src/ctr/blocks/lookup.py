"""x_i * v_i for every slot, and what is summed from it, in plain PyTorch and by the native kernels."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable
from torch.nn import functional

from ctr import native
from ctr.native import calls


def lookup(table: Tensor, ids: Tensor, values: Tensor) -> Tensor:
    """x_i v_i: table (N, D), ids (B, S) int32 or int64, values (B, S) -> (B, S, D)."""
    slots = Slots.of(table, ids, values)
    if slots is None:
        rows = _rows(table, ids)
        return rows if all_ones(values) else rows * values.unsqueeze(-1)
    run: Callable[..., Tensor] = _Lookup.apply
    xv = run(table, slots)
    if xv.requires_grad and native.goes_straight():  # pairs then find their way back to the rows
        xv.origin = slots, xv._version  # type: ignore[attr-defined]
    return xv


def _rows(table: Tensor, ids: Tensor) -> Tensor:
    """table[ids]. On a CPU the gradient of `index_select`, by int64 ids, costs a fourth of `embedding`'s."""
    if table.device.type != "cpu" or torch.compiler.is_compiling():
        return functional.embedding(ids, table)
    return table.index_select(0, ids.flatten().long()).view(*ids.shape, table.shape[1])


def lookup_sum(table: Tensor, ids: Tensor, values: Tensor) -> Tensor:
    """sum_i x_i w_i: table (N, 1), ids and values (B, S) -> (B,)."""
    slots = Slots.of(table, ids, values)
    if slots is None:
        return lookup(table, ids, values).sum(dim=(1, 2))
    run: Callable[..., Tensor] = _LookupSum.apply
    return run(table, slots)


def pairs(xv: Tensor) -> Tensor:
    """sum_{i<j} x_i v_i * x_j v_j, element by element: (B, S, D) -> (B, D)."""
    if not native.serves(xv):
        return 0.5 * (xv.sum(dim=1).square() - xv.square().sum(dim=1))
    slots, version = getattr(xv, "origin", (None, 0))
    run: Callable[..., Tensor] = _Pairs.apply
    if slots is None or version != xv._version:  # or it was changed in place: no longer what was looked up
        return run(xv, None, None)
    return run(xv.detach(), slots.table, slots)


def all_ones(values: Tensor) -> bool:
    """Are these values 1 by construction (ctr.batch.ones)? Then nothing has to be multiplied."""
    if torch.compiler.is_compiling():
        return False
    return values.numel() > 0 and not any(values.stride()) and values.device.type == "cpu" and values[0, 0].item() == 1


def _check(ids: Tensor, num_rows: int) -> None:
    """Once for all tables of a batch."""
    if getattr(ids, "checked", None) != num_rows:
        native.check_range(ids, num_rows)
        ids.checked = num_rows  # type: ignore[attr-defined]


@dataclass
class Slots:
    """The slots of a batch, as the kernels take them."""

    table: Tensor  # (N, D)
    ids: Tensor  # (B, S) int32 or int64
    values: Tensor | None  # (B, S), where they are not all 1

    @staticmethod
    def of(table: Tensor, ids: Tensor, values: Tensor) -> Slots | None:
        """None where the kernels do not take them."""
        ones = all_ones(values)
        if not native.serves(table, ids) or not (ones or (native.serves(values) and not values.requires_grad)):
            return None
        _check(ids, len(table))
        return Slots(table, ids, None if ones else values)

    def call(self, kernel: str, *arguments: Tensor | int | None) -> None:
        """One of the kernels that come in two, for int32 and int64 ids."""
        calls.call(f"{kernel}_{'i32' if self.ids.dtype == torch.int32 else 'i64'}", self.table, self.ids, *arguments)

    def occurrences(self) -> calls.Occurrences:
        """Of each row of the table: found once a batch, for all tables of that size."""
        where: calls.Occurrences | None = getattr(self.ids, "occurrences", None)
        if where is None or len(where.starts) != len(self.table) + 1:
            where = calls.occurrences(self.ids, len(self.table))
            self.ids.occurrences = where  # type: ignore[attr-defined]
        return where


class _Lookup(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, table: Tensor, slots: Slots) -> Tensor:
        ctx.slots, width = slots, table.shape[1]
        out = table.new_empty(*slots.ids.shape, width)
        slots.call("lookup", slots.values, slots.ids.numel(), width, out)
        return out

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor, None]:
        slots, where = ctx.slots, ctx.slots.occurrences()
        grad, out = grad.contiguous(), torch.empty_like(slots.table)
        calls.call("lookup_backward", grad, slots.values, where.starts, where.order, *out.shape, out)
        return out, None


class _LookupSum(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, table: Tensor, slots: Slots) -> Tensor:
        ctx.slots = slots
        out = table.new_empty(len(slots.ids))
        slots.call("linear", slots.values, *slots.ids.shape, out)
        return out

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor, None]:
        slots, where = ctx.slots, ctx.slots.occurrences()
        out, count = torch.empty_like(slots.table), slots.ids.shape[1]
        calls.call("linear_backward", grad.contiguous(), slots.values, where.starts, where.order, len(out), count, out)
        return out, None


class _Pairs(torch.autograd.Function):
    """With `slots`, where xv comes from, the gradient goes to the rows of the table at once, and not through xv."""

    @staticmethod
    def forward(ctx: Any, xv: Tensor, table: Tensor | None, slots: Slots | None) -> Tensor:
        sums, out = xv.new_empty(len(xv), xv.shape[2]), xv.new_empty(len(xv), xv.shape[2])
        calls.call("bi_interaction", xv, *xv.shape, sums, out)
        ctx.slots = slots
        ctx.save_for_backward(xv if slots is None else table, sums)
        return out

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor | None, Tensor | None, None]:
        source, sums = ctx.saved_tensors
        one = grad.stride() == (1, 0)  # a sum over the components sends the same gradient to each
        grad, out, slots = grad if one else grad.contiguous(), torch.empty_like(source), ctx.slots
        if slots is None:
            calls.call("bi_interaction_backward", source, sums, grad, int(one), *source.shape, out)
            return out, None, None
        where, (num_rows, width) = slots.occurrences(), source.shape
        places = (slots.values, where.starts, where.order, num_rows, slots.ids.shape[1], width)
        calls.call("bi_interaction_rows", source, sums, grad, int(one), *places, out)
        return None, out, None
