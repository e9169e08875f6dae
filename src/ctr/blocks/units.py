"""A layer of hidden units: matrix product, batch norm, activation, dropout."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, cast

import torch
from torch import Tensor, nn
from torch.autograd.function import once_differentiable
from torch.nn import functional

from ctr import native
from ctr.blocks.dropout import Dropout
from ctr.native import calls


def units(
    inputs: Tensor,
    linear: nn.Linear,
    norm: nn.BatchNorm1d | None,
    activation: nn.Module,
    dropout: Dropout,
    *,
    plus: Tensor | None = None,
) -> Tensor:
    """dropout(activation(norm(linear(inputs) + plus))): (B, in_features) -> (B, H).

    For ReLU on a CPU in training, what follows the product is one pass forward and two backward.
    """
    if not _kernel_takes(linear, norm, activation, dropout) or not native.serves(inputs, bf16=True) or len(inputs) < 2:
        sums = linear(inputs) if plus is None else linear(inputs) + plus
        return cast(Tensor, dropout(activation(sums if norm is None else norm(sums))))
    products: Tensor = functional.linear(inputs, linear.weight)
    if plus is not None:
        products = products + plus
    run: Callable[..., Tensor] = _Units.apply
    if norm is None:
        hidden = run(products, None, linear.bias, None, None, dropout.dropped)
    else:  # which takes the layer's bias away again: it only moves the running mean
        hidden = run(products, norm.weight, norm.bias, linear.bias, norm, dropout.dropped)
    return hidden


def _kernel_takes(linear: nn.Linear, norm: nn.BatchNorm1d | None, activation: nn.Module, dropout: Dropout) -> bool:
    return (
        dropout.training
        and isinstance(activation, nn.ReLU)
        and linear.bias is not None
        and linear.weight.dtype == torch.float32
        and (norm is None or norm.training)
    )


class _Units(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: Any,
        products: Tensor,
        weight: Tensor | None,
        bias: Tensor,
        shift: Tensor | None,
        norm: nn.BatchNorm1d | None,
        dropped: int,
    ) -> Tensor:
        rows, width = products.shape
        out = torch.empty_like(products)
        seed = int(torch.randint(1 << 62, ()).item()) if dropped else 0
        mean, variance, rstd = torch.empty(3, width).unbind()
        eps, name = 0.0 if norm is None else float(norm.eps), calls.of_dtype("units", products)
        settings = (rows, width, int(norm is not None), weight, bias, eps, dropped, seed)
        calls.call(name, products, *settings, mean, variance, rstd, out)
        if norm is not None and shift is not None:
            remember(norm, mean + shift, variance, rows)
        ctx.save_for_backward(products, out, weight, mean, rstd)
        ctx.dropped, ctx.shifted = dropped, shift is not None
        return out

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor | None, ...]:
        products, out, weight, mean, rstd = ctx.saved_tensors
        rows, width = products.shape
        grad, grad_products = grad.contiguous(), torch.empty_like(products)
        grad_weight, grad_bias = torch.empty(2, width).unbind()
        settings = (rows, width, int(weight is not None), weight, mean, rstd, ctx.dropped)
        calls.call(
            calls.of_dtype("units_backward", products),
            grad,
            products,
            out,
            *settings,
            grad_weight,
            grad_bias,
            grad_products,
        )
        grad_shift = torch.zeros(width) if ctx.shifted else None
        return grad_products, None if weight is None else grad_weight, grad_bias, grad_shift, None, None


def remember(norm: nn.BatchNorm1d, mean: Tensor, variance: Tensor, count: int) -> None:
    """The running statistics, as torch keeps them: of the unbiased variance."""
    assert norm.running_mean is not None
    assert norm.running_var is not None
    assert norm.num_batches_tracked is not None
    assert norm.momentum is not None
    norm.num_batches_tracked += 1
    norm.running_mean.lerp_(mean, norm.momentum)
    norm.running_var.lerp_(variance * (count / (count - 1)), norm.momentum)
