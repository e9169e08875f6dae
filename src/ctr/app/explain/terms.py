"""The second-order terms of models that have them: one for each pair of slots of a row, as their equations say."""

from __future__ import annotations

from typing import cast

import torch
from torch import Tensor, nn
from torch.nn import functional

from ctr.blocks import FeatureLinear, FieldAware, HashedPairs, WeightedPairs
from ctr.models.afm import AFM
from ctr.models.deepfm import DeepFM
from ctr.models.ffm import FFM
from ctr.models.fm import FM
from ctr.models.fm_dnn import FMDNN
from ctr.models.fmfm import FmFM
from ctr.models.fwfm import FwFM
from ctr.models.hofm import HOFM
from ctr.models.lr import LR
from ctr.models.poly2 import Poly2
from ctr.schema import FeatureSchema


def has_terms(model: nn.Module) -> bool:
    """Has the model a part that is a sum over pairs of features?"""
    return isinstance(model, (FM, HOFM, DeepFM, FMDNN, FwFM, FmFM, FFM, AFM, Poly2))


def is_additive(model: nn.Module) -> bool:
    """Is its logit w_0 + the first-order terms + the terms of pairs, and nothing else?"""
    if isinstance(model, HOFM):
        return not model.kernels
    return isinstance(model, (LR, FM, FwFM, FmFM, FFM, AFM, Poly2))


def first_terms(model: nn.Module, schema: FeatureSchema, ids: Tensor, values: Tensor) -> tuple[float, Tensor]:
    """w_0 and (B, S) float64: what each slot adds to the logit of an additive model by itself."""
    values = values.double()
    if isinstance(model, FwFM) and model.first_order != "LW":
        xv = model.embedding(ids, values).double()
        if model.first_order == "FeLV":
            return model.bias.item(), (xv * model.first_embedding(ids, torch.ones_like(values))).sum(dim=-1)
        vectors = model.field_vectors.view(schema.num_fields, -1)[list(schema.slot_fields)]  # (S, D)
        return model.bias.item(), (xv * vectors).sum(dim=-1)
    if getattr(model, "linear", None) is None:
        return 0.0, torch.zeros_like(values)
    linear = cast(FeatureLinear, model.linear)
    return linear.bias.item(), linear.weight(ids, values).double()[..., 0]


def pair_terms(model: nn.Module, schema: FeatureSchema, ids: Tensor, values: Tensor) -> Tensor:
    """(B, S, S) float64, 0 but for i < j: what each pair of slots adds to the logit."""
    values = values.double()
    if isinstance(model, (FwFM, FmFM)):
        terms = _weighted(model.interaction, schema, model.embedding(ids, values).double())
    elif isinstance(model, FFM):
        x = functional.normalize(values, dim=1) if model.normalize else values
        terms = _field_aware(model.interaction, schema, model.embedding(ids, x).double())
    elif isinstance(model, (FM, HOFM, DeepFM, FMDNN)):
        terms = _products(model, model.embedding(ids, values).double())
    elif isinstance(model, AFM):
        terms = _attended(model, ids, values)
    elif isinstance(model, Poly2):
        terms = _hashed(model.crosses, ids, values)
    else:
        raise AssertionError(f"{type(model).__name__} has no terms of pairs")
    return terms.triu(diagonal=1)


def _products(model: FM | HOFM | DeepFM | FMDNN, xv: Tensor) -> Tensor:
    """<v_i, v_j> x_i x_j, as the model's switches weigh them."""
    weighed = xv
    if isinstance(model, (DeepFM, FMDNN)):
        chosen = torch.zeros(xv.shape[1], dtype=xv.dtype, device=xv.device).index_fill_(0, model.slots.chosen, 1.0)
        xv = xv * chosen[:, None]
        weighed = xv if model.sum.weights is None else xv * model.sum.weights[0].double()
        if isinstance(model, DeepFM) and model.fm_output == "vector":
            weighed = weighed * model.fm_weights[-xv.shape[2] :].double()  # one for each component
    return weighed @ xv.transpose(1, 2)


def _weighted(block: WeightedPairs, schema: FeatureSchema, xv: Tensor) -> Tensor:
    """<x_i v_i M_fg, x_j v_j>, f and g the fields of i and j; slots of one field do not meet."""
    num = block.num_fields
    square = block.weight.new_zeros(num, num, *block.weight.shape[1:], dtype=torch.float64)
    square = square.index_put((block.left, block.right), block.weight.double())  # (F, F, ...)
    field = torch.tensor(schema.slot_fields, device=xv.device)
    weight = square[field[:, None], field]  # (S, S, ...)
    rule = {"scalar": "bid,ij,bjd->bij", "vector": "bid,ijd,bjd->bij", "matrix": "bid,ijde,bje->bij"}
    return torch.einsum(rule[block.weights], xv, weight, xv)


def _field_aware(block: FieldAware, schema: FeatureSchema, xv: Tensor) -> Tensor:
    """<v_{i,g}, v_{j,f}> x_i x_j, f and g the fields of i and j."""
    vectors = xv.unflatten(-1, (block.num_vectors, block.embedding_dim))  # (B, S, V, D)
    field = torch.tensor(schema.slot_fields, device=xv.device)
    place = field.expand(len(field), -1)  # (S, S): which vector of slot i is for the field of slot j
    if not block.meets_itself:
        place = (place - (field[:, None] < field).long()).clamp(max=block.num_vectors - 1)
    slots = torch.arange(len(field), device=xv.device)
    met = vectors[:, slots[:, None], place]  # (B, S, S, D)
    terms: Tensor = (met * met.transpose(1, 2)).sum(dim=-1)
    return terms


def _attended(model: AFM, ids: Tensor, values: Tensor) -> Tensor:
    """a_ij <p, x_i v_i * x_j v_j>, with the attention that the row gives its pairs."""
    left, right = model.pairs(model.embedding(ids, values).to(model.head.weight.dtype))  # (B, P, D)
    used = model.pairs(values != 0)  # (B, P)
    met = left * right
    terms = model.attention.weights(met, used[0] & used[1]).double() * model.head(met).squeeze(-1).double()
    return _square(terms, model.pairs.left, model.pairs.right, values.shape[1])


def _hashed(block: HashedPairs, ids: Tensor, values: Tensor) -> Tensor:
    """w_{h(i,j)} x_i x_j."""
    weights = block.table(block.buckets(ids)).squeeze(-1).double()  # (B, P)
    return _square(weights * values[:, block.left] * values[:, block.right], block.left, block.right, values.shape[1])


def _square(terms: Tensor, left: Tensor, right: Tensor, num: int) -> Tensor:
    """(B, P) of the pairs left < right -> (B, num, num)."""
    square = terms.new_zeros(len(terms), num, num)
    square[:, left, right] = terms
    return square
