"""Parameters in three groups: the embedding table, the first-order weights, and the network."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from ctr import native
from ctr.errors import UserError
from ctr.training.profile import phase
from ctr.training.rows import RowTables, Table
from ctr.training.table_optimizers import TableOptimizer

GROUPS = ("embedding", "linear", "network")

MakeOptimizer = Callable[[list[dict[str, Any]]], torch.optim.Optimizer]


@dataclass(frozen=True)
class Group:
    """`l2` is the lambda of (lambda / 2) * ||parameters||^2, added to every batch's loss as BARS does: over the
    whole table, not over the batch's rows. It leaves out biases and the scales of norms."""

    name: str
    lr: float
    l2: float


def read_groups(config: Mapping[str, Mapping[str, float]]) -> list[Group]:
    if set(config) != set(GROUPS):
        raise UserError(f"groups must be {', '.join(GROUPS)}; found {', '.join(config)}")
    for name, settings in config.items():
        if set(settings) != {"lr", "l2"}:
            raise UserError(f"groups.{name} needs lr and l2; found {', '.join(settings)}")
    groups = [Group(name, **settings) for name, settings in config.items()]
    for group in groups:
        if group.lr < 0 or group.l2 < 0:
            raise UserError(f"groups.{group.name}: lr and l2 must not be negative, found {group.lr} and {group.l2}")
    return groups


def group_of(parameter_name: str) -> str:
    """The group of a parameter, by the name of its top-level block: `embedding` or `..._embedding`, `linear` or
    `..._linear`, `crosses` (weights of pairs of features, which are first-order weights of more features) among the
    linear; all others belong to the network."""
    kind = parameter_name.split(".")[0].split("_")[-1]
    kind = "linear" if kind == "crosses" else kind
    return kind if kind in GROUPS else "network"


class GroupedOptimizer:
    """A torch optimizer over the groups, with their learning rates scaled and their L2 added to the gradients. Tables
    may have a rule of their own, which works on the rows of the batch (ctr.training.rows)."""

    def __init__(self, model: nn.Module, make: MakeOptimizer | TableOptimizer, groups: list[Group]):
        named = [(name, p) for name, p in model.named_parameters() if p.requires_grad]
        self.rows = RowTables(() if callable(make) else _row_tables(model, make, groups))
        by_rows = {table.name for table in self.rows.tables}
        named = [(name, p) for name, p in named if name not in by_rows]
        members = {group.name: [p for name, p in named if group_of(name) == group.name] for group in groups}
        self.groups = [group for group in groups if members[group.name]]
        settings: list[dict[str, Any]] = [{"params": members[group.name], "lr": group.lr} for group in self.groups]
        try:
            build = make if callable(make) else make.dense
            self.torch = build(settings or [{"params": [torch.zeros(0)], "lr": 0.0}])  # torch takes no empty list
        except (ValueError, TypeError, IndexError, RuntimeError) as error:
            raise UserError(f"trainer.optimizer: {error}") from error
        self.parameters = [p for _, p in named]
        norms = [m for m in model.modules() if "Norm" in type(m).__name__]  # of torch, and of blocks
        spared = {id(p) for name, p in named if name.split(".")[-1].startswith("bias")}
        spared |= {id(p) for norm in norms for p in norm.parameters()}
        decayed = [(group.l2, [p for p in members[group.name] if id(p) not in spared]) for group in self.groups]
        self.decayed = [(l2, parameters) for l2, parameters in decayed if l2 > 0 and parameters]
        self.scale, self.clipped = 1.0, 1.0

    def forward(self, model: nn.Module, ids: Tensor, values: Tensor) -> Tensor:
        """model(ids, values), (B,), in a way that `step` can train."""
        with native.straight():
            return self.rows.forward(model, ids, values)

    def scale_lr(self, scale: float) -> None:
        self.scale = scale
        for group, settings in zip(self.torch.param_groups, self.groups, strict=False):
            group["lr"] = settings.lr * scale

    def lrs(self) -> dict[str, float]:
        """The learning rates of the last step, by group."""
        named = {group.name: group.lr for group in self.groups} | {t.group: t.lr for t in self.rows.tables}
        return {f"lr_{name}": named[name] * self.scale for name in GROUPS if name in named}

    def add_l2(self) -> None:
        """The gradient of (l2 / 2) * ||p||^2, which is l2 * p."""
        with torch.no_grad():
            for l2, parameters in self.decayed:
                torch._foreach_add_([_grad(p) for p in parameters], [p.detach() for p in parameters], alpha=l2)
            self.rows.add_l2()

    def clip(self, norm: float | None) -> Tensor:
        """The gradients' norm, all groups together, before they are scaled down to `norm`. Of a table that is trained
        by its rows, the rows of the batch count."""
        holders = [*self.parameters, *(table.batch for table in self.rows.tables)]
        total = nn.utils.get_total_norm([holder.grad for holder in holders if holder.grad is not None])
        if norm is not None and (total.device.type != "cpu" or not float(total) < norm):  # a GPU is not asked: it waits
            nn.utils.clip_grads_with_norm_(holders, norm, total)
        if norm is not None and any(table.l2 > 0 for table in self.rows.tables):
            self.clipped = min(1.0, norm / (float(total) + 1e-6))
        return total

    def step(self) -> None:
        with phase("network update"):
            self.torch.step()
        with phase("table update"):
            self.rows.step(self.scale, self.clipped)

    def zero_grad(self) -> None:
        for parameter in self.parameters:  # torch's own walks through groups and profiler hooks
            parameter.grad = None

    def catch_up(self) -> None:
        """Before weights are read: rows that no batch has touched for a while get what dense steps had given them."""
        self.rows.catch_up()


def _row_tables(model: nn.Module, make: TableOptimizer, groups: list[Group]) -> Iterator[Table]:
    """The tables of the model that this optimizer trains by their rows: all, if they have many, or none. Renumbered ids
    must mean the same to each of them."""
    tables = {f"{name}.weight": m for name, m in model.named_modules() if isinstance(m, nn.Embedding)}
    if len({len(module.weight) for module in tables.values()}) != 1 or any(
        getattr(m, "reads_ids", False) for m in model.modules()
    ):
        return  # a block that looks at the ids themselves, as hashed crosses do, would see other numbers
    settings = {group.name: group for group in groups}
    for name, module in tables.items():
        group = settings[group_of(name)]
        if len(module.weight) > make.dense_up_to:
            yield Table(name, module, make.rule(), group.name, group.lr, group.l2, make.momentum)


def _grad(parameter: nn.Parameter) -> Tensor:
    if parameter.grad is None:
        parameter.grad = torch.zeros_like(parameter)
    return parameter.grad
