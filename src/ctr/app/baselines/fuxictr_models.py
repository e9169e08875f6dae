"""FuxiCTR's models that are ours, and what their settings are called there. tests/peers holds them to be the same."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from ctr.errors import UserError

EPS = 1e-5  # of its batch norms
BLOCK = {"activation": "hidden_activations", "dropout": "net_dropout", "batch_norm": "batch_norm"}
NETWORK = BLOCK | {"hidden_dims": "hidden_units"}
BESIDE = {
    "hidden_dims": "dnn_hidden_units",
    "activation": "dnn_activations",
    "dropout": "net_dropout",
    "batch_norm": "batch_norm",
}
CROSSES = BESIDE | {"num_cross_layers": "num_cross_layers"}
BOTH = ("embedding", "linear")
ALL_FIELDS = {"linear_fields": None, "deep_fields": None, "weigh_logits": False}


@dataclass(frozen=True)
class Counterpart:
    """A class of FuxiCTR's `model_zoo` that is one of our models.

    `names` are our settings by their names there, `turned` those that change on the way, `only` the values of ours with
    which theirs is the same model, and `free` those that make no difference. `embedding_dim` and `init_std` are known.
    """

    target: str
    names: Mapping[str, str] = field(default_factory=dict)
    only: Mapping[str, Any] = field(default_factory=dict)
    free: tuple[str, ...] = ()
    turned: Mapping[tuple[str, ...], Callable[..., dict[str, Any]]] = field(default_factory=dict)
    groups: tuple[str, ...] = ("embedding",)  # of our parameters that its L2 is on; the same on all
    l2: str = "embedding_regularizer"  # or "regularizer", which its shallow models have, on every parameter

    @property
    def known(self) -> set[str]:
        turned = {key for keys in self.turned for key in keys}
        return {"embedding_dim", "init_std", *self.names, *self.only, *self.free, *turned}


def _crosses_beside(structure: str, hidden_dims: list[int]) -> dict[str, Any]:
    return {"model_structure": structure, f"{structure}_dnn_hidden_units": hidden_dims}


def _one_dropout(attention_dropout: float, dropout: float, hidden_dims: list[int]) -> dict[str, Any]:
    if hidden_dims and dropout != attention_dropout:
        raise UserError(
            f"FuxiCTR's AutoInt has one dropout for attention and network; the config has model.attention_dropout="
            f"{attention_dropout} and model.dropout={dropout}"
        )
    return {"net_dropout": attention_dropout, "dnn_hidden_units": hidden_dims}


def _batch_norm(hidden_batch_norm: bool, batch_norm_eps: float) -> dict[str, Any]:
    if hidden_batch_norm and batch_norm_eps != EPS:
        raise UserError(f"FuxiCTR's batch norm has model.batch_norm_eps={EPS}; the config has {batch_norm_eps}")
    return {"batch_norm": hidden_batch_norm}


def _blocks(second_hidden_dims: list[int]) -> dict[str, Any]:
    return {"block_type": "2B" if second_hidden_dims else "1B", "block2_hidden_units": second_hidden_dims}


def _both(*theirs: str) -> Callable[[Any], dict[str, Any]]:
    return lambda value: dict.fromkeys(theirs, value)


COUNTERPARTS = {
    "LR": Counterpart("LR", only={"bias": True}, groups=("linear",), l2="regularizer"),
    "FM": Counterpart("FM", only={"bias": True, "embedding_dropout": 0.0}, groups=BOTH, l2="regularizer"),
    "FFM": Counterpart("FFM", only={"linear": True, "normalize": False}, groups=BOTH, l2="regularizer"),
    "FwFM": Counterpart(
        "FwFM",
        only={"first_order": "FeLV"},
        turned={("first_order",): lambda kind: {"linear_type": kind}},
        groups=("embedding", "network"),
        l2="regularizer",
    ),
    "FmFM": Counterpart(
        "FmFM",
        only={"bias": True},
        turned={
            ("weights",): lambda kind: {"field_interaction_type": {"vector": "vectorized", "matrix": "matrixed"}[kind]}
        },
        groups=(*BOTH, "network"),
        l2="regularizer",
    ),
    "HOFM": Counterpart("HOFM", {"order": "order"}, only={"bias": True}, groups=BOTH, l2="regularizer"),
    "AFM": Counterpart(
        "AFM",
        {"attention_dim": "attention_dim"},
        only={"bias": True},
        turned={("attention_dropout", "pooling_dropout"): lambda *rates: {"attention_dropout": list(rates)}},
        groups=BOTH,
    ),
    "DNN": Counterpart("DNN", NETWORK),
    "DeepFM": Counterpart("DeepFM", NETWORK, ALL_FIELDS | {"fm_output": "sum"}, free=("bias",), groups=BOTH),
    "NFM": Counterpart(
        "NFM",
        {
            "hidden_dims": "hidden_units",
            "activation": "hidden_activations",
            "hidden_dropout": "net_dropout",
        },
        ALL_FIELDS | {"pooling_batch_norm": False, "pooling_dropout": 0.0, "head_bias": True},
        free=("bias",),
        turned={("hidden_batch_norm", "batch_norm_eps"): _batch_norm},
        groups=BOTH,
    ),
    "WideDeep": Counterpart(
        "WideDeep",
        NETWORK,
        ALL_FIELDS | {"bias": False, "crosses": [], "head_bias": True},
        free=("num_buckets",),
        groups=BOTH,
    ),
    "PNN": Counterpart("PNN", NETWORK, {"inner": "pairs", "outer": "none"}),
    "DCN": Counterpart("DCN", CROSSES),
    "DCNv2": Counterpart(
        "DCNv2",
        {ours: theirs for ours, theirs in CROSSES.items() if ours != "hidden_dims"},
        {"cross_rank": 0, "num_experts": 1},
        turned={("structure", "hidden_dims"): _crosses_beside},
    ),
    "GDCN": Counterpart("GDCN.src.GDCNP", CROSSES, {"structure": "parallel"}),
    "XDeepFM": Counterpart(
        "xDeepFM",
        BESIDE | {"cin_dims": "cin_hidden_units"},
        ALL_FIELDS | {"cin_bias": True, "split_half": False},
        free=("bias",),
        groups=BOTH,
    ),
    "DeepCrossing": Counterpart("DeepCrossing", BLOCK | {"hidden_dims": "residual_blocks"}),
    "AFN": Counterpart(
        "AFN",
        {
            "num_neurons": "logarithmic_neurons",
            "hidden_dims": "afn_hidden_units",
            "dropout": "afn_dropout",
            "batch_norm": "batch_norm",
            "ensemble": "ensemble_dnn",
            "deep_hidden_dims": "dnn_hidden_units",
            "deep_dropout": "dnn_dropout",
        },
        {"min_magnitude": 1e-5},
        turned={("activation",): _both("afn_activations", "dnn_activations")},
    ),
    "AutoInt": Counterpart(
        "AutoInt",
        {
            "linear": "use_wide",
            "num_attention_layers": "attention_layers",
            "scale": "use_scale",
            "residual": "use_residual",
            "layer_norm": "layer_norm",
            "activation": "dnn_activations",
            "batch_norm": "batch_norm",
        },
        ALL_FIELDS,
        turned={
            ("attention_dim", "num_heads"): lambda dim, heads: {"attention_dim": dim * heads, "num_heads": heads},
            ("attention_dropout", "dropout", "hidden_dims"): _one_dropout,
        },
        groups=BOTH,
    ),
    "MaskNet": Counterpart(
        "MaskNet",
        {
            "num_blocks": "parallel_num_blocks",
            "block_dim": "parallel_block_dim",
            "reduction_ratio": "reduction_ratio",
            "hidden_dims": "dnn_hidden_units",
            "activation": "dnn_hidden_activations",
            "dropout": "net_dropout",
            "embedding_layer_norm": "emb_layernorm",
            "layer_norm": "net_layernorm",
        },
        turned={("structure",): lambda kind: {"model_type": f"{kind.title()}MaskNet"}},
    ),
    "FiBiNET": Counterpart(
        "FiBiNET",
        NETWORK | {"reduction_ratio": "reduction_ratio", "bilinear_type": "bilinear_type"},
        ALL_FIELDS | {"share_bilinear": False},
        free=("bias",),
        groups=BOTH,
    ),
    "FinalMLP": Counterpart(
        "FinalMLP",
        {
            "feature_selection": "use_fs",
            "first_context": "fs1_context",
            "second_context": "fs2_context",
            "gate_hidden_dims": "fs_hidden_units",
            "first_hidden_dims": "mlp1_hidden_units",
            "second_hidden_dims": "mlp2_hidden_units",
            "first_dropout": "mlp1_dropout",
            "second_dropout": "mlp2_dropout",
            "first_batch_norm": "mlp1_batch_norm",
            "second_batch_norm": "mlp2_batch_norm",
            "num_heads": "num_heads",
        },
        turned={("activation",): _both("mlp1_hidden_activations", "mlp2_hidden_activations")},
    ),
    "FinalNet": Counterpart(
        "FinalNet",
        {
            "field_gate": "use_feature_gating",
            "first_hidden_dims": "block1_hidden_units",
            "residual": "residual_type",
            "first_dropout": "block1_dropout",
            "second_dropout": "block2_dropout",
            "batch_norm": "batch_norm",
        },
        {"distillation": True},
        turned={
            ("activation",): _both("block1_hidden_activations", "block2_hidden_activations"),
            ("second_hidden_dims",): _blocks,
        },
    ),
}
