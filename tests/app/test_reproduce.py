"""A table from nothing to its page: stopped, gone on with, one row failing."""

import csv
import os
import re
import signal
import subprocess
import sys
import threading
import time
import zipfile
from dataclasses import replace
from pathlib import Path

import pytest
import yaml

from ctr.app import machine, run_folder
from ctr.app.reproduce import command, figures, reading, records, report, runs
from ctr.app.reproduce import results as results_module
from ctr.app.reproduce.results import Results
from ctr.app.reproduce.table import Published, Side
from ctr.app.reproduce.time_left import clock, time_left
from ctr.errors import UserError
from tests.app.compose import TINY, tiny_run
from tests.conftest import ROOT

DATA = [word for word in TINY if word.startswith("dataset.")]
LONG = ["dataset.num_train=20000", "trainer.max_steps=600", "trainer.max_epochs=9", "trainer.patience=null"]
TABLE = {
    "title": "A small table",
    "scores": ["test auc", "recovered auc"],
    "seeds": {"quick": [1], "full": [1, 2]},
    "notes": ["A note."],
    "rows": {
        "long": {
            "overrides": ["model=nfm", "trainer=debug", *DATA[1:], *LONG, "trainer.save_every=7"],
            "budget": "quick",
            "published": {"value": 0.7, "spread": 0.01, "seeds": 3, "source": "a paper"},
            "target": [0.0, 0.2],
        },
        "logistic": {"baseline": "logistic_regression", "overrides": DATA, "budget": "quick"},
        "broken": {"overrides": ["model=fm", *DATA, "model.embedding_dropout=1.5"], "budget": "quick"},
    },
    "claims": {
        "one": {"says": "The long one is better", "better": ["long", "logistic"]},
        "two": {"says": "Nobody looked", "untested": "no row"},
    },
    "plots": {"curve": {"title": "By epoch", "curves": "valid auc", "rows": ["long", "broken"]}},
}


def request(tmp_path, **changes) -> command.Request:
    plain = {"table": "t", "seeds": (), "budget": "quick", "processes": 1, "only": (), "said": "python scripts/x"}
    places = {"root": tmp_path / "runs", "out": tmp_path / "out"}
    return command.Request(**{**plain, **places, **changes})


def tables(tmp_path, **changes) -> Path:
    (tmp_path / "t.yaml").write_text(yaml.safe_dump({**TABLE, **changes}, sort_keys=False))
    return tmp_path


def ctrl_c_once_there_is_a_checkpoint(root: Path) -> threading.Thread:
    def watch() -> None:
        deadline = time.monotonic() + 120
        while not list(root.glob("*/seed1/train/checkpoints/step-*[1-9]*")) and time.monotonic() < deadline:
            time.sleep(0.01)
        os.kill(os.getpid(), signal.SIGINT)

    thread = threading.Thread(target=watch)
    thread.start()
    return thread


def test_a_table_is_stopped_goes_on_and_names_the_row_that_failed(tmp_path, monkeypatch):
    monkeypatch.setenv("HYDRA_FULL_ERROR", "1")  # as the script's own guard sets it
    folder, said = tables(tmp_path), []
    watch = ctrl_c_once_there_is_a_checkpoint(tmp_path / "runs")
    failed, stopped = command.reproduce(request(tmp_path), said.append, folder=folder)
    watch.join()
    assert (failed, stopped) == ([], signal.SIGINT)
    page = (tmp_path / "out" / "t.md").read_text()
    assert "Missing, 3 runs: long seed 1, logistic seed 1, broken seed 1." in page

    failed, stopped = command.reproduce(request(tmp_path, processes=2), said.append, folder=folder)
    assert ([run.row.name for run in failed], stopped) == (["broken"], None)
    assert "dropout must" in command.failures(failed)
    long, logistic = (runs.finished(row, tmp_path / "runs")[0] for row in reading.read("t", folder).rows[:2])
    assert "going on from step" in long.log.read_text()
    assert any("broken seed 1: FAILED (exit status 1): error: " in line for line in said)
    assert any("logistic seed 1: test auc 0." in line for line in said)

    made = [(run.folder / "scores.json").stat().st_mtime_ns for run in (long, logistic)]
    again = request(tmp_path, only=("long", "logistic"))
    assert command.reproduce(again, said.append, folder=folder) == ([], None)
    assert made == [(run.folder / "scores.json").stat().st_mtime_ns for run in (long, logistic)]

    page = (tmp_path / "out" / "t.md").read_text()
    assert "0.70000 ± 0.01000 (a paper, 3 seeds)" in page
    assert re.search(r"test auc in \[0, 0.2\]: 0\.\d+ above, better", page)
    assert "Failed: broken seed 1" in page
    assert "Missing" not in page
    assert "| one | The long one is better | cannot tell |" in page
    assert "| two | Nobody looked | cannot tell | no row |" in page
    assert str(tmp_path) not in page
    assert (tmp_path / "out" / "t-curve.png").stat().st_size > 1000
    lines = list(csv.DictReader((tmp_path / "out" / "t.csv").open()))
    assert [(line["row"], line["seed"]) for line in lines] == [("long", "1"), ("logistic", "1")]
    assert all(float(line["test auc"]) > 0.4 and line["torch"] and line["recovered auc"] for line in lines)


