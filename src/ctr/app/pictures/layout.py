"""Where the nodes of a graph stand: in layers from top to bottom, as the data flow, with few crossings."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from scipy.optimize import isotonic_regression

from ctr.app.pictures.graph import Edge, Graph

GAP, ROOM = 22.0, 34.0  # points between neighbours of a layer, and between layers
SWEEPS, ROUNDS = 24, 400

Cell = tuple[int, ...]  # (node,), or (edge, layer) where an edge passes a layer
Link = tuple[Cell, Cell]


@dataclass(frozen=True)
class Placed:
    """Centres of nodes, in points from the top left corner, and where each edge passes the layers between."""

    centres: Mapping[int, tuple[float, float]]
    ways: Mapping[Edge, Sequence[tuple[float, float, float]]]  # x, and from which y to which it runs straight down
    size: tuple[float, float]


def place(graph: Graph, sizes: Sequence[tuple[float, float]]) -> Placed:
    """`sizes` are the widths and heights of the nodes, in points."""
    layers_of = _layers_of(graph)
    widths: dict[Cell, float] = {(i,): size[0] for i, size in enumerate(sizes)}
    layers: list[list[Cell]] = [[] for _ in range(max(layers_of) + 1)]
    for node, layer in enumerate(layers_of):
        layers[layer].append((node,))
    links: list[Link] = []
    chains: dict[Edge, list[Cell]] = {}
    for number, edge in enumerate(graph.edges):  # an edge over several layers has a place of its own in each
        between = range(layers_of[edge.source] + 1, layers_of[edge.target])
        chains[edge] = [(edge.source,), *((number, layer) for layer in between), (edge.target,)]
        for one in chains[edge][1:-1]:
            layers[one[1]].append(one)
            widths[one] = 4.0
        links += pairwise(chains[edge])
    layers = _ordered(layers, links)
    x = _across(layers, links, widths)
    _straighten(x, layers, widths, chains.values())
    heights = [max(sizes[one[0]][1] if len(one) == 1 else 0.0 for one in layer) for layer in layers]
    tops = np.cumsum([0.0, *(height + ROOM for height in heights)])
    left = min(x[one] - widths[one] / 2 for one in x)
    right = max(x[one] + widths[one] / 2 for one in x)
    centres = {node: (x[node,] - left, tops[layer] + heights[layer] / 2) for node, layer in enumerate(layers_of)}
    ways = {
        edge: [(x[one] - left, tops[one[1]], tops[one[1]] + heights[one[1]]) for one in chain[1:-1]]
        for edge, chain in chains.items()
    }
    return Placed(centres, ways, (right - left, float(tops[-1] - ROOM)))


def _layers_of(graph: Graph) -> list[int]:
    """Below all that a node reads; bare weights right above their reader."""
    layers = [0] * len(graph.nodes)
    for edge in sorted(graph.edges, key=lambda edge: edge.target):
        layers[edge.target] = max(layers[edge.target], layers[edge.source] + 1)
    for i, node in enumerate(graph.nodes):
        if node.kind == "weight":
            layers[i] = min(layers[edge.target] for edge in graph.edges if edge.source == i) - 1
    return layers


def _ordered(layers: list[list[Cell]], links: Sequence[Link]) -> list[list[Cell]]:
    """Each layer sorted by the mean place of the neighbours above, then below, and so on; the order with the fewest
    crossings that came up."""
    best, fewest = layers, _crossings(layers, links)
    for sweep in range(SWEEPS):
        down = sweep % 2 == 0
        order = range(1, len(layers)) if down else range(len(layers) - 2, -1, -1)
        layers = [list(layer) for layer in layers]
        for here in order:
            beside = {one: float(i) for i, one in enumerate(layers[here - 1 if down else here + 1])}
            place = {one: float(i) for i, one in enumerate(layers[here])}
            for one in layers[here]:
                if near := [beside[a if down else b] for a, b in links if (b if down else a) == one]:
                    place[one] = sum(near) / len(near)
            layers[here].sort(key=place.__getitem__)
        if (count := _crossings(layers, links)) < fewest:
            best, fewest = layers, count
    return best


def _crossings(layers: list[list[Cell]], links: Sequence[Link]) -> int:
    at = {one: (depth, i) for depth, layer in enumerate(layers) for i, one in enumerate(layer)}
    count = 0
    for n, (a, b) in enumerate(links):
        for c, d in links[:n]:
            if at[a][0] == at[c][0]:
                count += (at[a][1] - at[c][1]) * (at[b][1] - at[d][1]) < 0
    return count


def _across(layers: list[list[Cell]], links: Sequence[Link], widths: Mapping[Cell, float]) -> dict[Cell, float]:
    """Each cell as near to the mean of its neighbours as those beside it leave room; long edges stay straight."""
    near: dict[Cell, list[tuple[Cell, float]]] = {one: [] for layer in layers for one in layer}
    for a, b in links:
        pull = 6.0 if len(a) + len(b) == 4 else 2.0 if len(a) + len(b) == 3 else 1.0
        near[a].append((b, pull))
        near[b].append((a, pull))
    x = dict.fromkeys(near, 0.0)
    apart = [[(widths[a] + widths[b]) / 2 + GAP for a, b in pairwise(layer)] for layer in layers]
    lines = [(layer, np.cumsum([0.0, *gaps])) for layer, gaps in zip(layers, apart, strict=True)]
    for _ in range(ROUNDS):
        before = dict(x)
        for layer, offsets in [*lines, *reversed(lines)]:
            pulls = [sum(pull for _, pull in near[one]) for one in layer]
            wish = [sum(x[b] * pull for b, pull in near[one]) / all_ for one, all_ in zip(layer, pulls, strict=True)]
            found = isotonic_regression(np.array(wish) - offsets, weights=np.array(pulls)).x + offsets
            x.update(zip(layer, map(float, found), strict=True))
        if max(abs(x[one] - before[one]) for one in x) < 0.05:
            break
    return x


def _straighten(
    x: dict[Cell, float], layers: list[list[Cell]], widths: Mapping[Cell, float], chains: Iterable[list[Cell]]
) -> None:
    """An edge runs straight past the layers between, where there is a straight way."""
    beside = {one: (before, after) for layer in layers for before, one, after in _with_neighbours(layer)}
    for passed in (chain[1:-1] for chain in chains):
        low, high = -np.inf, np.inf
        for one in passed:
            left, right = beside[one]
            low = max(low, x[left] + (widths[left] + widths[one]) / 2 + GAP / 2 if left else -np.inf)
            high = min(high, x[right] - (widths[right] + widths[one]) / 2 - GAP / 2 if right else np.inf)
        if passed and low <= high:
            straight = min(max(float(np.mean([x[one] for one in passed])), low), high)
            x.update(dict.fromkeys(passed, straight))


def _with_neighbours(layer: list[Cell]) -> Iterator[tuple[Cell | None, Cell, Cell | None]]:
    yield from zip([None, *layer[:-1]], layer, [*layer[1:], None], strict=True)
