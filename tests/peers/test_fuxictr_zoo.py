"""Whole models of FuxiCTR 2.3.10 with our weights: the same logits and gradients.

They live in its repository's `model_zoo`; the package has a few others alone, so put a checkout on PYTHONPATH. What
differs is said at each test; in all of them FuxiCTR counts its parameters field by field.
"""

import pytest
import torch
from torch import nn

from tests.models.shared import make
from tests.peers.shared import NAMES, SCHEMA, SIZES, D, by_field, drawn, local_ids, same_model, stack, state

pytest.importorskip("fuxictr", reason="FuxiCTR is not installed: pip install fuxictr==2.3.10; tests/peers/README.md")
pytest.importorskip(
    "model_zoo.DeepFM", reason="FuxiCTR's models are not on PYTHONPATH: add a checkout of it; tests/peers/README.md"
)

import model_zoo as zoo
from fuxictr.features import FeatureMap
from model_zoo.GDCN.src import GDCNP

HIDDEN = [8, 5]  # of `make`
F = len(SIZES)


def theirs(model_class, **options):
    """Their model, which returns logits."""
    features = FeatureMap("random", ".")
    features.num_fields, features.default_emb_dim = F, D
    for name, size in zip(NAMES, SIZES, strict=True):
        features.features[name] = {"type": "categorical", "vocab_size": size, "source": ""}
    needed = {"optimizer": "adam", "loss": "binary_crossentropy", "metrics": ["AUC"], "model_root": ".", "verbose": 0}
    if model_class is not zoo.LR:
        options = {"embedding_dim": D} | options
    model = model_class(features, task="regression", **needed, **options)
    model.output_activation = nn.Identity()  # FFM does not read its task
    return model


def agree(ours, model, weights):
    inputs = dict(zip(NAMES, local_ids().T, strict=True))
    same_model(ours, model, weights, inputs, output=lambda returned: returned["y_pred"])


def tables(embedding, layer="embedding_layer"):
    return by_field(embedding, layer + ".embedding_layer.embedding_layers.{}.weight")


def first_order(linear, layer):
    bias = {f"{layer}.bias": linear.bias} if isinstance(linear.bias, nn.Parameter) else {}
    return tables(linear.weight, f"{layer}.embedding_layer") | bias


def network(ours, prefix):
    return stack(ours.mlp, ours.head, f"{prefix}.mlp", has_dropout=False)


def test_lr():
    lr = drawn(make("lr", SCHEMA))
    agree(lr, theirs(zoo.LR), first_order(lr.linear, "lr_layer"))


def test_fm():
    fm = drawn(make("fm", SCHEMA))
    agree(fm, theirs(zoo.FM), tables(fm.embedding) | first_order(fm.linear, "fm.lr_layer"))


def test_afm():
    afm = drawn(make("afm", SCHEMA, attention_dim=6))
    weights = tables(afm.embedding) | first_order(afm.linear, "lr_layer") | state(afm.head, "weight_p")
    weights |= state(afm.attention.hidden, "attention.0") | state(afm.attention.score, "attention.2")
    agree(afm, theirs(zoo.AFM, attention_dim=6), weights)


@pytest.mark.parametrize("ensemble", [False, True])
def test_afn(ensemble):
    afn = make("afn", SCHEMA, num_neurons=6, batch_norm=True, ensemble=ensemble, deep_hidden_dims=[7])
    afn = drawn(afn)
    weights = tables(afn.embedding) | network(afn, "dense_layer") | {"coefficient_W.weight": afn.transform.orders}
    weights |= state(afn.transform.log_norm, "log_batch_norm") | state(afn.transform.exp_norm, "exp_batch_norm")
    if ensemble:
        weights |= tables(afn.deep_embedding, "embedding_layer2") | state(afn.sum, "fc")
        weights |= stack(afn.deep_mlp, afn.deep_head, "dnn.mlp", has_dropout=False)
    options = {"logarithmic_neurons": 6, "afn_hidden_units": HIDDEN, "dnn_hidden_units": [7], "batch_norm": True}
    agree(afn, theirs(zoo.AFN, ensemble_dnn=ensemble, **options), weights)


