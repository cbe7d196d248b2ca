"""The Bradley-Terry fit: its optimum, its invariances, its evidence, its recovery of a truth."""

import numpy as np
import pytest
from scipy.optimize import minimize

from pairselect.core import CandidatePool, DesignError
from pairselect.core.bradley_terry import PRIOR_GRID, fit_bradley_terry
from tests.core.conftest import make_ragged


def sigmoid(u):
    return 1 / (1 + np.exp(-u))


def features_of(pool):
    """φ by row of the input, centred per prompt; lone completions at 0."""
    features = np.zeros((pool.n_completions, pool.dimension))
    features[pool.rows] = pool.centred
    return features


def negative_log_posterior(theta, g, y, variance):
    u = g @ theta
    fit = y * np.log(sigmoid(u)) + (1 - y) * np.log(1 - sigmoid(u))
    return -fit.sum() + theta @ theta / (2 * variance)


def gradient_of(theta, g, y, variance):
    return -g.T @ (y - sigmoid(g @ theta)) + theta / variance


def variance_of(pool, features, pairs, prior_sd):
    """τ² from the definition: the mean over all pairs of gᵀ(τ²I)g is prior_sd²."""
    g = features[pairs[:, 0]] - features[pairs[:, 1]]
    return prior_sd**2 / np.mean(np.sum(g**2, axis=1))


def labelled(rng, n=60, strength=1.0, d=4):
    """A ragged pool, n pairs with sides in any order and repeats, and labels of which some tie."""
    pool = make_ragged(rng, d=d)
    features = features_of(pool)
    candidates = every_candidate(pool)
    pairs = candidates[rng.integers(0, len(candidates), n)]
    pairs = np.where(rng.random((n, 1)) < 0.5, pairs, pairs[:, ::-1])
    g = features[pairs[:, 0]] - features[pairs[:, 1]]
    theta = strength * rng.standard_normal(d)
    y = (rng.random(n) < sigmoid(g @ theta)).astype(float)
    y[::7] = 0.5
    return pool, pairs, y, g


def every_candidate(pool):
    return pool.pair_rows(pool.candidate_ids())


@pytest.mark.parametrize("prior_sd", [0.1, 1.0, 30.0])
def test_the_gradient_is_zero_at_the_fit(rng, prior_sd):
    pool, pairs, y, g = labelled(rng)
    fit = fit_bradley_terry(pool, pairs, y, prior_sd=prior_sd)
    variance = variance_of(pool, features_of(pool), every_candidate(pool), prior_sd)
    assert fit.converged
    assert fit.prior_variance == pytest.approx(variance, rel=1e-12)
    gradient = np.sqrt(variance) * gradient_of(fit.theta, g, y, variance)
    assert np.linalg.norm(gradient) < 1e-7
    assert fit.gradient_norm <= 1e-8


@pytest.mark.parametrize("scale", [1e-3, 1e-2, 1e-1])
@pytest.mark.parametrize("point", ["fit", "elsewhere"])
def test_finite_differences_agree_with_the_gradient_and_the_information(rng, scale, point):
    """The gradient that the last test uses, and the curvature that the fit reports."""
    pool, pairs, y, g = labelled(rng)
    fit = fit_bradley_terry(pool, pairs, y, prior_sd=1.0)
    theta = fit.theta if point == "fit" else fit.theta + rng.standard_normal(4)
    v = rng.standard_normal(4)
    v *= scale / np.linalg.norm(v)

    def loss(t):
        return negative_log_posterior(theta + t * v, g, y, fit.prior_variance)

    slope = (loss(1) - loss(-1)) / 2
    expected = gradient_of(theta, g, y, fit.prior_variance) @ v
    # The error of a central difference is cubic in the step; the constant holds |g| to about 6.
    assert slope == pytest.approx(expected, abs=300 * scale**3 + 1e-11)
    if point == "fit":
        curvature = loss(1) - 2 * loss(0) + loss(-1)
        hessian = fit.information / 4 + np.eye(4) / fit.prior_variance
        assert curvature == pytest.approx(v @ hessian @ v, abs=3000 * scale**4 + 1e-11)


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("prior_sd", [0.3, 3.0])
def test_an_independent_optimiser_finds_the_same(seed, prior_sd):
    pool, pairs, y, g = labelled(np.random.default_rng(seed), n=25, strength=2.0)
    fit = fit_bradley_terry(pool, pairs, y, prior_sd=prior_sd)
    other = minimize(
        negative_log_posterior,
        np.zeros(4),
        (g, y, fit.prior_variance),
        method="BFGS",
        jac=gradient_of,
        options={"gtol": 1e-9},
    )
    np.testing.assert_allclose(fit.theta, other.x, atol=1e-6)


