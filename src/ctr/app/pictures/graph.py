"""What a picture of a model shows: blocks, what flows between them, and how many weights each holds."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Literal

Kind = Literal["input", "table", "block", "small", "weight", "output"]
# table: a block that looks ids up; small: no weights and no work to speak of, as a sum; weight: a bare parameter


@dataclass(frozen=True)
class Node:
    """A block at one of its calls, or an operation between blocks."""

    kind: Kind
    name: str  # in the model, as `mlp`; empty for an operation
    title: str  # the block's class, or what an operation does
    detail: str = ""  # sizes and settings
    formula: str = ""  # what the block computes, as its docstring opens
    shape: str = ""  # of its output
    parameters: int = 0  # counted at a block's first call
    frozen: int = 0  # those among them that are not trained
    again: bool = False  # the weights are those of an earlier call

    @property
    def reads_on(self) -> bool:
        """Whoever reads this node reads what stands before it."""
        return self.kind == "small"


@dataclass(frozen=True)
class Edge:
    """A tensor on its way from one node to another, both by their place in the list of nodes."""

    source: int
    target: int
    shape: str


@dataclass(frozen=True)
class Graph:
    """A model, its nodes in the order in which they ran."""

    title: str
    nodes: tuple[Node, ...]
    edges: tuple[Edge, ...]

    @cached_property
    def parameters(self) -> int:
        return sum(node.parameters for node in self.nodes)

    @cached_property
    def in_tables(self) -> int:
        """Parameters of blocks that look ids up: they grow with the data's vocabularies."""
        return sum(node.parameters for node in self.nodes if node.kind == "table")

    def shared_by(self, place: int) -> list[str]:
        """The names of the blocks that read a table, where they are several."""
        if self.nodes[place].kind != "table":
            return []
        readers = list(dict.fromkeys(self._readers(place)))
        return readers if len(readers) > 1 else []

    def _readers(self, place: int) -> Iterator[str]:
        for edge in self.edges:
            node = self.nodes[edge.target]
            if edge.source == place and node.reads_on:
                yield from self._readers(edge.target)
            elif edge.source == place and node.kind != "output":
                yield node.name


def tidied(title: str, nodes: list[Node], edges: list[Edge]) -> Graph:
    """The graph of what the last node depends on; (a + b) + c in it is a + b + c."""
    edges = _one_sum(nodes, edges)
    wanted = {len(nodes) - 1}
    for edge in sorted(edges, key=lambda edge: -edge.target):
        wanted |= {edge.source} if edge.target in wanted else set()
    new = {place: i for i, place in enumerate(sorted(wanted))}
    kept = [Edge(new[e.source], new[e.target], e.shape) for e in edges if e.target in wanted]
    return Graph(title, tuple(nodes[place] for place in sorted(wanted)), tuple(dict.fromkeys(kept)))


def _one_sum(nodes: list[Node], edges: list[Edge]) -> list[Edge]:
    for place, node in enumerate(nodes):
        after = [edge for edge in edges if edge.source == place]
        if node.title == "+" and len(after) == 1 and nodes[after[0].target].title == "+":
            target = after[0].target
            edges = [edge for edge in edges if edge is not after[0]]
            edges = [Edge(e.source, target, e.shape) if e.target == place else e for e in edges]
    return edges
