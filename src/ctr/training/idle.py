"""What a dense optimizer would have done to a row in the steps in which no batch touched it."""

from __future__ import annotations

import math

import numpy as np
import torch
from torch import Tensor

from ctr import native
from ctr.native import calls
from ctr.training.rule import Rule, States, Steps
from ctr.training.rules import AdamRule


class Idle:
    """The steps since all rows were last brought up to date, and each row's own last one.

    With L2 a missed step has the gradient l2 * w, and is made up for as the rule has it; without, Adam's moments and
    AdamW's decay are summed in closed form. Other rules leave an untouched row where it is.
    """

    def __init__(self, table: Tensor, rule: Rule, l2: float, momentum: bool, trained: bool = True):
        self.rule, self.l2, self.momentum = rule, l2, momentum
        decays = isinstance(rule, AdamRule) and rule.decay > 0
        self.moves = trained and (l2 > 0 or decays or (momentum and isinstance(rule, AdamRule)))
        self.touched = torch.zeros(len(table) if self.moves else 0, dtype=torch.int32)  # (N,) each row's last step
        self.touched = self.touched.to(table.device)
        self.base = 0  # the step at which every row was up to date; `steps` begin behind it
        self.steps = Steps(1, l2)
        self.sums = np.zeros((5, 256))  # by last step: see _sum_up
        self.summed = self.moves and l2 == 0
        if self.summed:
            self._begin(0)

    @property
    def now(self) -> int:
        return self.base + self.steps.count

    def not_stepped(self, rows: Tensor) -> None:
        """The step that `catch_up` prepared these rows for was not made."""
        if self.moves:
            self.touched.index_fill_(0, rows, self.now)

    def stepped(self, lr: float, scale: float) -> None:
        """A step was made, on the rows that `catch_up` was last called for."""
        if not self.moves:
            return
        self.steps.add(lr, scale)
        if self.summed:
            self._sum_up(lr)

    def _sum_up(self, lr: float) -> None:
        """For a row last touched at step base + i, column i: what decay has left of its weight; the sum of the rates
        that its moments have moved it by; what eps is beside the root of its second moment; what is left of either
        moment."""
        rule, step, count = self.rule, self.now, self.steps.count
        assert isinstance(rule, AdamRule)
        beta1, beta2 = rule.betas
        kept, moved, _, first, second = self.sums[:, :count]
        keep = 1 - lr * rule.decay
        if keep < 1:
            kept *= keep
            moved *= keep
        if self.momentum:
            first *= beta1
            second *= beta2
            rate = lr * math.sqrt(1 - beta2**step) / (1 - beta1**step)
            recent = slice(-_faded(beta1, beta2), None)
            moved[recent] += rate * first[recent] / np.sqrt(second[recent])
        self._begin(count)

    def _begin(self, column: int) -> None:
        """A column for the rows of the last step: nothing missed yet."""
        assert isinstance(self.rule, AdamRule)
        if column == self.sums.shape[1]:
            self.sums = np.concatenate([self.sums, np.empty_like(self.sums)], axis=1)
        beta2 = self.rule.betas[1]
        offset = self.rule.eps * math.sqrt((1 - beta2 ** (self.now + 1)) / beta2)
        self.sums[:, column] = (1, 0, offset, 1, 1)

    def catch_up(self, table: Tensor, states: States, rows: Tensor | None) -> None:
        """Brings the rows of the next batch, or all, to the step before the next."""
        if not self.moves:
            return
        if self.steps.count:
            if self.l2 > 0:
                self._make_up(table, states, torch.arange(len(table), device=table.device) if rows is None else rows)
            else:
                self._skip(table, states, rows)
        elif rows is not None:
            self.touched.index_fill_(0, rows, self.now + 1)
        if rows is None:
            self.base = self.now
            if self.summed:
                self.sums[:, 0] = self.sums[:, self.steps.count]
            self.steps = Steps(self.base + 1, self.l2)
            self.touched.fill_(self.now)
        elif self.l2 > 0:
            self.touched.index_fill_(0, rows, self.now + 1)

    def _make_up(self, table: Tensor, states: States, rows: Tensor) -> None:
        since = self.touched.index_select(0, rows).long().sub_(self.base)
        behind = since < self.steps.count
        rows, since = rows.masked_select(behind), since.masked_select(behind)
        if len(rows):
            self.rule.make_up(table, states, rows, since, self.steps)

    def _skip(self, table: Tensor, states: States, rows: Tensor | None) -> None:
        """All missed steps at once. Adam's eps is taken as in the first of them; it moves by 5 % in 100 steps."""
        first, second = states["exp_avg"], states["exp_avg_sq"]
        sums = torch.from_numpy(self.sums[:, : self.steps.count + 1].copy()).to(table.device, table.dtype)
        if native.serves(table, self.touched):
            count = len(table) if rows is None else len(rows)
            numbers = (count, table.shape[1], self.now, self.base, self.now + 1)
            calls.call("adam_catch_up", table, first, second, self.touched, rows, *numbers, *sums)
            return
        chosen = torch.arange(len(table), device=table.device) if rows is None else rows
        at = (self.touched.index_select(0, chosen) - self.base).long().clamp(max=self.steps.count)
        kept, moved, offset, shrink1, shrink2 = sums.index_select(1, at).unsqueeze(2)
        m, v = first.index_select(0, chosen), second.index_select(0, chosen)
        away = torch.where(m == 0, 0, moved * m / (v.sqrt() + offset))
        table.index_copy_(0, chosen, table.index_select(0, chosen).mul_(kept).sub_(away))
        first.index_copy_(0, chosen, m * shrink1)
        second.index_copy_(0, chosen, v * shrink2)
        self.touched.index_fill_(0, chosen, self.now + 1)

    def state_dict(self) -> dict[str, Tensor]:
        if not self.moves:
            return {}
        return {
            "touched": self.touched,
            "base": torch.tensor(self.base),
            "lrs": torch.from_numpy(self.steps.lrs.copy()),
            "scales": torch.from_numpy(self.steps.scales.copy()),
            "sums": torch.from_numpy(self.sums[:, : self.steps.count + 1 if self.summed else 1].copy()),
        }

    def load_state_dict(self, state: dict[str, Tensor]) -> None:
        if not self.moves:
            return
        self.touched.copy_(state["touched"])
        self.base = int(state["base"])
        self.steps = Steps(self.base + 1, self.l2)
        for lr, scale in zip(state["lrs"].tolist(), state["scales"].tolist(), strict=True):
            self.steps.add(lr, scale)
        self.sums = state["sums"].numpy().copy()


def _faded(beta1: float, beta2: float) -> int:
    """After so many steps less than 1e-18 of what a row's moments move it by is left."""
    return 1 if beta1 == 0 else math.ceil(math.log(1e-18) / math.log(beta1 / math.sqrt(beta2)))
