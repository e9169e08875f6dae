"""A graph as a picture: SVG, or pixels."""

from __future__ import annotations

import io
from typing import Any

import matplotlib as mpl
import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.font_manager import FontProperties
from matplotlib.patches import FancyArrowPatch, FancyBboxPatch
from matplotlib.path import Path
from matplotlib.textpath import TextPath

from ctr.app.pictures.graph import Graph
from ctr.app.pictures.layout import place
from ctr.app.pictures.ways import Way, way
from ctr.app.pictures.wording import COLOURS, lines, title

SIZE, LEADING, PADDING, MARGIN = 9.0, 12.5, 7.0, 14.0  # points
SHAPE_SIZE, TITLE_SIZE = 7.0, 12.0


def svg(graph: Graph) -> str:
    """The same text for the same graph."""
    file = io.StringIO()
    with mpl.rc_context({"svg.hashsalt": "ctr"}):
        _figure(graph).savefig(file, format="svg", metadata={"Date": None, "Creator": None})
    return file.getvalue()


def pixels(graph: Graph, dots_per_inch: int = 110) -> np.ndarray[Any, np.dtype[np.uint8]]:
    """(height, width, 3), as TensorBoard's images are."""
    figure = _figure(graph)
    figure.set_dpi(dots_per_inch)
    canvas: Any = FigureCanvasAgg(figure)
    canvas.draw()
    return np.asarray(canvas.buffer_rgba())[..., :3].copy()


def _figure(graph: Graph) -> Figure:
    boxes = [lines(graph, i) for i in range(len(graph.nodes))]
    sizes = [_size(box, graph.nodes[i].kind == "small") for i, box in enumerate(boxes)]
    placed = place(graph, sizes)
    heading = title(graph)
    width = max(placed.size[0], _width(heading, TITLE_SIZE)) + 2 * MARGIN
    height = placed.size[1] + 2 * MARGIN + 2 * LEADING
    figure = Figure(figsize=(width / 72, height / 72))
    axes = figure.add_axes((0, 0, 1, 1))
    left = (width - placed.size[0]) / 2
    axes.set(xlim=(-left, width - left), ylim=(height - MARGIN - 2 * LEADING, -MARGIN - 2 * LEADING))
    axes.axis("off")
    axes.text(width / 2 - left, -2 * LEADING, heading, size=TITLE_SIZE, weight="bold", ha="center", va="top")
    for edge in graph.edges:
        _draw_edge(axes, way(graph, placed, sizes, edge), edge.shape)
    for i, box in enumerate(boxes):
        _draw_box(axes, graph, i, box, placed.centres[i], sizes[i])
    return figure


def _size(box: list[str], small: bool) -> tuple[float, float]:
    widest = max(_width(text, SIZE, bold=i == 0) for i, text in enumerate(box))
    return max(widest + 2 * PADDING, 24.0), len(box) * LEADING + (PADDING if small else 1.4 * PADDING)


def _width(text: str, size: float, bold: bool = True) -> float:
    weight = "bold" if bold else "normal"
    return (
        float(TextPath((0, 0), text, size=size, prop=FontProperties(weight=weight)).get_extents().width)
        if text
        else 0.0
    )


def _draw_box(
    axes: Any, graph: Graph, i: int, box: list[str], centre: tuple[float, float], size: tuple[float, float]
) -> None:
    node, (x, y), (width, height) = graph.nodes[i], centre, size
    fill, line = COLOURS[node.kind]
    shared = bool(graph.shared_by(i))
    round_by = height / 2 if node.kind in ("small", "input", "output") else 4
    axes.add_patch(
        FancyBboxPatch(
            (x - width / 2, y - height / 2),
            width,
            height,
            boxstyle=f"round,pad=0,rounding_size={min(round_by, width / 2)}",
            facecolor=fill,
            edgecolor=line,
            linewidth=2.4 if shared else 1.0,
            zorder=3,
        )
    )
    top = y - LEADING * (len(box) - 1) / 2
    for k, text in enumerate(box):
        bold = k == 0 and node.kind != "small"
        colour = line if shared and text.startswith("shared") else "#1f2933" if k == 0 else "#52606d"
        axes.text(
            x,
            top + k * LEADING,
            text,
            size=SIZE,
            ha="center",
            va="center_baseline",
            zorder=4,
            color=colour,
            weight="bold" if bold else "normal",
        )


def _draw_edge(axes: Any, way: Way, shape: str) -> None:
    """Down from the source, past the nodes between, to the target; the tensor's shape stands before the target."""
    codes = [{"move": Path.MOVETO, "curve": Path.CURVE4, "line": Path.LINETO}[how] for how, _ in way]
    path = Path([point for _, point in way], codes)
    style = "-|>,head_length=4,head_width=2"
    axes.add_patch(FancyArrowPatch(path=path, arrowstyle=style, color="#7b8794", linewidth=1.1, zorder=2))
    (x0, y0), (x1, y1) = way[-4][1], way[-1][1]  # the ends of the last bend
    white = {"facecolor": "white", "edgecolor": "none", "pad": 0.6}
    centred = {"ha": "center", "va": "center"}
    axes.text(
        (x0 + x1) / 2, (y0 + y1) / 2 - 1, shape, size=SHAPE_SIZE, zorder=2.5, color="#3e4c59", bbox=white, **centred
    )
