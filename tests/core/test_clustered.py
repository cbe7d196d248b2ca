"""Intervals that know clusters: closed forms, coverage, an independent optimiser."""

import numpy as np
import pytest
from scipy.optimize import minimize
from scipy.stats import t as student

from pairselect.core.arrays import DesignError
from pairselect.core.clustered import (
    RIDGE,
    clustered_logistic,
    clustered_mean,
    clustered_share,
)
from pairselect.core.intervals import wilson_interval


def test_single_trials_have_wilsons_interval():
    x = np.r_[np.ones(30), np.zeros(12)]
    found = clustered_share(x, np.ones(42), np.arange(42))
    assert (found.low, found.high) == pytest.approx(wilson_interval(30, 42))
    assert found.value == pytest.approx(30 / 42)


def test_trials_that_repeat_each_other_count_once():
    """Each of 40 clusters gives its one answer 5 times: as much as 40 trials tell, of which the
    spread is known from 40 alone."""
    x = np.r_[np.ones(25), np.zeros(15)]
    found = clustered_share(5 * x, np.full(40, 5), np.arange(40))
    known = (student.ppf(0.975, 199) / student.ppf(0.975, 39)) ** 2
    low, high = wilson_interval(25 * known, 40 * known)
    assert (found.low, found.high) == pytest.approx((low, high), abs=2e-3)
    spread = clustered_share(np.repeat(x, 5), np.ones(200), np.repeat(np.arange(40), 5))
    assert (spread.low, spread.high) == pytest.approx((found.low, found.high))


def test_clusters_never_make_it_narrower_than_wilson():
    alternating = clustered_share([1] * 30, [2] * 30, range(30))  # one of two in each
    known = (student.ppf(0.975, 59) / student.ppf(0.975, 29)) ** 2
    low, high = wilson_interval(30 * known, 60 * known)
    assert (alternating.low, alternating.high) == pytest.approx((low, high))
    assert low < wilson_interval(30, 60)[0]


@pytest.mark.parametrize("value", [0, 1])
def test_all_alike_is_as_sure_as_its_clusters(value):
    found = clustered_share([4 * value] * 6, [4] * 6, range(6))
    assert (found.low, found.high) == pytest.approx(wilson_interval(6 * value, 6))


def test_it_covers_a_clustered_truth():
    rng, covered, naive = np.random.default_rng(0), 0, 0
    for _ in range(400):
        p = rng.beta(1.5, 1.0, 60)  # of each cluster; their mean is .6
        size = rng.integers(1, 9, 60)
        x = rng.binomial(size, p)
        found = clustered_share(x, size, np.arange(60))
        covered += found.low <= 0.6 <= found.high
        low, high = wilson_interval(int(x.sum()), int(size.sum()))
        naive += low <= 0.6 <= high
    assert 0.92 <= covered / 400 <= 0.985
    assert naive / 400 < 0.85  # what it is there for


@pytest.mark.parametrize("clusters", [2, 3, 4, 5])
def test_a_share_over_few_clusters_is_covered(clusters):
    """With the normal's quantile in place of Student's 80 to 88 of 100 are."""
    rng, covered = np.random.default_rng(0), 0
    for _ in range(1000):
        trials = rng.integers(10, 60, clusters)
        won = rng.binomial(trials, rng.beta(6, 4, clusters))
        found = clustered_share(won, trials, np.arange(clusters))
        covered += found.low <= 0.6 <= found.high
    assert covered / 1000 > 0.94


def test_two_clusters_tell_next_to_nothing():
    found = clustered_share([90, 90], [100, 100], [0, 1])
    assert found.low < 0.5
    tiny = clustered_share([1, 1], [2, 2], [0, 1])  # less than one independent trial
    assert 0 < tiny.low < 0.05
    assert 0.95 < tiny.high < 1


def test_nothing_tried():
    assert clustered_share([], [], []) is None
    assert clustered_share([0.0], [0], [3]) is None
    one = clustered_share([1], [1], [9])
    assert (one.low, one.high) == pytest.approx(wilson_interval(1, 1))


