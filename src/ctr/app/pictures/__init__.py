"""Pictures of models: blocks, the shapes that flow between them, and where the parameters are.

Importing this imports torch; the picture as pixels or SVG imports matplotlib as well, when it is asked for.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from torch import nn

from ctr.app.pictures import table as tables
from ctr.app.pictures.mermaid import mermaid
from ctr.app.pictures.trace import trace
from ctr.errors import UserError, nearest
from ctr.schema import FeatureSchema

if TYPE_CHECKING:
    import numpy as np

FORMATS = ("svg", "mermaid", "table")


def draw(model: nn.Module, schema: FeatureSchema, form: str = "mermaid") -> str:
    """The model as Mermaid's text, as an SVG, or as a table of its blocks."""
    if form not in FORMATS:
        raise UserError(f"a picture is one of {', '.join(FORMATS)}; found {form!r}{nearest(form, FORMATS)}")
    graph = trace(model, schema)
    if form == "svg":
        from ctr.app.pictures import image

        return image.svg(graph)
    return mermaid(graph) if form == "mermaid" else tables.text(graph)


def pixels(model: nn.Module, schema: FeatureSchema) -> np.ndarray[Any, np.dtype[np.uint8]]:
    """The picture as (height, width, 3), for TensorBoard's `add_image(..., dataformats="HWC")`."""
    from ctr.app.pictures import image

    return image.pixels(trace(model, schema))
