"""Tables: what the mean is of, what is marked, what is told instead of averaged."""

import io
import json
import shutil

import pandas as pd
import pytest
from scipy import stats

from ctr.app import grids, results, tables
from ctr.app.tables.best import best
from ctr.app.tables.words import ranges
from ctr.errors import UserError
from tests.app.compose import tiny_run, written_run

GOOD, NEAR, BAD = [0.80, 0.81, 0.79], [0.79, 0.82, 0.78], [0.70, 0.715, 0.685]


def write(root, model, values, metric="auc", *overrides, first_seed=1):
    for seed, value in enumerate(values, start=first_seed):
        scores = value if isinstance(value, dict) else {metric: value}
        written_run(root / f"{model}{''.join(overrides)}-{seed}", [f"model={model}", *overrides], seed, scores)


def only(root):
    (table,) = tables.tables(results.find([root]).results, "test")
    return table


def winner(root, metric="auc"):
    found, why = best(only(root), metric)
    return (None if found is None else found.name), why


def test_mean_deviation_and_interval_are_those_of_the_seeds(tmp_path):
    write(tmp_path, "fm", GOOD)
    (row,) = only(tmp_path).rows
    score = row.scores["auc"]
    assert (score.mean, score.spread) == (pytest.approx(0.8), pytest.approx(0.01))
    assert score.interval == pytest.approx(stats.t.interval(0.95, 2, 0.8, 0.01 / 3**0.5))
    assert row.costs == {
        "parameters": 10,
        "epochs": 2,
        "seconds": 3.5,
        "peak MiB": 100,
        "peak CUDA MiB": None,
    }
    assert "0.80000 ± 0.01000  [0.77516, 0.82484]" in tables.shown([tmp_path])


def test_the_best_is_marked_where_it_differs_from_every_other(tmp_path):
    write(tmp_path, "fm", GOOD)
    write(tmp_path, "lr", BAD)
    assert winner(tmp_path) == ("FM", "")
    assert "0.80000 ± 0.01000 *" in tables.shown([tmp_path])
    write(tmp_path, "nfm", NEAR)
    assert winner(tmp_path) == (
        None,
        f"FM has the best mean, and cannot be told from NFM: p = {stats.ttest_rel(GOOD, NEAR).pvalue:.4f}",
    )
    assert "*" not in tables.shown([tmp_path])


def test_less_is_better_where_the_metric_says_so_and_calibration_has_no_best(tmp_path):
    for metric, expected in (("log_loss", "LR"), ("calibration", None)):
        write(tmp_path / metric, "fm", GOOD, metric)
        write(tmp_path / metric, "lr", BAD, metric)
        assert winner(tmp_path / metric, metric)[0] == expected


def test_the_comparisons_with_the_best_are_corrected_together(tmp_path):
    first, second, third = [0.80, 0.81, 0.83], [0.79, 0.79, 0.818], [0.788, 0.79, 0.82]
    for others in (second, third):
        assert 0.025 < stats.ttest_rel(first, others).pvalue < 0.05  # alone it would be marked, one of two is not
    write(tmp_path, "fm", first)
    write(tmp_path, "lr", second)
    assert winner(tmp_path)[0] == "FM"
    write(tmp_path, "nfm", third)
    assert winner(tmp_path)[0] is None


@pytest.mark.parametrize(("seeds", "said"), [(1, "1 seed in common"), (11, "0 seeds in common")])
def test_with_fewer_than_two_seeds_in_common_nothing_is_marked_and_the_table_says_why(tmp_path, seeds, said):
    write(tmp_path, "fm", [0.9] if seeds == 1 else [0.9, 0.91])
    write(tmp_path, "lr", [0.7] if seeds == 1 else [0.7, 0.71], first_seed=seeds)
    text = tables.shown([tmp_path])
    assert f"auc: no row is marked; FM and LR have {said}; a test needs two." in text


def test_an_undefined_score_is_counted_and_named_and_never_averaged_in(tmp_path):
    write(tmp_path, "fm", [0.8, {"log_loss": 0.5, "undefined": {"auc": "all labels are 0"}}, float("nan")])
    write(tmp_path, "lr", BAD)
    score = next(row for row in only(tmp_path).rows if row.group.name == "FM").scores["auc"]
    assert score.mean is score.spread is score.interval is None
    text = tables.shown([tmp_path], metrics=["auc"])
    assert "undefined in 2 of 3" in text
    assert "FM, seed 2: no auc, all labels are 0." in text
    assert "FM, seed 3: no auc, it is nan." in text
    assert "no row is marked; it is undefined for FM" in text


def test_what_a_group_never_measured_is_left_empty(tmp_path):
    write(tmp_path, "fm", [{"auc": 0.8, "log_loss": 0.5}])
    write(tmp_path, "lr", [{"auc": 0.7}], "auc", "metrics=[auc]")
    rows = {row.group.name.split(",")[0]: row for row in only(tmp_path).rows}
    assert (list(rows["FM"].scores), list(rows["LR"].scores)) == (["auc", "log_loss"], ["auc"])
    assert "undefined" not in tables.shown([tmp_path])


def relabel(folder, **data):
    scores = json.loads((folder / "scores.json").read_text())
    scores["data"] = data
    (folder / "scores.json").write_text(json.dumps(scores))