# --- without processes: runs are made in this one ---


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """A table of two rows with seeds 1 and 2, run."""
    tmp_path = tmp_path_factory.mktemp("made")
    words = [word for word in TINY if not word.startswith("threads")]
    rows = {name: {"overrides": [f"model={name}", *words], "budget": "quick"} for name in ("fm", "nfm")}
    grid = {"rows": {"FM": ["model=fm"]}, "columns": {"a": [], "b": ["model.embedding_dim=4"]}, "overrides": words}
    plots = {
        "heat": {"title": "h", "heat": "g"},
        "sweep": {"title": "s", "sweep": "g"},
        "curves": {"title": "c", "curves": "train loss", "rows": ["fm", "nfm"], "claims": ["one"]},
    }
    claims = {"one": {"says": "NFM is better", "better": ["nfm", "fm"]}}
    folder = tables(tmp_path, rows=rows, grids={"g": grid}, claims=claims, plots=plots)
    table = reading.read("t", folder)
    for run in runs.of_rows(table.chosen("quick"), [1, 2], tmp_path / "runs"):
        tiny_run(run.folder, *run.row.arguments(run.number)[:1], f"seed={run.number}")
    return table, tmp_path


def results(made, wanted=(1, 2)) -> Results:
    table, tmp_path = made
    return Results(table, tmp_path / "runs", tuple(runs.of_rows(table.chosen("quick"), wanted, tmp_path / "runs")))


def test_the_table_has_mean_spread_and_number_of_the_runs_files(made):
    found = results(made)
    scores = [float(line["test auc"]) for line in csv.DictReader(report.comma_separated(found).splitlines())][:2]
    mean, spread = sum(scores) / 2, abs(scores[0] - scores[1]) / 2**0.5
    assert f"| fm | synthetic | 2 | {mean:.5f} ± {spread:.5f} |" in report.markdown(found, [], "python x")


EXPECTED = "; one more run of ours is expected in [0.00317, 0.99683] (95 %); "  # Student's quantile is 4.302653


@pytest.mark.parametrize(
    ("ours", "published", "seeds", "theirs", "said"),
    [
        ([0.4, 0.5, 0.6], 0.9, 1, [], f"{EXPECTED}published 0.90000 is inside"),
        ([0.4, 0.5, 0.6], 1.0, 1, [], f"{EXPECTED}published 1.00000 is outside"),
        ([0.4, 0.5, 0.6], 0.9, 5, [], ""),
        ([0.4, 0.5, 0.6], 0.9, 5, [0.8], f"{EXPECTED}row nfm 0.80000 is inside"),
        (
            [0.4, 0.5, 0.6],
            1.0,
            1,
            [0.8, 1.2],
            f"{EXPECTED}published 1.00000 is outside; row nfm 1.00000 ± 0.28284, 1 of 2 inside",
        ),
        ([0.4, 0.6], 0.9, 1, [], ""),
        ([0.4, 0.6], 0.9, 5, [0.8], "; row nfm has 0.80000"),
    ],
)
def test_of_a_missed_target_it_says_whether_runs_of_others_could_be_ours(
    made, monkeypatch, ours, published, seeds, theirs, said
):
    row = replace(made[0].row("fm"), published=(Published("test auc", published, None, seeds, "a paper"),))
    table = replace(made[0], rows=(replace(row, target=(0.0, 0.2), beside=("nfm",)), made[0].row("nfm")))
    by_row = {"fm": ours, "nfm": theirs}
    monkeypatch.setattr(Results, "of", lambda results, side: dict(enumerate(by_row[side.row], start=1)))
    page = report.markdown(results((table, made[1])), [], "python x")
    assert f"test auc in [0, 0.2]: 0.30000 above, better{said} |" in page


