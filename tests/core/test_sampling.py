"""Systematic sampling: size, inclusion probabilities, cap."""

import numpy as np
import pytest

from pairselect.core import DesignError
from pairselect.core.sampling import systematic_sample

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
