"""What moves the rows of a table (ctr.training.rules), and the steps that rows have missed."""

from __future__ import annotations

import math
from typing import Protocol

import numpy as np
import torch
from torch import Tensor

States = dict[str, Tensor]


class Steps:
    """Steps in a row, the first of which has the number `first`: each one's learning rate, what clipping left of its
    gradients, its L2 after that, and the logarithm of what it and those before leave of a weight that has no other
    gradient, under gradient descent."""

    def __init__(self, first: int, l2: float):
        self.first, self.l2, self.count = first, l2, 0
        self.columns = np.zeros((4, 256))

    def add(self, lr: float, scale: float) -> None:
        if self.count == self.columns.shape[1]:
            self.columns = np.concatenate([self.columns, np.empty_like(self.columns)], axis=1)
        l2 = self.l2 * scale
        log = math.log1p(-lr * l2) if lr * l2 < 1 else math.nan  # else the weight changes its sign
        before = self.columns[3, self.count - 1] if self.count else 0.0
        self.columns[:, self.count] = (lr, scale, l2, before + log)
        self.count += 1

    @property
    def lrs(self) -> np.ndarray:
        return self.columns[0, : self.count]

    @property
    def scales(self) -> np.ndarray:
        return self.columns[1, : self.count]

    @property
    def l2s(self) -> np.ndarray:
        return self.columns[2, : self.count]

    @property
    def logs(self) -> np.ndarray:
        return self.columns[3, : self.count]


class Rule(Protocol):
    def states(self, table: Tensor, lr: float) -> States:
        """What the rule keeps for each row of a table (N, D), before its first step."""
        ...

    def step(self, table: Tensor, states: States, rows: Tensor, grad: Tensor, lr: float, step: int) -> None:
        """The step of this number, from 1, on different rows (U,) with their gradients (U, D); in place."""
        ...

    def make_up(self, table: Tensor, states: States, rows: Tensor, since: Tensor, steps: Steps) -> None:
        """The steps that different rows (U,) have missed, each with the gradient l2 * w: row u has made the first
        since[u] of `steps`, but not all of them; in place."""
        ...


class OneByOne:
    """Makes up for missed steps by making each of them, on all rows that missed it."""

    def make_up(self: Rule, table: Tensor, states: States, rows: Tensor, since: Tensor, steps: Steps) -> None:
        since, order = since.sort(stable=True)
        rows, since = rows.index_select(0, order), since.cpu()
        for number in range(int(since[0]), steps.count):
            idle = rows[: int(torch.searchsorted(since, number, right=True))]
            grad = table.index_select(0, idle).mul_(float(steps.l2s[number]))
            self.step(table, states, idle, grad, float(steps.lrs[number]), steps.first + number)
