"""Logits that learn from their mean."""

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn
from torch.autograd.function import once_differentiable


class LogitMean(nn.Module):
    """The mean of a model's logits: each (B,) -> (B,).

    With `distillation` a training step also lowers sum_k mean_b BCE(sigmoid(y_k), sigmoid(y)), where the mean y is the
    teacher and stands still. A model returns no loss: the gradient of that sum, (sigmoid(y_k) - sigmoid(y)) / B, joins
    the one which comes back to y_k. So it goes with a log loss that is averaged over the batch, which `needs_log_loss`
    tells a trainer. It counts every example alike, whatever the weights of rows, and is not in the printed loss.
    """

    def __init__(self, *, distillation: bool):
        super().__init__()
        self.distillation = distillation
        self.needs_log_loss = distillation

    def forward(self, *logits: Tensor) -> Tensor:
        mean = torch.stack(logits).mean(dim=0)
        if not (self.distillation and self.training):
            return mean
        teach: Callable[..., Tensor] = _Taught.apply
        return torch.stack([teach(logit, mean.detach()) for logit in logits]).mean(dim=0)

    def extra_repr(self) -> str:
        return f"distillation={self.distillation}"


class _Taught(torch.autograd.Function):
    """The logit itself; backward, the gradient of mean_b BCE(sigmoid(logit), sigmoid(teacher)) is added."""

    @staticmethod
    def forward(ctx: Any, logit: Tensor, teacher: Tensor) -> Tensor:
        exact = torch.promote_types(logit.dtype, torch.float32)
        ctx.save_for_backward((logit.to(exact).sigmoid() - teacher.to(exact).sigmoid()) / len(logit))
        return logit.view_as(logit)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor, None]:
        (pull,) = ctx.saved_tensors
        return grad + pull.to(grad.dtype), None
