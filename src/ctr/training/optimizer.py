"""Parameters in three groups: the embedding table, the first-order weights, and the network."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from ctr.errors import UserError

GROUPS = ("embedding", "linear", "network")

MakeOptimizer = Callable[[list[dict[str, Any]]], torch.optim.Optimizer]


@dataclass(frozen=True)
class Group:
    """`l2` is the lambda of (lambda / 2) * ||parameters||^2, added to every batch's loss as BARS does: over the
    whole table, not over the batch's rows. It leaves out biases and batch norms."""

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
    """The group of a parameter: that of its top-level block, by name; what is no table belongs to the network."""
    block = parameter_name.split(".")[0]
    return block if block in GROUPS else "network"


class GroupedOptimizer:
    """A torch optimizer over the groups, with their learning rates scaled and their L2 added to the gradients."""

    def __init__(self, model: nn.Module, make: MakeOptimizer, groups: list[Group]):
        named = [(name, p) for name, p in model.named_parameters() if p.requires_grad]
        members = {group.name: [p for name, p in named if group_of(name) == group.name] for group in groups}
        self.groups = [group for group in groups if members[group.name]]
        try:
            self.torch = make([{"params": members[group.name], "lr": group.lr} for group in self.groups])
        except (ValueError, TypeError, IndexError, RuntimeError) as error:
            raise UserError(f"trainer.optimizer: {error}") from error
        self.parameters = [p for _, p in named]
        norms = [m for m in model.modules() if isinstance(m, nn.modules.batchnorm._BatchNorm)]
        spared = {id(p) for name, p in named if name.split(".")[-1] == "bias"}
        spared |= {id(p) for norm in norms for p in norm.parameters()}
        self.decayed = [
            (group.l2, [p for p in members[group.name] if id(p) not in spared]) for group in self.groups if group.l2 > 0
        ]

    def scale_lr(self, scale: float) -> None:
        for group, settings in zip(self.torch.param_groups, self.groups, strict=True):
            group["lr"] = settings.lr * scale

    def lrs(self) -> dict[str, float]:
        """The learning rates of the last step, by group."""
        return {f"lr_{g.name}": p["lr"] for g, p in zip(self.groups, self.torch.param_groups, strict=True)}

    def add_l2(self) -> None:
        """The gradient of (l2 / 2) * ||p||^2, which is l2 * p."""
        with torch.no_grad():
            for l2, parameters in self.decayed:
                torch._foreach_add_([_grad(p) for p in parameters], [p.detach() for p in parameters], alpha=l2)

    def clip(self, norm: float | None) -> Tensor:
        """The gradients' norm, all groups together, before they are scaled down to `norm`."""
        gradients = [p.grad for p in self.parameters if p.grad is not None]
        total = nn.utils.get_total_norm(gradients)
        if norm is not None:
            nn.utils.clip_grads_with_norm_(self.parameters, norm, total)
        return total

    def step(self) -> None:
        self.torch.step()

    def zero_grad(self) -> None:
        self.torch.zero_grad()


def _grad(parameter: nn.Parameter) -> Tensor:
    if parameter.grad is None:
        parameter.grad = torch.zeros_like(parameter)
    return parameter.grad