@pytest.mark.parametrize("layer_norm", [False, True])
@pytest.mark.parametrize(("name", "linear"), [("autoint", False), ("autoint_plus", True)])
def test_autoint(name, linear, layer_norm):
    options = {"num_heads": 2, "layer_norm": layer_norm}
    autoint = drawn(make(name, SCHEMA, linear=linear, num_attention_layers=3, attention_dim=3, **options))
    weights = tables(autoint.embedding) | state(autoint.attention_head, "fc")
    for i, layer in enumerate(autoint.attention):
        parts = {
            "W_q": layer.query,
            "W_k": layer.key,
            "W_v": layer.value,
            "W_res": layer.residual,
            "layer_norm": layer.norm,
        }
        for part, module in parts.items():
            weights |= state(module, f"self_attention.{i}.{part}")
    if linear:
        weights |= first_order(autoint.linear, "lr_layer")
    if autoint.is_deep:
        weights |= network(autoint, "dnn")
    hidden = HIDDEN if autoint.is_deep else []
    options |= {"attention_dim": 6, "attention_layers": 3, "use_wide": linear, "use_scale": True}
    agree(autoint, theirs(zoo.AutoInt, dnn_hidden_units=hidden, **options), weights)


def test_ccpm_with_shared_filters():
    """Theirs puts channels before dimensions."""
    channels = [4, 4, 2]
    ccpm = drawn(make("ccpm", SCHEMA, shared_filters=True, channels=channels, kernel_widths=[3, 2, 2]))
    weights = tables(ccpm.embedding) | {"fc.bias": ccpm.head.bias}
    weights["fc.weight"] = ccpm.head.weight.view(D, channels[-1], 3).permute(1, 2, 0).reshape(1, -1)
    for i, convolution in enumerate(ccpm.convolutions.convolutions):
        weights[f"conv_layer.conv_layer.{4 * i + 1}.weight"] = convolution.weight.unsqueeze(-1)
        weights[f"conv_layer.conv_layer.{4 * i + 1}.bias"] = convolution.bias
    agree(ccpm, theirs(zoo.CCPM, channels=channels, kernel_heights=[3, 2, 2]), weights)


@pytest.mark.parametrize("hidden", [[], HIDDEN])
def test_dcn(hidden):
    dcn = drawn(make("dcn", SCHEMA, num_cross_layers=3, hidden_dims=hidden, batch_norm=True), std=0.3)
    weights = tables(dcn.embedding) | state(dcn.head, "fc") | stack(dcn.mlp, None, "dnn.mlp", has_dropout=False)
    for i, (w, b) in enumerate(zip(dcn.cross.weight, dcn.cross.bias, strict=True)):
        weights |= {f"crossnet.cross_net.{i}.weight.weight": w.unsqueeze(0), f"crossnet.cross_net.{i}.bias": b}
    agree(dcn, theirs(zoo.DCN, dnn_hidden_units=hidden, batch_norm=True), weights)


@pytest.mark.parametrize("structure", ["parallel", "stacked", "crossnet_only"])
def test_dcnv2(structure):
    """Theirs shares the gates of a mixture of experts among its layers; test_fuxictr.py has that layer."""
    alone = structure == "crossnet_only"
    form = {"structure": "stacked", "hidden_dims": []} if alone else {"structure": structure, "batch_norm": True}
    dcnv2 = drawn(make("dcnv2", SCHEMA, num_cross_layers=3, **form), std=0.3)
    weights = tables(dcnv2.embedding) | state(dcnv2.head, "fc")
    weights |= stack(dcnv2.mlp, None, f"{structure}_dnn.mlp", has_dropout=False)
    for i, layer in enumerate(dcnv2.cross.layers):
        weights[f"crossnet.cross_layers.{i}.weight"] = layer.matrices[0][0].T
        weights[f"crossnet.cross_layers.{i}.bias"] = layer.bias
    options = {} if alone else {f"{structure}_dnn_hidden_units": HIDDEN, "batch_norm": True}
    agree(dcnv2, theirs(zoo.DCNv2, model_structure=structure, **options), weights)


