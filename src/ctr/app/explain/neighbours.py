"""The features whose vectors point the same way."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import nn
from torch.nn import functional

from ctr.blocks import FeatureEmbedding
from ctr.data.names import Feature, Names
from ctr.errors import UserError


@dataclass(frozen=True)
class Neighbour:
    feature: Feature
    cosine: float


@dataclass(frozen=True)
class Neighbours:
    """The nearest first. Features of one field with like vectors meet the others alike; in an FM, a feature of another
    field that lies near is one that the logit is higher with."""

    feature: Feature
    same_field: tuple[Neighbour, ...]
    other_fields: tuple[Neighbour, ...]


def nearest(model: nn.Module, names: Names, text: str, count: int) -> Neighbours:
    """The `count` nearest rows of the table `embedding` by cosine, to FIELD=TOKEN or a feature id; features that train
    has not are left out, since their vectors were never trained.

    Raises UserError for a model without such a table, an unknown feature, and one that train has not.
    """
    block = getattr(model, "embedding", None)
    if not isinstance(block, FeatureEmbedding):
        raise UserError(f"{type(model).__name__} has no table of vectors (embedding), so no feature is near another")
    feature = names.describe([names.find(text)])[0]
    if feature.count == 0:
        raise UserError(f"{feature} stands in no row of train: its vector was never trained")
    table = block.table.weight.detach()
    cosines = functional.cosine_similarity(table, table[feature.id][None], dim=1).cpu()
    cosines[torch.from_numpy(names.counts == 0)] = -torch.inf
    cosines[feature.id] = -torch.inf
    owner = names.owner(feature.id)
    block_of = slice(owner.offset, owner.offset + owner.field.num_features)
    same, other = torch.full_like(cosines, -torch.inf), cosines.clone()
    same[block_of], other[block_of] = cosines[block_of], -torch.inf
    return Neighbours(feature, _top(same, names, count), _top(other, names, count))


def _top(cosines: torch.Tensor, names: Names, count: int) -> tuple[Neighbour, ...]:
    values, ids = cosines.topk(min(count, len(cosines)))
    kept = int((values > -torch.inf).sum())
    features = names.describe(ids[:kept].tolist())
    return tuple(Neighbour(one, float(value)) for one, value in zip(features, values[:kept], strict=True))
