"""What the figures of a report are made of: curves over seeds, bins, fronts, axes of a sweep."""

import json
import math

import numpy as np
import pytest
import torch
from sklearn.calibration import calibration_curve

from ctr.app import curves
from ctr.app.bins import bins_of
from ctr.app.report.board import boards
from ctr.app.report.costs import front
from ctr.app.report.drawing import apart
from ctr.app.report.predictions import NUM_BINS, summarise
from ctr.app.report.settings import independent
from ctr.app.report.sweep import FOOT, axis
from ctr.app.results import Result
from ctr.errors import UserError
from ctr.metrics import Predictions


def test_a_curve_is_what_was_noted_and_finite(tmp_path):
    noted = [
        {"step": 5, "examples": 50, "train/loss": 0.7},
        {"step": 5, "examples": 50, "valid/auc": 0.6},
        {"step": 10, "examples": 100, "train/loss": math.nan},
    ]
    (tmp_path / "train").mkdir()
    (tmp_path / "train" / "metrics.jsonl").write_text("".join(f"{json.dumps(one)}\n" for one in noted))
    read = curves.records(tmp_path, "train")
    assert curves.by(read, "train loss") == {5: 0.7}
    assert curves.by(read, "valid auc", "examples") == {50: 0.6}
    assert curves.records(tmp_path, "pretrain") == []


def test_a_record_that_cannot_be_read_is_named(tmp_path):
    (tmp_path / "train").mkdir()
    (tmp_path / "train" / "metrics.jsonl").write_text('{"step": 1')
    with pytest.raises(UserError, match=r"metrics\.jsonl cannot be read"):
        curves.records(tmp_path, "train")


def test_seeds_are_averaged_where_all_of_them_have_a_value():
    places, mean, spread = curves.mean_and_spread([{1: 0.0, 2: 1.0, 3: 9.0}, {1: 2.0, 2: 1.0}])
    assert list(places) == [1, 2]
    np.testing.assert_allclose(mean, [1, 1])
    np.testing.assert_allclose(spread, [math.sqrt(2), 0])


def test_a_long_curve_is_thinned_to_means_and_keeps_its_end():
    places, values = np.arange(3000), np.arange(3000.0)
    thin_places, thin = curves._thinned(places, values)
    assert len(thin) == curves.NUM_POINTS
    assert thin_places[-1] == 2999
    assert thin.mean() == pytest.approx(values.mean())


def test_bins_are_scikit_learns_quantile_bins():
    rng = np.random.default_rng(0)
    p = rng.random(NUM_BINS * 20)
    y = (rng.random(len(p)) < p).astype(float)
    found = bins_of(p, y, np.ones(len(p)), NUM_BINS)
    actual, predicted = calibration_curve(y, p, n_bins=NUM_BINS, strategy="quantile")
    np.testing.assert_allclose(found.actual, actual)
    np.testing.assert_allclose(found.predicted, predicted)
    assert set(found.counts) == {20}
    assert found.gap == pytest.approx(np.abs(actual - predicted).mean())


def test_equal_predictions_share_a_bin_and_a_weight_counts_as_so_many_rows():
    p, y = np.array([0.1, 0.1, 0.1, 0.2, 0.9]), np.array([0.0, 1.0, 0.0, 1.0, 1.0])
    weights = np.array([1.0, 2.0, 1.0, 3.0, 1.0])
    found = bins_of(p, y, weights, number=4)
    repeated = bins_of(*(np.repeat(values, weights.astype(int)) for values in (p, y, np.ones(5))), number=4)
    np.testing.assert_allclose(found.predicted, repeated.predicted)
    np.testing.assert_allclose(found.actual, repeated.actual)
    np.testing.assert_allclose(found.weights, repeated.weights)
    assert found.actual[0] == 0.5
    assert found.counts[0] == 3


def predictions(logits, labels, targets=None):
    z, y = torch.tensor(logits, dtype=torch.double), torch.tensor(labels, dtype=torch.double)
    return Predictions(y, y if targets is None else targets, z, z.sigmoid(), torch.ones_like(z))


def test_histograms_are_densities_by_label():
    found = summarise(predictions([-2.0, -1.0, 0.5, 1.0, 3.0], [0, 0, 1, 0, 1]))
    assert not found.plain
    assert list(found.histograms) == ["label 0", "label 1"]
    for heights in found.histograms.values():
        assert (heights * np.diff(found.edges)).sum() == pytest.approx(1)
    assert found.rate == 0.4


def test_labels_that_are_no_classes_have_residuals():
    found = summarise(predictions([0.0, 1.0, 2.0], [3.0, 4.0, 5.0]))
    assert found.plain
    assert list(found.histograms) == ["residual"]


def test_predictions_that_are_not_finite_are_refused_and_counted():
    with pytest.raises(UserError, match="1 of 2 predictions are not finite"):
        summarise(predictions([math.nan, 1.0], [0, 1]))


