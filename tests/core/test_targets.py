"""The target information W."""

import numpy as np
import pytest

from pairselect.core import CandidatePool, DesignError, effective_rank, target_information


def test_samples_target_is_the_mean_within_prompt_covariance(rng):
    x = rng.standard_normal((12, 3))
    prompt = np.array([0] * 5 + [1] * 4 + [2] * 2 + [3])  # the singleton takes no part
    expected = np.mean([np.cov(x[prompt == p].T) for p in range(3)], axis=0)
    np.testing.assert_allclose(target_information(CandidatePool(x, prompt)), expected, rtol=1e-12)


def test_samples_target_is_unbiased_for_the_policy(rng):
    """Draws from a known policy: the mean of W over pools is the policy's Fisher information."""
    items, p = rng.standard_normal((5, 2)), np.array([0.5, 0.2, 0.15, 0.1, 0.05])
    fisher = np.cov(items.T, aweights=p, ddof=0)
    draws = rng.choice(5, size=(20_000, 3), p=p)
    pool = CandidatePool(items[draws].reshape(-1, 2), np.repeat(np.arange(20_000), 3))
    np.testing.assert_allclose(target_information(pool), fisher, rtol=0.05, atol=0.01)


def test_policy_target_recovers_an_exact_softmax(rng):
    """Log-probabilities linear in φ: the ridge is small, and W is Σ p (φ − φ̄)(φ − φ̄)ᵀ."""
    x, prompt = rng.standard_normal((400, 2)), np.repeat(np.arange(40), 10)
    theta = np.array([0.7, -0.4])
    expected = np.zeros((2, 2))
    for q in range(40):
        y = x[prompt == q]
        p = np.exp(y @ theta)
        p /= p.sum()
        centred = y - p @ y
        expected += (centred.T * p) @ centred / 40
    shuffled = rng.permutation(400)
    pool = CandidatePool(x[shuffled], prompt[shuffled], (x @ theta + 3.0 * prompt)[shuffled])
    np.testing.assert_allclose(target_information(pool, "policy"), expected, rtol=2e-3, atol=1e-4)


def test_policy_target_survives_log_probabilities_of_hundreds_of_nats(rng):
    pool = CandidatePool(
        rng.standard_normal((20, 2)), np.repeat([0, 1], 10), 1e4 * rng.standard_normal(20)
    )
    W = target_information(pool, "policy")
    assert np.all(np.isfinite(W))
    assert np.linalg.eigvalsh(W)[0] >= -1e-12


def test_effective_rank_counts_equal_directions():
    assert effective_rank(np.diag([3.0, 3.0, 3.0, 0.0])) == pytest.approx(3)
    assert effective_rank(np.diag([1.0, 0.0])) == pytest.approx(1)


@pytest.mark.parametrize("unit", [1e-300, 1e-160, 1e160, 1e300])
def test_effective_rank_does_not_depend_on_the_unit(unit):
    assert effective_rank(unit * np.diag([1.0, 1.0, 0.0])) == pytest.approx(2)


@pytest.mark.parametrize(
    ("target", "message"),
    [
        ("policy", "needs log_probs"),
        ("people", 'must be "samples", "policy"'),
        (np.eye(3), "shape \\(2, 2\\)"),
        (np.array([[1.0, 2.0], [0.0, 1.0]]), "symmetric"),
        (np.diag([1.0, -1.0]), "semidefinite"),
        (np.diag([1.0, np.nan]), "finite"),
    ],
)
def test_bad_targets_are_refused(rng, target, message):
    pool = CandidatePool(rng.standard_normal((4, 2)), [0, 0, 1, 1])
    with pytest.raises(DesignError, match=message):
        target_information(pool, target)


def test_fitted_target_by_hand():
    """One direction, one pair a prompt: p(1 − p) g², the mean over prompts."""
    rewards = np.array([np.log(3.0), 0.0, 0.0, 0.0])
    pool = CandidatePool([[0.0], [2.0], [5.0], [6.0]], [0, 0, 1, 1], rewards=rewards)
    expected = (0.75 * 0.25 * 4 + 0.25 * 1) / 2
    np.testing.assert_allclose(target_information(pool, "fitted"), [[expected]])


def test_fitted_target_is_the_covariance_under_the_softmax_of_the_rewards(rng):
    x, prompt = (
        rng.standard_normal((30, 3)),
        rng.permutation(np.repeat(np.arange(7), [2] * 5 + [10] * 2)),
    )
    rewards = 2 * rng.standard_normal(30)
    expected = np.zeros((3, 3))
    for q in range(7):
        p = np.exp(rewards[prompt == q])
        expected += np.cov(x[prompt == q].T, aweights=p / p.sum(), ddof=0) / 7
    for shift in (0.0, 800.0):  # the level of a prompt's rewards plays no part
        pool = CandidatePool(x, prompt, rewards=rewards + shift * prompt)
        np.testing.assert_allclose(target_information(pool, "fitted"), expected, atol=1e-12)


def test_fitted_target_at_zero_rewards_is_the_samples_target_with_k_for_k_minus_one(rng):
    """The policy of the pool itself, so that its covariance divides by K."""
    x = rng.standard_normal((20, 3))
    for size in (2, 5):
        pool = CandidatePool(x, np.repeat(np.arange(20 // size), size), rewards=np.zeros(20))
        np.testing.assert_allclose(
            target_information(pool, "fitted"),
            target_information(pool, "samples") * (size - 1) / size,
            rtol=1e-12,
        )


def test_fitted_target_needs_rewards(rng):
    pool = CandidatePool(rng.standard_normal((4, 2)), [0, 0, 1, 1], scores=np.zeros(4))
    with pytest.raises(DesignError, match="needs rewards"):
        target_information(pool, "fitted")
