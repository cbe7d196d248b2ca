"""Pairs weighed by the gap between their scores, and pools with weights at all."""

import numpy as np
import pytest
from scipy.integrate import quad
from scipy.stats import norm

from pairselect.core import CandidatePool, DesignError, choose_pairs, near_duplicates
from pairselect.core.gap_weights import gap_weights, slope
from pairselect.core.oracle import largest_pairs

from .conftest import make_ragged


def scored(rng, **more):
    pool = make_ragged(rng, **more)
    pool.scores = rng.standard_normal(pool.rows.size)
    return pool


def test_weights_grow_with_the_gap_and_more_so_the_better_the_score():
    gap = np.linspace(0.1, 3, 30)
    assert gap_weights(gap, 0.5) == pytest.approx(np.ones(30))
    steep = [gap_weights(gap, a) for a in (0.6, 0.75, 0.9, 1)]
    for one in steep:
        assert np.all(np.diff(one) > 0)
        assert one.mean() == pytest.approx(1)
    ratios = [one[-1] / one[0] for one in steep]
    assert ratios == sorted(ratios)
    assert steep[-1] == pytest.approx(gap**2 / np.mean(gap**2))


@pytest.mark.parametrize("agreement", [0.55, 0.75, 0.95])
def test_the_slope_is_that_of_the_mean_label(agreement):
    """E[y | |s| = γ, u] for a small u, by integrating over what the score leaves open."""
    rho, small = np.sin(np.pi * (agreement - 0.5)), 1e-4

    def mean_label(gap, u):
        sides = []
        for s in (gap, -gap):  # s = ρℓ + √(1−ρ²)η, ℓ = u + ε, all of variance 1
            density = norm.pdf(s - rho * u)

            def rest(e, s=s):
                spread = np.sqrt(1 - rho**2)
                return np.sign(u + e) * norm.pdf(e) * norm.pdf(s, rho * (u + e), spread)

            sides.append((density, quad(rest, -9, -u)[0] + quad(rest, -u, 9)[0]))
        return sum(y for _, y in sides) / sum(density for density, _ in sides)

    gaps = np.array([0.2, 1.0, 2.0])
    found = np.array([mean_label(gap, small) / small for gap in gaps])
    derived = slope(gaps, agreement)
    assert derived / derived[0] == pytest.approx(found / found[0], rel=1e-3)


def test_the_unit_of_the_scores_does_not_matter_and_equal_ones_say_nothing():
    gap = np.array([0.0, 1.0, 2.0])
    assert gap_weights(gap, 0.8) == pytest.approx(gap_weights(1e6 * gap, 0.8))
    assert gap_weights(np.zeros(3), 0.8) == pytest.approx(np.ones(3))
    assert gap_weights(gap, 1.0)[0] > 0


def test_a_score_that_says_nothing_leaves_the_trace_design(rng):
    pool = scored(rng)
    plain = choose_pairs(pool, budget=9)
    found = choose_pairs(pool, budget=9, strategy="trace_weighted", agreement=0.5)
    np.testing.assert_array_equal(found.pairs, plain.pairs)
    assert found.objective == pytest.approx(plain.objective)


def test_a_better_score_is_followed_further(rng):
    pool = scored(rng)
    gaps = [
        pool.score_gaps(
            pool.pair_ids(
                choose_pairs(pool, budget=6, strategy="trace_weighted", agreement=a).pairs
            )
        ).mean()
        for a in (0.5, 0.75, 1.0)
    ]
    assert gaps == sorted(gaps)
    assert gaps[0] < gaps[2]


@pytest.mark.parametrize("method", ["exact", "randomized"])
def test_it_is_the_design_of_longer_differences(rng, method):
    """Each pair as a prompt of its own, with √w g between its sides."""
    pool = scored(rng)
    ids = pool.candidate_ids()
    g = pool.differences(ids) * np.sqrt(gap_weights(pool.score_gaps(ids), 0.8))[:, None]
    apart = CandidatePool(
        np.stack([g / 2, -g / 2], axis=1).reshape(-1, pool.dimension),
        np.repeat(np.arange(ids.size), 2),
    )
    target = np.diag([1.0, 2.0, 3.0, 4.0])
    settings = {"budget": 8, "target": target, "method": method, "prior_information": np.eye(4)}
    one = choose_pairs(
        pool,
        strategy="trace_weighted",
        agreement=0.8,
        rng=np.random.default_rng(3),
        ridge=1e-9,
        **settings,
    )
    two = choose_pairs(apart, rng=np.random.default_rng(3), ridge=1e-9, **settings)
    if method == "exact":
        assert set(pool.pair_ids(one.pairs)) == set(ids[two.pairs[:, 0] // 2])
    else:  # the draw goes by prompts, the weights are the same
        expected = dict(zip(ids[two.pairs[:, 0] // 2], two.inclusion_probability, strict=True))
        shared = [k for k, e in enumerate(pool.pair_ids(one.pairs)) if e in expected]
        assert shared
        for k in shared:
            chance = expected[pool.pair_ids(one.pairs)[k]]
            assert one.inclusion_probability[k] == pytest.approx(chance, abs=0.05)


@pytest.mark.parametrize("agreement", [0.49, 1.01])
def test_an_agreement_below_chance_is_refused(rng, agreement):
    with pytest.raises(DesignError, match="agreement must be from 0.5 to 1"):
        choose_pairs(scored(rng), budget=3, strategy="trace_weighted", agreement=agreement)


# --- a pool with weights --------------------------------------------------------------------


@pytest.mark.parametrize("rewarded", [False, True])
def test_weights_multiply_information_in_every_sum(rng, rewarded):
    pool = make_ragged(rng)
    if rewarded:
        pool.rewards = rng.standard_normal(pool.rows.size)
    pool = pool.without(pool.candidate_ids()[[1, 4]])
    ids = pool.candidate_ids()
    w = rng.uniform(0.1, 2, ids.size)
    weighted = pool.weighted(w)
    g = pool.information_vectors(ids) * np.sqrt(w)[:, None]
    np.testing.assert_allclose(weighted.information_vectors(ids), g)
    np.testing.assert_allclose(weighted.uniform_information, g.T @ g / ids.size)
    share = rng.uniform(0, 1, ids.size)
    expected = (g * share[:, None]).T @ g
    np.testing.assert_allclose(weighted.information(ids, share), expected)
    np.testing.assert_allclose(weighted._laplacian_information(ids, share), expected)
    projection = rng.standard_normal((pool.dimension, 2))
    found, values = largest_pairs(weighted, projection, ids.size)
    every = dict(zip(ids, np.sum((g @ projection) ** 2, axis=1), strict=True))
    np.testing.assert_allclose(values, [every[e] for e in found])


def test_weights_come_off_again_and_do_not_tell_twins_apart(rng):
    pool = make_ragged(rng)
    weighted = pool.weighted(np.linspace(0.1, 3, pool.n_pairs))
    assert not np.allclose(weighted.uniform_information, pool.uniform_information)
    np.testing.assert_allclose(weighted.unweighted().uniform_information, pool.uniform_information)
    assert near_duplicates(weighted, limit=9).cutoff == near_duplicates(pool, limit=9).cutoff
    twice = weighted.weighted(np.full(pool.n_pairs, 2.0))
    np.testing.assert_allclose(twice.uniform_information, 2 * weighted.uniform_information)
