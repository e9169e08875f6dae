"""Layers and whole models of DeepCTR-Torch 0.3.0 with our weights: the same outputs and gradients.

In all its models one bias, of the prediction layer, stands for w_0 and the last layer's. Not compared, as the
definitions differ: CCPM (convolutions of equal length, values in order of size, tanh before the pooling) and AFN
(batch norm of each dimension instead of each field); of AFN the transformation alone is.
"""

import pytest
import torch
from torch import nn

from ctr.blocks import BiInteraction, CrossNet, CrossNetV2, FMInteraction, InnerProducts, LogarithmicTransform
from tests.models.shared import make
from tests.peers.shared import (
    NAMES,
    SCHEMA,
    SIZES,
    D,
    Flat,
    by_field,
    drawn,
    local_ids,
    same_block,
    same_model,
    state,
    vectors,
)

pytest.importorskip(
    "deepctr_torch", reason="DeepCTR-Torch is not installed: pip install deepctr-torch==0.3.0; tests/peers/README.md"
)

from deepctr_torch import models
from deepctr_torch.inputs import SparseFeat
from deepctr_torch.layers import interaction

F = len(SIZES)
HIDDEN = [8, 5]  # of `make`
COLUMNS = [SparseFeat(name, size, embedding_dim=D) for name, size in zip(NAMES, SIZES, strict=True)]


def test_fm_interaction_and_bi_interaction_are_theirs():
    same_block(FMInteraction(), interaction.FM(), {})
    same_block(BiInteraction(), interaction.BiInteractionPooling(), {})


def test_inner_products_are_theirs():
    same_block(InnerProducts(F), interaction.InnerProductLayer(), {}, list(vectors().split(1, dim=1)))


def test_cross_net_is_theirs_of_vectors():
    cross = drawn(CrossNet(F * D, 3), std=0.3)
    weights = {"kernels": cross.weight.unsqueeze(-1), "bias": cross.bias.unsqueeze(-1)}
    same_block(Flat(cross), interaction.CrossNet(F * D, 3, "vector"), weights, vectors().flatten(1))


def test_cross_net_v2_is_theirs_of_matrices():
    cross = drawn(CrossNetV2(F * D, 3), std=0.2)
    weights = {
        "kernels": torch.stack([layer.matrices[0][0].T for layer in cross.layers]),
        "bias": torch.stack([layer.bias.unsqueeze(-1) for layer in cross.layers]),
    }
    same_block(Flat(cross), interaction.CrossNet(F * D, 3, "matrix"), weights, vectors().flatten(1))


def test_the_logarithmic_transform_is_theirs_between_the_batch_norms():
    transform = drawn(LogarithmicTransform(F, 6, min_magnitude=1e-7))
    theirs = interaction.LogTransformLayer(F, D, 6)
    transform.log_norm = transform.exp_norm = nn.Identity()
    theirs.bn = nn.ModuleList([nn.Identity(), nn.Identity()])
    weights = {"ltl_weights": transform.orders.T, "ltl_biases": torch.zeros(1, 1, 6, dtype=torch.double)}

    def by_neuron(flat):  # theirs counts dimensions first
        return flat.unflatten(1, (D, 6)).transpose(1, 2)

    same_block(transform, theirs, weights, output=by_neuron)


def agree(ours, theirs, weights, w_0):
    same_model(ours, theirs, weights | {"out.bias": w_0}, local_ids().double())


def tables(embedding):
    return by_field(embedding, "embedding_dict.{}.weight")


def first_order(linear=None):
    rows = torch.zeros(SCHEMA.num_features, 1, dtype=torch.double) if linear is None else linear.weight
    return by_field(rows, "linear_model.embedding_dict.{}.weight")


