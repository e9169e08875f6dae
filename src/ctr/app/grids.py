"""Rows of cells as text, Markdown, LaTeX, CSV or HTML."""

from __future__ import annotations

import html
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import pandas as pd

TEX = str.maketrans(
    {
        **{letter: f"\\{letter}" for letter in "&%$#_{}"},
        "\\": r"\textbackslash{}",
        "~": r"\textasciitilde{}",
        "^": r"\textasciicircum{}",
        "<": "$<$",
        ">": "$>$",
        "±": r"$\pm$",
    }
)


@dataclass(frozen=True)
class Grid:
    """Rows of cells under a heading, with a title above and notes below. `bold` holds the (row, column) of cells that
    stand out. `frame` has the numbers, for CSV."""

    title: str
    head: Sequence[str]
    rows: Sequence[Sequence[str]]
    frame: pd.DataFrame
    bold: frozenset[tuple[int, int]] = frozenset()
    notes: Sequence[str] = field(default=())


def written(grids: Sequence[Grid], style: str) -> str:
    """All of them in one of the FORMATS, one below the other. CSV has the numbers alone, one heading and no notes."""
    return FORMATS[style](list(grids))


def pipes(rows: Sequence[Sequence[str]]) -> str:
    """Rows of cells as Markdown, the first as heading; columns that are empty are left out."""
    kept = _used(rows[0], rows[1:])
    lines = [[row[i].replace("|", "\\|") for i in kept] for row in rows]
    return "\n".join("| " + " | ".join(cells) + " |" for cells in [lines[0], ["---"] * len(kept), *lines[1:]])


def _used(head: Sequence[str], rows: Sequence[Sequence[str]]) -> list[int]:
    return [i for i in range(len(head)) if not rows or any(row[i] for row in rows)]


def _marked(grid: Grid, mark: Callable[[str], str], escape: Callable[[str], str]) -> pd.DataFrame:
    """The cells of the columns that are not empty, escaped, and those that stand out marked."""
    cells = [
        [mark(escape(cell)) if (i, j) in grid.bold else escape(cell) for j, cell in enumerate(row)]
        for i, row in enumerate(grid.rows)
    ]
    frame = pd.DataFrame(cells, columns=[escape(name) for name in grid.head], dtype="object")
    return frame.iloc[:, _used(grid.head, grid.rows)]


def _text(grid: Grid) -> str:
    frame = _marked(grid, "{} *".format, str)
    lines = [list(frame.columns), *frame.to_numpy().tolist()]
    widths = [max(len(line[i]) for line in lines) for i in range(len(frame.columns))]
    lines.insert(1, ["-" * width for width in widths])
    body = ["  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip() for line in lines]
    return "\n".join([grid.title, "", *body, "", *grid.notes])


def _markdown(grid: Grid) -> str:
    frame = _marked(grid, "**{}**".format, str)
    notes = [f"- {note}" for note in grid.notes]
    return "\n".join([f"**{grid.title}**", "", pipes([list(frame.columns), *frame.to_numpy().tolist()]), "", *notes])


def _latex(grid: Grid) -> str:
    frame = _marked(grid, r"\textbf{{{}}}".format, lambda cell: cell.translate(TEX))
    said = [f"% {line}" for line in (grid.title, *grid.notes)]
    return "\n".join([said[0], frame.to_latex(index=False, escape=False).rstrip(), *said[1:]])


def _html(grid: Grid) -> str:
    frame = _marked(grid, "<b>{}</b>".format, html.escape)
    notes = "".join(f"<li>{html.escape(note)}</li>" for note in grid.notes)
    table = frame.to_html(index=False, escape=False, border=0)
    caption = f"<figcaption>{html.escape(grid.title)}</figcaption>"
    return f"<figure>\n{caption}\n{table}\n<ul>{notes}</ul>\n</figure>"


def _csv(grids: Sequence[Grid]) -> str:
    return str(pd.concat([grid.frame for grid in grids]).to_csv(index=False)).rstrip()


def _each(one: Callable[[Grid], str]) -> Callable[[Sequence[Grid]], str]:
    return lambda grids: "\n\n".join(one(grid).rstrip() for grid in grids)


FORMATS: dict[str, Callable[[Sequence[Grid]], str]] = {
    "text": _each(_text),
    "markdown": _each(_markdown),
    "latex": _each(_latex),
    "csv": _csv,
    "html": _each(_html),
}
