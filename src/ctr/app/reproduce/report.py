"""The page of a table: Markdown for people, CSV with a line a run."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from ctr import disk
from ctr.app.grids import pipes
from ctr.app.processes import CODE
from ctr.app.reproduce import figures, records, runs, targets
from ctr.app.reproduce.results import Results
from ctr.app.reproduce.run_lines import comma_separated
from ctr.app.reproduce.scores import is_time, relative
from ctr.app.reproduce.table import Published, Row, Side
from ctr.app.tables.words import number_and_spread, plus_minus, undefined_in

SHOWN = 8  # missing repetitions that are listed by name


def write(results: Results, out: Path, command: str) -> Path:
    """Writes <table>.md, <table>.csv, the runs' records and the plots; returns the first."""
    out.mkdir(parents=True, exist_ok=True)
    name = results.table.name
    disk.write_text(out / f"{name}.csv", comma_separated(results))
    records.write(results, out)
    drawn = figures.draw(results, out)
    page = out / f"{name}.md"
    disk.write_text(page, markdown(results, drawn, command))
    return page


def markdown(results: Results, drawn: Sequence[tuple[str, str]], command: str) -> str:
    table = results.table
    parts = [f"# {table.title}", table.about, _how(results, command), "## Scores", _scores(results)]
    parts += [f"{mark}: {meaning}." for mark, meaning in results.marks()]
    if table.claims:
        parts += ["## Claims", _claims(results)]
    if table.notes:
        parts += ["## Protocol", "\n".join(f"- {note}" for note in table.notes)]
    if drawn:
        parts += ["## Plots", *(f"![{title}]({file})\n\n{title}" for file, title in drawn)]
    parts += ["## Runs", _runs(results)]
    return "\n\n".join(part for part in parts if part) + "\n"


def _how(results: Results, command: str) -> str:
    facts, numbers = results.facts(), sorted({run.number for run in results.every_run()})
    days = facts["days"]
    lines = [f"Written by `{command}` from the files of the runs."]
    if numbers:
        several = len(facts["machines"]) > 1
        lines += [
            f"Mean ± standard deviation over {results.table.repetition}s; those that have run: "
            f"{', '.join(map(str, numbers))}.",
            f"Runs of {days[0]}{f' to {days[-1]}' if len(days) > 1 else ''} (UTC); {'; '.join(facts['versions'])}.",
            f"Machine{'s' * several}: {'; '.join(facts['machines'])}.",
            "Seconds are of runs that shared a machine with each other"
            + (", and only of those on the machine, with the threads, that most runs had." if several else "."),
        ]
    return "\n".join(lines)


def _scores(results: Results) -> str:
    shown = results.table.scores
    head = ["row", "data", "n", *shown, "published", "target", "parameters", "epochs", "seconds", "note"]
    lines = [[_score_line(results, row, score) for score in shown] for row in results.rows]
    body = [
        [row.name, results.data_of(row), str(len(results.finished[row.name])), *cells, *_beside(results, row)]
        for row, cells in zip(results.rows, lines, strict=True)
    ]
    return pipes([head, *body])


def _score_line(results: Results, row: Row, score: str) -> str:
    values, number = list(results.of(Side(row.name, score)).values()), len(results.finished[row.name])
    of_some = len(values) < number
    if of_some and not (is_time(score) or relative(score)[1]):
        return undefined_in(number - len(values), number)
    if not values:
        return ""
    return number_and_spread(values) + (f" ({len(values)} of {number} runs)" if of_some else "")


def _beside(results: Results, row: Row) -> list[str]:
    costs = [list(results.of(Side(row.name, cost)).values()) for cost in ("parameters", "epochs", "seconds")]
    means = [f"{sum(values) / len(values):,.0f}" if values else "" for values in costs]
    return ["; ".join(_published(one, row) for one in row.published), targets.met(results, row), *means, row.note]


def _published(one: Published, row: Row) -> str:
    counted = "" if one.seeds is None or "seed" in one.source else f", {one.seeds} seed{'s' * (one.seeds != 1)}"
    which = "" if one.score == row.score else f"{one.score} "
    return f"{which}{plus_minus(one.value, one.spread)} ({one.source}{counted})"


def _claims(results: Results) -> str:
    lines = ([one.claim.name, one.claim.says, one.word, one.test] for one in results.verdicts)
    return pipes([["claim", "says", "verdict", "test"], *lines])


def _runs(results: Results) -> str:
    parts = []
    if missing := results.missing:
        failed = [run for run in missing if run.failed()]
        absent = [run.name for run in missing if not run.failed()]
        rest = f" and {len(absent) - SHOWN} more" if len(absent) > SHOWN else ""
        if absent:
            parts.append(f"Missing, {len(absent)} runs: {', '.join(absent[:SHOWN])}{rest}.")
        parts += [f"Failed: {run.name}\n\n```text\n{chr(10).join(map(portable, run.failed()))}\n```" for run in failed]
    for folder, what in results.outdated.items():
        inside = folder.relative_to(results.root)
        parts.append(f"Left out, since its config is another by now: {inside} ({what}). Delete it to repeat the run.")
    shown = {row.name for row in results.rows}
    if unseen := [row.name for row in results.table.rows if row.name not in shown]:
        parts.append(f"Rows that have not run and were not asked for: {'; '.join(unseen)}.")
    parts.append("What each row runs (N is the repetition):")
    commands = [f"- {row.name}: `{runs.shown(row)}`, in `{row.key}`" for row in results.rows]
    return "\n\n".join([*parts, "\n".join(commands)])


def portable(line: str) -> str:
    """Without the folders of this machine."""
    return line.replace(str(CODE), ".").replace(str(Path.cwd()), ".").replace(str(Path.home()), "~")
