"""Optimizers whose time per step does not grow with the vocabulary.

Each gives tables a rule for the rows of the batch (ctr.training.rules), and all other parameters the dense optimizer of
the same name. `dense_up_to` is the size, in rows, up to which a table is left to the dense one as well.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, Protocol

import torch

from ctr.errors import UserError
from ctr.training.dense import OPTIMIZERS, uncompiled
from ctr.training.rule import Rule
from ctr.training.rules import (
    AdagradRule,
    AdamRule,
    FTRLRule,
    RowwiseAdagradRule,
    SGDRule,
    ftrl_states,
    ftrl_step,
)

ParamGroups = list[dict[str, Any]]


class TableOptimizer(Protocol):
    dense_up_to: int
    momentum: bool  # do untouched rows move on by their moments, as they do under the dense optimizer?

    def dense(self, groups: ParamGroups) -> torch.optim.Optimizer: ...

    def rule(self) -> Rule: ...


class LazyAdam:
    """Adam, with tables trained by the rows of the batch.

    `catch_up`: a row also receives, when it is next touched, what its moments would have moved it in the meantime:
    the result is that of dense Adam. Without, moments of untouched rows rest. `weight_decay` is AdamW's, L2 the
    group's `l2`; both are exact for untouched rows too: the steps that L2 alone would have made are made up for one
    by one, moments included, whatever `catch_up` says.
    """

    def __init__(
        self,
        *,
        lr: float,
        betas: Sequence[float],
        eps: float,
        weight_decay: float,
        catch_up: bool,
        dense_up_to: int,
    ):
        if len(betas) != 2 or not 0 <= betas[0] < math.sqrt(max(betas[1], 0)) < 1 or eps < 0 or weight_decay < 0:
            raise UserError(
                f"adam needs betas with 0 <= beta1 < sqrt(beta2) < 1, eps and weight_decay from 0; found {betas}, "
                f"{eps}, {weight_decay}"
            )
        self.lr, self.betas, self.eps = lr, (betas[0], betas[1]), eps
        self.weight_decay, self.momentum, self.dense_up_to = weight_decay, catch_up, _rows(dense_up_to)

    def dense(self, groups: ParamGroups) -> torch.optim.Optimizer:
        kind = OPTIMIZERS["AdamW" if self.weight_decay else "Adam"]
        return kind(groups, lr=self.lr, betas=self.betas, eps=self.eps, weight_decay=self.weight_decay, fused=True)

    def rule(self) -> Rule:
        return AdamRule(self.betas, self.eps, self.weight_decay)


class LazyAdagrad:
    """Adagrad, with tables trained by the rows of the batch; `rowwise` keeps one accumulator a row instead of D."""

    momentum = False

    def __init__(self, *, lr: float, initial_accumulator_value: float, eps: float, rowwise: bool, dense_up_to: int):
        if initial_accumulator_value < 0 or eps < 0:
            raise UserError(f"adagrad's accumulator and eps start from 0; found {initial_accumulator_value}, {eps}")
        self.lr, self.initial, self.eps, self.rowwise = lr, initial_accumulator_value, eps, rowwise
        self.dense_up_to = _rows(dense_up_to)
        if rowwise and dense_up_to:
            raise UserError("row-wise Adagrad has no dense form: set dense_up_to=0")

    def dense(self, groups: ParamGroups) -> torch.optim.Optimizer:
        fused = all(p.device.type == "cpu" for group in groups for p in group["params"])  # it has no other kernel
        return OPTIMIZERS["Adagrad"](
            groups, lr=self.lr, initial_accumulator_value=self.initial, eps=self.eps, fused=fused
        )

    def rule(self) -> Rule:
        return (RowwiseAdagradRule if self.rowwise else AdagradRule)(self.initial, self.eps)


class LazySGD:
    """Gradient descent, with tables trained by the rows of the batch: the same as dense, without momentum."""

    momentum = False

    def __init__(self, *, lr: float, dense_up_to: int):
        self.lr, self.dense_up_to = lr, _rows(dense_up_to)

    def dense(self, groups: ParamGroups) -> torch.optim.Optimizer:
        return OPTIMIZERS["SGD"](groups, lr=self.lr)

    def rule(self) -> Rule:
        return SGDRule()


class FTRLProximal:
    """FTRL-Proximal with per-coordinate rates (McMahan et al. 2013, algorithm 1); `lr` is its alpha.

    Made for the first-order part (`l1` makes it sparse); the rate falls by itself, so the schedule should be constant.
    """

    momentum = False

    def __init__(self, *, lr: float, beta: float, l1: float, l2: float, dense_up_to: int):
        if not lr > 0 or not beta > 0 or l1 < 0 or l2 < 0:
            raise UserError(f"ftrl needs lr and beta above 0, l1 and l2 from 0; found {lr}, {beta}, {l1}, {l2}")
        self.lr, self.beta, self.l1, self.l2, self.dense_up_to = lr, beta, l1, l2, _rows(dense_up_to)

    def dense(self, groups: ParamGroups) -> torch.optim.Optimizer:
        return DenseFTRL(groups, lr=self.lr, beta=self.beta, l1=self.l1, l2=self.l2)

    def rule(self) -> Rule:
        return FTRLRule(self.beta, self.l1, self.l2)


@uncompiled
class DenseFTRL(torch.optim.Optimizer):
    """FTRL-Proximal on whole tensors."""

    def __init__(self, params: Any, *, lr: float, beta: float, l1: float, l2: float):
        super().__init__(params, {"lr": lr, "beta": beta, "l1": l1, "l2": l2})

    def step(self, closure: None = None) -> None:  # type: ignore[override]
        for group in self.param_groups:
            lr, beta, l1, l2 = (group[name] for name in ("lr", "beta", "l1", "l2"))
            for w in (p for p in group["params"] if p.grad is not None):
                state = self.state[w]
                if not state:
                    state.update(ftrl_states(w, lr, beta, l1, l2))
                w.copy_(ftrl_step(w, state, w.grad, lr, beta, l1, l2))


def _rows(dense_up_to: int) -> int:
    if dense_up_to < 0:
        raise UserError(f"dense_up_to must be at least 0 rows, found {dense_up_to}")
    return dense_up_to
