"""Comparisons: paired as they say, corrected together, and refused by name where they make no sense."""

import io
import json
import re
import runpy
import shlex

import numpy as np
import pandas as pd
import pytest
import torch
from scipy import stats

from ctr.app import compare, results
from ctr.app.compare import words
from ctr.errors import UserError
from ctr.metrics import Predictions
from ctr.statistics import rows, seeds
from tests.app.compose import tiny_run, written_run
from tests.conftest import ROOT

FM, LR, NFM = [0.80, 0.81, 0.79], [0.70, 0.715, 0.685], [0.79, 0.82, 0.78]


def write(root, model, values, *overrides, metric="auc", first_seed=1):
    for seed, value in enumerate(values, start=first_seed):
        scores = value if isinstance(value, dict) else {metric: value}
        written_run(root / model / f"{seed}", [f"model={model}", *overrides], seed, scores)


def groups(root):
    return results.groups(results.find([root]).results)


def predictions(folder, split, weights=None, labels=None):
    """Rows and scores that are the folder's own; labels that are everybody's."""
    label = torch.tensor([1.0, 0, 1, 0, 1, 0, 0, 1] * 20, dtype=torch.float64) if labels is None else labels
    random = np.random.default_rng(sum(map(ord, folder.parent.name)) * 100 + int(folder.name))
    logits = label + torch.from_numpy(random.normal(size=len(label)))
    weight = torch.ones_like(label) if weights is None else weights
    return Predictions(label, label, logits, logits.sigmoid(), weight)


def compared(root, *metrics, predict=predictions, **changes):
    return compare.compare(groups(root), "test", metrics, lambda folder, split: predict(folder, split, **changes))


def test_a_pair_is_tested_over_the_seeds_that_both_have_and_over_the_rows_of_their_models(tmp_path):
    write(tmp_path, "fm", [*FM, 0.1])
    write(tmp_path, "nfm", NFM)
    (one,) = compared(tmp_path, "auc")
    assert (one.a.name, one.b.name, one.seeds, one.better.name) == ("FM", "NFM", (1, 2, 3), "FM")
    assert one.difference == pytest.approx(np.mean(FM) - np.mean(NFM))
    assert one.over_seeds.difference == seeds.difference(FM, NFM)
    assert one.over_seeds.adjusted == one.over_seeds.difference.p == pytest.approx(stats.ttest_rel(FM, NFM).pvalue)
    made = [[predictions(tmp_path / model / str(seed), "test") for seed in (1, 2, 3)] for model in ("fm", "nfm")]
    logits = [[each.logits.numpy() for each in side] for side in made]
    assert one.over_rows.difference == rows.delong(made[0][0].labels.numpy(), *logits)
    assert (one.over_rows.n, one.over_rows.method) == (160, "DeLong's test")


def losses(found):
    """By definition, from probabilities."""
    return -np.log(np.where(found.labels == 1, found.logits.sigmoid(), 1 - found.logits.sigmoid()))


def test_losses_and_errors_are_bootstrapped_row_by_row(tmp_path):
    write(tmp_path, "fm", [{"log_loss": 0.5, "rmse": 0.4}])
    write(tmp_path, "nfm", [{"log_loss": 0.6, "rmse": 0.3}])
    loss, rmse = compared(tmp_path, "log_loss", "rmse")
    a, b = (predictions(tmp_path / model / "1", "test") for model in ("fm", "nfm"))
    assert loss.over_rows.difference.value == pytest.approx(losses(a).mean() - losses(b).mean())
    squares = [((each.labels - each.logits.sigmoid()) ** 2).numpy() for each in (a, b)]
    assert rmse.over_rows.difference.value == pytest.approx(squares[0].mean() ** 0.5 - squares[1].mean() ** 0.5)
    assert rmse.over_rows.method == "paired bootstrap, 2,000 draws"
    assert (loss.better.name, rmse.better.name) == ("FM", "NFM")


def test_all_pairs_are_corrected_together_metric_by_metric(tmp_path):
    for model, values in (("fm", FM), ("lr", LR), ("nfm", NFM)):
        write(tmp_path, model, [{"auc": value, "log_loss": 1 - value**2} for value in values])
    found = compared(tmp_path)
    assert [one.metric for one in found] == ["auc"] * 3 + ["log_loss"] * 3
    for metric in ("auc", "log_loss"):
        for tests in (
            [one.over_seeds for one in found if one.metric == metric],
            [one.over_rows for one in found if one.metric == metric],
        ):
            assert [test.adjusted for test in tests] == seeds.holm([test.difference.p for test in tests])
            assert max(test.adjusted for test in tests) > min(test.difference.p for test in tests)


