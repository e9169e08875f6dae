"""Tests over rows: DeLong's own data, plain double sums, scikit-learn, the bootstrap, promises on simulated rows."""

import numpy as np
import pytest
from scipy import stats
from sklearn.metrics import roc_auc_score

from ctr.statistics.rows import bootstrap, delong, placements

# Albumin, total protein, Krebs-Goplerud score, and whether the operation helped, of 43 patients with ovarian cancer:
# DeLong, DeLong and Clarke-Pearson, Biometrics 1988, as the SAS/STAT user's guide prints them with its results
# (the LOGISTIC procedure, "Comparing Receiver Operating Characteristic Curves")
PRINTED = """
    3.0 5.8 10 0  3.2 6.3 5 1  3.9 6.8 3 1  2.8 4.8 6 0  3.2 5.8 3 1  0.9 4.0 5 0  2.5 5.7 8 0  1.6 5.6 5 1  3.8 5.7 5 1
    3.7 6.7 6 1  3.2 5.4 4 1  3.8 6.6 6 1  4.1 6.6 5 1  3.6 5.7 5 1  4.3 7.0 4 1  3.6 6.7 4 0  2.3 4.4 6 1  4.2 7.6 4 0
    4.0 6.6 6 0  3.5 5.8 6 1  3.8 6.8 7 1  3.0 4.7 8 0  4.5 7.4 5 1  3.7 7.4 5 1  3.1 6.6 6 1  4.1 8.2 6 1  4.3 7.0 5 1
    4.3 6.5 4 1  3.2 5.1 5 1  2.6 4.7 6 1  3.3 6.8 6 0  1.7 4.0 7 0  3.7 6.1 5 1  3.3 6.3 7 1  4.2 7.7 6 1  3.5 6.2 5 1
    2.9 5.7 9 0  2.1 4.8 7 1  2.8 6.2 8 0  4.0 7.0 7 1  3.3 5.7 6 1  3.7 6.9 5 1  3.6 6.6 5 1
"""
PATIENTS = np.array(PRINTED.split(), dtype=float).reshape(-1, 4)
HELPED = PATIENTS[:, 3]
ALBUMIN, PROTEIN, SCORE = PATIENTS[:, 0], PATIENTS[:, 1], 10 - PATIENTS[:, 2]


def error(difference):
    """The standard error behind an interval."""
    return (difference.high - difference.low) / (2 * stats.norm.ppf(0.975))


def test_delong_on_his_own_data_as_published():
    areas = [placements(HELPED, one)[0].mean() for one in (ALBUMIN, PROTEIN, SCORE)]
    assert areas == pytest.approx([0.7366, 0.6478, 0.7258], abs=5e-5)
    for one, value, spread, square, p in (
        (ALBUMIN, 0.0108, 0.0953, 0.0127, 0.9102),
        (PROTEIN, -0.0780, 0.1046, 0.5554, 0.4561),
    ):
        found = delong(HELPED, [one], [SCORE])
        assert (found.value, error(found), found.p) == pytest.approx((value, spread, p), abs=5e-5)
        assert (found.value / error(found)) ** 2 == pytest.approx(square, abs=5e-5)


def covariance(labels, scores):
    """Equations 3 to 5 of the paper by plain loops: AUCs and their covariances."""
    wins = []
    for one in scores:
        above, below = one[labels == 1], one[labels == 0]
        wins.append(np.array([[1.0 if x > y else 0.5 if x == y else 0.0 for y in below] for x in above]))
    areas = np.array([each.mean() for each in wins])
    of_positives, of_negatives = np.array([w.mean(1) for w in wins]), np.array([w.mean(0) for w in wins])
    m, n = of_positives.shape[1], of_negatives.shape[1]
    s10 = sum(np.outer(v, v) for v in (of_positives - areas[:, None]).T) / (m - 1)
    s01 = sum(np.outer(v, v) for v in (of_negatives - areas[:, None]).T) / (n - 1)
    return areas, s10 / m + s01 / n


def correlated(random, number, runs, gain=1.0):
    """Labels, and scores of several runs that share some of their noise; rounded, so that there are ties."""
    labels = (random.random(number) < 0.4).astype(float)
    common = random.normal(size=number)
    return labels, [np.round(gain * labels + common + random.normal(size=number), 1) for _ in range(runs)]


@pytest.mark.parametrize("runs", [1, 3])
def test_delong_is_the_contrast_of_the_paper_by_plain_loops(runs):
    random = np.random.default_rng(runs)
    labels, scores = correlated(random, 60, 2 * runs)
    areas, covariances = covariance(labels, scores)
    contrast = np.array([1 / runs] * runs + [-1 / runs] * runs)
    found = delong(labels, scores[:runs], scores[runs:])
    assert found.value == pytest.approx(contrast @ areas, abs=1e-12)
    assert error(found) == pytest.approx((contrast @ covariances @ contrast) ** 0.5, rel=1e-9)
    assert found.p == pytest.approx(2 * stats.norm.sf(abs(found.value) / error(found)))