def test_one_label_solved_by_hand():
    """d = 1, g = 1, a win: θ solves θ/τ² = 1 − σ(θ); for τ² = 2, written out below."""
    pool = CandidatePool([[0.5], [-0.5]], [3, 3])
    fit = fit_bradley_terry(pool, [[0, 1]], [1], prior_sd=np.sqrt(2))
    u = 0.7
    for _ in range(200):
        u = 2 * (1 - sigmoid(u))
    assert fit.theta[0] == pytest.approx(u, abs=1e-9)
    np.testing.assert_allclose(fit.rewards, [u / 2, -u / 2], atol=1e-9)
    s = sigmoid(u) * sigmoid(-u)
    assert fit.information[0, 0] == pytest.approx(4 * s)
    assert fit.covariance[0, 0] == pytest.approx(1 / (s + 0.5))
    evidence = np.log(sigmoid(u)) - u**2 / 4 - np.log(1 + 2 * s) / 2
    assert fit.log_evidence == pytest.approx(evidence)


def test_the_evidence_is_near_the_integral():
    """d = 1: the probability of the labels, integrated over the prior on a fine grid."""
    rng = np.random.default_rng(5)
    pool = CandidatePool(rng.standard_normal((12, 1)), np.repeat([0, 1, 2], 4))
    pairs = every_candidate(pool)
    features = features_of(pool)[:, 0]
    g = features[pairs[:, 0]] - features[pairs[:, 1]]
    y = (rng.random(len(pairs)) < sigmoid(g)).astype(float)
    fit = fit_bradley_terry(pool, pairs, y, prior_sd=1.0)
    tau = np.sqrt(fit.prior_variance)
    theta = np.linspace(-8, 8, 8001) * tau
    u = g[:, None] * theta
    likelihood = np.where(y[:, None] == 1, sigmoid(u), sigmoid(-u)).prod(axis=0)
    prior = np.exp(-(theta**2) / (2 * tau**2)) / (tau * np.sqrt(2 * np.pi))
    integral = np.sum(likelihood * prior) * (theta[1] - theta[0])
    assert fit.log_evidence == pytest.approx(np.log(integral), abs=0.05)


def test_rewards_are_centred_and_lone_completions_get_zero(rng):
    pool, pairs, y, _ = labelled(rng)
    fit = fit_bradley_terry(pool, pairs, y)
    lone = np.setdiff1d(np.arange(pool.n_completions), pool.rows)
    assert lone.size == 2
    np.testing.assert_array_equal(fit.rewards[lone], 0)
    np.testing.assert_allclose(fit.rewards, features_of(pool) @ fit.theta, atol=1e-12)
    for prompt in range(pool.n_prompts):
        rows = pool.rows[pool.prompt_of_row == prompt]
        assert abs(fit.rewards[rows].sum()) < 1e-12


def test_information_by_the_definition(rng):
    pool, pairs, y, g = labelled(rng)
    fit = fit_bradley_terry(pool, pairs, y)
    s = sigmoid(g @ fit.theta) * sigmoid(-g @ fit.theta)
    np.testing.assert_allclose(fit.information, (g.T * 4 * s) @ g, rtol=1e-9, atol=1e-9)


def test_without_a_preference_information_is_that_of_the_design(rng):
    """All ties: θ̂ = 0, and the information is n times Σ_D of the labelled pairs."""
    pool = make_ragged(rng)
    pairs = every_candidate(pool)
    fit = fit_bradley_terry(pool, pairs, np.full(len(pairs), 0.5))
    np.testing.assert_array_equal(fit.theta, 0)
    np.testing.assert_allclose(
        fit.information, len(pairs) * pool.uniform_information, rtol=1e-12, atol=1e-12
    )
    assert fit.prior_sd == PRIOR_GRID[0]


@pytest.mark.parametrize("prior_sd", [None, 1.0])
def test_the_order_of_the_sides_does_not_matter(rng, prior_sd):
    pool, pairs, y, _ = labelled(rng)
    swap = rng.random(len(y)) < 0.5
    assert 0 < swap.sum() < len(y)
    one = fit_bradley_terry(pool, pairs, y, prior_sd=prior_sd)
    turned = np.where(swap[:, None], pairs[:, ::-1], pairs)
    two = fit_bradley_terry(pool, turned, np.where(swap, 1 - y, y), prior_sd=prior_sd)
    np.testing.assert_allclose(one.theta, two.theta, atol=1e-9)
    assert one.log_evidence == pytest.approx(two.log_evidence)


