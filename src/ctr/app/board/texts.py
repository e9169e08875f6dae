"""What TensorBoard shows as text."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import yaml
from tensorboard.compat.proto.summary_pb2 import Summary
from torch import nn
from torch.utils.tensorboard.summary import text

from ctr.app import pictures, summary
from ctr.schema import FeatureSchema


def of_start(config: Mapping[str, Any], model: nn.Module, schema: FeatureSchema) -> Iterator[Summary]:
    """The config, and the model's blocks with their shapes and parameters."""
    yield text("config", code(yaml.safe_dump(dict(config), sort_keys=False)))
    yield text("model", code(pictures.draw(model, schema, "table")))


def of_end(scores: Mapping[str, Any]) -> Iterator[Summary]:
    """The table of scores, and what there is to say about it."""
    titles, rows = summary.score_rows(scores)
    said = [*summary.undefined(scores), *scores["warnings"], *([scores["claim"]] if scores["claim"] else [])]
    paragraphs = [markdown(["metric", *titles], rows), *said, summary.effort(scores)]
    yield text("scores", "\n\n".join(paragraphs))


def code(content: str) -> str:
    """Indented, which is a block of code in Markdown."""
    return "    " + content.replace("\n", "\n    ")


def markdown(titles: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A table; the first column to the left, the others to the right."""
    lines = [titles, ["---", *["---:"] * (len(titles) - 1)], *rows]
    return "\n".join("| " + " | ".join(cell.replace("|", "&#124;") for cell in line) + " |" for line in lines)