@pytest.mark.parametrize(
    ("score", "low", "said"),
    [("test log_loss", 0.6, "below, better"), ("test auc", 0.6, "below |"), ("epochs", 3, "below")],
)
def test_of_a_missed_target_it_says_whether_the_row_is_better(made, monkeypatch, score, low, said):
    row = replace(made[0].row("fm"), score=score, target=(low, low + 0.1), published=())
    monkeypatch.setattr(Results, "of", lambda results, side: {1: low - 0.1, 2: low - 0.1})
    page = report.markdown(results((replace(made[0], rows=(row,)), made[1])), [], "python x")
    assert f"{score} in [{low:g}, {low + 0.1:g}]: 0.10000 {said}" in page


def test_a_score_relative_to_a_rows_is_the_quotient_of_each_seeds_two(made):
    found = results(made)
    fm, nfm = (found.of(Side(name, "seconds")) for name in ("fm", "nfm"))
    assert found.of(Side("nfm", "seconds relative to fm")) == {seed: nfm[seed] / fm[seed] for seed in (1, 2)}
    assert set(found.of(Side("fm", "seconds relative to fm")).values()) == {1.0}


def test_a_stages_own_is_relative_to_the_others_last_stage(made, monkeypatch):
    costs = {"seconds of pretrain": 6.0, "seconds": 3.0}
    monkeypatch.setattr(results_module.scores, "of_run", lambda folder, name: costs[name])
    assert results(made).of(Side("nfm", "seconds of pretrain relative to fm")) == {1: 2.0, 2: 2.0}


@pytest.mark.parametrize("differs", ["data", "machine"])
def test_times_on_other_data_or_machines_are_not_divided(made, monkeypatch, differs):
    recorded, second = machine.recorded, runs.Run(made[0].row("nfm"), 2, made[1] / "runs")
    if differs == "data":
        monkeypatch.setattr(results_module, "data_folder", lambda run: str(run.folder == second.folder))
    else:
        monkeypatch.setattr(
            machine, "recorded", lambda out: {**recorded(out), "cores": 99 if out == second.folder else 2}
        )
    table = replace(made[0], scores=("test auc", "seconds relative to fm"))
    found = results((table, made[1]))
    assert list(found.of(Side("nfm", "seconds relative to fm"))) == [1]
    assert re.search(r"^\| nfm .* \d+\.\d+ \(1 of 2 runs\) \|", report.markdown(found, [], "python x"), re.MULTILINE)
    assert "relative" not in report.comma_separated(found)


def test_plots_are_drawn_of_what_has_run_and_a_grid_shares_its_rows_runs(made):
    page = report.write(results(made), made[1] / "out", "python x").read_text()
    drawn = sorted(path.name for path in (made[1] / "out").glob("*.png"))
    assert drawn == ["t-curves.png", "t-heat.png", "t-sweep.png"]
    assert all(f"({name})" in page for name in drawn)


def test_the_verdicts_of_a_plots_claims_stand_over_it(made, monkeypatch):
    found, titles = results(made), []
    monkeypatch.setattr(figures.plt.Axes, "set_title", lambda axes, text, **options: titles.append(text))
    figures.draw(found, made[1])
    assert titles == ["", "", "one. NFM is better: cannot tell"]


def test_what_is_missing_is_said_and_the_rest_is_written(made):
    page = report.markdown(results(made, (1, 2, 3)), [], "python x")
    assert "Missing, 2 runs: fm seed 3, nfm seed 3." in page
    assert "Rows that have not run and were not asked for: FM, b." in page


