"""What the tests of the kernels share: random slots, and a function's value and gradients."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
from hypothesis import strategies as st
from torch import Tensor
from torch.nn import functional

from ctr.batch import ones
from ctr.native import calls

SIZES = st.integers(1, 12)
WIDTHS = st.sampled_from([1, 4, 5, 10, 16, 33])  # with a template of their own, and without
SEEDS = st.integers(0, 1 << 20)
THREADS = st.integers(1, 2)


@st.composite
def slots(draw) -> tuple[Tensor, Tensor, Tensor]:
    """A table (N, D), ids (B, S) with duplicates, and values (B, S): numbers, numbers and zeros, or all 1."""
    rows, batch, width, num_slots = draw(st.integers(1, 40)), draw(SIZES), draw(WIDTHS), draw(SIZES)
    threads(draw(THREADS))
    torch.manual_seed(draw(SEEDS))
    kind, numbers = draw(st.sampled_from(["numbers", "zeros", "ones"])), torch.randn(batch, num_slots)
    values = {"numbers": numbers, "zeros": numbers * (numbers > 0), "ones": ones(batch, num_slots)}[kind]
    return torch.randn(rows, width), torch.randint(rows, (batch, num_slots)), values


def threads(number: int) -> None:
    torch.set_num_threads(number)


def with_gradients(function: Callable[..., Tensor], *leaves: Tensor, upstream: Tensor) -> list[Tensor]:
    """The function's value, and the gradients of sum(value * upstream), in the dtype of the leaves."""
    leaves = tuple(leaf.detach().requires_grad_() for leaf in leaves)
    value = function(*leaves)
    return [value.detach(), *torch.autograd.grad(value, leaves, upstream.to(value.dtype))]


def close(ours: Sequence[Tensor], truth: Sequence[Tensor], tolerance: float = 1e-5) -> None:
    """Float32 against float64, relative to the largest entry of all: terms that cancel leave an error of their own
    size, and those of a gradient, added up over a batch, may all but cancel where the values are large."""
    size = max([1.0, *(float(other.abs().max()) for other in truth if other.numel())])
    for one, other in zip(ours, truth, strict=True):
        torch.testing.assert_close(one.double(), other, rtol=0, atol=tolerance * size)


def one_hot_product(table: Tensor, ids: Tensor, values: Tensor) -> Tensor:
    """x (B, S, N) times table (N, D): what a lookup is."""
    one_hot = functional.one_hot(ids.long(), len(table)).to(table.dtype)
    return one_hot * values.to(table.dtype).unsqueeze(-1) @ table


def names_called(monkeypatch) -> list[str]:
    """The kernels that are called from now on."""
    names, call = [], calls.call
    monkeypatch.setattr(calls, "call", lambda name, *arguments: (names.append(name), call(name, *arguments))[1])
    return names