def test_a_mean_of_single_values_has_the_usual_error():
    x = np.array([0.1, -0.3, 0.5, 0.2, 0.0])
    found = clustered_mean(x, range(5))
    reach = 2.776445 * x.std(ddof=1) / np.sqrt(5)  # Student's, 4 degrees of freedom
    assert (found.low, found.value, found.high) == pytest.approx(
        (x.mean() - reach, x.mean(), x.mean() + reach)
    )
    doubled = clustered_mean(np.repeat(x, 2), np.repeat(range(5), 2))
    assert doubled.low == pytest.approx(found.low)
    assert clustered_mean([1.0, 2.0], [0, 0]) is None


@pytest.mark.parametrize("clusters", [3, 8])
def test_a_mean_over_few_clusters_is_covered(clusters):
    rng, covered = np.random.default_rng(0), 0
    groups = np.repeat(np.arange(clusters), 5)
    for _ in range(1000):
        values = rng.normal(size=clusters)[groups] + rng.normal(size=groups.size)
        found = clustered_mean(values, groups)
        covered += found.low <= 0 <= found.high
    assert 0.93 <= covered / 1000 <= 0.97


def test_a_coefficient_over_few_clusters_is_as_unsure_as_they_are_few():
    x, y = logistic_data(n=60)
    found = clustered_logistic(x, y, np.arange(60) % 6)
    reach = 2.570582 * np.sqrt(found.covariance[0, 0])  # Student's, 5 degrees of freedom
    logits = [np.log(p / (1 - p)) for p in (found.share(0).low, found.share(0).high)]
    assert logits == pytest.approx([found.coefficients[0] - reach, found.coefficients[0] + reach])


def logistic_data(seed=0, n=400):
    rng = np.random.default_rng(seed)
    x = np.stack([rng.normal(size=n), rng.choice([-1, 1], n)], axis=1)
    y = (rng.random(n) < 1 / (1 + np.exp(-x @ [0.8, -0.4]))).astype(float)
    return x, y


def test_the_regression_is_at_its_minimum():
    x, y = logistic_data()

    def loss(beta):
        u = x @ beta
        return np.sum(np.logaddexp(0, u) - y * u) + RIDGE * beta @ beta / 2

    found = clustered_logistic(x, y, np.arange(400))
    assert found.coefficients == pytest.approx(minimize(loss, np.zeros(2), tol=1e-12).x, abs=1e-5)
    assert found.share(0).low < found.share(0).value < found.share(0).high


def test_its_intervals_cover_with_and_without_clusters():
    rng, covered = np.random.default_rng(1), np.zeros(2)
    for _ in range(200):
        x = np.repeat(rng.normal(size=(50, 1)), 6, axis=0)  # the same within a cluster
        common = np.repeat(rng.normal(size=50), 6)
        y = (rng.random(300) < 1 / (1 + np.exp(-x[:, 0] - 1.5 * common))).astype(float)
        truth = 0.7194  # of y on x alone, over the common part: from 2,000,000 draws
        for place, cluster in enumerate((np.repeat(np.arange(50), 6), np.arange(300))):
            found = clustered_logistic(x, y, cluster)
            reach = 1.96 * np.sqrt(found.covariance[0, 0])
            covered[place] += abs(found.coefficients[0] - truth) <= reach
    assert covered[0] / 200 > 0.88
    assert covered[1] / 200 < covered[0] / 200 - 0.05


def test_separated_answers_stay_finite():
    x = np.r_[np.ones(20), -np.ones(20)][:, None]
    found = clustered_logistic(x, np.r_[np.ones(20), np.zeros(20)], np.arange(40))
    assert 3 < found.coefficients[0] < 10
    assert np.isfinite(found.share(0).low)


def test_bad_input_says_what_to_give():
    with pytest.raises(DesignError, match="one length"):
        clustered_share([1], [1, 1], [0, 0])
    with pytest.raises(DesignError, match="between 0 and the trials"):
        clustered_share([2], [1], [0])
    with pytest.raises(DesignError, match="one length"):
        clustered_mean([1.0], [0, 1])
    with pytest.raises(DesignError, match="at least two"):
        clustered_logistic([[1.0]], [1], [0])
    with pytest.raises(DesignError, match="shape"):
        clustered_logistic([1.0], [1], [0])
    with pytest.raises(DesignError, match="level"):
        clustered_mean([1.0, 2.0], [0, 1], level=1.0)