def test_one_seed_is_no_test_over_seeds_and_says_why(tmp_path):
    write(tmp_path, "fm", FM[:1])
    write(tmp_path, "lr", LR)
    (one,) = compared(tmp_path, "auc")
    assert one.over_seeds == "one seed in common, 1, shows no spread between seeds; run both with more"
    assert one.over_rows.difference.p > 0


def test_what_is_no_mean_over_rows_and_what_cannot_predict_has_no_test_over_rows(tmp_path):
    write(tmp_path, "fm", [{"gauc": value, "auc": value} for value in FM])
    write(tmp_path, "lr", [{"gauc": value, "auc": value} for value in LR])
    (one,) = compared(tmp_path, "gauc")
    assert one.over_rows == "gauc is no mean over rows; there are tests for auc, log_loss, rmse, mae"
    assert one.over_seeds.difference.p < 0.05

    def lost(folder, split):
        raise UserError("the data are gone")

    (one,) = compared(tmp_path, "auc", predict=lost)
    assert "cannot predict: the data are gone" in one.over_rows
    assert one.over_seeds.difference.p < 0.05


def test_weights_are_bootstrapped_and_delong_refuses_them(tmp_path):
    write(tmp_path, "fm", [{"auc": 0.8, "log_loss": 0.5}])
    write(tmp_path, "lr", [{"auc": 0.7, "log_loss": 0.6}])
    weights = torch.arange(160, dtype=torch.float64) % 3
    auc, loss = compared(tmp_path, "auc", "log_loss", weights=weights)
    assert auc.over_rows == "rows have weights, and DeLong's test counts each row once"
    a, b = (losses(predictions(tmp_path / model / "1", "test")) for model in ("fm", "lr"))
    assert loss.over_rows.difference.value == pytest.approx(np.average(a - b, weights=weights))
    assert loss.over_rows.n == int((weights > 0).sum())


# --- what is refused, by name ---


def relabel(folder, labels):
    scores = json.loads((folder / "scores.json").read_text())
    scores["data"]["test"]["labels"] = labels
    (folder / "scores.json").write_text(json.dumps(scores))


def test_runs_on_other_rows_are_refused_with_what_differs(tmp_path):
    write(tmp_path, "fm", FM)
    write(tmp_path, "lr", LR, "dataset.seed=7")
    relabel(tmp_path / "lr" / "2", "ffff")
    with pytest.raises(
        UserError, match=r"fm/1 and .*lr/2 were scored on other test rows: .*1a2b.*ffff.*seed: 2026 and 7"
    ):
        compared(tmp_path)


def test_labels_that_turn_out_to_differ_are_refused(tmp_path):
    write(tmp_path, "fm", FM[:1])
    write(tmp_path, "lr", LR[:1])

    def changed(folder, split):
        more = torch.tensor([1.0, 0.0] * (5 if folder.parent.name == "lr" else 6), dtype=torch.float64)
        return predictions(folder, split, labels=more)

    with pytest.raises(
        UserError, match=r"fm/1 and .*lr/1: the labels or weights of their test rows differ, 12 rows and 10"
    ):
        compared(tmp_path, "auc", predict=changed)


def test_other_tasks_are_refused(tmp_path):
    write(tmp_path, "fm", FM)
    write(tmp_path, "lr", LR, "task=plus_minus_one")
    with pytest.raises(UserError, match=r"has the task LogLoss, and .* SquaredError plus_minus_one=True"):
        compared(tmp_path)


def test_other_metrics_are_refused_unless_those_in_common_are_named(tmp_path):
    write(tmp_path, "fm", [{"auc": 0.8, "log_loss": 0.5}])
    write(tmp_path, "lr", [{"auc": 0.7, "pr_auc": 0.2}])
    with pytest.raises(UserError, match="LR has not measured test log_loss, as the others have"):
        compared(tmp_path)
    assert len(compared(tmp_path, "auc")) == 1
    with pytest.raises(UserError, match="no run has a test mae"):
        compared(tmp_path, "mae")