def test_deepcrossing():
    deepcrossing = drawn(make("deepcrossing", SCHEMA, batch_norm=True))
    weights = tables(deepcrossing.embedding) | state(deepcrossing.head, "crossing_layer.2")
    for i, unit in enumerate(deepcrossing.units):
        weights |= state(unit.inner, f"crossing_layer.{i}.layer.0") | state(unit.outer, f"crossing_layer.{i}.layer.2")
        weights |= state(unit.norm, f"crossing_layer.{i}.batch_norm")
    agree(deepcrossing, theirs(zoo.DeepCrossing, residual_blocks=HIDDEN, batch_norm=True), weights)


@pytest.mark.parametrize("batch_norm", [False, True])
def test_dnn(batch_norm):
    dnn = drawn(make("dnn", SCHEMA, batch_norm=batch_norm))
    agree(dnn, theirs(zoo.DNN, hidden_units=HIDDEN, batch_norm=batch_norm), tables(dnn.embedding) | network(dnn, "mlp"))


def test_deepfm_with_w_0():
    deepfm = drawn(make("deepfm", SCHEMA, bias=True, batch_norm=True))
    weights = tables(deepfm.embedding) | first_order(deepfm.linear, "fm.lr_layer") | network(deepfm, "mlp")
    agree(deepfm, theirs(zoo.DeepFM, hidden_units=HIDDEN, batch_norm=True), weights)


def test_ffm():
    ffm = drawn(make("ffm", SCHEMA))
    weights = first_order(ffm.linear, "lr_layer")
    for place, rows in enumerate(ffm.embedding.table.weight.split(D, dim=1)):
        weights |= tables(rows, f"embedding_layers.{place}")
    agree(ffm, theirs(zoo.FFM), weights)


@pytest.mark.parametrize("kind", ["field_all", "field_each", "field_interaction"])
def test_fibinet_whose_matrices_are_not_shared(kind):
    """With a matrix for each field theirs has one for the last field too, which is no pair's first."""
    fibinet = make("fibinet", SCHEMA, bias=False, share_bilinear=False, bilinear_type=kind, batch_norm=True)
    fibinet = drawn(fibinet)
    weights = tables(fibinet.embedding) | first_order(fibinet.linear, "lr_layer") | network(fibinet, "dnn")
    weights |= state(fibinet.senet.squeeze, "senet_layer.excitation.0")
    weights |= state(fibinet.senet.excite, "senet_layer.excitation.2")
    for i, bilinear in enumerate((fibinet.bilinear, fibinet.own), start=1):
        w = bilinear.matrices
        last = torch.zeros_like(w[:1])
        w = {"field_all": w[0], "field_each": torch.cat([w, last]), "field_interaction": w}[kind]
        weights[f"bilinear_interaction{i}.bilinear_W"] = w
    agree(fibinet, theirs(zoo.FiBiNET, hidden_units=HIDDEN, bilinear_type=kind, batch_norm=True), weights)


@pytest.mark.parametrize(("first_context", "second_context"), [([], ["f1"]), (["f0", "f3"], [])])
def test_finalmlp(first_context, second_context):
    widths = {"first_hidden_dims": [8, 6], "second_hidden_dims": [4], "gate_hidden_dims": [7]}
    contexts = {"first_context": first_context, "second_context": second_context}
    finalmlp = drawn(make("finalmlp", SCHEMA, num_heads=2, first_batch_norm=True, **widths, **contexts))
    weights = tables(finalmlp.embedding)
    weights |= stack(finalmlp.first_mlp, None, "mlp1.mlp", has_dropout=False)
    weights |= stack(finalmlp.second_mlp, None, "mlp2.mlp", has_dropout=False)
    weights |= state(finalmlp.head.first, "fusion_module.w_x") | state(finalmlp.head.second, "fusion_module.w_y")
    weights["fusion_module.w_xy"] = finalmlp.head.pairs.flatten().unsqueeze(1)
    for i, (names, context, gate) in enumerate(
        [
            (first_context, finalmlp.first_context_embedding, finalmlp.first_gate),
            (second_context, finalmlp.second_context_embedding, finalmlp.second_gate),
        ],
        start=1,
    ):
        weights |= stack(gate.mlp, gate.head, f"fs_module.fs{i}_gate.mlp", has_dropout=False)
        if not names:
            weights[f"fs_module.fs{i}_ctx_bias"] = context.constant
            continue
        rows = context.embedding.table.weight.split([SIZES[NAMES.index(name)] for name in names])
        layer = f"fs_module.fs{i}_ctx_emb.embedding_layer.embedding_layers"
        weights |= {f"{layer}.{name}.weight": part for name, part in zip(names, rows, strict=True)}
    options = {"mlp1_hidden_units": [8, 6], "mlp2_hidden_units": [4], "fs_hidden_units": [7], "mlp1_batch_norm": True}
    options |= {"fs1_context": first_context, "fs2_context": second_context}
    agree(finalmlp, theirs(zoo.FinalMLP, num_heads=2, **options), weights)


