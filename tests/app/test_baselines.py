"""Models of other libraries on the same splits: what they see, what is chosen on valid, the folder they leave."""

import json
import sys

import numpy as np
import pytest
import torch
from rich.console import Console
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import roc_auc_score

from ctr.app import results, tables
from ctr.app.baselines import BASELINES, learners, matrices
from ctr.app.baselines.run import run
from ctr.app.config import build
from ctr.app.datasets import dataset_config
from ctr.app.predicted import predict
from ctr.batch import Batch
from ctr.errors import UserError
from ctr.schema import FeatureSchema, Field, FieldKind
from tests.app.compose import TINY, tiny_run
from tests.conftest import mixed_schema, random_batch

DATA = [word for word in TINY if word.startswith("dataset.")]


def fit(name, out, *overrides):
    return run(name, [*DATA, "threads=1", *overrides], out, Console(quiet=True))


def scores(out):
    return json.loads((out / "scores.json").read_text())


@pytest.fixture
def data():
    return build(dataset_config("synthetic", DATA), [], "dataset").open()


def test_the_one_hot_matrix_is_x_with_the_slots_of_a_feature_summed(schema):
    batch = random_batch(schema, 20)
    expected = np.zeros((20, schema.num_features))
    for row in range(20):
        for slot in range(schema.num_slots):
            expected[row, batch.ids[row, slot]] += batch.values[row, slot].item()
    np.testing.assert_allclose(matrices.one_hot(batch, schema.num_features).toarray(), expected)


def test_trees_see_a_column_of_codes_for_a_category_and_a_column_a_feature_for_the_rest():
    schema = mixed_schema()
    batch, columns = random_batch(schema, 20), matrices.Columns(schema)
    x = columns.of(batch)
    assert columns.sizes == [7, *[0] * 6, 0, 7]
    assert len(columns.names) == x.shape[1] == 9
    np.testing.assert_array_equal(x[:, 0], batch.ids[:, 0].numpy())
    np.testing.assert_array_equal(x[:, 8], batch.ids[:, 5].numpy() - schema.offsets[3])
    np.testing.assert_array_equal(x[:, 7], batch.values[:, 4].double().numpy())
    dense = matrices.one_hot(batch, schema.num_features).toarray()[:, 7:13]
    np.testing.assert_array_equal(x[:, 1:7], dense)


def test_too_many_columns_are_refused_with_the_widest_field():
    schema = FeatureSchema((Field("tags", FieldKind.MULTIVALUED, 5000, num_slots=2),))
    with pytest.raises(UserError, match=r"5,000 in all.*~dataset.fields.tags"):
        matrices.Columns(schema)


def test_a_split_is_read_whole_and_in_order(data):
    whole, expected = matrices.read(data, "valid"), data.rows("valid")
    for name in ("ids", "values", "labels", "groups"):
        assert torch.equal(getattr(whole, name), getattr(expected, name))


def test_logistic_regression_is_scikit_learns_with_the_c_that_valid_likes_best(data, tmp_path):
    parts = {split: data.rows(split) for split in ("train", "valid", "test")}
    x = {split: matrices.one_hot(part, data.schema.num_features) for split, part in parts.items()}
    found = {}
    for strength in learners.C:
        model = LogisticRegression(C=strength, max_iter=2000).fit(x["train"], parts["train"].labels.numpy())
        found[strength] = [
            roc_auc_score(parts[split].labels.numpy(), model.decision_function(x[split])) for split in ("valid", "test")
        ]
    best = max(found, key=lambda strength: found[strength][0])
    said = scores(fit("logistic_regression", tmp_path))
    assert said["chosen"] == {"C": best}
    assert [said[split]["auc"] for split in ("valid", "test")] == pytest.approx(found[best], abs=1e-9)
    assert said["law_realised"]["auc"] > said["test"]["auc"]


@pytest.mark.parametrize("name", [name for name in BASELINES if name != "fuxictr"])  # tests/peers runs that
def test_what_is_chosen_does_not_depend_on_test(name, data, monkeypatch):
    if name == "lightgbm":
        pytest.importorskip("lightgbm")
    monkeypatch.setattr(learners, "TREES", 100)
    parts = {split: matrices.read(data, split) for split in ("train", "valid", "test")}
    labels = parts["valid"].labels.numpy()

    def chosen(test: Batch):
        splits = learners.Splits(
            data.schema, {**parts, "test": test}, lambda logits: roc_auc_score(labels, logits), seed=1, threads=1
        )
        return learners.LEARNERS[name].fit(splits)

    one, other = chosen(parts["test"]), chosen(parts["valid"])
    assert one.settings == other.settings
    np.testing.assert_allclose(one.logits["valid"], other.logits["test"])
    assert roc_auc_score(parts["test"].labels.numpy(), one.logits["test"]) > 0.55


