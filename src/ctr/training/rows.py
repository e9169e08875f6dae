"""Training on the rows of a batch: a step reads and writes the rows that its ids name, whatever the size of the table.

The different ids of a batch are found once. The model then runs on small tables of just those rows, with ids renumbered
to match: to a model and its blocks nothing else changes, and autograd's dense gradient of a small table is the gradient
of the touched rows, duplicates summed.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import cast

import torch
from torch import Tensor, nn

from ctr import native
from ctr.native import calls
from ctr.training.idle import Idle
from ctr.training.memory import in_large_pages
from ctr.training.profile import phase
from ctr.training.rule import Rule, States


@dataclass
class Table:
    """The table (N, D) of a module that is trained by its rows."""

    name: str
    module: nn.Embedding
    rule: Rule
    group: str
    lr: float
    l2: float
    momentum: bool = False
    weight: nn.Parameter = field(init=False)
    states: States = field(init=False)
    trained: bool = field(init=False)  # or frozen, and only read
    idle: Idle = field(init=False)
    batch: Tensor = field(init=False)  # (U, D) the rows of the batch, a leaf of autograd

    def __post_init__(self) -> None:
        self.weight = cast(nn.Parameter, self.module.weight)
        self.trained = self.weight.requires_grad
        self.states = self.rule.states(self.weight.data, self.lr) if self.trained else {}
        self.idle = Idle(self.weight.data, self.rule, self.l2, self.momentum, self.trained)
        for tensor in (self.weight.data, *self.states.values(), self.idle.touched):
            in_large_pages(tensor)


class RowTables:
    """The tables of a model that are trained by their rows; there may be none."""

    def __init__(self, tables: Iterable[Table]):
        self.tables = list(tables)
        self.rows = torch.empty(0, dtype=torch.int64)
        self.steps = 0
        self.open = False  # is there a forward whose step has not been made?

    def forward(self, model: nn.Module, ids: Tensor, values: Tensor) -> Tensor:
        """model(ids, values), on the tables of the batch's rows."""
        if not self.tables:
            return cast(Tensor, model(ids, values))
        with phase("lookup"):
            if self.open:
                for table in self.tables:
                    table.idle.not_stepped(self.rows)
            self.rows, local = distinct(ids, len(self.tables[0].weight))
            self.open = True
            for table in self.tables:
                table.idle.catch_up(table.weight.data, table.states, self.rows)
                table.batch = gather(table.weight.data, self.rows).requires_grad_(table.trained)
        with self._of_the_batch():
            return cast(Tensor, model(local, values))

    @contextmanager
    def _of_the_batch(self) -> Iterator[None]:
        """Inside, the modules have the batch's rows for a table: what torch.func.functional_call does, which walks
        through the whole model to find them, in every step."""
        for table in self.tables:
            table.module._parameters["weight"] = cast(nn.Parameter, table.batch)
        try:
            yield
        finally:
            for table in self.tables:
                table.module._parameters["weight"] = table.weight

    def add_l2(self) -> None:
        """To the gradients of the batch's rows; the other rows get theirs when they are next touched."""
        for table in self.tables:
            if table.l2 > 0 and table.batch.grad is not None:
                table.batch.grad.add_(table.batch.detach(), alpha=table.l2)

    def step(self, scale: float, clipped: float) -> None:
        """`scale` is the learning rate's, by the schedule; `clipped` what clipping left of the gradients."""
        self.steps += 1
        self.open = False
        for table in self.tables:
            grad, lr = table.batch.grad, table.lr * scale
            if grad is not None:
                table.rule.step(table.weight.data, table.states, self.rows, grad, lr, self.steps)
            table.idle.stepped(lr, clipped)

    def catch_up(self) -> None:
        """Every row is then what a dense optimizer would have made of it; to be called before the tables are read."""
        for table in self.tables:
            table.idle.catch_up(table.weight.data, table.states, None)

    def state_dict(self) -> dict[str, Tensor]:
        tensors = {"tables.steps": torch.tensor(self.steps)} if self.tables else {}
        for table in self.tables:
            for name, state in {**table.states, **table.idle.state_dict()}.items():
                tensors[f"tables.{table.name}.{name}"] = state
        return tensors

    def load_state_dict(self, tensors: Mapping[str, Tensor]) -> None:
        """From tensors among which are those of `state_dict`."""
        for table in self.tables:
            prefix = f"tables.{table.name}."
            own = {name.removeprefix(prefix): tensor for name, tensor in tensors.items() if name.startswith(prefix)}
            for name, state in table.states.items():
                state.copy_(own[name])
            table.idle.load_state_dict(own)
        if self.tables:
            self.steps = int(tensors["tables.steps"])


def distinct(ids: Tensor, num_rows: int) -> tuple[Tensor, Tensor]:
    """The different ids of a batch, (U,), and each slot's place among them, (B, S). Raises IndexError for one
    that is no row of a table of `num_rows`."""
    if native.serves(ids):
        rows, local, occurrences = calls.distinct(ids)
        local.occurrences, local.checked = occurrences, len(rows)  # type: ignore[attr-defined]
    else:
        ordered, slots = ids.flatten().sort()
        another = torch.ones_like(ordered, dtype=torch.bool)  # than the one before
        torch.ne(ordered[1:], ordered[:-1], out=another[1:])
        rows = ordered.masked_select(another).long()
        places = another.cumsum(0).sub_(1)
        local = torch.empty_like(places).scatter_(0, slots, places).view(ids.shape)
    native.check_range(rows, num_rows)
    return rows, local


def gather(table: Tensor, rows: Tensor) -> Tensor:
    """table[rows], (U, D)."""
    if native.serves(table, rows):
        out = table.new_empty(len(rows), table.shape[1])
        calls.call("gather", table, rows, len(rows), table.shape[1], out)
        return out
    return table.index_select(0, rows)  # of several ways to say so, the one that is not slow on a CPU
