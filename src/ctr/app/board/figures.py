"""Figures as TensorBoard keeps them."""

from __future__ import annotations

from collections.abc import Callable
from io import BytesIO
from typing import TYPE_CHECKING

from tensorboard.compat.proto.summary_pb2 import Summary

if TYPE_CHECKING:
    from matplotlib.figure import Figure

DOTS = 100  # an inch


def image(tag: str, draw: Callable[[Figure], None]) -> Summary:
    """What `draw` puts on an empty figure, as PNG. It sets the margins itself: to find them takes longest of all."""
    import matplotlib as mpl  # here: it takes its time, and a run without figures does without
    from matplotlib.figure import Figure

    with mpl.rc_context({"font.size": 8, "text.parse_math": False}):  # a name may hold a dollar sign
        figure = Figure()
        draw(figure)
        file = BytesIO()
        figure.savefig(file, format="png", dpi=DOTS)
    width, height = (int(side) for side in figure.get_size_inches() * DOTS)
    picture = Summary.Image(height=height, width=width, colorspace=4, encoded_image_string=file.getvalue())
    return Summary(value=[Summary.Value(tag=tag, image=picture)])
