"""What `scripts/configs.py draw` does: from a command's overrides to the picture of its model."""

from __future__ import annotations

from collections.abc import Sequence

from torch import nn

from ctr.app import pictures
from ctr.app.composed import checked, compose
from ctr.app.config import build
from ctr.app.pictures import schemas


def drawn(overrides: Sequence[str], form: str, trust: Sequence[str] = ()) -> tuple[str, str]:
    """The picture of the model that the command ends with, and a remark about its data, or none. `overrides` are those
    of train.py; nothing is trained."""
    config = checked(compose(overrides), trust)
    schema, remark = schemas.of_dataset(config["dataset"], trust)
    name, stage = list(config["stages"].items())[-1]
    model: nn.Module = build(stage["model"], trust, f"stages.{name}.model", schema=schema)
    return pictures.draw(model, schema, form), remark
