"""What the tests of tables trained by their rows share: an FM in float64, batches with gaps, and a training."""

from __future__ import annotations

from collections.abc import Callable, Collection
from functools import cache, partial
from typing import Any

import torch
from torch import Tensor, nn

from ctr.schema import FeatureSchema, Field, FieldKind
from ctr.training import FTRLProximal, LazyAdagrad, LazyAdam, LazySGD, LogLoss
from ctr.training.optimizer import GroupedOptimizer, read_groups
from tests.training import builders

STEPS, LR, ROWS = 60, 0.05, 35
USUAL, RARE = 20, 30  # rows 0 to 19 come all the time, 20 to 29 at three steps, 30 to 34 never
SCHEMA = FeatureSchema((Field("tags", FieldKind.MULTIVALUED, ROWS, 4),))

FORMS: dict[str, dict[str, Any]] = {
    "adam": {"betas": (0.9, 0.999), "eps": 1e-30, "weight_decay": 0.0, "catch_up": True},
    "adagrad": {"initial_accumulator_value": 0.1, "eps": 1e-8, "rowwise": False},
    "rowwise": {"initial_accumulator_value": 1e-8, "eps": 1e-8, "rowwise": True},
    "sgd": {},
    "ftrl": {"beta": 1.0, "l1": 0.01, "l2": 0.1},
}
KINDS = {"adam": LazyAdam, "adagrad": LazyAdagrad, "rowwise": LazyAdagrad, "sgd": LazySGD, "ftrl": FTRLProximal}


def lazy(kind: str, **changes: Any) -> Any:
    """The table optimizer of this kind."""
    return KINDS[kind](**{"lr": LR, "dense_up_to": 0, **FORMS[kind], **changes})


def dense(kind: str, **changes: Any) -> Callable[..., torch.optim.Optimizer]:
    """Torch's optimizer of this kind, with the same settings."""
    settings = {
        name: value for name, value in {**FORMS[kind], **changes}.items() if name not in ("rowwise", "catch_up")
    }
    adam = torch.optim.AdamW if settings.get("weight_decay") else torch.optim.Adam
    return partial({"adam": adam, "adagrad": torch.optim.Adagrad, "sgd": torch.optim.SGD}[kind], lr=LR, **settings)


def fm(dtype: torch.dtype = torch.float64, **changes: Any) -> nn.Module:
    """An FM with no weight at 0."""
    net = builders.model("fm", SCHEMA, **changes).to(dtype)
    for parameter in net.parameters():
        nn.init.normal_(parameter, std=0.5)
    return net


@cache
def batches() -> list[tuple[Tensor, Tensor, Tensor]]:
    """Ids (6, 4), most of them small, with duplicates; values with zeros; labels."""
    torch.manual_seed(0)
    made = []
    for number in range(STEPS):
        ids = (USUAL * torch.rand(6, 4) ** 3).long()
        if number in (2, 3, STEPS - 10):
            ids[:3] = torch.randint(USUAL, RARE, (3, 4))
        values = torch.randn(6, 4, dtype=torch.float64) * (torch.rand(6, 4) > 0.2)
        made.append((ids, values, torch.randint(2, (6,)).double()))
    return made


def changing(number: int) -> float:
    """A learning rate's scale that is another at each step."""
    return 1.0 / (1 + number % 7)


def constant(number: int) -> float:
    return 1.0


def grouped(net: nn.Module, make: Any, l2: float = 0.0, lr: float = LR) -> GroupedOptimizer:
    return GroupedOptimizer(net, make, read_groups(builders.groups(lr=lr, l2=l2)))


def step(
    net: nn.Module,
    optimizer: GroupedOptimizer,
    batch: tuple[Tensor, Tensor, Tensor],
    scale: float = 1.0,
    clip: float | None = None,
) -> float:
    """One step, as the trainer makes it. Returns the gradients' norm."""
    dtype = next(net.parameters()).dtype
    ids, values, labels = batch[0], batch[1].to(dtype), batch[2].to(dtype)
    optimizer.scale_lr(scale)
    loss = LogLoss(reduction="mean").loss(optimizer.forward(net, ids, values), labels, None)
    optimizer.zero_grad()
    loss.backward()
    optimizer.add_l2()
    norm = optimizer.clip(clip)
    optimizer.step()
    return float(norm)


def train(
    net: nn.Module,
    make: Any,
    *,
    l2: float = 0.0,
    scale: Callable[[int], float] = changing,
    clip: float | None = None,
    flushes: Collection[int] = (),
) -> dict[str, Tensor]:
    """The weights after a step on each batch; after those in `flushes` and in the end they are brought up to date."""
    optimizer = grouped(net, make, l2)
    for number, batch in enumerate(batches()):
        step(net, optimizer, batch, scale(number), clip)
        if number in flushes:
            optimizer.catch_up()
    optimizer.catch_up()
    return builders.weights(net)
