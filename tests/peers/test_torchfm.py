"""Whole models of pytorch-fm 0.7.0 with our weights: the same logits and gradients.

All its networks have batch norm (eps 1e-5) and all its models return probabilities. Its AFN takes log(1 + |e|) where
the paper takes log |e|, and has no exponent of its own to agree with; the package has no HOFM.
"""

import pytest
import torch

from tests.models.shared import make
from tests.peers.shared import SCHEMA, SIZES, D, drawn, local_ids, same_model, stack, state

pytest.importorskip("torchfm", reason="pytorch-fm is not installed: pip install torchfm==0.7.0; tests/peers/README.md")

from torchfm.model.afi import AutomaticFeatureInteractionModel
from torchfm.model.afm import AttentionalFactorizationMachineModel
from torchfm.model.dcn import DeepCrossNetworkModel
from torchfm.model.dfm import DeepFactorizationMachineModel
from torchfm.model.ffm import FieldAwareFactorizationMachineModel
from torchfm.model.fm import FactorizationMachineModel
from torchfm.model.fnn import FactorizationSupportedNeuralNetworkModel
from torchfm.model.lr import LogisticRegressionModel
from torchfm.model.nfm import NeuralFactorizationMachineModel
from torchfm.model.pnn import ProductNeuralNetworkModel
from torchfm.model.wd import WideAndDeepModel
from torchfm.model.xdfm import ExtremeDeepFactorizationMachineModel

HIDDEN = [8, 5]  # of `make`


def agree(ours, theirs, weights, **options):
    same_model(ours, theirs, weights, local_ids(), output=torch.logit, **options)


def first_order(ours, bias=None):
    return {
        "linear.fc.weight": ours.linear.weight.table.weight,
        "linear.bias": ours.linear.bias if bias is None else bias,
    }


def table(ours):
    return {"embedding.embedding.weight": ours.embedding.table.weight}


def network(ours):
    return stack(ours.mlp, ours.head, "mlp.mlp", has_dropout=True)


def test_lr_is_their_logistic_regression():
    lr = drawn(make("lr", SCHEMA))
    agree(lr, LogisticRegressionModel(SIZES), first_order(lr))


def test_fm_is_their_factorization_machine():
    fm = drawn(make("fm", SCHEMA))
    agree(fm, FactorizationMachineModel(SIZES, D), first_order(fm) | table(fm))


def test_ffm_is_theirs_whose_tables_have_rows_for_their_own_field_as_well():
    """We keep F - 1 vectors a feature; the one for its own field, which theirs never reads, is 0 here."""
    ffm = drawn(make("ffm", SCHEMA))
    rows = ffm.embedding.table.weight.unflatten(1, (len(SIZES) - 1, D)).split(SIZES)  # of each field, (n, F - 1, D)
    weights = first_order(ffm)
    for g in range(len(SIZES)):
        for_g = [torch.zeros_like(own[:, 0]) if f == g else own[:, g - (g > f)] for f, own in enumerate(rows)]
        weights[f"ffm.embeddings.{g}.weight"] = torch.cat(for_g)
    agree(ffm, FieldAwareFactorizationMachineModel(SIZES, D), weights)


def test_nfm_is_theirs_at_their_eps_of_batch_norm():
    nfm = make("nfm", SCHEMA, pooling_batch_norm=True, hidden_batch_norm=True, batch_norm_eps=1e-5, head_bias=True)
    nfm = drawn(nfm)
    weights = first_order(nfm) | table(nfm) | state(nfm.pooling[1], "fm.1") | network(nfm)
    agree(nfm, NeuralFactorizationMachineModel(SIZES, D, HIDDEN, (0.0, 0.0)), weights)


def test_deepfm_is_theirs():
    deepfm = drawn(make("deepfm", SCHEMA, bias=True, batch_norm=True))
    weights = first_order(deepfm) | table(deepfm) | network(deepfm)
    agree(deepfm, DeepFactorizationMachineModel(SIZES, D, HIDDEN, 0.0), weights)


def test_wide_and_deep_without_crosses_is_theirs():
    wide_deep = drawn(make("wide_deep", SCHEMA, crosses=[], head_bias=True, batch_norm=True))
    weights = first_order(wide_deep) | table(wide_deep) | network(wide_deep)
    agree(wide_deep, WideAndDeepModel(SIZES, D, HIDDEN, 0.0), weights)


def test_dnn_is_what_they_call_fnn():
    dnn = drawn(make("dnn", SCHEMA, batch_norm=True))
    agree(dnn, FactorizationSupportedNeuralNetworkModel(SIZES, D, HIDDEN, 0.0), table(dnn) | network(dnn))


def test_ipnn_is_theirs():
    """Theirs also makes a first-order part, and does not read it."""
    ipnn = drawn(make("ipnn", SCHEMA, batch_norm=True))
    theirs = ProductNeuralNetworkModel(SIZES, D, HIDDEN, 0.0, method="inner")
    agree(ipnn, theirs, table(ipnn) | network(ipnn), unused=("linear.",))