def test_a_run_of_another_config_than_the_row_has_by_now_is_left_out_and_said(made, monkeypatch):
    now = runs.config
    monkeypatch.setattr(runs, "config", lambda row, number: {**now(row, number), "monitor": "log_loss"})
    page = report.markdown(results(made), [], "python x")
    assert "| fm | 0 |" in page
    assert "(monitor: auc there, log_loss now)" in page


def test_every_frappe_number_is_marked_by_the_folder_that_its_run_names(made, monkeypatch):
    read = run_folder.read_config

    def moved(folder):
        return {**read(folder), "dataset": {"_target_": "ctr.data.Table", "root": "somewhere/frappe"}}

    monkeypatch.setattr(run_folder, "read_config", moved)
    monkeypatch.setattr(runs, "outdated", lambda made: {})
    page = report.markdown(results(made), [], "python x")
    assert "| fm | frappe, train negatives re-drawn | 2 |" in page
    assert "\ntrain negatives re-drawn: valid and test are the published files row for row" in page
    lines = list(csv.DictReader(report.comma_separated(results(made)).splitlines()))
    assert {line["mark"] for line in lines} == {"train negatives re-drawn"}


def test_the_time_left_is_that_of_the_rows_own_runs_and_says_what_is_guessed(made):
    fm, nfm = (runs.Run(row, 1, Path()) for row in made[0].rows[:2])
    assert time_left([fm, nfm], [], 1, {}) == ""
    assert time_left([fm, fm], [(fm, 4.0)], 2, {fm.row.key: [8.0, 12.0]}) == ", about 13 s left"
    assert "if the 1 rows that never ran" in time_left([nfm], [], 1, {fm.row.key: [10.0]})
    assert [clock(90), clock(720), clock(12600)] == ["90 s", "12 min", "3.5 h"]


def test_a_run_that_has_begun_goes_on_with_its_own_threads(made):
    table, tmp_path = made
    assert "threads=1" in runs.Run(table.rows[0], 1, tmp_path / "runs").command(7)
    assert "threads=7" in runs.Run(table.rows[0], 9, tmp_path / "runs").command(7)


def test_a_device_is_for_all_runs_that_know_one(tmp_path):
    table = reading.read("bars_frappe")
    for name, knows in (("fm", True), ("fm, fuxictr", True), ("gradient boosting (scikit-learn)", False)):
        run = runs.Run(table.row(name), 1, tmp_path)
        assert [word for word in run.command(1) if word.startswith("device=")] == []
        assert [word for word in run.command(1, "cuda") if word.startswith("device=")] == ["device=cuda"] * knows


def test_a_listing_says_what_is_there_and_what_cannot_run(made, tmp_path):
    folder = tables(tmp_path, rows={"a": {"overrides": ["model=nfmm"]}}, claims={}, plots={})
    listed = command.listing(request(tmp_path), folder)
    assert "0/1  does not compose: there is no model/nfmm" in listed
    assert "did you mean 'nfm'" in listed
    listed = command.listing(request(made[1], seeds=(1, 2, 3)), made[1])
    assert "* fm                               quick 2/3" in listed


def test_processes_are_counted_from_one(tmp_path):
    with pytest.raises(UserError, match="--processes must be at least 1"):
        command.reproduce(request(tmp_path, processes=0), print, folder=tables(tmp_path))


@pytest.mark.parametrize("script", ["reproduce", "baseline"])
def test_help_comes_without_importing_torch(script):
    code = (
        f"import runpy, sys; sys.argv = ['x', '--help']\ntry: runpy.run_path('scripts/{script}.py', None, '__main__')"
    )
    code += "\nexcept SystemExit: pass\nprint('torch' in sys.modules)"
    said = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, timeout=60).stdout
    assert "usage" in said
    assert said.strip().endswith("False")


# --- records: a table's runs beside it ---


def test_a_table_from_records_alone_is_the_table_of_the_runs(made, tmp_path):
    table, _ = made
    report.write(results(made), tmp_path / "out", "python x")
    before = (tmp_path / "out" / "t.md").read_text()
    assert records.unpack("t", tmp_path / "out", tmp_path / "elsewhere") == 4
    moved = Results(
        table, tmp_path / "elsewhere", tuple(runs.of_rows(table.chosen("quick"), (1, 2), tmp_path / "elsewhere"))
    )
    archive = records.path(tmp_path / "out", "t").read_bytes()
    report.write(moved, tmp_path / "out", "python x")
    assert (tmp_path / "out" / "t.md").read_text() == before
    assert records.path(tmp_path / "out", "t").read_bytes() == archive
    assert not list((tmp_path / "elsewhere").rglob("checkpoints"))