def test_lightgbm_ends_by_the_score_that_is_asked_for(data, monkeypatch):
    pytest.importorskip("lightgbm")
    monkeypatch.setattr(learners, "PATIENCE", 20)
    parts = {split: matrices.read(data, split) for split in ("train", "valid", "test")}
    asked = []

    def gain(logits):
        asked.append(len(asked))
        return -abs(len(asked) - 7.0)  # the seventh time is the best

    fitted = learners.lightgbm(learners.Splits(data.schema, parts, gain, seed=1, threads=1))
    assert (fitted.settings["n_estimators"], len(asked)) == (7, 27)


def test_a_large_field_goes_to_the_trees_by_target_encoding(data, monkeypatch, tmp_path):
    monkeypatch.setattr(learners, "MOST_CATEGORIES", 10)  # all fields have 20
    monkeypatch.setattr(learners, "TREES", 50)
    assert scores(fit("gradient_boosting", tmp_path))["test"]["auc"] > 0.55


def test_a_code_is_encoded_by_the_folds_that_its_row_is_not_in(data):
    """A field of which every row has a code of its own tells nothing of the row's label."""
    parts = {split: matrices.read(data, split) for split in ("train", "valid", "test")}
    splits = learners.Splits(data.schema, parts, lambda logits: 0.0, seed=1, threads=1)
    x = {split: np.arange(float(len(part)))[:, None] for split, part in parts.items()}
    learners._encode_targets(x, [0], splits)
    labels = splits.labels("train")
    assert len(np.unique(x["train"])) == learners.FOLDS  # the mean of the four other folds
    assert np.abs(x["train"] - labels.mean()).max() < 0.02


def test_a_baseline_is_a_row_of_a_table_of_runs(tmp_path):
    for seed in (1, 2):
        fit("logistic_regression", tmp_path / str(seed), f"seed={seed}")
    tiny_run(tmp_path / "fm", "model=fm")
    (table,) = tables.tables(results.find([tmp_path]).results, "test")
    assert [(row.group.name, len(row.group.by_seed)) for row in table.rows] == [("FM", 1), ("LogisticRegression", 2)]


def test_a_baseline_keeps_no_weights_to_predict_with(tmp_path):
    fit("logistic_regression", tmp_path)
    with pytest.raises(UserError, match="keeps scores and no weights"):
        predict(tmp_path)


def test_the_scores_of_a_baseline_are_not_taken_for_those_of_another_run(tmp_path):
    fit("logistic_regression", tmp_path)
    before = (tmp_path / "scores.json").read_bytes()
    for begin in (lambda: tiny_run(tmp_path, "model=fm"), lambda: fit("logistic_regression", tmp_path, "seed=2")):
        with pytest.raises(UserError, match="holds a finished baseline"):
            begin()
    assert (tmp_path / "scores.json").read_bytes() == before


@pytest.mark.parametrize(
    ("name", "overrides", "message"),
    [
        ("logistic_regresion", [], "did you mean 'logistic_regression'"),
        ("logistic_regression", ["model=fm"], "a baseline reads dataset"),
        ("logistic_regression", ["task=regression"], "use task=binary"),
    ],
)
def test_a_mistake_is_said(name, overrides, message, tmp_path):
    with pytest.raises(UserError, match=message):
        fit(name, tmp_path, *overrides)


@pytest.mark.parametrize(
    ("name", "module", "overrides", "message"),
    [
        ("lightgbm", "lightgbm", [], "baselines"),
        ("fuxictr", "fuxictr.features", ["trainer=bars", "model=lr"], "PYTHONPATH"),
    ],
)
def test_without_its_library_it_is_said_how_to_have_it_before_anything_is_read(
    name, module, overrides, message, tmp_path, monkeypatch
):
    monkeypatch.setitem(sys.modules, module, None)  # as where it is not installed
    with pytest.raises(UserError, match=message):
        run(name, ["dataset=frappe", "dataset.root=nowhere", *overrides], tmp_path, Console(quiet=True))
