"""What scripts/explain.py does: measure, write, show."""

from __future__ import annotations

import os
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import pandas as pd
from rich.console import Console
from rich.table import Table
from rich.text import Text

from ctr import disk
from ctr.app import summary
from ctr.app.explain import frames, page, plots
from ctr.app.explain.explanation import find_group, measure, open_run
from ctr.app.explain.neighbours import nearest
from ctr.app.explain.row import contributions
from ctr.app.explain.sample import Sample
from ctr.app.results import Group
from ctr.data.names import Names
from ctr.errors import UserError

TOP = 10  # lines of a table on the console


@dataclass(frozen=True)
class Request:
    """What the command line said."""

    roots: Sequence[Path]
    split: str
    rows: int
    repeats: int
    seed: int
    row: int | None
    nearest: Sequence[str]
    count: int
    out: Path | None
    trust: Sequence[str]
    device: str | None


def explain(request: Request, console: Console) -> Path:
    """Writes the pages, the CSV files and the pictures; returns their folder. With a row, or features whose neighbours
    are asked for, only those are told, of the run with the lowest seed."""
    if min(request.rows, request.repeats, request.count) < 1:
        raise UserError("--rows, --repeats and --count must be at least 1")
    group = find_group(request.roots, console)
    out = request.out or Path(os.path.commonpath([root.resolve() for root in request.roots])) / "explain"
    if request.row is None and not request.nearest:
        _whole(request, group, out, console)
    else:
        _single(request, group, out, console)
    console.print(f"written to {out}", soft_wrap=True, highlight=False, markup=False)
    return out


def _whole(request: Request, group: Group, out: Path, console: Console) -> None:
    told = measure(
        group, request.split, request.rows, request.repeats, request.seed, request.trust, request.device, console
    )
    out.mkdir(parents=True, exist_ok=True)
    fields, pairs, terms = frames.importances(told), frames.ablations(told), frames.terms(told)
    _csv(out / "fields.csv", fields)
    plots.bars(out / "fields.png", told.importance, told.fields, frames.worse(told))
    _show(console, fields, f"fields, {told.rows}, over {told.importance.over}", 5)
    if terms is not None and told.terms is not None:
        _csv(out / "pairs_terms.csv", terms)
        title = "Terms of pairs, mean absolute value over the rows"
        plots.heat(out / "pairs_terms.png", told.terms, told.fields, told.unit, title)
        _show(console, terms, f"pairs by the terms of the model, in {told.unit}", 4)
    _csv(out / "pairs_ablation.csv", pairs)
    title = "Pairs by ablation, mean lack of additivity"
    plots.heat(out / "pairs_ablation.png", told.ablation, told.fields, told.unit, title)
    _show(console, pairs, f"pairs by ablation, in {told.unit}", 4)
    disk.write_text(out / "explain.md", page.page(told))


def _single(request: Request, group: Group, out: Path, console: Console) -> None:
    result = group.first
    run, data = open_run(result.folder, request.trust, request.device)
    names = Names(data)
    of = f"{summary.chain(result.config)}, seed {result.seed}"
    if (row := request.row) is not None:
        if not 0 <= row < (total := data.num_rows(request.split)):
            raise UserError(f"--row: {request.split} has the rows 0 to {total - 1:,}, found {row}")
        sample = Sample.draw(data, request.split, request.rows, request.seed)
        one = Sample(data.schema, request.split, data.splits[request.split].read([(row, row + 1)]), total)
        told = contributions(run, sample, one, names)
        title = f"Row {row} of {request.split}, {of}"
        out.mkdir(parents=True, exist_ok=True)
        disk.write_text(out / f"row_{request.split}_{row}.md", page.row_page(told, title))
        _csv(out / f"row_{request.split}_{row}.csv", frames.parts(told))
        how = "exact terms" if told.exact else "approximate, by occlusion, so that they need not sum to it"
        title = f"{title}: returns {told.logit:.6f}, label {told.label:g}; {how}"
        _show(console, frames.parts(told), title, 6)
    for text in request.nearest:
        found = nearest(run.model, names, text, request.count)
        out.mkdir(parents=True, exist_ok=True)
        stem = "nearest_" + re.sub(r"[^\w.-]+", "_", str(found.feature))
        disk.write_text(out / f"{stem}.md", page.neighbours_page(found))
        listed, own = frames.neighbours(found), len(found.same_field)
        _csv(out / f"{stem}.csv", listed)
        _show(console, listed[:own], f"nearest to {found.feature} in its field, {of}", 4)
        _show(console, listed[own:], "and in other fields", 4)


def _csv(path: Path, frame: pd.DataFrame) -> None:
    disk.write_text(path, frame.to_csv(index=False))


def _show(console: Console, frame: pd.DataFrame, title: str, digits: int) -> None:
    console.print(f"\n{title}", soft_wrap=True, highlight=False, markup=False)
    frame = frame.dropna(axis="columns", how="all")  # an interval where there is none
    table = Table()
    for column in frame.columns:
        number = pd.api.types.is_numeric_dtype(frame[column])
        table.add_column(Text(column), justify="right" if number else "left", no_wrap=number)
    for row in frame.head(TOP).itertuples(index=False):
        table.add_row(*(Text(_number(x, digits)) for x in row))
    console.print(table)
    if len(frame) > TOP:
        console.print(f"and {len(frame) - TOP:,} more in the files", highlight=False)


def _number(x: object, digits: int) -> str:
    if isinstance(x, float):
        return f"{x:.{digits}f}"
    return f"{x:,}" if isinstance(x, int) else str(x)