@pytest.mark.parametrize("residual", ["concat", "sum"])
@pytest.mark.parametrize("second", [[], [6]])
def test_finalnet(second, residual):
    """Without distillation, which is a loss of theirs and a gradient of ours; tests/blocks/test_distillation.py."""
    options = {"first_hidden_dims": [8, 6], "second_hidden_dims": second, "residual": residual, "distillation": False}
    finalnet = drawn(make("finalnet", SCHEMA, batch_norm=True, **options))
    weights = tables(finalnet.embedding) | state(finalnet.gate.linear, "feature_gating.linear")
    blocks = [(finalnet.first_mlp, finalnet.first_head)]
    if second:
        blocks.append((finalnet.second_mlp, finalnet.second_head))
    for i, (mlp, head) in enumerate(blocks, start=1):
        weights |= state(head, f"fc{i}")
        for layer in range(len(mlp.layers) // 4):
            weights |= state(mlp.layers[4 * layer], f"block{i}.layer.{layer}")
            weights |= state(mlp.layers[4 * layer + 1], f"block{i}.norm.{layer}")
    options = {"block1_hidden_units": [8, 6], "block2_hidden_units": second, "residual_type": residual}
    options |= {"block1_hidden_activations": "ReLU", "block2_hidden_activations": "ReLU"}
    options |= {"block_type": "2B" if second else "1B", "use_feature_gating": True}
    agree(finalnet, theirs(zoo.FinalNet, **options), weights)


@pytest.mark.parametrize(("kind", "their_kind"), [("vector", "vectorized"), ("matrix", "matrixed")])
def test_fmfm(kind, their_kind):
    fmfm = drawn(make("fmfm", SCHEMA, weights=kind))
    weights = tables(fmfm.embedding) | first_order(fmfm.linear, "lr_layer")
    weights["interaction_weight"] = fmfm.interaction.weight
    agree(fmfm, theirs(zoo.FmFM, field_interaction_type=their_kind), weights)


@pytest.mark.parametrize("kind", ["LW", "FeLV", "FiLV"])
def test_fwfm(kind):
    fwfm = drawn(make("fwfm", SCHEMA, first_order=kind))
    weights = tables(fwfm.embedding) | {"interaction_weight.weight": fwfm.interaction.weight.unsqueeze(0)}
    weights["interaction_weight.bias"] = fwfm.linear.bias if kind == "LW" else fwfm.bias
    if kind == "FiLV":
        weights["linear_weight_layer.weight"] = fwfm.field_vectors
    else:
        weights |= tables(fwfm.linear.weight if kind == "LW" else fwfm.first_embedding, "linear_weight_layer")
    agree(fwfm, theirs(zoo.FwFM, linear_type=kind), weights)


@pytest.mark.parametrize("structure", ["parallel", "stacked"])
def test_gdcn(structure):
    gdcn = drawn(make("gdcn", SCHEMA, structure=structure, num_cross_layers=3, batch_norm=True), std=0.3)
    weights = tables(gdcn.embedding)
    for i, (cross, gate) in enumerate(zip(gdcn.cross.crosses, gdcn.cross.gates, strict=True)):
        weights |= {f"cross_net.w.{i}.weight": cross.weight, f"cross_net.b.{i}": cross.bias}
        weights |= state(gate, f"cross_net.wg.{i}")
    if structure == "parallel":
        weights |= stack(gdcn.mlp, None, "dnn.mlp", has_dropout=False) | state(gdcn.head, "fc")
    else:
        weights |= network(gdcn, "dnn")
    model = GDCNP if structure == "parallel" else zoo.GDCN
    agree(gdcn, theirs(model, num_cross_layers=3, dnn_hidden_units=HIDDEN, batch_norm=True), weights)


@pytest.mark.parametrize("order", [2, 3, 4])
def test_hofm(order):
    hofm = drawn(make("hofm", SCHEMA, order=order), std=0.6)
    weights = first_order(hofm.linear, "lr_layer") | tables(hofm.embedding, "embedding_layers.0")
    if order > 2:
        for i, rows in enumerate(hofm.higher_embedding.table.weight.split(D, dim=1), start=1):
            weights |= tables(rows, f"embedding_layers.{i}")
    agree(hofm, theirs(zoo.HOFM, order=order), weights)


@pytest.mark.parametrize("structure", ["parallel", "serial"])
def test_masknet(structure):
    options = {"num_blocks": 2, "block_dim": 6, "reduction_ratio": 1.5}
    masknet = drawn(make("masknet", SCHEMA, structure=structure, **options), std=0.6)
    weights = tables(masknet.embedding)
    for f in range(F):
        weights |= {f"emb_norm.{f}.weight": masknet.norm.weight[f], f"emb_norm.{f}.bias": masknet.norm.bias[f]}
    for i, block in enumerate(masknet.blocks):
        weights |= state(block.mask, f"mask_net.mask_blocks.{i}.mask_layer")
        weights |= state(block.layer[:2], f"mask_net.mask_blocks.{i}.hidden_layer")
    if structure == "parallel":
        weights |= network(masknet, "mask_net.dnn")
    else:
        weights |= state(masknet.head, "mask_net.fc.0")
    options = {"parallel_num_blocks": 2, "parallel_block_dim": 6, "reduction_ratio": 1.5, "dnn_hidden_units": HIDDEN}
    agree(masknet, theirs(zoo.MaskNet, model_type=f"{structure.title()}MaskNet", **options), weights)


def test_nfm_without_batch_norm_after_the_bi_interaction():
    form = {"bias": False, "head_bias": True, "hidden_batch_norm": True, "batch_norm_eps": 1e-5}
    nfm = drawn(make("nfm", SCHEMA, **form))
    weights = tables(nfm.embedding) | first_order(nfm.linear, "lr_layer") | network(nfm, "dnn")
    agree(nfm, theirs(zoo.NFM, hidden_units=HIDDEN, batch_norm=True), weights)


def test_ipnn():
    ipnn = drawn(make("ipnn", SCHEMA, batch_norm=True))
    weights = tables(ipnn.embedding) | network(ipnn, "dnn")
    agree(ipnn, theirs(zoo.PNN, hidden_units=HIDDEN, batch_norm=True), weights)


def test_wide_and_deep_without_crosses():
    wide_deep = drawn(make("wide_deep", SCHEMA, bias=False, crosses=[], head_bias=True, batch_norm=True))
    weights = tables(wide_deep.embedding) | first_order(wide_deep.linear, "lr_layer") | network(wide_deep, "dnn")
    agree(wide_deep, theirs(zoo.WideDeep, hidden_units=HIDDEN, batch_norm=True), weights)


@pytest.mark.parametrize("hidden", [[], HIDDEN])
def test_xdeepfm_with_biases_in_cin(hidden):
    """The products of its CIN count by field first, ours by map first."""
    dims = [6, 4, 3]
    xdeepfm = drawn(make("xdeepfm", SCHEMA, cin_dims=dims, cin_bias=True, hidden_dims=hidden, batch_norm=True))
    weights = tables(xdeepfm.embedding) | first_order(xdeepfm.linear, "lr_layer") | state(xdeepfm.cin_head, "cin.fc")
    if hidden:
        weights |= network(xdeepfm, "dnn")
    for i, layer in enumerate(xdeepfm.cin.layers, start=1):
        products = layer.weight.unflatten(1, (-1, F)).transpose(1, 2).flatten(1)
        weights |= {
            f"cin.cin_layer.layer_{i}.weight": products.unsqueeze(-1),
            f"cin.cin_layer.layer_{i}.bias": layer.bias,
        }
    agree(xdeepfm, theirs(zoo.xDeepFM, cin_hidden_units=dims, dnn_hidden_units=hidden, batch_norm=True), weights)
