"""The words and colours of a picture, in whatever form it is drawn."""

from __future__ import annotations

from textwrap import wrap

from ctr.app.pictures.graph import Graph, Kind

WIDTH = 36  # characters of a line

COLOURS: dict[Kind, tuple[str, str]] = {  # fill and line
    "input": ("#f5f7fa", "#7b8794"),
    "table": ("#dbeafe", "#2563eb"),
    "block": ("#fef3c7", "#b45309"),
    "small": ("#ffffff", "#9aa5b1"),
    "weight": ("#ede9fe", "#7c3aed"),
    "output": ("#dcfce7", "#15803d"),
}


def title(graph: Graph) -> str:
    tables = f", {graph.in_tables:,} of them in tables" if graph.in_tables else ""
    return f"{graph.title}: {graph.parameters:,} parameters{tables}"


def lines(graph: Graph, place: int) -> list[str]:
    """What stands in a node's box, the name first."""
    node = graph.nodes[place]
    if node.kind == "small":
        return [f"{node.title} {node.detail}" if node.title == "Dropout" else node.title]
    said = [node.name or node.title]
    if node.name and node.name.replace("_", "") != node.title.lower():
        said.append(node.title)
    said += wrap(node.detail.replace(" ", "\xa0").replace(",\xa0", ", "), WIDTH, break_long_words=False)
    if node.kind == "block" and not node.formula.startswith("Layers of"):  # which the widths say already
        said += _clauses(node.formula)
    if node.again:
        said.append("the same weights again")
    if node.parameters:
        frozen = ", not trained" if node.frozen == node.parameters else ""
        said.append(f"{node.parameters:,} parameter{'' if node.parameters == 1 else 's'}{frozen}")
    if readers := graph.shared_by(place):
        said.append(f"shared by {_list(readers)}")
    if node.kind == "output":
        said.append("one an example")
    return [text.replace("\xa0", " ") for text in said]


def _clauses(formula: str) -> list[str]:
    """As much of it as two lines hold."""
    clauses = formula.split(", ")
    while clauses and len(wrap(", ".join(clauses), WIDTH)) > 2:
        clauses.pop()
    return wrap(", ".join(clauses), WIDTH)


def _list(names: list[str]) -> str:
    shown = names if len(names) <= 3 else [*names[:2], f"{len(names) - 2} more"]
    return f"{', '.join(shown[:-1])} and {shown[-1]}"
