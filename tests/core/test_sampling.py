"""Systematic sampling: size, inclusion probabilities, cap."""

import numpy as np
import pytest

from pairselect.core import DesignError
from pairselect.core.sampling import proportional_probabilities, systematic_sample

DRAWS = 4000


def probabilities(rng):
    """Probabilities with sum 6 in five groups, some 1, and one group of total exactly 2."""
    p = np.array([1.0, 0.7, 0.3, 0.25, 0.25, 0.5, 0.4, 0.1, 0.05, 0.45, 1.0, 0.6, 0.4])
    group = np.array([3, 3, 3, 9, 9, 9, 1, 1, 1, 1, 0, 0, 0])
    order = rng.permutation(p.size)
    return p[order], group[order]


def test_inclusion_probabilities_are_exact(rng):
    p, group = probabilities(rng)
    count = np.zeros(p.size)
    for _ in range(DRAWS):
        count[systematic_sample(p, group, 6, rng)] += 1
    error = np.sqrt(p * (1 - p) / DRAWS)
    assert np.all(np.abs(count / DRAWS - p) <= 4 * error + 1e-12)


def test_every_sample_has_the_size_and_the_floor_or_ceiling_of_each_group(rng):
    p, group = probabilities(rng)
    totals = np.bincount(group, weights=p)
    for _ in range(500):
        sample = systematic_sample(p, group, 6, rng, max_per_group=2)
        assert sample.size == 6
        assert len(set(sample)) == 6
        counts = np.bincount(group[sample], minlength=10)
        assert np.all(counts >= np.floor(totals + 1e-9))
        assert np.all(counts <= np.ceil(totals - 1e-9))


def test_many_groups_at_the_cap_are_never_exceeded(rng):
    """Totals of 1 that rounding makes 1 ± 1e-16: the sample still has one of each."""
    p = rng.dirichlet(np.ones(7), size=300).reshape(-1)
    group = np.repeat(np.arange(300), 7)
    for _ in range(20):
        sample = systematic_sample(p, group, 300, rng, max_per_group=1)
        np.testing.assert_array_equal(np.sort(group[sample]), np.arange(300))


class OneBadDraw:
    """Keeps the order; the first u puts two points into a group of total 1 + 5e-10."""

    def __init__(self):
        self.points = [1e-10, 0.5]

    def random(self, size=None):
        return self.points.pop(0) if size is None else np.arange(size)

    def permutation(self, n):
        return np.arange(n)


def test_a_sample_that_rounding_puts_above_the_cap_is_drawn_again():
    p = np.array([0.5 + 5e-10, 0.5, 0.5, 0.5 - 5e-10])
    group, bad = np.array([0, 0, 1, 1]), OneBadDraw()
    np.testing.assert_array_equal(systematic_sample(p, group, 2, bad, max_per_group=1), [0, 2])
    assert bad.points == []


def test_certain_positions_are_always_in(rng):
    p, group = probabilities(rng)
    for _ in range(200):
        sample = systematic_sample(p, group, 6, rng)
        assert set(np.flatnonzero(p == 1)) <= set(sample)


@pytest.mark.parametrize(
    ("p", "size", "cap", "message"),
    [
        ([0.5, 0.5], 2, None, "sum to the sample size"),
        ([1.5, 0.5], 2, None, "at most 1"),
        ([1.0, 1.0], 2, 1, "exceed its cap"),
    ],
)
def test_inconsistent_probabilities_are_refused(rng, p, size, cap, message):
    with pytest.raises(DesignError, match=message):
        systematic_sample(np.array(p), np.zeros(2, int), size, rng, max_per_group=cap)


def test_a_cap_of_its_own_for_each_group(rng):
    """Indexed by the group's number, with groups that have no position at all."""
    p, group = probabilities(rng)
    caps = np.zeros(12, dtype=np.int64)
    totals = np.bincount(group, weights=p, minlength=12)
    caps[:] = np.ceil(totals - 1e-9)
    for _ in range(200):
        sample = systematic_sample(p, group, 6, rng, max_per_group=caps)
        assert np.all(np.bincount(group[sample], minlength=12) <= caps)
    caps[3] = 1  # its total is 2
    with pytest.raises(DesignError, match="exceed its cap"):
        systematic_sample(p, group, 6, rng, max_per_group=caps)