def test_other_rows_and_other_tasks_are_other_tables(tmp_path):
    write(tmp_path, "fm", GOOD[:2])
    write(tmp_path, "lr", BAD[:1], "auc", "dataset.seed=7")
    relabel(tmp_path / "lrdataset.seed=7-1", test={"num_rows": 5, "labels": "ffff"})
    write(tmp_path, "nfm", [0.9], "rmse", "task=plus_minus_one")
    found = tables.tables(results.find([tmp_path]).results, "test")
    assert [[row.group.name for row in table.rows] for table in found] == [["FM"], ["LR"], ["NFM"]]
    text = tables.shown([tmp_path])
    assert "synthetic (seed=7), LogLoss, test: 5 rows, labels ffff" in text
    assert "synthetic, SquaredError plus_minus_one=True" in text
    asked = tables.shown([tmp_path], metrics=["auc"])
    assert "0.90000" not in asked
    assert "Measured too: rmse" in asked  # a table without the metric is still there


def test_other_fields_of_the_same_rows_stay_in_one_table(tmp_path):
    write(tmp_path, "fm", GOOD)
    write(tmp_path, "fm", BAD, "auc", "dataset.vocabulary=20")
    assert [row.group.name for row in only(tmp_path).rows] == ["FM, vocabulary=100", "FM, vocabulary=20"]


def test_runs_from_before_labels_were_recorded_are_told_apart_by_the_settings_of_their_data(tmp_path):
    write(tmp_path, "fm", [0.8])
    write(tmp_path, "lr", [0.7])
    write(tmp_path, "nfm", [0.9], "auc", "dataset.seed=7")
    for folder in tmp_path.iterdir():
        relabel(folder)
    found = tables.tables(results.find([tmp_path]).results, "test")
    assert sorted([row.group.name for row in table.rows] for table in found) == [["FM", "LR"], ["NFM"]]


def test_what_is_skipped_is_counted_and_named_under_the_table(tmp_path):
    write(tmp_path, "fm", GOOD)
    (tmp_path / "fm-2" / "scores.json").write_text("{")
    shutil.copytree(tmp_path / "fm-3", tmp_path / "unfinished")
    (tmp_path / "unfinished" / "scores.json").unlink()
    text = tables.shown([tmp_path])
    assert "Not counted, 2 folders:" in text
    assert f"\n{tmp_path / 'fm-2'} cannot be read" in text
    assert "its run has not finished" in text
    with pytest.raises(UserError, match="no finished run"):
        tables.shown([tmp_path / "unfinished"])


def test_two_metrics_are_shown_unless_more_are_asked_for(tmp_path):
    write(tmp_path, "fm", [{"auc": 0.8, "log_loss": 0.5, "gauc": 0.7}])
    assert "Measured too: gauc; --metrics all shows them." in tables.shown([tmp_path])
    assert "0.70000" in tables.shown([tmp_path], metrics=["all"])
    assert "0.50000" not in tables.shown([tmp_path], metrics=["gauc"])
    with pytest.raises(UserError, match="no run has a test rmse; measured are auc, log_loss, gauc"):
        tables.shown([tmp_path], metrics=["rmse"])
    with pytest.raises(UserError, match="did you mean 'auc'"):
        tables.metrics("auk")


def test_csv_has_the_numbers_and_the_other_formats_the_marks(tmp_path):
    write(tmp_path, "fm", GOOD)
    write(tmp_path, "lr", BAD)
    frame = pd.read_csv(io.StringIO(tables.shown([tmp_path], style="csv"))).set_index("model")
    assert frame["auc mean"].to_dict() == {"FM": pytest.approx(0.8), "LR": pytest.approx(0.7)}
    assert frame["auc best"].to_dict() == {"FM": True, "LR": False}
    assert frame["auc low"]["FM"] == pytest.approx(0.8 - stats.t.ppf(0.975, 2) * 0.01 / 3**0.5)
    for style, mark in (("markdown", "**{}**"), ("latex", r"\textbf{{{}}}"), ("html", "<b>{}</b>")):
        text = tables.shown([tmp_path], style=style)
        plus = r"$\pm$" if style == "latex" else "±"
        assert mark.format(f"0.80000 {plus} 0.01000") in text
        assert mark.format(f"0.70000 {plus} 0.01000") not in text


def test_cells_cannot_break_a_format():
    grid = grids.Grid("a_title", ["a|b", "c", "empty"], [["x & y_z < 5 %", "1|2", ""]], frozenset({(0, 1)}), ["50 %"])
    assert "| x & y_z < 5 % | **1\\|2** |" in grids.written([grid], "markdown")
    assert r"x \& y\_z $<$ 5 \% & \textbf{1|2} \\" in grids.written([grid], "latex")
    assert "<td>x &amp; y_z &lt; 5 %</td>" in grids.written([grid], "html")
    assert "empty" not in "".join(grids.written([grid], style) for style in ("text", "markdown", "latex", "html"))


def test_neighbouring_seeds_are_a_range():
    assert ranges([3, 1, 2, 7, 9, 10]) == "1-3, 7, 9-10"


def test_a_run_records_its_memory_and_its_rows(tmp_path):
    for name, extra in {"a": [], "law": ["dataset.seed=7"]}.items():
        tiny_run(tmp_path / name, "model=fm", *extra)
    a, law = (results.read(tmp_path / name).scores for name in ("a", "law"))
    assert 50 < a["memory"]["resident_mib"] < 20_000  # torch alone takes more than the one, and no test the other
    assert a["memory"]["cuda_mib"] is None
    assert a["data"]["test"]["num_rows"] == 500
    assert a["data"]["test"] != law["data"]["test"]
    assert a["data"]["test"] != a["data"]["valid"]
