"""How an optimizer moves the rows of a table that a batch touched: in plain PyTorch, the most used also by native
kernels. Each is held to a dense twin in the tests."""

from __future__ import annotations

import math

import numpy as np
import torch
from torch import Tensor

from ctr import native
from ctr.errors import UserError
from ctr.native import calls
from ctr.training.rule import OneByOne, States, Steps


class AdamRule(OneByOne):
    """Adam (Kingma and Ba 2015, algorithm 1); `decay` is AdamW's (Loshchilov and Hutter 2019, algorithm 2)."""

    def __init__(self, betas: tuple[float, float], eps: float, decay: float):
        self.betas, self.eps, self.decay = betas, eps, decay

    def states(self, table: Tensor, lr: float) -> States:
        return {"exp_avg": torch.zeros_like(table), "exp_avg_sq": torch.zeros_like(table)}

    def step(self, table: Tensor, states: States, rows: Tensor, grad: Tensor, lr: float, step: int) -> None:
        first, second = states["exp_avg"], states["exp_avg_sq"]
        (beta1, beta2), eps = self.betas, self.eps
        c1, c2 = 1 - beta1**step, 1 - beta2**step
        if native.serves(table, grad):
            numbers = (lr, self.decay, beta2, 1 - beta1, 1 - beta2, eps, c1, c2)
            calls.call("adam_rows", table, first, second, rows, len(rows), table.shape[1], grad, *map(float, numbers))
            return
        m = first.index_select(0, rows).lerp_(grad, 1 - beta1)
        v = second.index_select(0, rows).mul_(beta2).addcmul_(grad, grad, value=1 - beta2)
        moved = (m * (lr / c1)).div_((v / c2).sqrt_().add_(eps))
        table.index_copy_(0, rows, table.index_select(0, rows).mul_(1 - lr * self.decay).sub_(moved))
        first.index_copy_(0, rows, m)
        second.index_copy_(0, rows, v)

    def make_up(self, table: Tensor, states: States, rows: Tensor, since: Tensor, steps: Steps) -> None:
        if not native.serves(table):
            super().make_up(table, states, rows, since, steps)
            return
        beta1, beta2 = self.betas
        numbers = steps.first + np.arange(steps.count)
        of_steps = (
            steps.lrs / (1 - beta1**numbers),
            1 / np.sqrt(1 - beta2**numbers),
            1 - steps.lrs * self.decay,
            steps.l2s,
        )
        arrays = [np.asarray(column, dtype=np.float32) for column in of_steps]
        sizes = (len(rows), table.shape[1], steps.count)
        constants = map(float, (beta2, 1 - beta1, 1 - beta2, self.eps))
        calls.call(
            "adam_idle", table, states["exp_avg"], states["exp_avg_sq"], rows, since, *sizes, *arrays, *constants
        )


class AdagradRule(OneByOne):
    """Adagrad (Duchi, Hazan and Singer 2011). A row without a gradient does not move: this is the dense optimizer."""

    def __init__(self, initial: float, eps: float):
        self.initial, self.eps = initial, eps

    def states(self, table: Tensor, lr: float) -> States:
        return {"sum": torch.full_like(table, self.initial)}

    def step(self, table: Tensor, states: States, rows: Tensor, grad: Tensor, lr: float, step: int) -> None:
        squares = states["sum"]
        if native.serves(table, grad):
            width = table.shape[1]
            calls.call("adagrad_rows", table, squares, rows, len(rows), width, grad, float(lr), float(self.eps))
            return
        sums = squares.index_select(0, rows).addcmul_(grad, grad)
        moved = torch.where(grad == 0, 0, lr * grad / (sums.sqrt() + self.eps))
        table.index_copy_(0, rows, table.index_select(0, rows).sub_(moved))
        squares.index_copy_(0, rows, sums)

    def make_up(self, table: Tensor, states: States, rows: Tensor, since: Tensor, steps: Steps) -> None:
        if not native.serves(table):
            super().make_up(table, states, rows, since, steps)
            return
        sizes = (len(rows), table.shape[1], steps.count)
        arrays = (steps.lrs.astype(np.float32), steps.l2s.astype(np.float32))
        calls.call("adagrad_idle", table, states["sum"], rows, since, *sizes, *arrays, float(self.eps))


