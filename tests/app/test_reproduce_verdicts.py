"""What a claim's verdict promises, on simulated seeds."""

import numpy as np
import pytest
from scipy import stats

from ctr.app.reproduce.table import Claim, Side
from ctr.app.reproduce.verdicts import FAILS, HOLDS, OPEN, judge


def side(row, score="test auc"):
    return Side(row, score)


def better(left, right, score="test auc", name="c"):
    sides = [tuple(side(row, score) for row in rows) for rows in (left, right)]
    return Claim(name, "", "better", *sides)


def seeds(values):
    return dict(enumerate(values, start=1))


def words(claims, scores):
    return [verdict.word for verdict in judge(claims, lambda one: scores.get(one.row, {}))]


def test_of_claims_that_are_not_so_at_most_a_twentieth_of_the_tables_decides_any():
    random = np.random.default_rng(0)
    claims = [better(["a"], ["b"], name="1"), better(["c"], ["a"], name="2"), better(["b"], ["c", "d"], name="3")]
    claims.append(Claim("4", "", "interior", tuple(map(side, "abcd"))))
    wrong = 0
    for _ in range(400):
        scores = {row: seeds(random.normal(0.9, 0.01, 4)) for row in "abcd"}
        wrong += any(word != OPEN for word in words(claims, scores))
    assert wrong <= 400 * 0.05 + 3 * (400 * 0.05 * 0.95) ** 0.5


def test_a_difference_of_many_standard_deviations_is_seen_either_way():
    random = np.random.default_rng(1)
    scores = {row: seeds(random.normal(mean, 0.0005, 5)) for row, mean in {"a": 0.98, "b": 0.97, "c": 0.97}.items()}
    assert words([better(["a"], ["b", "c"]), better(["b"], ["a"], name="d")], scores) == [HOLDS, FAILS]
    assert words([better(["a"], ["b"], "test log_loss")], scores) == [FAILS]  # of which less is better


def test_two_claims_have_the_p_value_of_the_two_sided_test_times_two():
    random = np.random.default_rng(2)
    scores = {row: seeds(random.normal(mean, 0.01, 5)) for row, mean in {"a": 0.53, "b": 0.5, "c": 0.5}.items()}
    verdicts = judge([better(["a"], ["b"]), better(["b"], ["c"], name="d")], lambda one: scores[one.row])
    p = stats.ttest_rel(list(scores["a"].values()), list(scores["b"].values())).pvalue
    assert f"p = {p:.2g}, {2 * p:.2g} by Holm over 2 claims" in verdicts[0].test


def test_one_pair_that_cannot_tell_leaves_a_claim_of_several_open():
    random = np.random.default_rng(3)
    scores = {row: seeds(random.normal(mean, 0.001, 4)) for row, mean in {"a": 0.98, "b": 0.9, "c": 0.98}.items()}
    assert words([better(["a"], ["b", "c"])], scores) == [OPEN]


def test_of_too_few_runs_the_difference_is_told_but_no_verdict():
    scores = {"a": seeds([0.98, 0.97]), "b": seeds([0.9]), "c": seeds([0.975]), "d": {}}
    claims = [better(["a"], ["b"]), better(["a"], ["b", "c"], name="two"), better(["a"], ["b", "d"], name="none")]
    claims.append(better(["a"], ["b"], "test log_loss", name="less"))
    verdicts = judge(claims, lambda one: scores[one.row])
    assert [one.word for one in verdicts] == [OPEN] * 4
    fewest = "2 pairs, fewest and least: a (test auc) and"
    assert [one.test for one in verdicts] == [
        "a (test auc) and b (test auc) have 1 run in common, difference +0.08000; a test needs two",
        f"{fewest} c (test auc) have 1 run in common, difference +0.00500; a test needs two",
        f"{fewest} d (test auc) have 0 runs in common; a test needs two",
        "a (test log_loss) and b (test log_loss) have 1 run in common, difference -0.08000; a test needs two",
    ]