@pytest.mark.parametrize(
    ("score", "said"),
    [(float("nan"), "it is nan"), ({"log_loss": 1.0, "undefined": {"auc": "one class"}}, "one class")],
)
def test_a_score_that_is_no_number_is_refused(tmp_path, score, said):
    write(tmp_path, "fm", [0.8, score])
    write(tmp_path, "lr", LR)
    with pytest.raises(UserError, match=rf"fm/2 \(FM, seed 2\) has no test auc: {said}"):
        compared(tmp_path, "auc")


def test_seeds_without_a_pair_are_refused(tmp_path):
    write(tmp_path, "fm", FM)
    write(tmp_path, "lr", LR, first_seed=4)
    with pytest.raises(UserError, match="FM has seeds 1-3, LR has 4-6: none in common"):
        compared(tmp_path)


def test_folders_have_to_hold_one_config_each(tmp_path):
    write(tmp_path, "fm", FM)
    write(tmp_path, "lr", LR)
    with pytest.raises(UserError, match=r"has runs of 2 configs \(FM; LR\)"):
        compare.grids([tmp_path, tmp_path / "fm"])
    with pytest.raises(UserError, match="differ in more than the seed; found FM alone"):
        compare.grids([tmp_path / "fm" / "1", tmp_path / "fm" / "2"])


# --- what is shown ---


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """FM and NFM with two seeds each."""
    out = tmp_path_factory.mktemp("trained")
    for model in ("fm", "nfm"):
        for seed in (1, 2):
            tiny_run(out / model / str(seed), f"model={model}", f"seed={seed}")
    return out


def test_real_runs_are_compared_in_the_order_of_their_folders(trained):
    found, differ = compare.grids([trained / "nfm", trained / "fm"])
    stored = [results.read(trained / model / str(seed)).scores["test"] for model in ("nfm", "fm") for seed in (1, 2)]
    for line, metric in zip(found.frame.to_dict("records"), ("auc", "log_loss"), strict=True):
        assert (line["a"], line["b"], line["seeds"], line["rows n"]) == ("NFM", "FM", "1-2", 500)
        nfm, fm = ([one[metric] for one in each] for each in (stored[:2], stored[2:]))
        assert line["difference"] == pytest.approx(np.mean(nfm) - np.mean(fm))
        middle = (line["rows low"] + line["rows high"]) / 2  # of an interval around the same difference
        assert middle == pytest.approx(line["difference"], abs=0.1 * (line["rows high"] - line["rows low"]))
    assert ["model._target_", "ctr.models.NFM", "ctr.models.FM"] in [list(row) for row in differ.rows]


def test_the_page_says_what_was_tested_and_what_differs_in_every_format(trained):
    text = compare.shown([trained])
    said = r"test auc: N?FM's mean is better than N?FM's by 0\.\d{5} \(seeds 1-2\)\. Over 2 seeds it can"
    assert re.search(said, text)
    assert "conditional on" in text
    assert "model.hidden_dims" in text
    for style in ("markdown", "latex", "html"):
        assert compare.shown([trained], style=style).count("NFM") > 3
    frame = pd.read_csv(io.StringIO(compare.shown([trained], style="csv")))
    assert list(frame["metric"]) == ["auc", "log_loss"]


def test_other_fields_of_the_same_rows_are_compared_and_named(tmp_path):
    write(tmp_path, "fm", FM)
    write(tmp_path, "lr", LR)
    fields = [{"name": "user", "kind": "categorical", "num_features": 4}]
    (tmp_path / "lr" / "1" / "schema.json").write_text(json.dumps({"fields": fields}))
    said = " ".join(words.sentences(compared(tmp_path, "auc"), "test"))
    assert "FM and LR see other fields, or other encodings of them: user." in said


DOCUMENT = (ROOT / "docs" / "workflow" / "compare.md").read_text(encoding="utf-8")
COMMANDS = [
    line.split("  #")[0].strip()
    for block in re.findall(r"```bash\n(.*?)```", DOCUMENT, flags=re.S)
    for line in block.splitlines()
]


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_of_the_document_runs(command, trained, monkeypatch, capsys):
    places = {"outputs": str(trained), "outputs/fm": str(trained / "fm"), "outputs/nfm": str(trained / "nfm")}
    python, script, *arguments = [places.get(word, word) for word in shlex.split(command)]
    assert python == "python"
    monkeypatch.setattr("sys.argv", [script, *arguments])
    monkeypatch.setenv("HYDRA_FULL_ERROR", "1")
    runpy.run_path(str(ROOT / script), run_name="__main__")
    assert "NFM" in capsys.readouterr().out
