"""Tests, corrections and intervals over seeds: scipy, published examples, definitions, promises on simulated seeds."""

import numpy as np
import pytest
from scipy import stats

from ctr.statistics import seeds

SLEEP = (  # Student, "The Probable Error of a Mean", Biometrika 1908: hours gained with either drug
    [0.7, -1.6, -0.2, -1.2, -0.1, 3.4, 3.7, 0.8, 0.0, 2.0],
    [1.9, 0.8, 1.1, 0.1, -0.1, 4.4, 5.5, 1.6, 4.6, 3.4],
)


def test_the_paired_test_is_students_on_his_own_data():
    t, p = seeds.paired(*SLEEP)
    assert t == pytest.approx(-4.0621277, abs=1e-6)
    assert 2 * (1 - p) == pytest.approx(0.00283289, abs=1e-7)


def test_a_difference_has_scipys_interval_and_two_sided_p_either_way_round():
    for a, b in (SLEEP, SLEEP[::-1]):
        found, known = seeds.difference(a, b), stats.ttest_rel(a, b)
        assert (found.low, found.high) == pytest.approx(tuple(known.confidence_interval(0.95)))
        assert found.p == pytest.approx(known.pvalue)
        assert found.value == pytest.approx(np.mean(a) - np.mean(b))


def test_pairs_that_cancel_out_can_tell_that_there_is_no_difference():
    found = seeds.difference([0.5, 0.6], [0.6, 0.5])
    assert (found.value, found.p) == (pytest.approx(0), pytest.approx(1))


@pytest.mark.parametrize("values", [([0.5], [0.4]), ([0.5, 0.5], [0.4, 0.4]), ([0.3, 0.5], [0.3, 0.5])])
def test_one_pair_or_pairs_without_spread_cannot_tell(values):
    assert seeds.paired(*values) == (0.0, 0.5)
    assert seeds.difference(*values) is None


def test_the_interval_is_the_mean_and_students_quantile_times_the_standard_error():
    assert seeds.interval([1.0, 2.0, 3.0]) == pytest.approx((2 - 4.3026527 / 3**0.5, 2 + 4.3026527 / 3**0.5))
    assert seeds.interval([1.0]) is None


@pytest.mark.parametrize("n", [2, 5])
def test_the_interval_covers_the_true_mean_as_often_as_it_says(n):
    random, sets = np.random.default_rng(n), 2000
    bounds = np.array([seeds.interval(random.normal(0.98, 0.001, n)) for _ in range(sets)])
    covered = ((bounds[:, 0] <= 0.98) & (bounds[:, 1] >= 0.98)).mean()
    assert abs(covered - 0.95) < 3 * (0.95 * 0.05 / sets) ** 0.5


@pytest.mark.parametrize("n", [2, 5])
def test_another_value_is_in_its_interval_as_often_as_it_says(n):
    random, sets = np.random.default_rng(n), 2000
    drawn = random.normal(0.98, 0.001, (sets, n + 1))
    low, high = np.array([seeds.interval_of_another(values[:n]) for values in drawn]).T
    covered = ((low <= drawn[:, n]) & (drawn[:, n] <= high)).mean()
    assert abs(covered - 0.95) < 3 * (0.95 * 0.05 / sets) ** 0.5
    assert seeds.interval_of_another([1.0]) is None


def test_holm_multiplies_the_smallest_by_all_the_next_by_one_less_and_never_falls():
    assert seeds.holm([0.01, 0.04, 0.03, 0.005]) == pytest.approx([0.03, 0.06, 0.06, 0.02])
    assert seeds.holm([0.7, 0.9]) == [1.0, 1.0]
    assert seeds.holm([]) == []


def rejected_step_by_step(p_values, level):
    """Holm's procedure as he states it: the smallest p against level / m, the next against level / (m - 1), and so on,
    until one is not small enough."""
    found = set()
    for rank, index in enumerate(np.argsort(p_values, kind="stable")):
        if p_values[index] > level / (len(p_values) - rank):
            break
        found.add(int(index))
    return found


def test_an_adjusted_p_value_is_below_a_level_where_holms_procedure_rejects_at_it():
    random, decided = np.random.default_rng(0), set()
    for _ in range(300):
        p_values = random.random(random.integers(1, 8)) ** 3  # small ones among them
        for level in (0.01, 0.05, 0.2):
            adjusted = seeds.holm(list(p_values))
            rejected = {i for i, p in enumerate(adjusted) if p <= level}
            assert rejected == rejected_step_by_step(p_values, level)
            decided.add(len(rejected))
    assert len(decided) > 4  # none, some, many


def test_holm_keeps_the_chance_of_any_false_finding_below_the_level():
    random, sets = np.random.default_rng(1), 2000
    wrong = np.mean([min(seeds.holm(list(random.random(6)))) < 0.05 for _ in range(sets)])
    assert wrong < 0.05 + 3 * (0.05 * 0.95 / sets) ** 0.5
