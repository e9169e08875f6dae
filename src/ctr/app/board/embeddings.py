"""How embeddings lie after a stage: their length by field, and rows that nothing was learnt for."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

import numpy as np
import torch
from tensorboard.compat.proto.summary_pb2 import Summary
from torch import Tensor, nn
from torch.utils.tensorboard.summary import scalar, text

from ctr.app.board import figures
from ctr.app.board.texts import markdown
from ctr.data.names import Names
from ctr.schema import FeatureSchema

if TYPE_CHECKING:
    from matplotlib.figure import Figure

NUM_FIELDS = 60  # in a figure
HEAD = ["field", "features", "in train", "never in train", "never moved", "mean norm", "of those never in train"]


@dataclass(frozen=True)
class FieldRows:
    """The rows that a field has in a table."""

    name: str
    rows: int
    slots: int  # of train that hold one of them
    absent: int  # rows that no slot of train holds
    still: int  # rows that are as they were before the first step
    norm: float  # the mean length of the rows that train holds; nan where there is none
    absent_norm: float  # of the others


def tables(model: nn.Module, schema: FeatureSchema) -> dict[str, Tensor]:
    """The model's tables of vectors, a row (N, D) for each feature, by the names of their blocks; those of its
    first-order weights where it has no vectors."""
    found = {
        name.removesuffix(".table"): module.weight.detach()
        for name, module in model.named_modules()
        if isinstance(module, nn.Embedding) and len(module.weight) == schema.num_features
    }
    return {name: table for name, table in found.items() if table.shape[1] > 1} or found


def row_sums(model: nn.Module, schema: FeatureSchema) -> dict[str, Tensor]:
    """By table the sum of each row, (N,): by which one that has moved is known later, without a copy of the table."""
    return {name: table.cpu().sum(dim=1) for name, table in tables(model, schema).items()}


def summaries(found: Mapping[str, Tensor], names: Names, before: Mapping[str, Tensor]) -> Iterator[Summary]:
    """By table a text and a figure by field, and the shares of all rows that train has not and that never moved."""
    for name, table in found.items():
        fields = by_field(table.cpu(), names, before[name])
        rows = sum(field.rows for field in fields)
        yield text(f"{name}/by_field", markdown(HEAD, [_cells(field) for field in fields]))
        yield scalar(f"{name}/never_in_train", sum(field.absent for field in fields) / rows)
        yield scalar(f"{name}/never_moved", sum(field.still for field in fields) / rows)
        yield figures.image(f"{name}/mean_norm", partial(draw, fields=fields))


def by_field(table: Tensor, names: Names, before: Tensor) -> list[FieldRows]:
    """Of each field that has features of its own; those that it shares are its owner's."""
    norms = torch.linalg.vector_norm(table, dim=1).double().numpy()
    still = (table.sum(dim=1) == before).numpy()
    found = []
    for field, offset in zip(names.schema.fields, names.schema.offsets, strict=True):
        if field.shares is None:
            mine = slice(offset, offset + field.num_features)
            counts, norm = names.counts[mine], norms[mine]
            absent = counts == 0
            found.append(
                FieldRows(
                    field.name,
                    field.num_features,
                    int(counts.sum()),
                    int(absent.sum()),
                    int(still[mine].sum()),
                    _mean(norm[~absent]),
                    _mean(norm[absent]),
                )
            )
    return found


def draw(figure: Figure, fields: Sequence[FieldRows]) -> None:
    """The mean length by field as bars; a mark where rows that train never holds have another."""
    shown = sorted(fields, key=lambda field: -field.rows)[:NUM_FIELDS][::-1]  # the first is on top
    height = 1.0 + 0.2 * max(len(shown), 3)
    figure.set_size_inches(6.4, height)
    axes = figure.subplots(gridspec_kw={"left": 0.34, "right": 0.97, "bottom": 0.45 / height, "top": 1 - 0.35 / height})
    places = range(len(shown))
    axes.barh(places, [field.norm for field in shown], color="#2563a8", label="features in train")
    absent = [field.absent_norm for field in shown]
    if not np.isnan(absent).all():
        axes.plot(absent, places, "|", color="#d9822b", ms=9, markeredgewidth=2, label="features never in train")
        axes.legend(loc="lower right", bbox_to_anchor=(1, 1), ncols=2, fontsize=7, frameon=False)
    axes.set_yticks(places, [f"{field.name[:30]} ({field.rows:,})" for field in shown])
    which = f", the {len(shown)} of {len(fields)} fields with the most features" if len(shown) < len(fields) else ""
    axes.set(xlabel=f"mean norm of a field's rows{which}", ylim=(-0.7, len(shown) - 0.3))


def _cells(field: FieldRows) -> list[str]:
    shares = [_share(count, field.rows) for count in (field.absent, field.still)]
    norms = ["" if np.isnan(norm) else f"{norm:.4g}" for norm in (field.norm, field.absent_norm)]
    return [field.name, f"{field.rows:,}", f"{field.slots:,}", *shares, *norms]


def _share(count: int, rows: int) -> str:
    return f"{count:,} ({count / rows:.1%})" if count else "0"


def _mean(norms: np.ndarray) -> float:
    return float(norms.mean()) if len(norms) else float("nan")