def test_records_count_as_made_where_asked_for_and_never_replace_a_run(made, tmp_path):
    table, folder = made
    said = []
    report.write(results(made), tmp_path / "out", "python x")
    first = runs.Run(table.rows[0], 1, tmp_path / "runs").folder
    first.mkdir(parents=True)  # begun here
    asked = request(tmp_path, seeds=(1, 2), records=True)
    command.reproduce(asked, said.append, run=False, folder=folder)
    assert "t: 3 runs are taken from" in said[0]
    assert list(first.iterdir()) == []
    command.reproduce(asked, said.append, run=False, folder=folder)
    assert len(said) == 3  # nothing is taken twice


def test_records_of_runs_that_are_not_here_are_kept(made, tmp_path):
    report.write(results(made), tmp_path / "out", "python x")
    archive = records.path(tmp_path / "out", "t").read_bytes()
    command.reproduce(request(tmp_path, seeds=(1, 2)), print, run=False, folder=made[1])
    assert records.path(tmp_path / "out", "t").read_bytes() == archive
    assert "Missing, 4 runs" in (tmp_path / "out" / "t.md").read_text()


def test_times_are_those_of_the_commonest_number_of_threads(made, monkeypatch):
    table, _ = made
    recorded = machine.recorded
    other = runs.Run(table.rows[0], 2, made[1] / "runs").folder
    monkeypatch.setattr(
        machine, "recorded", lambda out: {**recorded(out), "threads": 9} if out == other else recorded(out)
    )
    found = results(made)
    assert list(found.of(Side("fm", "seconds"))) == [1]
    assert list(found.of(Side("fm", "test auc"))) == [1, 2]
    assert "with the threads, that most runs had" in report.markdown(found, [], "python x")


def test_a_row_that_was_asked_for_by_name_is_on_the_page_whatever_its_budget(made, tmp_path):
    folder = tables(tmp_path, rows={**TABLE["rows"], "late": {"overrides": ["model=fm"]}}, claims={}, plots={})
    command.reproduce(request(tmp_path, only=("late",)), print, run=False, folder=folder)
    assert "late seed 1" in (tmp_path / "out" / "t.md").read_text()


@pytest.mark.parametrize("name", ["../../evil/seed1/scores.json", "a/seed1/model.safetensors", "a/seed1/../../x"])
def test_records_that_hold_anything_else_are_refused(tmp_path, name):
    with zipfile.ZipFile(records.path(tmp_path, "t"), "w") as archive:
        archive.writestr(name, "{}")
    with pytest.raises(UserError, match="no file of a recorded run"):
        records.unpack("t", tmp_path, tmp_path / "runs")
    assert not (tmp_path / "runs").exists()


def test_damaged_records_are_refused(made, tmp_path):
    report.write(results(made), tmp_path, "python x")
    whole = records.path(tmp_path, "t").read_bytes()
    for damaged in (whole[: len(whole) // 2], *(whole[:i] + b"\0\7\0\0" + whole[i + 4 :] for i in range(90, 400, 30))):
        records.path(tmp_path, "t").write_bytes(damaged)
        with pytest.raises(UserError, match="damaged"):
            records.unpack("t", tmp_path, tmp_path / "runs")
        with pytest.raises(UserError, match="damaged"):
            records.write(results(made), tmp_path)


def test_records_name_no_folder_of_this_machine(made, tmp_path, monkeypatch):
    read = run_folder.read_config

    def with_root(folder):
        config = read(folder)
        return {**config, "dataset": {**config["dataset"], "root": str(tmp_path / "frappe"), "cache": str(tmp_path)}}

    monkeypatch.setattr(run_folder, "read_config", with_root)
    monkeypatch.setattr(runs, "outdated", lambda made: {})
    records.write(results(made), tmp_path)
    with zipfile.ZipFile(records.path(tmp_path, "t")) as archive:
        texts = [archive.read(name).decode() for name in archive.namelist()]
    assert not any(str(tmp_path) in text for text in texts)
    assert any("root: frappe" in text for text in texts)