class RowwiseAdagradRule(OneByOne):
    """Adagrad with one accumulator a row, the mean of its squared gradients: a state of 1 / D of the table."""

    def __init__(self, initial: float, eps: float):
        self.initial, self.eps = initial, eps

    def states(self, table: Tensor, lr: float) -> States:
        return {"sum": table.new_full((len(table),), self.initial)}

    def step(self, table: Tensor, states: States, rows: Tensor, grad: Tensor, lr: float, step: int) -> None:
        squares = states["sum"]
        if native.serves(table, grad):
            width = table.shape[1]
            calls.call("rowwise_adagrad_rows", table, squares, rows, len(rows), width, grad, float(lr), float(self.eps))
            return
        mean = grad.square().mean(dim=1)
        sums = squares.index_select(0, rows).add_(mean)
        rates = torch.where(mean == 0, 0, lr / (sums.sqrt() + self.eps))
        table.index_copy_(0, rows, table.index_select(0, rows).sub_(rates.unsqueeze(1) * grad))
        squares.index_copy_(0, rows, sums)


class FTRLRule(OneByOne):
    """FTRL-Proximal (McMahan et al. 2013, algorithm 1): a weight from 0 stays 0 until its gradients outweigh l1. Its
    rate falls by itself, coordinate by coordinate: meant for a constant `lr`."""

    def __init__(self, beta: float, l1: float, l2: float):
        self.beta, self.l1, self.l2 = beta, l1, l2

    def states(self, table: Tensor, lr: float) -> States:
        if not lr > 0:
            raise UserError(f"ftrl needs a learning rate above 0 in every group, found {lr}")
        return ftrl_states(table, lr, self.beta, self.l1, self.l2)

    def step(self, table: Tensor, states: States, rows: Tensor, grad: Tensor, lr: float, step: int) -> None:
        of_rows = {name: state.index_select(0, rows) for name, state in states.items()}
        table.index_copy_(
            0, rows, ftrl_step(table.index_select(0, rows), of_rows, grad, lr, self.beta, self.l1, self.l2)
        )
        for name, state in states.items():
            state.index_copy_(0, rows, of_rows[name])


class SGDRule(OneByOne):
    """Plain gradient descent."""

    def states(self, table: Tensor, lr: float) -> States:
        return {}

    def step(self, table: Tensor, states: States, rows: Tensor, grad: Tensor, lr: float, step: int) -> None:
        table.index_add_(0, rows, grad, alpha=-lr)

    def make_up(self, table: Tensor, states: States, rows: Tensor, since: Tensor, steps: Steps) -> None:
        """All at once: each step multiplies a row by 1 - lr * l2."""
        if math.isnan(steps.logs[-1]):  # rows have changed their signs: no rates for a training, but the dense steps
            super().make_up(table, states, rows, since, steps)
            return
        logs = torch.from_numpy(steps.logs).to(table.device)
        made = torch.where(since > 0, logs[since - 1], 0.0)
        factors = (logs[-1] - made).exp_().to(table.dtype)
        table.index_copy_(0, rows, table.index_select(0, rows).mul_(factors.unsqueeze(1)))


def ftrl_states(w: Tensor, lr: float, beta: float, l1: float, l2: float) -> States:
    """The z and n that stand for these weights before the first step."""
    return {"z": -w * (beta / lr + l2) - w.sign() * l1, "n": torch.zeros_like(w)}


def ftrl_step(w: Tensor, states: States, grad: Tensor, lr: float, beta: float, l1: float, l2: float) -> Tensor:
    """The next weights; z and n in place. A weight is 0 where |z| <= l1, else
    -(z - sign(z) l1) / ((beta + sqrt(n)) / lr + l2)."""
    z, n = states["z"], states["n"]
    before = n.sqrt()
    n.addcmul_(grad, grad)
    z.add_(grad).sub_((n.sqrt() - before) / lr * w)
    return torch.where(z.abs() <= l1, 0, (z.sign() * l1 - z) / ((beta + n.sqrt()) / lr + l2))