def test_the_preferred_side_gets_the_larger_reward(rng):
    pool = make_ragged(rng)
    low, high = every_candidate(pool)[0]
    for pair in ([low, high], [high, low]):
        fit = fit_bradley_terry(pool, [pair], [1], prior_sd=1.0)
        assert fit.rewards[pair[0]] > fit.rewards[pair[1]]


def test_a_label_given_twice_weighs_two(rng):
    pool, pairs, y, g = labelled(rng)
    fit = fit_bradley_terry(
        pool, np.concatenate([pairs, pairs[:10]]), np.concatenate([y, y[:10]]), prior_sd=1.0
    )
    weight = np.where(np.arange(len(y)) < 10, 2.0, 1.0)
    gradient = -g.T @ (weight * (y - sigmoid(g @ fit.theta))) + fit.theta / fit.prior_variance
    assert np.linalg.norm(gradient) < 1e-7


def test_a_win_and_a_loss_have_the_optimum_of_two_ties(rng):
    pool, pairs, y, _ = labelled(rng)
    split = fit_bradley_terry(
        pool, np.tile(pairs, (2, 1)), np.concatenate([np.ones(len(y)), np.zeros(len(y))])
    )
    np.testing.assert_allclose(split.theta, 0, atol=1e-9)


def test_ties_shrink_the_fit(rng):
    pool, pairs, y, _ = labelled(rng, strength=2.0)
    lengths = [
        np.linalg.norm(fit_bradley_terry(pool, pairs, (1 - t) * y + t * 0.5, prior_sd=1.0).theta)
        for t in (0.0, 0.3, 0.6, 0.9)
    ]
    assert lengths == sorted(lengths, reverse=True)


@pytest.mark.parametrize("prior_sd", [None, 1.0, 1e4])
def test_separable_labels_stay_finite(rng, prior_sd):
    pool = make_ragged(rng)
    pairs = every_candidate(pool)
    features = features_of(pool)
    g = features[pairs[:, 0]] - features[pairs[:, 1]]
    y = (g @ rng.standard_normal(4) > 0).astype(float)
    fit = fit_bradley_terry(pool, pairs, y, prior_sd=prior_sd)
    assert fit.converged
    assert np.all(np.isfinite(fit.theta))
    if prior_sd == 1e4:
        assert np.all((g @ fit.theta > 0) == (y == 1))
    if prior_sd is None:
        assert fit.prior_sd == PRIOR_GRID[-1]


def test_the_fit_approaches_the_truth_at_the_root_of_d_over_n():
    """E‖θ̂ − θ*‖² ≈ tr(H⁻¹), of order d/n: a factor of 16 in n is one of 4 in the error."""
    rng = np.random.default_rng(11)
    prompts, d = 400, 6
    pool = CandidatePool(rng.standard_normal((prompts * 6, d)), np.repeat(np.arange(prompts), 6))
    theta = rng.standard_normal(d) / np.sqrt(d)
    error = {}
    for n in (250, 4000):
        squared = []
        for _ in range(20):
            ids = rng.choice(pool.n_pairs, n, replace=False)
            y = rng.random(n) < sigmoid(pool.differences(ids) @ theta)
            fit = fit_bradley_terry(pool, pool.pair_rows(ids), y, prior_sd=4.0)
            squared.append(np.sum((fit.theta - theta) ** 2))
            predicted = np.trace(fit.covariance)
        error[n] = np.mean(squared)
        # 20 draws of about χ²_6: a relative standard error of √(2/120) = 0.13.
        assert error[n] == pytest.approx(predicted, rel=0.5)
    assert np.sqrt(error[250] / error[4000]) == pytest.approx(4, rel=0.35)


def test_the_evidence_picks_a_wider_prior_for_stronger_preferences():
    rng = np.random.default_rng(3)
    pool = CandidatePool(rng.standard_normal((600, 5)), np.repeat(np.arange(100), 6))
    picked = []
    for sd in (0.1, 1.0, 10.0):
        theta = rng.standard_normal(5)
        theta *= sd / np.sqrt(theta @ pool.uniform_information @ theta)
        ids = pool.candidate_ids()
        y = rng.random(ids.size) < sigmoid(pool.differences(ids) @ theta)
        picked.append(fit_bradley_terry(pool, pool.pair_rows(ids), y).prior_sd)
    assert picked[0] < picked[1] < picked[2]
    assert picked[1] == pytest.approx(1.0, rel=0.51)


