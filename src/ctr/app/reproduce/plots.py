"""What a table draws: curves over epochs, a grid as a heat map, a grid as lines."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from ctr.app.nodes import keys, texts
from ctr.app.reproduce import scores
from ctr.app.reproduce.table import Grid, Plot
from ctr.errors import UserError, nearest

KINDS = ("curves", "heat", "sweep")


def read(
    node: Any, rows: Sequence[str], grids: Mapping[str, Grid], claims: Sequence[str], score: str, where: str
) -> Iterator[Plot]:
    """The plots of a table's file. `curves` names a score by epoch, `heat` and `sweep` name a grid; `claims` are those
    whose verdicts stand over it."""
    if not isinstance(node, Mapping):
        raise UserError(f"{where}: expected a mapping of names to plots, found {node!r}")
    for name, plot in node.items():
        at = f"{where}.{name}"
        plot = keys(plot, at, ("title",), ("rows", "score", "claims", *KINDS))
        if len(kinds := [kind for kind in KINDS if kind in plot]) != 1:
            raise UserError(f"{at}: a plot has one of {', '.join(KINDS)}; found {', '.join(kinds) or 'none'}")
        kind = kinds[0]
        shown = tuple(_one_of(claim, claims, f"{at}.claims") for claim in texts(plot.get("claims", []), f"{at}.claims"))
        if kind == "curves":
            listed = texts(plot.get("rows", []), f"{at}.rows")
            for row in listed:
                _one_of(row, rows, f"{at}.rows")
            scores.known(f"{plot[kind]} at epoch 1", f"{at}.curves")
            yield Plot(str(name), str(plot["title"]), kind, str(plot[kind]), shown, tuple(listed))
        else:
            grid = grids[_one_of(plot[kind], list(grids), f"{at}.{kind}")]
            yield Plot(
                str(name), str(plot["title"]), kind, scores.known(plot.get("score", score), at), shown, grid=grid
            )


def _one_of(name: Any, known: Sequence[str], where: str) -> str:
    if name not in known:
        raise UserError(f"{where}: there is no {name!r}{nearest(name, known)}")
    return str(name)
