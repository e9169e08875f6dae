"""Tables as data: what is read, what is refused, which runs two tables share."""

import json

import pytest
import yaml

from ctr.app.composed import checked, compose
from ctr.app.config import build
from ctr.app.reproduce import command, reading, runs, scores
from ctr.app.reproduce.every_model import models
from ctr.errors import UserError
from ctr.training.warm_start import warm_start
from tests.conftest import mixed_schema

TABLE = {
    "title": "t",
    "scores": ["test auc"],
    "seeds": {"quick": [1], "full": [1, 2]},
    "rows": {"FM": {"overrides": ["model=fm"]}, "NFM": {"overrides": ["model=nfm"], "budget": "quick"}},
}


def read(tmp_path, **changes):
    (tmp_path / "t.yaml").write_text(yaml.safe_dump({**TABLE, **changes}))
    return reading.read("t", tmp_path)


def a_row(**changes):
    return {"rows": {"FM": {"overrides": ["model=fm"], **changes}}}


MISTAKES = [
    ({"titel": "t"}, "did you mean 'title'"),
    ({"scores": ["test aucc"]}, "did you mean 'test auc'"),
    ({"seeds": {"quick": [1]}}, "'full' is missing"),
    ({"seeds": {"quick": ["a"], "full": [1]}}, "whole numbers"),
    (a_row(overides=["x=1"]), "did you mean 'overrides'"),
    (a_row(overrides=["model"]), "no override such as model=fm"),
    (a_row(overrides=["seed=1"]), "set by the command"),
    (a_row(overrides=["model=fm", "model=nfm"]), "said twice"),
    (a_row(budget="small"), "quick or full"),
    (a_row(target=[2, 1]), "lower bound"),
    (a_row(published={"value": "high", "source": "x"}), "expected a number"),
    (a_row(baseline="logistic_regresion"), "did you mean 'logistic_regression'"),
    ({"claims": {"c": {"says": "x", "better": ["FM", "FMM"]}}}, "did you mean 'FM'"),
    ({"claims": {"c": {"says": "x"}}}, "a claim has one of"),
    ({"claims": {"c": {"says": "x", "interior": ["FM", "NFM"]}}}, "three rows or more"),
    ({"claims": {"c": {"says": "x", "order": ["FM", "NFM"]}}}, "order: expected three rows or more, in order"),
    ({"claims": {"c": {"says": "x", "within": {"row": "FM"}}}}, "low, high or both"),
    ({"scores": ["seconds relative to FMM"]}, "no row 'FMM'; did you mean 'FM'"),
    (
        {"claims": {"c": {"says": "x", "within": {"row": "FM", "score": "seconds relative to F", "low": 1}}}},
        "no row 'F'",
    ),
    (a_row(score="seconds relative to LR"), "no row 'LR'"),
    (a_row(published={"value": 1, "source": "x", "score": "seconds relative to LR"}), "no row 'LR'"),
    (
        {
            "grids": {"g": {"rows": {"A": ["model=fm"]}, "columns": {"a": []}}},
            "plots": {"p": {"title": "x", "heat": "g", "score": "seconds relative to LR"}},
        },
        "no row 'LR'",
    ),
    ({"scores": ["second relative to FM"]}, "did you mean 'seconds'"),
    ({"plots": {"p": {"title": "x", "curves": "valid auc", "rows": ["FN"]}}}, "there is no 'FN'"),
    ({"plots": {"p": {"title": "x", "curves": "test auc"}}}, "there is no score"),
    (
        {"claims": {"c": {"says": "x", "score": "test calibration", "better": ["FM", "NFM"]}}},
        "no value of test calibration is better",
    ),
    ({"plots": {"p": {"title": "x", "curves": "valid auc", "claims": ["C1"]}}}, "there is no 'C1'"),
    ({"grids": {"g": {"rows": {"FM": ["model=fm"]}, "columns": {"a": []}, "quick": ["F"]}}}, "no row 'F'"),
]


