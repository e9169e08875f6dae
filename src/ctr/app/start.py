"""Where a model's constant starts."""

from __future__ import annotations

import torch
from torch import nn

from ctr.batch import DataModule
from ctr.training.objective import Objective


def at(what: str, model: nn.Module, objective: Objective, data: DataModule) -> str:
    """`mean`: w_0, or where the model has none the last layer's bias, starts at the constant that is best for the mean
    label of train. `zero`: it stays as the model has it. Returns what to say of it."""
    if what == "zero":
        return ""
    found = [getattr(getattr(model, block, None), "bias", None) for block in ("linear", "head")]
    parameters = [bias for bias in found if isinstance(bias, nn.Parameter)]
    if not parameters:
        return f"; {type(model).__name__} has neither w_0 nor a bias in its head, so that start=mean changes nothing"
    with torch.no_grad():
        parameters[0].fill_(constant := objective.constant(data.mean_label))
    return f"; its constant starts at {constant:.4g}"
