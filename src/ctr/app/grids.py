"""Rows of cells as text, Markdown, LaTeX, CSV or HTML."""

from __future__ import annotations

import csv
import html
import io
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

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
    stand out; columns that are empty are left out. `frame` has the numbers, for CSV; None for what has none."""

    title: str
    head: Sequence[str]
    rows: Sequence[Sequence[str]]
    bold: frozenset[tuple[int, int]] = frozenset()
    notes: Sequence[str] = ()
    frame: pd.DataFrame | None = None


def written(grids: Sequence[Grid], style: str) -> str:
    """All of them in one of the FORMATS, one below the other. CSV has the numbers alone, without titles and notes."""
    return FORMATS[style](grids)


def show(grids: Sequence[Grid], style: str) -> None:
    """Prints them; the notes that CSV has no place for go to stderr."""
    print(written(grids, style))
    if style == "csv":
        print("\n".join(note for grid in grids for note in grid.notes), file=sys.stderr)


def pipes(rows: Sequence[Sequence[str]]) -> str:
    """Rows of cells as Markdown, the first as heading; columns that are empty are left out."""
    kept = _used(rows)
    lines = [[row[i].replace("|", "\\|") for i in kept] for row in rows]
    return "\n".join("| " + " | ".join(cells) + " |" for cells in [lines[0], ["---"] * len(kept), *lines[1:]])


def comma_separated(lines: Sequence[Mapping[str, object]], otherwise: str) -> str:
    """Lines of named cells as CSV, a column a name, in the order in which they come; without any line the heading is
    `otherwise`."""
    columns = list(dict.fromkeys(key for line in lines for key in line))
    text = io.StringIO()
    writer = csv.DictWriter(text, columns or [otherwise], lineterminator="\n")
    writer.writeheader()
    writer.writerows(lines)
    return text.getvalue()


def _used(rows: Sequence[Sequence[str]]) -> list[int]:
    return [i for i in range(len(rows[0])) if len(rows) == 1 or any(row[i] for row in rows[1:])]


def _lines(grid: Grid, mark: Callable[[str], str], escape: Callable[[str], str] = str) -> list[list[str]]:
    """Heading and rows, escaped, without empty columns, and marked where they stand out."""
    kept = _used([grid.head, *grid.rows])
    body = [
        [mark(escape(row[j])) if (i, j) in grid.bold else escape(row[j]) for j in kept]
        for i, row in enumerate(grid.rows)
    ]
    return [[escape(grid.head[j]) for j in kept], *body]


def _frame(lines: Sequence[Sequence[str]]) -> pd.DataFrame:
    return pd.DataFrame(lines[1:], columns=lines[0], dtype="object")


def _text(grid: Grid) -> str:
    lines = _lines(grid, "{} *".format)
    widths = [max(len(line[i]) for line in lines) for i in range(len(lines[0]))]
    lines.insert(1, ["-" * width for width in widths])
    body = ["  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip() for line in lines]
    return "\n".join([grid.title, "", *body, "", *grid.notes])


def _markdown(grid: Grid) -> str:
    lines = _lines(grid, "**{}**".format)
    return "\n".join([f"**{grid.title}**", "", pipes(lines), "", *(f"- {note}" for note in grid.notes)])


def _latex(grid: Grid) -> str:
    lines = _lines(grid, r"\textbf{{{}}}".format, lambda cell: cell.translate(TEX))
    said = [f"% {line}" for line in (grid.title, *grid.notes)]
    return "\n".join([said[0], _frame(lines).to_latex(index=False, escape=False).rstrip(), *said[1:]])


def _html(grid: Grid) -> str:
    lines = _lines(grid, "<b>{}</b>".format, html.escape)
    parts = [f"<figcaption>{html.escape(grid.title)}</figcaption>"]
    parts.append(_frame(lines).to_html(index=False, escape=False, border=0, justify="left"))
    parts += ["<ul>", *(f"<li>{html.escape(note)}</li>" for note in grid.notes), "</ul>"]
    return "\n".join(["<figure>", *parts, "</figure>"])


def _csv(grids: Sequence[Grid]) -> str:
    return str(pd.concat([grid.frame for grid in grids if grid.frame is not None]).to_csv(index=False)).rstrip()


def _each(one: Callable[[Grid], str]) -> Callable[[Sequence[Grid]], str]:
    return lambda grids: "\n\n".join(one(grid).rstrip() for grid in grids)


FORMATS: dict[str, Callable[[Sequence[Grid]], str]] = {
    "text": _each(_text),
    "markdown": _each(_markdown),
    "latex": _each(_latex),
    "csv": _csv,
    "html": _each(_html),
}