@pytest.mark.parametrize(("changes", "message"), MISTAKES, ids=lambda value: str(value)[:60])
def test_what_nothing_reads_is_refused_with_the_place(tmp_path, changes, message):
    with pytest.raises(UserError, match=message) as error:
        read(tmp_path, **changes)
    assert "tables/t.yaml" in str(error.value)


def test_an_unknown_table_or_row_is_refused_with_the_nearest(tmp_path):
    with pytest.raises(UserError, match="did you mean 'bars_frappe'"):
        reading.read("bars_frape")
    with pytest.raises(UserError, match="did you mean 'NFM'"):
        read(tmp_path).chosen("quick", ["NFMM"])


def test_the_budget_chooses_rows_and_a_name_any(tmp_path):
    table = read(tmp_path)
    assert [row.name for row in table.chosen("quick")] == ["NFM"]
    assert [row.name for row in table.chosen("full")] == ["FM", "NFM"]
    assert [row.name for row in table.chosen("quick", ["FM"])] == ["FM"]


def test_a_key_is_of_what_is_said_in_any_order_and_of_nothing_else(tmp_path):
    def key(*overrides, **changes):
        return read(tmp_path, **a_row(overrides=list(overrides), **changes)).rows[0].key

    assert key("model=fm", "trainer.max_epochs=2") == key("trainer.max_epochs=2", "model=fm", note="another note")
    assert key("model=fm", "trainer.max_epochs=2") == "fm_max_epochs-2-" + key("model=fm", "trainer.max_epochs=2")[-8:]
    different = {key("model=fm"), key("model=nfm"), key("model=fm", "dataset=frappe")}
    different |= {key("dataset=frappe", baseline=name) for name in ("logistic_regression", "lightgbm")}
    assert len(different) == 5


def test_a_repetition_may_be_more_than_a_seed(tmp_path):
    table = read(tmp_path, repeat={"name": "fold", "overrides": ["dataset.split.fold={n}"]})
    assert table.repetition == "fold"
    assert table.rows[0].arguments(3) == ["model=fm", "seed=3", "dataset.split.fold=3"]
    assert table.rows[0].key != read(tmp_path).rows[0].key


# --- the tables that are there ---


