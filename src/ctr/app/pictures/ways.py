"""How an edge runs from box to box: straight down past the layers between, in bends from layer to layer."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

from ctr.app.pictures.graph import Edge, Graph
from ctr.app.pictures.layout import Placed

Point = tuple[float, float]
Way = list[tuple[Literal["move", "curve", "line"], Point]]  # a curve is three points: two that pull, and its end


def way(graph: Graph, placed: Placed, sizes: Sequence[tuple[float, float]], edge: Edge) -> Way:
    """From the source's lower side to the target's upper one."""
    here, end = (_port(graph, placed, sizes, edge, at_target) for at_target in (False, True))
    said: Way = [("move", here)]
    for x, top, bottom in [*placed.ways[edge], (end[0], end[1], end[1])]:
        bend = (top - here[1]) / 2
        said += [("curve", (here[0], here[1] + bend)), ("curve", (x, top - bend)), ("curve", (x, top))]
        here = x, bottom
        said += [("line", here)] if bottom > top else []
    return said


def _port(graph: Graph, placed: Placed, sizes: Sequence[tuple[float, float]], edge: Edge, at_target: bool) -> Point:
    """Where an edge leaves or meets a box: those of one side beside each other, in the order they come from."""
    node = edge.target if at_target else edge.source
    side = [other for other in graph.edges if (other.target if at_target else other.source) == node]

    def comes_from(other: Edge) -> float:
        passed = placed.ways[other]
        far = placed.centres[other.source if at_target else other.target][0]
        return passed[-1 if at_target else 0][0] if passed else far

    number = sorted(side, key=comes_from).index(edge)
    (x, y), (width, height) = placed.centres[node], sizes[node]
    step = min(34.0, 0.7 * width / len(side))
    return x + (number - (len(side) - 1) / 2) * step, y - height / 2 - 1.5 if at_target else y + height / 2
