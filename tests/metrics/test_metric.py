"""What holds for every metric in the table, and scores: a number or a reason, never a NaN."""

import json
import math
from dataclasses import replace

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from ctr.metrics import METRICS, Predictions, Scores, score
from tests.metrics.test_ranking import examples, near, predictions

ALL = list(METRICS.values())
CLASSES = {"auc", "gauc", "pr_auc", "log_loss", "normalized_entropy"}  # what only labels in [0, 1] have


def rows(split: Predictions, numbers: torch.Tensor) -> Predictions:
    return Predictions(**{part: values[numbers] for part, values in vars(split).items()})


def same(scores: Scores):
    return Scores({name: near(value) for name, value in scores.values.items()}, scores.undefined)


def noisy_truth(size: int = 400) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Labels, logits that know nothing, groups."""
    random = torch.Generator().manual_seed(0)
    labels = torch.randint(2, (size,), generator=random).double()
    return labels, torch.randn(size, generator=random).double(), torch.randint(9, (size,), generator=random)


@pytest.mark.parametrize("name", sorted(set(METRICS) - {"calibration"}))
def test_better_predictions_move_a_metric_its_way(name):
    labels, noise, groups = noisy_truth()
    blends = [predictions(labels, noise + k * (2 * labels - 1), None, groups) for k in range(4)]
    values = [METRICS[name].function(blend) for blend in blends]
    assert values == sorted(values, reverse=not METRICS[name].higher_is_better)
    assert len(set(values)) == 4


def test_only_calibration_has_no_better_way():
    assert [name for name, metric in METRICS.items() if metric.higher_is_better is None] == ["calibration"]
    labels, noise, _ = noisy_truth()
    low, high = (METRICS["calibration"].function(predictions(labels, noise + shift)) for shift in (-2, 2))
    assert low < 1 < high


@given(examples(), st.randoms(use_true_random=False))
def test_the_order_of_rows_does_not_matter(split, random):
    order = list(range(len(split.labels)))
    random.shuffle(order)
    assert score(rows(split, torch.tensor(order)), ALL) == same(score(split, ALL))


@given(examples(max_size=12), st.data())
def test_a_weight_of_3_is_three_rows(split, data):
    size = len(split.labels)
    weights = torch.tensor(data.draw(st.lists(st.integers(1, 3), min_size=size, max_size=size)))
    repeated = rows(split, torch.arange(size).repeat_interleave(weights))
    repeated = replace(repeated, weights=torch.ones_like(repeated.logits))
    assert score(replace(split, weights=weights.double()), ALL) == same(score(repeated, ALL))


@pytest.mark.parametrize("name", METRICS)
@settings(max_examples=40)
@given(examples(max_size=12), examples(max_size=6))
def test_rows_of_weight_0_count_for_nothing(name, split, idle):
    idle = replace(idle, weights=torch.zeros_like(idle.weights))
    both = Predictions(**{part: torch.cat([getattr(split, part), getattr(idle, part)]) for part in vars(split)})
    ours, expected = (score(of, [METRICS[name]]) for of in (both, split))
    assert ours.values == same(expected).values
    assert ours.undefined.keys() == expected.undefined.keys()


MIXED = predictions([0, 1, 1, 0], [0.5, 1.0, -1.0, 2.0], None, [1, 1, 2, 2])
REGRESSION = predictions([3.5, -1.0, 0.0], [3.0, 0.0, 0.0], None, [1, 1, 1])

ZEROS, ONES = torch.zeros(4).double(), torch.ones(4).double()
NEGATIVE = dict.fromkeys(["auc", "pr_auc", "normalized_entropy"], "all 4 labels are 0")
POSITIVE = dict.fromkeys(["auc", "normalized_entropy"], "all 4 labels are 1")
ONE_CLASS_GROUPS = {"gauc": "none of the 2 groups has both classes"}

UNDEFINED = {
    "all negative": (
        replace(MIXED, labels=ZEROS, targets=ZEROS),
        NEGATIVE | ONE_CLASS_GROUPS | {"calibration": "the mean label is 0"},
    ),
    "all positive": (replace(MIXED, labels=ONES, targets=ONES), POSITIVE | ONE_CLASS_GROUPS),
    "no groups": (replace(MIXED, groups=None), {"gauc": "no group column"}),
    "groups of one class": (replace(MIXED, groups=torch.tensor([3, 4, 4, 3])), ONE_CLASS_GROUPS),
    "a NaN logit": (
        replace(MIXED, logits=torch.tensor([0, math.nan, 1, 2])),
        dict.fromkeys(METRICS, "1 of 4 predictions are not finite"),
    ),
    "infinite logits": (
        replace(MIXED, logits=torch.tensor([0, 0, -math.inf, math.inf])),
        dict.fromkeys(METRICS, "2 of 4 predictions are not finite"),
    ),
    "regression": (REGRESSION, dict.fromkeys(CLASSES, "labels are not the classes 0 and 1")),
    "weights of 0": (replace(MIXED, weights=ZEROS), dict.fromkeys(METRICS, "weight")),
}


@pytest.mark.parametrize("case", UNDEFINED)
def test_a_metric_without_a_value_has_a_reason_and_no_number(case):
    split, reasons = UNDEFINED[case]
    scores = score(split, ALL)
    assert scores.values.keys() == set(METRICS) - set(reasons)
    assert all(math.isfinite(value) for value in scores.values.values())
    assert scores.undefined.keys() == set(reasons)
    for name, reason in reasons.items():
        assert reason in scores.undefined[name]


def test_one_undefined_metric_does_not_hide_the_others():
    scores = score(predictions([1, 1], [0.0, 1.0]), [METRICS["auc"], METRICS["log_loss"]])
    assert scores.undefined == {"auc": "all 2 labels are 1"}
    assert scores.values["log_loss"] > 0


@pytest.mark.parametrize("case", ["all negative", "regression", "a NaN logit", "no groups"])
def test_scores_survive_json(case):
    scores = score(UNDEFINED[case][0], ALL)
    assert Scores.from_json(json.loads(json.dumps(scores.to_json(), allow_nan=False))) == scores


def test_scores_without_gaps_are_plain_numbers_in_json():
    scores = score(MIXED, ALL)
    assert scores.to_json() == scores.values
    assert Scores.from_json(scores.to_json()) == scores


def test_every_metric_has_its_own_name_in_the_table():
    assert all(name == metric.name == metric.function.__name__ for name, metric in METRICS.items())
