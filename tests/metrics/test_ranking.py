"""auc, gauc and pr_auc against scikit-learn and against the plain loops of their definitions."""

import itertools

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics import average_precision_score, roc_auc_score

from ctr.metrics import Predictions
from ctr.metrics.predictions import Undefined
from ctr.metrics.ranking import auc, gauc, pr_auc

LOGITS = st.integers(-3, 3).map(lambda n: n / 2) | st.floats(-8, 8)  # half of them from seven values, so that many tie
WEIGHTS = st.floats(0.1, 10)
GROUPS = st.sampled_from([-3, 0, 1, 7, 2**62])


def predictions(labels, logits, weights=None, groups=None) -> Predictions:
    """What a binary task gives to metrics."""
    labels, logits = torch.as_tensor(labels, dtype=torch.double), torch.as_tensor(logits, dtype=torch.double)
    weights = torch.ones_like(logits) if weights is None else torch.as_tensor(weights, dtype=torch.double)
    groups = None if groups is None else torch.as_tensor(groups, dtype=torch.int64)
    return Predictions(labels, labels, logits, logits.sigmoid(), weights, groups)


@st.composite
def examples(draw, max_size: int = 40) -> Predictions:
    """Both classes, ties, weights, groups."""
    rows = st.tuples(st.integers(0, 1), LOGITS, WEIGHTS, GROUPS)
    labels, logits, weights, groups = zip(*draw(st.lists(rows, min_size=2, max_size=max_size)), strict=True)
    return predictions((0, 1, *labels[2:]), logits, weights, groups)


def near(value: float):
    return pytest.approx(value, rel=1e-12, abs=1e-12)


@given(examples())
def test_auc_is_that_of_scikit_learn(split):
    assert auc(split) == near(roc_auc_score(split.labels, split.logits, sample_weight=split.weights))


@given(examples())
def test_pr_auc_is_the_average_precision_of_scikit_learn(split):
    assert pr_auc(split) == near(average_precision_score(split.labels, split.logits, sample_weight=split.weights))


def pair_count(split: Predictions) -> float:
    """The weight of the pairs of a positive and a negative that are in order, over that of all such pairs.

    A label is the chance to be positive; a row is no pair with itself.
    """
    wins = pairs = 0.0
    rows = list(zip(split.labels.tolist(), split.logits.tolist(), split.weights.tolist(), strict=True))
    for (y, logit, weight), (other_y, other_logit, other_weight) in itertools.permutations(rows, 2):
        pair = y * weight * (1 - other_y) * other_weight
        pairs += pair
        wins += pair * (1.0 if logit > other_logit else 0.5 if logit == other_logit else 0.0)
    return wins / pairs


@given(examples(max_size=20))
def test_auc_is_the_share_of_pairs_in_order(split):
    assert auc(split) == near(pair_count(split))


def group_by_group(split: Predictions) -> float | None:
    total = weight = 0.0
    for group in split.groups.unique():
        mine = split.groups == group
        if split.labels[mine].unique().numel() == 2:
            size = split.weights[mine].sum().item()
            total += size * roc_auc_score(split.labels[mine], split.logits[mine], sample_weight=split.weights[mine])
            weight += size
    return total / weight if weight else None


@given(examples())
def test_gauc_is_the_weighted_mean_of_the_groups_aucs(split):
    expected = group_by_group(split)
    if expected is None:
        with pytest.raises(Undefined, match="groups has both classes"):
            gauc(split)
    else:
        assert gauc(split) == near(expected)


def test_gauc_of_many_small_groups_is_exact():
    random = torch.Generator().manual_seed(0)
    labels, groups = (torch.randint(n, (1600,), generator=random) for n in (2, 400))
    logits, weights = torch.randn(1600, generator=random).round(decimals=1), torch.rand(1600, generator=random) + 0.1
    split = predictions(labels, logits, weights, groups)
    assert gauc(split) == near(group_by_group(split))


def test_gauc_of_one_group_is_auc():
    split = predictions([0, 1, 1, 0, 1], [0.1, 0.4, -0.3, 0.1, 0.1], [1, 2, 3, 4, 5], [9] * 5)
    assert gauc(split) == near(auc(split))


@pytest.mark.parametrize("metric", [auc, gauc])
def test_a_constant_score_knows_nothing(metric):
    assert metric(predictions([0, 1, 1, 0, 0], [0.3] * 5, None, [1, 1, 1, 2, 2])) == 0.5


def test_pr_auc_of_a_constant_score_is_the_base_rate():
    assert pr_auc(predictions([0, 1, 1, 0, 0], [0.3] * 5)) == near(0.4)


def test_pr_auc_by_hand():
    assert pr_auc(predictions([1, 0, 1, 0], [4, 3, 2, 1])) == near((1 / 1 + 2 / 3) / 2)


# --- labels that are probabilities ---

SOFT = st.lists(st.tuples(st.floats(0.05, 0.95), LOGITS, WEIGHTS), min_size=2, max_size=20)


@given(SOFT)
def test_auc_of_probabilities_is_the_expected_wins_over_the_expected_pairs(rows):
    split = predictions(*zip(*rows, strict=True))
    assert auc(split) == near(pair_count(split))


def test_auc_of_probabilities_is_the_mean_auc_of_drawn_labels():
    random = torch.Generator().manual_seed(0)
    truth = torch.randn(300, generator=random, dtype=torch.double)
    guess = truth + torch.randn(300, generator=random)
    draws = [torch.bernoulli(truth.sigmoid(), generator=random) for _ in range(1000)]
    drawn = torch.tensor([auc(predictions(labels, guess)) for labels in draws])
    error = drawn.std().item() / 1000**0.5
    assert abs(auc(predictions(truth.sigmoid(), guess)) - drawn.mean().item()) < 4 * error
    assert error < 0.002  # so that the line above says something


def test_rows_alone_in_their_group_are_no_pair_with_themselves():
    alone = predictions([0.3, 0.6, 0.8], [1.0, 2.0, 3.0], None, [1, 2, 3])
    with pytest.raises(Undefined, match="groups"):
        gauc(alone)