def network(mlp):
    """The layers of an MLP, which theirs lists by kind."""
    weights, per_layer = {}, mlp.per_layer
    for i in range(len(mlp.layers) // per_layer):
        weights |= state(mlp.layers[per_layer * i], f"dnn.linears.{i}")
        if per_layer == 4:
            weights |= state(mlp.layers[per_layer * i + 1], f"dnn.bn.{i}")
    return weights


def deep(model):
    return network(model.mlp) | {"dnn_linear.weight": model.head.weight}


def built(model, **options):
    columns = [COLUMNS] if model is models.PNN else [COLUMNS, COLUMNS]
    return model(*columns, task="regression", **options)  # which returns logits


@pytest.mark.parametrize("batch_norm", [False, True])
def test_deepfm_is_theirs(batch_norm):
    deepfm = drawn(make("deepfm", SCHEMA, bias=True, batch_norm=batch_norm))
    weights = tables(deepfm.embedding) | first_order(deepfm.linear) | deep(deepfm)
    theirs = built(models.DeepFM, dnn_hidden_units=HIDDEN, dnn_use_bn=batch_norm)
    agree(deepfm, theirs, weights, deepfm.linear.bias + deepfm.head.bias)


def test_fm_is_their_deepfm_without_a_network():
    fm = drawn(make("fm", SCHEMA))
    theirs = built(models.DeepFM, dnn_hidden_units=[])
    agree(fm, theirs, tables(fm.embedding) | first_order(fm.linear), fm.linear.bias)


def test_wide_and_deep_without_crosses_is_theirs():
    wide_deep = drawn(make("wide_deep", SCHEMA, crosses=[], batch_norm=True))
    weights = tables(wide_deep.embedding) | first_order(wide_deep.linear) | deep(wide_deep)
    agree(wide_deep, built(models.WDL, dnn_hidden_units=HIDDEN, dnn_use_bn=True), weights, wide_deep.linear.bias)


def test_nfm_without_batch_norm_is_theirs():
    nfm = drawn(make("nfm", SCHEMA))
    weights = tables(nfm.embedding) | first_order(nfm.linear) | deep(nfm)
    agree(nfm, built(models.NFM, dnn_hidden_units=HIDDEN), weights, nfm.linear.bias)


@pytest.mark.parametrize(("inner", "outer"), [("pairs", "none"), ("none", "kernel"), ("pairs", "kernel")])
def test_pnn_with_a_kernel_for_each_pair_is_theirs(inner, outer):
    pnn = drawn(make("pnn", SCHEMA, inner=inner, outer=outer))
    weights = tables(pnn.embedding) | deep(pnn)
    if outer == "kernel":
        weights["outterproduct.kernel"] = pnn.products[-1].kernels.permute(2, 0, 1)
    theirs = built(models.PNN, dnn_hidden_units=HIDDEN, use_inner=inner == "pairs", use_outter=outer == "kernel")
    agree(pnn, theirs, weights, pnn.head.bias)


@pytest.mark.parametrize(("name", "kind"), [("dcn", "vector"), ("dcnv2", "matrix")])
def test_dcn_and_dcnv2_are_theirs_with_a_silent_first_order(name, kind):
    dcn = drawn(make(name, SCHEMA, num_cross_layers=3, batch_norm=True), std=0.3)
    weights = tables(dcn.embedding) | first_order() | deep(dcn)
    if kind == "vector":
        weights |= {"crossnet.kernels": dcn.cross.weight.unsqueeze(-1), "crossnet.bias": dcn.cross.bias.unsqueeze(-1)}
    else:
        weights["crossnet.kernels"] = torch.stack([layer.matrices[0][0].T for layer in dcn.cross.layers])
        weights["crossnet.bias"] = torch.stack([layer.bias.unsqueeze(-1) for layer in dcn.cross.layers])
    options = {"cross_num": 3, "cross_parameterization": kind, "dnn_use_bn": True}
    agree(dcn, built(models.DCN, dnn_hidden_units=HIDDEN, **options), weights, dcn.head.bias)


def test_dcnv2_with_experts_is_theirs_whose_layers_share_their_gates():
    dcn = drawn(make("dcnv2", SCHEMA, num_cross_layers=3, cross_rank=3, num_experts=2))
    gate = dcn.cross.layers[0].gate
    for layer in dcn.cross.layers:
        layer.gate = gate
    weights = tables(dcn.embedding) | first_order() | deep(dcn)
    weights |= {f"crossnet.gating.{expert}.weight": gate.weight[expert : expert + 1] for expert in range(2)}
    v, c, u = (torch.stack(matrices) for matrices in zip(*(layer.matrices for layer in dcn.cross.layers), strict=True))
    weights |= {"crossnet.U_list": u.mT, "crossnet.V_list": v, "crossnet.C_list": c.mT}
    weights["crossnet.bias"] = torch.stack([layer.bias.unsqueeze(-1) for layer in dcn.cross.layers])
    theirs = built(models.DCNMix, cross_num=3, low_rank=3, num_experts=2, dnn_hidden_units=HIDDEN)
    agree(dcn, theirs, weights, dcn.head.bias)


def test_afm_is_theirs():
    afm = drawn(make("afm", SCHEMA, attention_dim=6))
    hidden, score = afm.attention.hidden, afm.attention.score
    weights = tables(afm.embedding) | first_order(afm.linear)
    weights |= {"fm.attention_W": hidden.weight.T, "fm.attention_b": hidden.bias}
    weights |= {"fm.projection_h": score.weight.T, "fm.projection_p": afm.head.weight.T}
    agree(afm, built(models.AFM, attention_factor=6), weights, afm.linear.bias)


@pytest.mark.parametrize(
    ("kind", "their_kind"), [("field_all", "all"), ("field_each", "each"), ("field_interaction", "interaction")]
)
def test_fibinet_with_shared_matrices_is_theirs_which_puts_senet_first(kind, their_kind):
    """With a matrix for each field theirs has one for the last field too, which is no pair's first."""
    fibinet = drawn(make("fibinet", SCHEMA, bilinear_type=kind))
    weights = tables(fibinet.embedding) | first_order(fibinet.linear) | deep(fibinet)
    weights |= state(fibinet.senet.squeeze, "SE.excitation.0") | state(fibinet.senet.excite, "SE.excitation.2")
    p, q = fibinet.mlp.layers[0].weight.chunk(2, dim=1)
    weights["dnn.linears.0.weight"] = torch.cat([q, p], dim=1)
    matrices = [matrix.T for matrix in fibinet.bilinear.matrices]
    if kind == "field_all":
        weights["Bilinear.bilinear.weight"] = matrices[0]
    else:
        matrices += [torch.zeros_like(matrices[0])] * (kind == "field_each")
        weights |= {f"Bilinear.bilinear.{i}.weight": matrix for i, matrix in enumerate(matrices)}
    theirs = built(models.FiBiNET, bilinear_type=their_kind, dnn_hidden_units=HIDDEN)
    agree(fibinet, theirs, weights, fibinet.linear.bias + fibinet.head.bias)


@pytest.mark.parametrize("name", ["autoint", "autoint_plus"])
def test_autoint_is_theirs_with_residuals_of_1(name):
    """All layers of theirs are as wide as the embeddings, where we add the input itself and theirs its projection."""
    autoint = drawn(make(name, SCHEMA, linear=True, num_attention_layers=3, num_heads=2, attention_dim=2, scale=False))
    weights = tables(autoint.embedding) | first_order(autoint.linear)
    for i, layer in enumerate(autoint.attention):
        parts = {"W_Query": layer.query, "W_key": layer.key, "W_Value": layer.value}
        weights |= {f"int_layers.{i}.{part}": module.weight.T for part, module in parts.items()}
        weights[f"int_layers.{i}.W_Res"] = torch.eye(D, dtype=torch.double)
    weights["dnn_linear.weight"], w_0 = autoint.attention_head.weight, autoint.attention_head.bias
    if autoint.is_deep:
        weights |= network(autoint.mlp)
        weights["dnn_linear.weight"] = torch.cat([autoint.attention_head.weight, autoint.head.weight], dim=1)
        w_0 = w_0 + autoint.head.bias
    theirs = built(models.AutoInt, att_layer_num=3, dnn_hidden_units=HIDDEN if autoint.is_deep else [])
    agree(autoint, theirs, weights, w_0)


@pytest.mark.parametrize("split_half", [False, True])
def test_xdeepfm_is_theirs_without_an_activation_in_cin(split_half):
    """Theirs has a ReLU there unless told otherwise, and the paper none."""
    dims = [6, 4, 3]
    xdeepfm = drawn(make("xdeepfm", SCHEMA, bias=True, cin_dims=dims, cin_bias=True, split_half=split_half))
    weights = tables(xdeepfm.embedding) | first_order(xdeepfm.linear) | deep(xdeepfm)
    for i, layer in enumerate(xdeepfm.cin.layers):
        weights |= {f"cin.conv1ds.{i}.weight": layer.weight.unsqueeze(-1), f"cin.conv1ds.{i}.bias": layer.bias}
    weights["cin_linear.weight"] = xdeepfm.cin_head.weight
    options = {"cin_layer_size": dims, "cin_split_half": split_half, "cin_activation": "linear"}
    theirs = built(models.xDeepFM, dnn_hidden_units=HIDDEN, **options)
    agree(xdeepfm, theirs, weights, xdeepfm.linear.bias + xdeepfm.cin_head.bias + xdeepfm.head.bias)
