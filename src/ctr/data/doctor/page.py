"""An examination as one HTML page that needs nothing else. Every text in it is escaped: tokens are strangers' files."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from html import escape
from pathlib import Path

from ctr import disk
from ctr.data.doctor import Examination
from ctr.data.doctor.fields import QUANTILES, FieldReport
from ctr.data.doctor.finding import Finding
from ctr.data.doctor.page_style import CSS, METHOD
from ctr.data.doctor.plots import plots
from ctr.data.doctor.wording import moment, percent, score, typical
from ctr.data.field_names import shown


def write_page(path: Path, name: str, seen: Examination, found: Sequence[Finding]) -> None:
    """The whole page, or nothing."""
    text = page(name, seen, found)
    path.parent.mkdir(parents=True, exist_ok=True)
    disk.write_text(path, text)


def page(name: str, seen: Examination, found: Sequence[Finding]) -> str:
    drawn = [f"<h2>{escape(title)}</h2>\n<div class=wide>{svg}</div>" for title, svg in _plots(seen).items()]
    where = "not a prepared dataset" if seen.folder is None else str(seen.folder)
    schema = seen.schema
    return "\n".join(
        [
            "<!doctype html>\n<html lang=en>\n<meta charset=utf-8>",
            """<meta http-equiv=Content-Security-Policy content="default-src 'none'; style-src 'unsafe-inline'">""",
            "<meta name=viewport content='width=device-width'>",
            f"<title>{escape(name)}</title>\n<style>{CSS}</style>\n<h1>{escape(name)}</h1>",
            f"<p class=quiet>{schema.num_fields} fields, {schema.num_features:,} features, "
            f"schema {schema.fingerprint}; {escape(where)}</p>",
            "<h2>Findings</h2>",
            *(map(_finding, found) if found else ["<div class='finding clean'>Nothing suspicious found.</div>"]),
            "<h2>Rows</h2>",
            _rows(seen),
            *drawn[:1],
            "<h2>Fields</h2>\n<p class=quiet>The best predictor first.</p>",
            _fields(seen),
            *drawn[1:],
            "<h2>Equal rows</h2>",
            _duplicates(seen),
            *(["<h2>Time</h2>", _times(seen)] if seen.times else []),
            "<h2>Values</h2>",
            *(_values(field, seen.regression) for field in seen.by_score),
            f"<h2>How it was measured</h2>\n<p class=quiet>{escape(METHOD)}</p>\n</html>\n",
        ]
    )


def _plots(seen: Examination) -> dict[str, str]:
    try:
        return plots(seen)
    except ModuleNotFoundError as error:
        return {"Plots": f"<p class=quiet>{escape(str(error.name))} is not installed; with it, plots stand here.</p>"}


def _finding(finding: Finding) -> str:
    return (
        f"<div class='finding {finding.severity}'><span class=chip>{finding.severity}</span>"
        f"<b>{escape(finding.where)}</b>: {escape(finding.what)}."
        f"<p class=quiet>Why it matters: {escape(finding.why)}.<br>What to do: {escape(finding.mend)}.</p></div>"
    )


def _rows(seen: Examination) -> str:
    mean = "mean label" if seen.regression else "label rate"
    table = _table(
        ["split", "rows", mean, "standard deviation"],
        [[split, f"{part.rows:,}", f"{part.mean:.5f}", f"{part.std:.4f}"] for split, part in seen.labels.items()],
    )
    if (rows := seen.manifest.get("rows")) is None:
        return table
    rejected = [[reason, f"{count:,}"] for reason, count in rows["rejected"].items()]
    dropped = [["negatives of train dropped", f"{rows['dropped_negatives']:,}"]] if rows["dropped_negatives"] else []
    return table + _table(["rows of the files", "count"], [["read", f"{rows['read']:,}"], *rejected, *dropped])


def _fields(seen: Examination) -> str:
    splits = list(seen.labels)
    heads = ["field", "kind", "features", "in train", "effective", "known", "missing", *(f"OOV {s}" for s in splits)]
    rows = [
        [
            *(field.name, field.kind, f"{field.num_features:,}", f"{field.num_seen:,}", f"{field.effective:,.1f}"),
            *(percent(field.known["train"]), percent(field.missing["train"])),
            *(percent(field.oov[split]) for split in splits),
            *(score(field.alone), typical(field)),
        ]
        for field in seen.by_score
    ]
    alone = "R² alone" if seen.regression else "AUC alone"
    table = _table([*heads, alone, "most frequent, or range"], rows, texts=(0, 1, len(heads) + 1))
    return f"<div class=wide>{table}</div>"


def _duplicates(seen: Examination) -> str:
    found = seen.duplicates
    within = [
        [split, f"{w.rows:,}", f"{w.twins:,}", f"{w.repeats:,}", f"{w.conflicts:,}"]
        for split, w in found.within.items()
    ]
    across = [
        [f"{later} in {earlier}", f"{a.found:,}", percent(a.found / a.rows if a.rows else 0.0), f"{a.conflicts:,}"]
        for (later, earlier), a in found.across.items()
    ]
    told = "" if found.share == 1 else f"<p>Counted on {found.share:.1%} of all different rows; shares are true.</p>"
    return (
        f"{told}<p class=quiet>Rows whose features are equal; unseen and rare tokens look alike.</p>"
        + _table(["split", "rows", "with an equal row", "equal to an earlier row", "equal, other label"], within)
        + _table(["across", "rows", "share", "equal, other label there"], across)
    )


def _times(seen: Examination) -> str:
    assert seen.times is not None
    rows = [[split, moment(seen.times.first[split]), moment(seen.times.last[split])] for split in seen.times.first]
    return _table(["split", "first (UTC)", "last (UTC)"], rows, texts=(0, 1, 2)) + (
        f"<p>{percent(seen.times.later)} of train's rows are later than the first row of test, "
        f"{percent(seen.times.earlier)} of test's earlier than the last row of train.</p>"
    )


def _values(field: FieldReport, regression: bool) -> str:
    if field.number is not None:
        number = field.number
        heads = ["min", *(f"{q:.0%}" for q in QUANTILES), "max", "mean", "zeros"]
        cells = [f"{x:.5g}" for x in (number.low, *number.quantiles, number.high, number.mean)]
        body = _table(heads, [[*cells, percent(number.zeros)]], texts=())
    else:
        rows = [[v.name, f"{v.count:,}", percent(v.share), f"{v.mean:.4f}"] for v in field.top]
        body = _table(["value", "count", "share", "mean label" if regression else "label rate"], rows)
    summary = f"{escape(shown(field.name))} <span class=quiet>{escape(field.kind)}</span>"
    return f"<details><summary>{summary}</summary>{body}</details>"


def _table(heads: Sequence[str], rows: Iterable[Sequence[str]], texts: Sequence[int] = (0,)) -> str:
    """Columns of `texts` to the left, numbers to the right."""

    def line(tag: str, cells: Sequence[str]) -> str:
        return "".join(
            f"<{tag}{'' if i in texts else ' class=n'}>{escape(shown(cell, 100))}</{tag}>"
            for i, cell in enumerate(cells)
        )

    body = "".join(f"<tr>{line('td', cells)}</tr>\n" for cells in rows)
    return f"<table><thead><tr>{line('th', heads)}</tr></thead>\n<tbody>{body}</tbody></table>"
