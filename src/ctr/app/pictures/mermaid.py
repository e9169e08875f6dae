"""A graph as Mermaid's text, which GitHub and many editors draw."""

from __future__ import annotations

from ctr.app.pictures.graph import Graph, Kind
from ctr.app.pictures.wording import COLOURS, lines

INIT = '%%{init: {"flowchart": {"wrappingWidth": 400}}}%%'  # lines end where ours do
BRACKETS: dict[Kind, tuple[str, str]] = {
    "input": ("([", "])"),
    "table": ("[(", ")]"),
    "block": ("[", "]"),
    "small": ("([", "])"),
    "weight": ("[", "]"),
    "output": ("([", "])"),
}


def mermaid(graph: Graph) -> str:
    said = [INIT, "flowchart TB"]
    for i, node in enumerate(graph.nodes):
        first, *rest = map(_escaped, lines(graph, i))
        text = "<br/>".join([first if node.kind == "small" else f"<b>{first}</b>", *rest])
        opening, closing = BRACKETS[node.kind]
        said.append(f'  n{i}{opening}"{text}"{closing}')
        said.append(f"  class n{i} {node.kind}")
        said += [f"  class n{i} shared"] if graph.shared_by(i) else []
    said += [f'  n{edge.source} -->|"{edge.shape}"| n{edge.target}' for edge in graph.edges]
    for kind, (fill, line) in COLOURS.items():
        if any(node.kind == kind for node in graph.nodes):
            said.append(f"  classDef {kind} fill:{fill},stroke:{line},color:#1f2933")
    if any(graph.shared_by(i) for i in range(len(graph.nodes))):
        said.append("  classDef shared stroke-width:3px")
    return "\n".join(said) + "\n"


def _escaped(text: str) -> str:
    for character, name in {"&": "&amp;", "<": "&lt;", ">": "&gt;", '"': "&quot;"}.items():
        text = text.replace(character, name)
    return text