def test_seeds_are_paired_by_number_and_others_are_not_counted():
    scores = {"a": {1: 0.5, 2: 0.61, 3: 0.7}, "b": {2: 0.60, 3: 0.68, 9: 0.1}}
    assert "2 runs, difference +0.01500" in judge([better(["a"], ["b"])], lambda one: scores[one.row])[0].test
    assert words([better(["a"], ["b"])], {"a": {1: 0.5}, "b": {1: 0.4}}) == [OPEN]


@pytest.mark.parametrize(
    ("means", "word"), [([0.2, 0.5, 0.4, 0.1], HOLDS), ([0.5, 0.4, 0.3, 0.2], FAILS), ([0.5, 0.5, 0.5, 0.5], OPEN)]
)
def test_an_optimum_between_the_ends(means, word):
    random = np.random.default_rng(4)
    scores = {row: seeds(random.normal(mean, 0.002, 5)) for row, mean in zip("abcd", means, strict=True)}
    assert words([Claim("c", "", "interior", tuple(map(side, "abcd")))], scores) == [word]


@pytest.mark.parametrize(
    ("means", "word"), [([0.5, 0.4, 0.3], HOLDS), ([0.5, 0.3, 0.4], FAILS), ([0.5, 0.4, 0.4], OPEN)]
)
def test_an_order_is_one_of_all_neighbours(means, word):
    random = np.random.default_rng(5)
    scores = {row: seeds(random.normal(mean, 0.002, 5)) for row, mean in zip("abc", means, strict=True)}
    assert words([Claim("c", "", "order", tuple(map(side, "abc")))], scores) == [word]


def test_the_pair_that_is_shown_is_the_one_that_an_optimum_between_the_ends_hangs_on():
    scores = {"a": seeds([0.10, 0.13, 0.11]), "b": seeds([0.5, 0.2, 0.4]), "c": seeds([0.09, 0.08, 0.1])}
    scores["d"] = seeds([-0.9, -0.91, -0.88])
    (verdict,) = judge([Claim("c", "", "interior", tuple(map(side, "abcd")))], lambda one: scores[one.row])
    p = stats.ttest_rel(list(scores["b"].values()), list(scores["a"].values()), alternative="greater").pvalue
    assert "4 pairs, deciding: b (test auc) against a (test auc)" in verdict.test
    assert f"p = {2 * 2 * p:.2g}, " in verdict.test  # the better of two between the ends, either way round


def test_a_score_of_nothing_has_no_ratio():
    scores = {"a": {1: 0.0, 2: 2.0}, "b": {1: 1.0, 2: 1.0}}
    claim = Claim("c", "", "ratio", (side("a", "seconds"),), (side("b", "seconds"),), high=2.3)
    assert [verdict.test for verdict in judge([claim], lambda one: scores[one.row])] == ["a (seconds): 1 run"]


@pytest.mark.parametrize(
    ("low", "high", "word"), [(1.0, 3.0, OPEN), (-2.0, 6.0, HOLDS), (5.0, 6.0, FAILS), (float("-inf"), 4.6, HOLDS)]
)
def test_a_mean_is_within_a_band_where_its_interval_is(low, high, word):
    claim = Claim("c", "", "within", (side("a"),), low=low, high=high)
    assert words([claim], {"a": seeds([1.0, 2.0, 3.0])}) == [word]  # the interval is [-.48, 4.48]


def test_a_ratio_is_taken_seed_by_seed_and_averaged_on_a_log_scale():
    scores = {"a": {1: 2.0, 2: 8.0, 3: 5.0}, "b": {1: 1.0, 2: 2.0, 4: 1.0}}
    claim = Claim("c", "", "ratio", (side("a", "seconds"),), (side("b", "seconds"),), high=2.3)
    (verdict,) = judge([claim], lambda one: scores[one.row])
    assert verdict.word == OPEN
    assert "geometric mean of the ratio 2.8284" in verdict.test  # the root of 2 times 4


def test_a_claim_that_no_row_tests_is_open_with_its_reason():
    (verdict,) = judge([Claim("c", "", "untested", reason="no data")], lambda one: {})
    assert (verdict.word, verdict.test) == (OPEN, "no data")
