"""Layers of FuxiCTR 2.3.10's package with our weights: the same outputs and gradients.

Its models are no part of the package; test_fuxictr_zoo.py has them. Of its layers the holographic interaction and the
attention over a user's history have no counterpart here.
"""

import pytest
import torch
from torch import nn

from ctr.blocks import (
    CIN,
    MLP,
    AnovaKernel,
    BiInteraction,
    BilinearPairs,
    CrossNet,
    CrossNetV2,
    FieldAttention,
    FMInteraction,
    InnerProducts,
    Pairs,
    SqueezeExcitation,
)
from tests.peers.shared import SIZES, D, Flat, drawn, same, same_block, stack, state, vectors

pytest.importorskip("fuxictr", reason="FuxiCTR is not installed: pip install fuxictr==2.3.10; tests/peers/README.md")

from fuxictr.pytorch import layers

F = len(SIZES)
BILINEAR_TYPES = ["field_all", "field_each", "field_interaction"]


def same_flat(ours, theirs, weights):
    same_block(Flat(ours), theirs, weights, vectors().flatten(1))


class Product(nn.Module):
    """Both sides of all pairs, multiplied."""

    def __init__(self):
        super().__init__()
        self.pairs = Pairs(F)

    def forward(self, fields):
        left, right = self.pairs(fields)
        return left * right


@pytest.mark.parametrize(
    ("ours", "output"),
    [
        (FMInteraction(), "product_sum"),
        (BiInteraction(), "bi_interaction"),
        (InnerProducts(F), "inner_product"),
        (Product(), "elementwise_product"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_pairs_are_the_four_outputs_of_inner_product_interaction(ours, output):
    same_block(ours, layers.InnerProductInteraction(F, output), {})


def test_cross_net_is_theirs():
    ours = drawn(CrossNet(F * D, 3), std=0.3)
    weights = {f"cross_net.{i}.weight.weight": w.unsqueeze(0) for i, w in enumerate(ours.weight)}
    weights |= {f"cross_net.{i}.bias": b for i, b in enumerate(ours.bias)}
    same_flat(ours, layers.CrossNet(F * D, 3), weights)


def test_cross_net_v2_is_theirs():
    ours = drawn(CrossNetV2(F * D, 3), std=0.2)
    weights = {f"cross_layers.{i}.weight": layer.matrices[0][0].T for i, layer in enumerate(ours.layers)}
    weights |= {f"cross_layers.{i}.bias": layer.bias for i, layer in enumerate(ours.layers)}
    same_flat(ours, layers.CrossNetV2(F * D, 3), weights)


def test_a_mixture_of_experts_is_theirs_whose_layers_share_their_gates():
    ours = drawn(CrossNetV2(F * D, 3, rank=3, num_experts=2), std=0.5)
    gate = ours.layers[0].gate
    for layer in ours.layers:
        layer.gate = gate
    weights = {f"gating.{expert}.weight": gate.weight[expert : expert + 1] for expert in range(2)}
    for i, layer in enumerate(ours.layers):
        v, c, u = layer.matrices
        weights |= {f"U_list.{i}": u.transpose(1, 2), f"V_list.{i}": v, f"C_list.{i}": c.transpose(1, 2)}
        weights[f"bias.{i}"] = layer.bias.unsqueeze(1)
    same_flat(ours, layers.CrossNetMix(F * D, layer_num=3, low_rank=3, num_experts=2), weights)


def test_cin_with_biases_is_theirs_whose_products_count_by_field_first():
    dims = [6, 4, 3]
    ours = nn.Sequential(CIN(F, dims, bias=True), nn.Linear(sum(dims), 1))
    drawn(ours)
    weights = state(ours[1], "fc")
    for i, layer in enumerate(ours[0].layers, start=1):
        by_field = layer.weight.unflatten(1, (-1, F)).transpose(1, 2).flatten(1)
        weights |= {f"cin_layer.layer_{i}.weight": by_field.unsqueeze(-1), f"cin_layer.layer_{i}.bias": layer.bias}
    same_block(ours, layers.CompressedInteractionNet(F, dims), weights)


@pytest.mark.parametrize("theirs", [layers.BilinearInteraction, layers.BilinearInteractionV2])
@pytest.mark.parametrize("kind", BILINEAR_TYPES)
def test_bilinear_pairs_are_both_of_theirs(kind, theirs):
    """With a matrix for each field theirs has one for the last field too, which is no pair's first."""
    ours = drawn(BilinearPairs(F, D, kind))
    matrices = {
        "field_all": ours.matrices[0],
        "field_each": torch.cat([ours.matrices, torch.zeros_like(ours.matrices[:1])]) if kind == "field_each" else None,
        "field_interaction": ours.matrices,
    }
    same_block(ours, theirs(F, D, kind), {"bilinear_W": matrices[kind]})


def test_squeeze_excitation_is_theirs():
    ours = drawn(SqueezeExcitation(F, 2), std=1.0)
    weights = state(ours.squeeze, "excitation.0") | state(ours.excite, "excitation.2")
    same_block(ours, layers.SqueezeExcitation(F, 2), weights)


@pytest.mark.parametrize("batch_norm", [False, True])
def test_mlp_is_theirs(batch_norm):
    mlp = drawn(MLP(F * D, [8, 5], batch_norm=batch_norm))
    theirs = layers.MLP_Block(F * D, [8, 5], batch_norm=batch_norm)
    same_flat(mlp, theirs, stack(mlp, None, "mlp", has_dropout=False))


@pytest.mark.parametrize("scale", [False, True])
def test_attention_without_residual_is_the_relu_of_theirs(scale):
    ours = FieldAttention(D, 3, 2, scale=scale, residual=False, layer_norm=False, dropout=0.0)
    drawn(ours, std=1.0)
    fields = vectors()

    def theirs():
        projections = (ours.query, ours.key, ours.value)
        query, key, value = (project(fields).unflatten(-1, (2, 3)).transpose(1, 2) for project in projections)
        return query, key, value, 3**0.5 if scale else None

    def output(attended):
        return attended[0].transpose(1, 2).flatten(2).relu()

    same(lambda: ours(fields), ours, layers.ScaledDotProductAttention(), {}, theirs(), output=output)


@pytest.mark.parametrize("order", [2, 3, 4, 5])
def test_anova_kernels_are_their_interaction_machine_with_weights_of_1(order):
    """Theirs puts each order together from power sums."""

    class Orders(nn.Module):
        def forward(self, fields):
            return fields.sum(dim=(1, 2)) + sum(AnovaKernel(m)(fields) for m in range(2, order + 1))

    ones = torch.ones(1, order * D, dtype=torch.double)
    same_block(
        Orders(), layers.InteractionMachine(D, order), {"fc.weight": ones, "fc.bias": torch.zeros_like(ones[0, :1])}
    )
