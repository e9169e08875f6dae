"""A model's blocks as a table: what each puts out, and how many of the parameters it holds."""

from __future__ import annotations

from collections.abc import Sequence

from ctr.app.pictures.graph import Graph

HEAD = ("block", "class", "output", "parameters", "share")
LEFT = 3  # so many columns are texts, the others numbers


def rows(graph: Graph) -> list[tuple[str, ...]]:
    """The blocks in the order in which they run, then the totals."""
    found = list[tuple[str, ...]]()
    for place, node in enumerate(graph.nodes):
        if node.name:
            known = " (again)" if node.again else ""
            shared = " (shared)" if graph.shared_by(place) else ""
            found.append((node.name + known + shared, node.title, node.shape, *_count(node.parameters, graph)))
    frozen = sum(node.frozen for node in graph.nodes)
    totals = {"all": graph.parameters, "in tables": graph.in_tables, "elsewhere": graph.parameters - graph.in_tables}
    totals |= {"not trained": frozen} if frozen else {}
    return found + [(name, "", "", *_count(count, graph)) for name, count in totals.items()]


def _count(count: int, graph: Graph) -> tuple[str, str]:
    return (f"{count:,}", f"{100 * count / graph.parameters:.1f} %") if count else ("0", "")


def text(graph: Graph) -> str:
    """For a terminal, or wherever all letters are of one width."""
    body = rows(graph)
    first_total = next(i for i, row in enumerate(body) if row[0] == "all" and not row[1])
    widths = [max(len(row[i]) for row in [HEAD, *body]) for i in range(len(HEAD))]
    said = [_line(row, widths) for row in [HEAD, *body]]
    rule = "-" * max(map(len, said))
    return "\n".join([said[0], rule, *said[1 : 1 + first_total], rule, *said[1 + first_total :]]) + "\n"


def _line(row: Sequence[str], widths: Sequence[int]) -> str:
    cells = [
        cell.ljust(width) if i < LEFT else cell.rjust(width)
        for i, (cell, width) in enumerate(zip(row, widths, strict=True))
    ]
    return "  ".join(cells).rstrip()


def markdown(graph: Graph) -> str:
    said = [HEAD, ("---",) * LEFT + ("---:",) * (len(HEAD) - LEFT), *rows(graph)]
    return "\n".join(f"| {' | '.join(row)} |" for row in said) + "\n"
