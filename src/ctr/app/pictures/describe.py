"""A block in a few words: its sizes and settings, and the formula that opens its docstring."""

from __future__ import annotations

import inspect
import re
from itertools import pairwise

from torch import nn

from ctr.app.pictures.graph import Kind
from ctr.blocks import Dropout, FieldPool, SlotSelect
from ctr.blocks.mlp import ACTIVATIONS
from ctr.schema import FeatureSchema

SETTINGS = {kind: name for name, kind in ACTIVATIONS.items() if kind is not nn.Identity}
SETTINGS |= {nn.BatchNorm1d: "batch norm", nn.LayerNorm: "layer norm"}


def detail(module: nn.Module) -> str:
    """Sizes and settings, as `table 5,382 x 10` or `100 -> 400 -> 400, batch norm, relu, dropout 0.2`."""
    if tables := [one for one in module.modules() if isinstance(one, nn.Embedding)]:
        return ", ".join(f"table {table.num_embeddings:,} × {table.embedding_dim:,}" for table in tables)
    if isinstance(module, Dropout):
        return f"{module.p:g}"
    if isinstance(module, nn.RNNBase):
        return f"{module.input_size:,} → {module.hidden_size:,}"
    words = [sizes] if (sizes := _sizes(module)) else []
    for one in module.modules():
        words += [name for kind, name in SETTINGS.items() if type(one) is kind]
        words += [f"dropout {one.p:g}"] if isinstance(one, Dropout) and one.p > 0 else []
    words += [] if words else [re.sub(r"(\w+)=", lambda match: f"{match[1].replace('_', ' ')} ", module.extra_repr())]
    return ", ".join(dict.fromkeys(words))


def kind_of(module: nn.Module) -> Kind:
    if isinstance(module, (FieldPool, SlotSelect, Dropout)):
        return "small"
    return "table" if any(isinstance(one, nn.Embedding) for one in module.modules()) else "block"


def _sizes(module: nn.Module) -> str:
    """The widths of layers that follow each other; otherwise those of each layer, or how many there are."""
    layers = getattr(module, "layers", None)
    linears = [one for one in module.modules() if isinstance(one, nn.Linear)]
    widths = [linears[0].in_features, *(one.out_features for one in linears)] if linears else []
    chain = all(one.out_features == other.in_features for one, other in pairwise(linears))
    if linears and chain and (layers is not None or len(linears) == 1 or len(set(widths)) > 1):
        return " → ".join(f"{width:,}" for width in widths)
    if isinstance(layers, (nn.Sequential, nn.ModuleList)) and len(layers):
        outputs = [f"{one.out_features:,}" for one in layers if isinstance(one, nn.Linear)]
        return f"layers of {', '.join(outputs)}" if outputs else f"{len(layers)} layers"
    return ""


def formula(module: nn.Module) -> str:
    """What the block computes, in the words of its docstring. Torch's own blocks have none that is short."""
    if not type(module).__module__.startswith("torch."):
        first = (inspect.getdoc(type(module)) or "").split("\n\n")[0].replace("\n", " ")
        return re.split(r": (?:ids, values|each|[\w ]*\(B)|(?<!\.)\.(?:\s+(?=[A-Z])|$)|, for models", first)[0].rstrip(
            ":"
        )
    return ""


def fields_of(schema: FeatureSchema) -> str:
    """How many fields there are, and the first of them by name."""
    names = [field.name for field in schema.fields]
    shown = names if len(names) <= 5 else [*names[:4], "..."]
    slots = "" if schema.num_slots == schema.num_fields else f" in {schema.num_slots} slots"
    return f"{len(names)} field{'' if len(names) == 1 else 's'}{slots}: {', '.join(shown)}"
