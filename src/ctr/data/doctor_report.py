"""An examination on the console: what to look at first, then the numbers, a line a field."""

from __future__ import annotations

from collections.abc import Sequence

from rich.console import Console
from rich.table import Table
from rich.text import Text

from ctr.data.doctor import Examination
from ctr.data.doctor.finding import Finding
from ctr.data.doctor.labels import Labels
from ctr.data.doctor.wording import moment, percent, score, typical
from ctr.data.field_names import shown

LEVELS = "▁▂▃▄▅▆▇█"


def print_report(console: Console, name: str, seen: Examination, found: Sequence[Finding]) -> None:
    where = "not prepared: no counts of rejected rows, no tokens" if seen.folder is None else str(seen.folder)
    schema = seen.schema
    _line(console, f"{name}: {schema.num_fields} fields, {schema.num_features:,} features, schema {schema.fingerprint}")
    _line(console, f"{where}\n")
    _findings(console, found)
    console.print(_rows(seen))
    for line in _more(seen):
        _line(console, line)
    console.print(_duplicates(seen))
    console.print(_fields(seen))


def _findings(console: Console, found: Sequence[Finding]) -> None:
    for finding in found:
        style = "bold red" if finding.severity == "warning" else "bold"
        head = Text.assemble(
            (f"{finding.severity:<8}", style), (shown(finding.where, 100), "bold"), f": {finding.what}"
        )
        console.print(head, soft_wrap=True)
        console.print(Text(f"        {finding.why}\n        -> {finding.mend}", style="dim"), soft_wrap=True)
    if not found:
        console.print(Text("nothing suspicious found", style="bold green"))


def _rows(seen: Examination) -> Table:
    table = _table("rows", "mean label" if seen.regression else "label rate", "standard deviation", first="split")
    for split, part in seen.labels.items():
        table.add_row(split, f"{part.rows:,}", f"{part.mean:.5f}", f"{part.std:.4f}")
    return table


def _more(seen: Examination) -> list[str]:
    """The rows of the files, the labels along train, the times."""
    lines = []
    if rows := seen.manifest.get("rows"):
        lines.append(f"files       {rows['read']:,} rows read, {rows['dropped_negatives']:,} negatives dropped")
        lines += [f"rejected    {count:,}: {shown(reason, 100)}" for reason, count in rows["rejected"].items()]
    lines.append(f"file order  {_sparkline(seen.order)}  of train")
    if seen.times is not None:
        if not seen.times.is_moment:
            lines += [f"time        {_sparkline(parts)}  of {split}" for split, parts in seen.times.parts.items()]
        first, last = seen.times.first, seen.times.last
        lines += [f"            {split} from {moment(first[split])} to {moment(last[split])} UTC" for split in first]
    return lines


def _duplicates(seen: Examination) -> Table:
    duplicates = seen.duplicates
    heads = ("rows", "equal", "share", "other label")
    part = "" if duplicates.share == 1 else f" ({duplicates.share:.1%} of all different rows looked at)"
    table = _table(*heads, first=f"equal rows{part}")
    for split, within in duplicates.within.items():
        share = percent(within.twins / max(1, within.rows))
        table.add_row(f"in {split}", f"{within.rows:,}", f"{within.twins:,}", share, f"{within.conflicts:,}")
    for (later, earlier), across in duplicates.across.items():
        share = percent(across.found / max(1, across.rows))
        cells = (f"{across.rows:,}", f"{across.found:,}", share, f"{across.conflicts:,}")
        table.add_row(f"{later}, also in {earlier}", *cells)
    return table


def _fields(seen: Examination) -> Table:
    """The best predictor first."""
    splits = list(seen.labels)
    alone = "R² alone" if seen.regression else "AUC alone"
    table = _table(alone, "features", "effective", "missing", *(f"OOV {split}" for split in splits), first="field")
    table.add_column("kind", no_wrap=True)
    table.add_column("most frequent, or range", no_wrap=True, overflow="ellipsis", max_width=44)
    for field in seen.by_score:
        table.add_row(
            Text(shown(field.name, 30)),
            *(score(field.alone), f"{field.num_features:,}", f"{field.effective:,.1f}"),
            percent(field.missing["train"]),
            *(percent(field.oov[split]) for split in splits),
            field.kind,
            Text(typical(field)),
        )
    return table


def _table(*numbers: str, first: str) -> Table:
    table = Table(box=None, pad_edge=False, header_style="bold")
    table.add_column(first, no_wrap=True)
    for head in numbers:
        table.add_column(head, justify="right", no_wrap=True)
    return table


def _sparkline(parts: Sequence[Labels]) -> str:
    """A letter a part, from the lowest mean to the highest."""
    means = [part.mean for part in parts if part.rows]
    low, high = min(means), max(means)
    step = (high - low) / (len(LEVELS) - 1) or 1.0
    line = "".join(LEVELS[round((part.mean - low) / step)] if part.rows else " " for part in parts)
    return f"{line}  {low:.4g} to {high:.4g}"


def _line(console: Console, text: str) -> None:
    console.print(text, soft_wrap=True, highlight=False, markup=False)