def test_the_grid_and_one_of_its_values_give_the_same_fit(rng):
    pool, pairs, y, _ = labelled(rng)
    chosen = fit_bradley_terry(pool, pairs, y)
    fixed = [fit_bradley_terry(pool, pairs, y, prior_sd=sd) for sd in PRIOR_GRID]
    best = max(fixed, key=lambda fit: fit.log_evidence)
    assert chosen.prior_sd == best.prior_sd
    np.testing.assert_allclose(chosen.theta, best.theta, atol=1e-8)
    assert chosen.iterations > best.iterations


@pytest.mark.parametrize("unit", [1e-6, 1e6])
def test_the_unit_of_the_features_does_not_matter(rng, unit):
    pool, pairs, y, _ = labelled(rng)
    _, prompt = np.unique(pool.prompt_of_row, return_inverse=True)
    plain = CandidatePool(pool.centred, prompt)
    scaled = CandidatePool(pool.centred * unit, prompt)
    place = np.argsort(pool.rows)
    pairs = place[np.searchsorted(pool.rows[place], pairs)]
    one, two = fit_bradley_terry(plain, pairs, y), fit_bradley_terry(scaled, pairs, y)
    assert one.prior_sd == two.prior_sd
    np.testing.assert_allclose(one.rewards, two.rewards, atol=1e-8)


@pytest.mark.parametrize("prior_sd", [None, 1.0])
def test_exclusions_and_rewards_of_the_pool_play_no_part(rng, prior_sd):
    """A later round fits on the pool it chose from, and gets the fit of the plain pool."""
    features, prompt = rng.standard_normal((12, 3)), np.repeat([0, 1, 2], 4)
    plain = CandidatePool(features, prompt)
    pairs = every_candidate(plain)[::2]
    y = (rng.random(len(pairs)) < 0.7).astype(float)
    later = CandidatePool(features, prompt, rewards=3 * rng.standard_normal(12), excluded=pairs[:5])
    one = fit_bradley_terry(plain, pairs, y, prior_sd=prior_sd)
    two = fit_bradley_terry(later, pairs, y, prior_sd=prior_sd)
    np.testing.assert_array_equal(one.theta, two.theta)
    np.testing.assert_array_equal(one.information, two.information)


@pytest.mark.parametrize(
    ("pairs", "preferred", "prior_sd", "message"),
    [
        (np.zeros((0, 2), int), [], None, "no label"),
        ([], [], None, "no label"),
        ([0, 1], [1], None, r"shape \(n, 2\)"),
        ([[0, 1, 2]], [1], None, r"shape \(n, 2\)"),
        ([[0.0, 1.0]], [1], None, "integers"),
        ([[0, 1]], [1, 0], None, "one entry a pair"),
        ([[0, 1]], 1, None, "one entry a pair"),
        ([[0, 1]], [1.5], None, "from 0 to 1"),
        ([[0, 1]], [-1], None, "from 0 to 1"),
        ([[0, 1]], [np.nan], None, "from 0 to 1"),
        ([[0, 1]], ["first"], None, "numbers"),
        ([[0, 2]], [1], None, "one prompt"),
        ([[1, 1]], [1], None, "different"),
        ([[0, 9]], [1], None, "rows"),
        ([[0, 4]], [1], None, "one prompt"),
        ([[0, 1]], [1], 0.0, "above 0"),
        ([[0, 1]], [1], -1.0, "above 0"),
        ([[0, 1]], [1], np.inf, "above 0"),
    ],
)
def test_bad_input_is_refused(pairs, preferred, prior_sd, message):
    pool = CandidatePool([[0.0], [1.0], [3.0], [4.0], [7.0]], [0, 0, 1, 1, 2])
    with pytest.raises(DesignError, match=message):
        fit_bradley_terry(pool, pairs, preferred, prior_sd=prior_sd)


def test_features_near_the_limit_of_large_pools_converge():
    """d = 128 and strong preferences: Newton needs its halving no more than ten steps a fit."""
    rng = np.random.default_rng(0)
    pool = CandidatePool(rng.standard_normal((2000, 128)), np.repeat(np.arange(100), 20))
    theta = 5 * rng.standard_normal(128) / np.sqrt(128)
    ids = rng.choice(pool.n_pairs, 3000, replace=False)
    y = rng.random(3000) < sigmoid(pool.differences(ids) @ theta)
    fit = fit_bradley_terry(pool, pool.pair_rows(ids), y)
    assert fit.converged
    assert fit.iterations <= 10 * len(PRIOR_GRID)
