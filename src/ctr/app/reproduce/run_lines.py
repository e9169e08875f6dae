"""The runs of a table, a line each."""

from __future__ import annotations

from ctr.app import grids, machine, run_folder
from ctr.app.reproduce import scores
from ctr.app.reproduce.results import MARKS, Results, data_folder
from ctr.app.reproduce.runs import Run


def comma_separated(results: Results) -> str:
    """A line a run."""
    return grids.comma_separated([line(results, run) for run in results.every_run()], otherwise="row")


def line(results: Results, run: Run) -> dict[str, object]:
    found, facts, data = run_folder.read_scores(run.folder), machine.recorded(run.folder), data_folder(run)
    measured = {
        f"{split} {metric}": value
        for split in ("valid", "test", "law_realised")
        for metric, value in found.get(split, {}).items()
        if metric != "undefined"
    }
    own = [name for name in results.table.scores if name not in measured and scores.relative(name)[1] is None]
    measured |= {name: scores.of_run(run.folder, name) for name in own}
    costs = {name: found.get(name) for name in ("seconds", "epochs", "parameters")}
    versions = {name: facts["versions"][name] for name in facts.get("versions", {})}
    mark = MARKS[data][0] if data in MARKS else ""
    named = {"row": run.row.name, results.table.repetition: run.number, "data": data, "mark": mark}
    return named | measured | costs | versions