@pytest.mark.parametrize("higher", [True, False])
def test_the_front_is_what_no_other_point_beats(higher):
    rng = np.random.default_rng(1)
    points = [(float(cost), float(score)) for cost, score in rng.integers(0, 6, (30, 2))]
    found = front(points, higher)

    def beats(a, b):
        better = a[1] >= b[1] if higher else a[1] <= b[1]
        return a[0] <= b[0] and better and a != b

    assert set(found) == {i for i, one in enumerate(points) if not any(beats(other, one) for other in points)}
    costs = [points[i][0] for i in found]
    assert costs == sorted(costs)


def test_the_front_of_three():
    assert front([(1, 0.7), (3, 0.8), (2, 0.6)], higher_is_better=True) == [0, 1]


def test_rates_stand_logarithmically_and_zero_at_the_foot():
    assert axis("optimizer.lr", [1e-4, 1e-2, 1e-3]).places == pytest.approx([0, 1, 0.5])
    found = axis("embedding.l2", [0, 1e-6, 1e-2, None])
    assert found.places == pytest.approx([FOOT / 2, FOOT, 1, 0])
    assert {word for _, word in found.ticks} == {"0", "1e-06", "0.01", "not set"}


def test_other_numbers_stand_to_scale_and_words_apart():
    assert axis("embedding_dim", [8, 16, 32]).places == pytest.approx([0, 1 / 3, 1])
    found = axis("activation", ["relu", "tanh", "relu"])
    assert found.places == [0.25, 0.75, 0.25]
    assert [word for _, word in found.ticks] == ["relu", "tanh"]
    assert axis("hidden_dims", [[64], [64, 64]]).ticks[1][1] == "[64]"


def test_many_values_of_an_axis_get_round_ticks():
    found = axis("dropout", list(np.linspace(0, 0.5, 40)))
    assert [word for _, word in found.ticks] == ["0", "0.1", "0.2", "0.3", "0.4", "0.5"]


def test_settings_that_come_with_a_class_or_go_with_another_are_left_out():
    kept, others = independent(
        {
            "model._target_": ["ctr.models.FM", "ctr.models.NFM", "ctr.models.NFM"],
            "model.hidden_dims": [None, [64], [64]],
            "trainer.groups.embedding.lr": [0.1, 0.1, 0.2],
            "trainer.groups.linear.lr": [0.1, 0.1, 0.2],
            "dataset.root": ["a", "b", "c"],
        }
    )
    assert list(kept) == ["model._target_", "trainer.groups.embedding.lr"]
    assert others == ["model.hidden_dims", "trainer.groups.linear.lr", "dataset.root"]


def test_of_two_classes_that_go_together_one_stays():
    optimizer, schedule = ["Adam", "Adam", "FTRL"], ["Plateau", "Plateau", "Constant"]
    settings = {"model._target_": ["FM", "NFM", "NFM"], "a._target_": optimizer, "b._target_": schedule}
    assert independent(settings) == ({key: settings[key] for key in list(settings)[:2]}, ["b._target_"])


def test_labels_that_would_meet_are_moved_apart_and_stay_below_the_top():
    assert apart([0.0, 0.1, 5.0], gap=1, top=9) == [0, 1, 5]
    assert apart([8.9, 8.95, 9.0], gap=1, top=9) == [7, 8, 9]


def result(folder, monitor, value, seed=1, **model):
    config = {"seed": seed, "monitor": monitor, "objective": {"_target_": "ctr.training.LogLoss"}}
    config |= {"dataset": {"_target_": "ctr.data.Synthetic"}, "stages": {"train": {"model": {"_target_": "x.FM"}}}}
    config["model"] = {"_target_": "x.FM", **model}
    rows = {split: {"num_rows": 3, "labels": "ab"} for split in ("valid", "test")}
    return Result(folder, config, {"monitor": monitor, "valid": {monitor: value}, "data": rows})


def test_groups_are_numbered_by_the_valid_score_the_best_first(tmp_path):
    values = {1: (0.7, 0.9), 2: (0.6, 0.6), 3: (0.99, math.nan)}
    for monitor, order in (("auc", [1, 2, 3]), ("log_loss", [2, 1, 3])):
        runs = [
            result(tmp_path, monitor, value, seed, dim=dim)
            for dim, pair in values.items()
            for seed, value in enumerate(pair)
        ]
        (board,) = boards(runs)
        assert [entry.group.first.config["model"]["dim"] for entry in board.entries] == order
        assert [entry.place for entry in board.entries] == [1, 2, 3]
        assert board.entries[-1].values == ()


def test_other_monitored_scores_and_other_rows_are_other_boards(tmp_path):
    first, second = result(tmp_path, "auc", 0.7), result(tmp_path, "rmse", 0.7)
    third = result(tmp_path, "auc", 0.7)
    third.scores["data"]["valid"]["labels"] = "cd"
    assert [len(board.entries) for board in boards([first, second, third])] == [1, 1, 1]