@pytest.mark.parametrize("spread", [0.1, 3.0, 12.0])
@pytest.mark.parametrize("size", [1, 7, 30, 59])
def test_proportional_probabilities_are_proportional_until_certain_or_capped(rng, spread, size):
    weights = np.exp(spread * rng.standard_normal(100))
    group = rng.integers(0, 12, 100)
    most = rng.integers(3, 8, 12)
    most[5] = 0
    reach = np.minimum(np.bincount(group, minlength=12), most).sum()
    size = min(size, int(reach))
    p = proportional_probabilities(weights, group, size, most)
    total = np.bincount(group, weights=p, minlength=12)
    assert p.sum() == pytest.approx(size, rel=1e-12)
    assert p.max() <= 1
    assert np.all(total <= most * (1 + 1e-12))
    assert np.all(p[group == 5] == 0)
    rate = p / weights
    common = rate.max()
    for x in range(12):
        free = (group == x) & (p < 1 - 1e-12)
        if np.any(free):
            np.testing.assert_allclose(rate[free], rate[free][0], rtol=1e-9)
            if total[x] < most[x] * (1 - 1e-9):  # not held back: the c of all
                np.testing.assert_allclose(rate[free], common, rtol=1e-9)


def test_proportional_probabilities_by_hand():
    weights = np.array([1.0, 3.0, 4.0, 1.0, 1.0])
    group = np.array([0, 0, 1, 1, 1])
    for size, caps, expected in [
        (2, [5, 5], [0.2, 0.6, 0.8, 0.2, 0.2]),
        (3, [5, 5], [1 / 3, 1, 1, 1 / 3, 1 / 3]),  # the third is certain, and so the second
        (2, [1, 1], [1 / 4, 3 / 4, 4 / 6, 1 / 6, 1 / 6]),
        (3, [1, 2], [1 / 4, 3 / 4, 1, 1 / 2, 1 / 2]),
    ]:
        p = proportional_probabilities(weights, group, size, np.array(caps))
        np.testing.assert_allclose(p, expected)


def test_a_prompt_that_is_hard_to_fill_leaves_the_others_as_they_are():
    """One of each group, weights of the second 1e-9 of the first's: both keep their odds."""
    weights = np.array([1.0, 9.0, 1e-9, 3e-9])
    p = proportional_probabilities(weights, np.array([0, 0, 1, 1]), 2, np.array([1, 1]))
    np.testing.assert_allclose(p, [0.1, 0.9, 0.25, 0.75])


@pytest.mark.parametrize("unit", [1e-300, 1e-30, 1.0, 1e30])
def test_zero_weights_get_nothing_in_any_unit(unit):
    weights = unit * np.array([0.0, 2.0, 0.0, 1.0, 1.0])
    p = proportional_probabilities(weights, np.zeros(5, dtype=np.int64), 2, np.array([9]))
    np.testing.assert_allclose(p, [0, 1, 0, 0.5, 0.5])


@pytest.mark.parametrize(
    ("weights", "size", "most"),
    [
        ([1.0, 0.0, 1.0, 1.0], 4, [9, 9]),
        ([1.0, 1.0, 1.0, 1.0], 3, [1, 1]),
        ([1.0, 1.0, 1.0, 1.0], 3, [0, 9]),
        ([0.0, 0.0, 0.0, 0.0], 1, [9, 9]),
    ],
)
def test_weights_that_cannot_fill_the_sample_are_refused(weights, size, most):
    with pytest.raises(DesignError, match="Too few pairs have a positive weight"):
        proportional_probabilities(np.array(weights), np.array([0, 0, 1, 1]), size, np.array(most))


def test_probabilities_and_sample_agree_on_the_caps(rng):
    """What the one makes the other accepts, with every group at its cap."""
    group = np.repeat(np.arange(40), 10)
    for _ in range(20):
        p = proportional_probabilities(
            np.exp(8 * rng.standard_normal(400)), group, 40, np.ones(40, dtype=np.int64)
        )
        sample = systematic_sample(p, group, 40, rng, max_per_group=np.ones(40, dtype=np.int64))
        np.testing.assert_array_equal(group[sample], np.arange(40))