def test_the_mean_of_either_placement_is_scikit_learns_auc():
    labels, (scores,) = correlated(np.random.default_rng(5), 500, 1)
    for placed in placements(labels, scores):
        assert placed.mean() == pytest.approx(roc_auc_score(labels, scores), abs=1e-12)


def test_delongs_error_is_that_of_resampled_rows():
    random = np.random.default_rng(6)
    labels, (a, b) = correlated(random, 600, 2)
    drawn = []
    for _ in range(1000):
        rows = random.integers(len(labels), size=len(labels))
        drawn.append(placements(labels[rows], a[rows])[0].mean() - placements(labels[rows], b[rows])[0].mean())
    assert error(delong(labels, [a], [b])) == pytest.approx(np.std(drawn), rel=0.09)  # four of its own errors


def within_simulation_error(covered, sets):
    return abs(np.mean(covered) - 0.95) < 3 * (0.95 * 0.05 / sets) ** 0.5


def test_delongs_interval_covers_the_true_difference_as_often_as_it_says():
    random, sets, covered = np.random.default_rng(7), 600, []
    truth = stats.norm.cdf(1.2 / 2) - stats.norm.cdf(0.8 / 2)  # of normal scores of variance 2, moved by 1.2 and 0.8
    for _ in range(sets):
        labels = (random.random(250) < 0.3).astype(float)
        common = random.normal(size=250)
        a, b = (gain * labels + common + random.normal(size=250) for gain in (1.2, 0.8))
        found = delong(labels, [a], [b])
        covered.append(found.low <= truth <= found.high)
        assert (found.p < 0.05) == (found.low > 0 or found.high < 0)
    assert within_simulation_error(covered, sets)


@pytest.mark.parametrize(
    ("amounts", "of", "truth"),
    [(lambda errors: abs(errors), np.asarray, (1.1 - 1.0) * (2 / np.pi) ** 0.5), (np.square, np.sqrt, 1.1 - 1.0)],
)
def test_the_bootstraps_interval_covers_the_true_difference_as_often_as_it_says(amounts, of, truth):
    random, sets, covered = np.random.default_rng(8), 400, []
    for _ in range(sets):
        common = random.normal(size=200)
        a, b = (scale * (common + random.normal(size=200)) / 2**0.5 for scale in (1.1, 1.0))
        found = bootstrap([amounts(a)], [amounts(b)], np.ones(200), of, draws=500, seed=int(random.integers(2**31)))
        covered.append(found.low <= truth <= found.high)
    assert within_simulation_error(covered, sets)


def test_the_bootstraps_error_of_a_mean_is_the_standard_error_of_the_paired_differences():
    random = np.random.default_rng(9)
    a = [random.exponential(size=900) for _ in range(3)]
    b = [one + random.normal(0.02, 0.3, 900) for one in a]
    paired = np.mean(a, 0) - np.mean(b, 0)
    found = bootstrap(a, b, np.ones(900))
    assert found.value == pytest.approx(paired.mean())
    assert error(found) == pytest.approx(paired.std() / 30, rel=0.08)


def test_the_bootstraps_p_value_agrees_with_the_t_test_on_many_rows():
    random = np.random.default_rng(10)
    a = random.normal(0.03, 0.4, 1500)
    found = bootstrap([a], [np.zeros(1500)], np.ones(1500), draws=8000)
    assert found.p == pytest.approx(stats.ttest_1samp(a, 0).pvalue, rel=0.3)
    assert bootstrap([a + 1], [np.zeros(1500)], np.ones(1500)).p == 2 / 2001  # it shows no smaller one


def test_weights_count_rows_and_rows_of_weight_0_are_not_there():
    random = np.random.default_rng(11)
    a, b, weights = random.random(300), random.random(300), random.integers(0, 4, 300).astype(float)
    found = bootstrap([a], [b], weights)
    assert found.value == pytest.approx(np.average(a - b, weights=weights))
    assert bootstrap([a[weights > 0]], [b[weights > 0]], weights[weights > 0]) == found


def test_a_bootstrap_says_the_same_again_however_many_rows_it_draws_at_once(monkeypatch):
    random = np.random.default_rng(12)
    a, b = random.random(300), random.random(300)
    first = bootstrap([a], [b], np.ones(300))
    assert bootstrap([a], [b], np.ones(300)) == first
    monkeypatch.setattr("ctr.statistics.rows.AT_ONCE", 1000)
    again = bootstrap([a], [b], np.ones(300))
    assert (again.low, again.high, again.p) == pytest.approx((first.low, first.high, first.p))


def test_rows_without_variance_cannot_tell():
    labels = np.array([1.0, 1, 0, 0, 0])
    scores = np.array([3.0, 1, 2, 0, 1])
    assert delong(labels, [scores], [scores]) is None
    assert delong(labels, [labels], [labels * 2 - 1]) is None  # both are perfect
    assert delong(np.array([1.0, 0, 0, 0, 0]), [scores], [-scores]) is None  # one positive has no variance
    assert bootstrap([scores], [scores], np.ones(5)) is None
    assert bootstrap([scores + 0.1], [scores], np.ones(5)) is None
