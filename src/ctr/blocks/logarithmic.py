"""Cross features whose orders are learnt."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn
from torch.autograd.function import once_differentiable

from ctr import native
from ctr.blocks.units import remember
from ctr.native import calls


class LogarithmicTransform(nn.Module):
    """exp(sum_f w_lf ln |e_f|) = prod_f |e_f|^w_lf, component by component: (B, F, D) -> (B, L, D).

    Cheng, Shen and Huang, "Adaptive Factorization Network", AAAI 2020, the logarithmic transformation layer. Batch norm
    follows the logarithm, one a field, and the exponential, one a neuron. Magnitudes below `min_magnitude` count as
    that, and send no gradient: ln 0 has no value. Signs do not count, so x and -x are one number to it.
    """

    def __init__(self, num_fields: int, num_neurons: int, *, min_magnitude: float):
        super().__init__()
        if num_neurons < 1 or min_magnitude <= 0:
            raise ValueError(
                f"num_neurons must be at least 1 and min_magnitude above 0, found {num_neurons} and {min_magnitude}"
            )
        self.min_magnitude = min_magnitude
        self.log_norm = nn.BatchNorm1d(num_fields)
        self.orders = nn.Parameter(nn.init.xavier_normal_(torch.empty(num_neurons, num_fields)))  # (L, F)
        self.exp_norm = nn.BatchNorm1d(num_neurons)

    def forward(self, vectors: Tensor) -> Tensor:
        logs = self.log_norm(vectors.abs().clamp(min=self.min_magnitude).log()).to(self.orders.dtype)  # (B, F, D)
        return normed_powers(logs, self.orders, self.exp_norm)

    def extra_repr(self) -> str:
        return f"min_magnitude={self.min_magnitude}"


def normed_powers(logs: Tensor, orders: Tensor, norm: nn.Module) -> Tensor:
    """norm(exp(orders @ logs)): (B, F, D), (L, F) -> (B, L, D).

    L is large, so that on a CPU neither the powers nor their gradients are ever kept: each pass computes them anew. In
    an autocast region the powers are in the precision of the orders all the same; the kernel's result is in the
    region's, in which the layer after it would take it anyway.
    """
    if _kernel_takes(logs, orders, norm):
        assert isinstance(norm, nn.BatchNorm1d)
        run: Callable[..., Tensor] = _NormedPowers.apply
        return run(logs, orders, norm.weight, norm.bias, norm)
    with torch.autocast(logs.device.type, enabled=False):  # an exponential makes bf16's error a relative one
        powers = (orders @ logs).exp()
    normed: Tensor = norm(powers)
    return normed


def _kernel_takes(logs: Tensor, orders: Tensor, norm: nn.Module) -> bool:
    return (
        isinstance(norm, nn.BatchNorm1d)
        and (norm.training or not torch.is_grad_enabled())  # with running statistics there is no backward pass
        and native.serves(logs, orders)
        and len(logs) > 1
    )


class _NormedPowers(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, logs: Tensor, orders: Tensor, weight: Tensor, bias: Tensor, norm: nn.BatchNorm1d) -> Tensor:
        rows, fields, dim = logs.shape
        neurons = len(orders)
        halves = torch.is_autocast_enabled("cpu") and torch.get_autocast_dtype("cpu") == torch.bfloat16
        out = logs.new_empty(rows, neurons, dim, dtype=torch.bfloat16 if halves else torch.float32)
        mean, variance, rstd = torch.empty(3, neurons).unbind()
        if not norm.training:
            assert norm.running_mean is not None
            assert norm.running_var is not None
            mean, rstd = norm.running_mean, (norm.running_var + norm.eps).rsqrt()
        settings = (rows, fields, neurons, dim, int(norm.training), weight, bias, float(norm.eps))
        calls.call(calls.of_dtype("powers", out), logs, orders, *settings, mean, variance, rstd, out)
        if norm.training:
            remember(norm, mean, variance, rows * dim)
        ctx.save_for_backward(logs, orders, weight, mean, rstd)
        return out

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor | None, ...]:
        logs, orders, weight, mean, rstd = ctx.saved_tensors
        grad, settings = grad.contiguous(), (*logs.shape[:2], len(orders), logs.shape[2], weight, mean, rstd)
        grad_logs, grad_orders = torch.empty_like(logs), torch.empty_like(orders)
        grad_weight, grad_bias = torch.empty(2, len(orders)).unbind()
        name = calls.of_dtype("powers_backward", grad)
        calls.call(name, grad, logs, orders, *settings, grad_logs, grad_orders, grad_weight, grad_bias)
        return grad_logs, grad_orders, grad_weight, grad_bias, None