def test_opnn_with_a_kernel_for_each_pair_is_theirs():
    """pytorch-fm holds K_ij transposed, its dimensions around the pairs. The paper's superposition it has not."""
    opnn = drawn(make("opnn", SCHEMA, outer="kernel", batch_norm=True))
    theirs = ProductNeuralNetworkModel(SIZES, D, HIDDEN, 0.0, method="outer")
    weights = table(opnn) | network(opnn) | {"pn.kernel": opnn.products[0].kernels.permute(2, 0, 1)}
    agree(opnn, theirs, weights, unused=("linear.",))


def test_dcn_is_theirs():
    dcn = drawn(make("dcn", SCHEMA, num_cross_layers=3, batch_norm=True), std=0.3)
    weights = table(dcn) | stack(dcn.mlp, None, "mlp.mlp", has_dropout=True) | state(dcn.head, "linear")
    for layer, (w, b) in enumerate(zip(dcn.cross.weight, dcn.cross.bias, strict=True)):
        weights |= {f"cn.w.{layer}.weight": w.unsqueeze(0), f"cn.b.{layer}": b}
    agree(dcn, DeepCrossNetworkModel(SIZES, D, 3, HIDDEN, 0.0), weights)


def test_afm_is_theirs_with_two_biases_at_0():
    """One is on the attention's scores, where the softmax takes no notice of it; the other is a second w_0."""
    afm = drawn(make("afm", SCHEMA, attention_dim=6))
    zero = torch.zeros(1, dtype=torch.double)
    weights = first_order(afm) | table(afm) | state(afm.attention.hidden, "afm.attention")
    weights |= state(afm.attention.score, "afm.projection") | state(afm.head, "afm.fc")
    weights |= {"afm.projection.bias": zero, "afm.fc.bias": zero}
    agree(afm, AttentionalFactorizationMachineModel(SIZES, D, 6, (0.0, 0.0)), weights)


@pytest.mark.parametrize("split_half", [False, True])
def test_xdeepfm_is_theirs_where_the_relu_of_their_cin_cuts_nothing_off(split_half):
    """Theirs has a ReLU after each layer of CIN, and the paper none: so all maps are positive here. Of a layer that is
    split, theirs puts out the first half and hands on the second; we do as the authors' code, the other way round.
    """
    dims = [6, 4, 3]
    xdeepfm = make("xdeepfm", SCHEMA, bias=True, cin_dims=dims, cin_bias=True, split_half=split_half, batch_norm=True)
    xdeepfm = drawn(xdeepfm, std=0.2)
    with torch.no_grad():
        for parameter in [*xdeepfm.embedding.parameters(), *xdeepfm.cin.parameters()]:
            parameter.abs_()
    weights = first_order(xdeepfm) | table(xdeepfm) | network(xdeepfm) | state(xdeepfm.cin_head, "cin.fc")
    for layer, (linear, dim) in enumerate(zip(xdeepfm.cin.layers, dims, strict=True)):
        turned = dim // 2 if split_half and layer + 1 < len(dims) else 0
        products = linear.weight.unflatten(1, (-1, len(SIZES))).transpose(1, 2).flatten(1)  # by field, then by map
        weights[f"cin.conv_layers.{layer}.weight"] = products.roll(turned, 0).unsqueeze(-1)
        weights[f"cin.conv_layers.{layer}.bias"] = linear.bias.roll(turned, 0)
    agree(xdeepfm, ExtremeDeepFactorizationMachineModel(SIZES, D, HIDDEN, 0.0, dims, split_half), weights)


def test_one_layer_of_autoint_plus_is_theirs_without_its_projections():
    """Theirs projects the embeddings first and the attended vectors last, here by 1, and has biases, here 0. It adds
    the residual once after all layers and has one ReLU there, where the paper has both in every layer: so one layer.
    """
    heads, width = 2, 6
    autoint = make(
        "autoint_plus", SCHEMA, linear=True, num_attention_layers=1, num_heads=heads, attention_dim=3, batch_norm=True
    )
    autoint = drawn(autoint)
    layer = autoint.attention[0]
    projections = [torch.nn.functional.pad(p.weight, (0, width - D)) for p in (layer.query, layer.key, layer.value)]
    eye, zeros = torch.eye(width, dtype=torch.double), torch.zeros(3 * width, dtype=torch.double)
    weights = first_order(autoint, bias=zeros[:1]) | table(autoint) | network(autoint)
    weights |= {"atten_embedding.weight": eye[:, :D], "atten_embedding.bias": zeros[:width]}
    weights |= {"self_attns.0.in_proj_weight": torch.cat(projections), "self_attns.0.in_proj_bias": zeros}
    weights |= {"self_attns.0.out_proj.weight": eye, "self_attns.0.out_proj.bias": zeros[:width]}
    weights |= {"V_res_embedding.weight": layer.residual.weight, "V_res_embedding.bias": zeros[:width]}
    weights |= state(autoint.attention_head, "attn_fc")
    agree(autoint, AutomaticFeatureInteractionModel(SIZES, D, width, heads, 1, HIDDEN, (0.0, 0.0)), weights)