@pytest.mark.parametrize("name", reading.names())
def test_every_table_reads_and_its_rows_compose_where_their_models_are_there(name):
    table = reading.read(name)
    assert table.chosen("quick")
    for row in table.rows[:: max(1, len(table.rows) // 4)]:  # each takes a tenth of a second
        why = command._why_not(row).strip()
        assert not why or "there is no model/" in why or "there is no experiment/" in why, row.name


@pytest.mark.parametrize("name", reading.names())
def test_what_a_rows_stages_hand_on_is_there_in_both_models(name):
    """Known before a training begins, but a table is to know it before it is asked for."""
    staged = [row for row in reading.read(name).rows if "stages=fm_pretrain" in row.overrides]
    for row in staged:
        stages = checked(compose(row.overrides))["stages"]
        built = {stage: build(stages[stage]["model"], schema=mixed_schema()) for stage in ("pretrain", "train")}
        warm_start(built["train"], built["pretrain"].state_dict(), stages["train"]["warm_start"]["modules"])
    assert staged or name != "nfm_frappe"


def test_every_model_is_found_by_its_config():
    assert set(models()) <= {row.name for row in reading.read("bars_frappe").rows}
    cells = {row.name for row in reading.read("learnable").rows}
    assert {f"{model}, {order}" for model in models() for order in ("first", "second", "third", "all")} <= cells


def test_a_model_has_its_experiments_settings_or_says_that_there_are_none():
    rows = {row.name: row for row in reading.read("bars_frappe").rows}
    assert rows["deepfm"].overrides == ("experiment=deepfm_frappe_bars",)
    assert not rows["deepfm"].note
    without = [row for row in rows.values() if "no published settings" in row.note and row.name in models()]
    for row in without:
        assert "trainer=bars" in row.overrides


def test_targets_are_made_of_the_published_numbers_where_a_row_has_none_of_its_own(tmp_path):
    five = {"value": 0.9, "spread": 0.01, "seeds": 5, "source": "five"}
    one = {"value": 0.8, "seeds": 1, "source": "one"}
    every = {
        "experiment": "{model}_none",
        "otherwise": [],
        "within": {"deviations": 2, "otherwise": 0.0015},
        "published": {"fm": [five, one], "nfm": [{**one, "score": "test log_loss"}, one], "lr": one},
        "rows": {"lr": {"target": [0.1, 0.2]}},
        "beside": {"fuxictr": ["fm"]},
    }
    rows = {row.name: row for row in read(tmp_path, rows={}, every_model=every).rows}
    targets = {name: rows[name].target for name in ("fm", "nfm", "lr", "dnn", "fm, fuxictr")}
    bands = {"fm": (0.88, 0.92), "nfm": (0.7985, 0.8015), "lr": (0.1, 0.2), "dnn": None, "fm, fuxictr": None}
    assert targets == bands
    assert (rows["fm"].beside, rows["nfm"].beside) == (("fm, fuxictr",), ())


def test_tables_share_runs(tmp_path):
    keys = {name: {row.name: row.key for row in reading.read(name).rows} for name in ("bars_frappe", "deepfm_study")}
    assert keys["bars_frappe"]["deepfm"] == keys["deepfm_study"]["DeepFM"]
    nfm = reading.read("nfm_frappe")
    assert nfm.row("NFM-0").key == nfm.row("NFM-0, drop 0.3").key
    made = runs.of_rows([nfm.row("NFM-0"), nfm.row("NFM-0, drop 0.3")], [1, 2], tmp_path)
    assert [(run.row.name, run.number) for run in made] == [("NFM-0", 1), ("NFM-0", 2)]


# --- scores by name ---


@pytest.fixture
def folder(tmp_path):
    """A run whose files say little, and that little by hand."""
    (tmp_path / "train").mkdir()
    (tmp_path / "config.yaml").write_text(yaml.safe_dump({"stages": {"pretrain": {}, "train": {}}}))
    test = {"auc": 0.7, "log_loss": 0.5, "normalized_entropy": 0.8}
    (tmp_path / "scores.json").write_text(
        json.dumps(
            {
                "valid": {"auc": 0.75, "undefined": {"gauc": "one class"}},
                "test": test,
                "law_realised": {"auc": 0.8, "log_loss": 0.45},
                "seconds": 30.0,
                "epochs": 4,
                "stages": {"pretrain": {"seconds": 10.0, "epochs": 5}, "train": {"seconds": 20.0, "epochs": 4}},
            }
        )
    )
    records = [
        {"step": 2, "train/loss": 1.0},
        {"step": 3, "train/loss": 0.4},
        {"step": 3, "valid/auc": 0.6},
        {"step": 6, "train/loss": 0.2},
        {"step": 6, "valid/auc": 0.7},
    ]
    (tmp_path / "train" / "metrics.jsonl").write_text("".join(json.dumps(record) + "\n" for record in records))
    return tmp_path


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("test auc", 0.7),
        ("valid auc", 0.75),
        ("valid gauc", None),
        ("recovered auc", (0.7 - 0.5) / (0.8 - 0.5)),
        ("recovered log_loss", (0.5 - 0.625) / (0.45 - 0.625)),  # the base rate's log loss is .5 / .8
        ("seconds", 30.0),
        ("seconds per epoch", 5.0),
        ("seconds per epoch of pretrain", 2.0),
        ("seconds of pretrain", 10.0),
        ("epochs", 4),
        ("train loss at epoch 1", 0.8),  # two steps of 1, one of .4
        ("train loss at epoch 2", 0.2),
        ("valid auc at epoch 2", 0.7),
        ("valid auc at epoch 3", None),
    ],
)
def test_a_score_by_its_name(folder, name, value):
    assert scores.known(name, "here") == name
    assert scores.of_run(folder, name) == (value if value is None else pytest.approx(value))


def test_which_way_is_better():
    up = ["test auc", "recovered log_loss", "valid gauc at epoch 3"]
    down = ["test rmse", "valid log_loss", "train loss at epoch 1", "seconds per epoch"]
    assert [scores.higher_is_better(name) for name in up + down] == [True] * 3 + [False] * 4
