"""Where a model's constant starts."""

from __future__ import annotations

from collections.abc import Collection

import torch
from torch import Tensor, nn

from ctr.batch import DataModule
from ctr.blocks import FeatureLinear
from ctr.schema import FeatureSchema
from ctr.training.evaluate import scoring
from ctr.training.objective import Objective

MOVES = (1.0, -2.0)  # by which a parameter is moved to see whether the logits go along
NUM_ROWS = 8


def at(what: str, model: nn.Module, objective: Objective, data: DataModule, trained: Collection[str] = ()) -> str:
    """`mean`: the model's constant starts at what is best for the mean label of train. `zero`: it stays as the model
    has it. So it does where the model adds first-order weights that are among the `trained` blocks, those that start
    from an earlier stage: that stage's constant is in them. Returns what to say of it."""
    if what == "zero" or ("linear" in trained and adds_linear(model, data.schema)):
        return ""
    parameters = constants(model, data.schema)
    if not parameters:
        return f"; {type(model).__name__} has no parameter that is added to every logit: start=mean changes nothing"
    with torch.no_grad():
        for parameter in parameters:
            parameter.fill_(constant := objective.constant(data.mean_label))
    return f"; its constant starts at {constant:.4g}"


def constants(model: nn.Module, schema: FeatureSchema) -> list[nn.Parameter]:
    """The parameter of one number that is added to every logit, the first of several: w_0, or the bias of a last layer.
    Where a model has none, those of which it adds shares that make a whole, as a mean of two parts does."""
    shares = dict[nn.Parameter, float]()
    for parameter in model.parameters():
        if parameter.numel() == 1 and parameter.requires_grad:
            share = _share(model, schema, parameter.data.view(1), slice(None))
            if abs(share - 1) < 1e-3:
                return [parameter]
            shares[parameter] = share
    whole = [parameter for parameter, share in shares.items() if share > 1e-3]
    return whole if abs(sum(shares[parameter] for parameter in whole) - 1) < 1e-3 else []


def adds_linear(model: nn.Module, schema: FeatureSchema) -> bool:
    """Is the sum of a row's first-order weights added to its logit?"""
    linear = getattr(model, "linear", None)
    if not isinstance(linear, FeatureLinear):
        return False
    ids = _rows(schema)[0]
    share = _share(model, schema, linear.weight.table.weight.data.view(-1), ids.unique())
    slots: int = linear.select(ids).shape[1]
    return abs(share - slots) < 1e-3


def _share(model: nn.Module, schema: FeatureSchema, numbers: Tensor, places: Tensor | slice) -> float:
    """By how much all logits move when the numbers in these places move by 1; 0 where they do not move alike, or not in
    proportion. The model is left as it was."""
    rows, before, moved = _rows(schema), numbers[places].clone(), []
    with scoring(model):
        still = model(*rows).double()
        try:
            for move in MOVES:
                numbers[places] = before + move
                moved.append((model(*rows).double() - still) / move)
        finally:
            numbers[places] = before
    shares = torch.stack(moved)
    share = float(shares.mean())
    return share if float((shares - share).abs().max()) < 1e-3 * max(1.0, abs(share)) else 0.0


def _rows(schema: FeatureSchema) -> tuple[Tensor, Tensor]:
    """Some features of each field, with the value 1: ids and values, (B, S)."""
    first = torch.tensor([schema.offsets[f] for f in schema.slot_fields])
    count = torch.tensor([schema.fields[f].num_features for f in schema.slot_fields])
    ids = first + torch.arange(NUM_ROWS)[:, None] % count
    return ids, torch.ones(ids.shape)
