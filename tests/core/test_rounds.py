"""The next round: what is bought counts, what is labelled is over, what is learnt is used."""

import numpy as np
import pytest
from scipy.optimize import brentq

from pairselect.core import (
    STRATEGIES,
    CandidatePool,
    DesignError,
    choose_pairs,
    fit_bradley_terry,
    next_round,
    solve_trace_design,
    target_information,
    trace_problem,
)

from .conftest import every_pair, make_ragged


def sigmoid(u):
    return 1 / (1 + np.exp(-u))


def factor(rewards, pairs):
    """4σ′ of the logits, by the definition."""
    p = sigmoid(rewards[pairs[:, 0]] - rewards[pairs[:, 1]])
    return 4 * p * (1 - p)


def labelled(rng, n=15, d=4):
    """A ragged pool, n of its pairs with sides in any order, and labels of which some tie."""
    pool = make_ragged(rng, d=d)
    pairs = rng.permutation(pool.pair_rows(pool.candidate_ids()))[:n]
    pairs = np.where(rng.random((n, 1)) < 0.5, pairs, pairs[:, ::-1])
    return pool, pairs, rng.choice([0.0, 0.5, 1.0], n)


def raw_features(pool):
    x = np.zeros((pool.n_completions, pool.dimension))
    x[pool.rows] = pool.centred
    return x


def test_information_of_one_label_by_hand():
    """One direction, so that every number can be had without the core."""
    x = np.array([0.0, 1.0, 3.0, 0.0, 2.0])
    pool = CandidatePool(x[:, None], [0, 0, 0, 1, 1])
    n, prior_sd, ridge = 2, 1.5, 0.01
    round_ = next_round(pool, [[2, 0]], [1.0], budget=n, ridge=ridge, fit_prior_sd=prior_sd)

    tau2 = prior_sd**2 / np.mean([1.0, 9.0, 4.0, 4.0])  # over all pairs
    theta = brentq(lambda t: 3 * sigmoid(-3 * t) - t / tau2, 0, 10)
    bought = 4 * sigmoid(3 * theta) * sigmoid(-3 * theta) * 9 / n
    left = np.array([1.0, 2.0, 2.0])  # (0, 1), (1, 2) and (3, 4)
    value = 4 * sigmoid(theta * left) * sigmoid(-theta * left) * left**2
    lam = ridge * value.mean()
    chosen = np.sort(value)[1:]
    W = np.mean([np.var(x[:3], ddof=1), np.var(x[3:], ddof=1)])
    np.testing.assert_allclose(round_.fit.theta, [theta], rtol=1e-6)
    np.testing.assert_allclose(
        round_.selection.problem.base_information, [[lam + bought]], rtol=1e-6
    )
    expected = W / (lam + bought + chosen.mean())
    assert round_.selection.objective == pytest.approx(expected, rel=1e-6)


@pytest.mark.parametrize("scores", ["fitted", "pool"])
@pytest.mark.parametrize("target", ["samples", "fitted"])
@pytest.mark.parametrize("method", ["exact", "randomized"])
def test_objective_is_that_of_the_definition_at_the_fit(rng, scores, target, method):
    pool, pairs, y = labelled(rng)
    round_ = next_round(
        pool,
        pairs,
        y,
        budget=5,
        strategy="trace_gap",
        scores=scores,
        target=target,
        ridge=0.01,
        method=method,
        rng=rng,
    )
    x, fit, selection = raw_features(pool), round_.fit, round_.selection
    fresh = fit_bradley_terry(pool, pairs, y)
    np.testing.assert_array_equal(fit.theta, fresh.theta)
    rewards = x @ fit.theta

    def information(some, weight):
        g = x[some[:, 0]] - x[some[:, 1]]
        return (g.T * factor(rewards, some) * weight) @ g

    used = set(pool.pair_ids(pairs))
    left = np.array(
        [p for p in pool.pair_rows(pool.candidate_ids()) if pool.pair_ids([p])[0] not in used]
    )
    lam = 0.01 * np.trace(information(left, 1 / len(left))) / 4
    base = lam * np.eye(4) + information(pairs, 1 / 5)
    if target == "samples":
        W = target_information(pool)
    else:
        prompts = pool.prompt_of_row
        covariances = []
        for number in range(pool.n_prompts):
            rows = pool.rows[prompts == number]
            p = np.exp(rewards[rows])
            covariances.append(np.cov(x[rows].T, aweights=p / p.sum(), ddof=0))
        W = np.mean(covariances, axis=0)
    np.testing.assert_allclose(selection.problem.base_information, base, rtol=1e-8, atol=1e-10)
    expected = np.trace(W @ np.linalg.inv(base + information(selection.pairs, 1 / 5)))
    assert selection.objective == pytest.approx(expected)


@pytest.mark.parametrize("name", sorted(STRATEGIES))
@pytest.mark.parametrize("share", [0.0, 0.4])
def test_labelled_and_excluded_pairs_are_never_chosen_again(rng, name, share):
    """Whatever the strategy, with the sides either way, until no pair is left."""
    pool, pairs, y = labelled(rng)
    waiting = pool.pair_rows(np.setdiff1d(pool.candidate_ids(), pool.pair_ids(pairs))[:5])[:, ::-1]
    gone = {*pool.pair_ids(pairs), *pool.pair_ids(waiting)}
    left = set(pool.candidate_ids()) - gone
    for n in (1, 5, len(left)):
        found = next_round(
            pool, pairs, y, budget=n, strategy=name, excluded=waiting, rng=rng, random_share=share
        ).selection
        ids = set(pool.pair_ids(found.pairs))
        assert len(ids) == n
        assert ids <= left
    with pytest.raises(DesignError, match=f"the pool has {len(left)} pairs"):
        next_round(pool, pairs, y, budget=n + 1, strategy=name, excluded=waiting, rng=rng)


@pytest.mark.parametrize("strategy", ["trace", "trace_gap", "max_gap", "uniform"])
def test_a_label_that_carries_nothing_leaves_the_plain_design(rng, strategy):
    """On two completions with the same features: r̂ = 0, and no information is bought."""
    x, prompt = rng.standard_normal((40, 3)), np.repeat(np.arange(8), 5)
    x[1] = x[0]
    scores = rng.standard_normal(40)
    pool = CandidatePool(x, prompt, scores=scores)
    found = next_round(
        pool,
        [[0, 1]],
        [1.0],
        budget=9,
        strategy=strategy,
        scores="pool",
        fit_prior_sd=1.0,
        rng=np.random.default_rng(2),
    )
    plain = choose_pairs(
        CandidatePool(x, prompt, scores=scores, excluded=[[0, 1]]),
        budget=9,
        strategy=strategy,
        rng=np.random.default_rng(2),
    )
    np.testing.assert_array_equal(found.fit.rewards, 0)
    np.testing.assert_array_equal(found.selection.pairs, plain.pairs)
    assert found.selection.objective == pytest.approx(plain.objective)
    assert found.selection.lower_bound == pytest.approx(plain.lower_bound)


def test_ties_say_nothing_about_the_reward_but_count_as_information(rng):
    pool, pairs, _ = labelled(rng)
    found = next_round(pool, pairs, np.full(15, 0.5), budget=4)
    np.testing.assert_allclose(found.fit.rewards, 0, atol=1e-12)
    x = raw_features(pool)
    g = x[pairs[:, 0]] - x[pairs[:, 1]]
    rest = pool.without(pool.pair_ids(pairs))
    plain = choose_pairs(rest, budget=4, prior_information=g.T @ g / 4)
    np.testing.assert_array_equal(found.selection.pairs, plain.pairs)
    assert found.selection.objective == pytest.approx(plain.objective)


def test_repeated_labels_count_as_often_as_they_occur(rng):
    pool, pairs, _ = labelled(rng, n=3)
    often = np.repeat(pairs, 4, axis=0)
    once = next_round(pool, pairs, np.full(3, 0.5), budget=4, ridge=0.01)
    many = next_round(pool, often, np.full(12, 0.5), budget=4, ridge=0.01)
    np.testing.assert_allclose(many.fit.information, 4 * once.fit.information)
    assert many.selection.objective < once.selection.objective


def test_whose_scores_the_gaps_are(rng):
    """The pool's own scores run against those that the labels teach."""
    x, prompt = rng.standard_normal((60, 2)), np.repeat(np.arange(12), 5)
    pool = CandidatePool(x, prompt, scores=x[:, 1])
    pairs = every_pair(prompt)[::4]
    y = (x[pairs[:, 0], 0] > x[pairs[:, 1], 0]).astype(float)
    rest = [p for p in map(tuple, every_pair(prompt)) if p not in set(map(tuple, pairs))]
    rest = np.array(rest)
    fitted, own = (
        next_round(pool, pairs, y, budget=10, strategy="max_gap", scores=scores)
        for scores in ("fitted", "pool")
    )
    for found, score in ((fitted, fitted.fit.rewards), (own, x[:, 1])):
        gap = np.abs(score[rest[:, 0]] - score[rest[:, 1]])
        expected = rest[np.argsort(-gap)[:10]]
        assert sorted(map(tuple, found.selection.pairs)) == sorted(map(tuple, expected))
    assert not np.array_equal(fitted.selection.pairs, own.selection.pairs)
    np.testing.assert_array_equal(pool.scores, x[pool.rows, 1])  # the pool is as it was
    assert pool.rewards is None
    assert pool.n_pairs == len(every_pair(prompt))


def test_scores_of_the_pool_are_needed_where_they_are_asked_for(rng):
    x, prompt = rng.standard_normal((20, 2)), np.repeat(np.arange(4), 5)
    pool, label = CandidatePool(x, prompt), ([[0, 1]], [1.0])
    found = next_round(pool, *label, budget=3, strategy="max_gap")
    assert len(found.selection.pairs) == 3
    with pytest.raises(DesignError, match="needs scores"):
        next_round(pool, *label, budget=3, strategy="max_gap", scores="pool")
    with pytest.raises(DesignError, match='scores must be "fitted" or "pool"; got "own"'):
        next_round(pool, *label, budget=3, scores="own")
    with pytest.raises(DesignError, match="no label"):
        next_round(pool, [], [], budget=3)
    np.testing.assert_array_equal(
        next_round(pool, *label, budget=3, excluded=[]).selection.pairs,
        next_round(pool, *label, budget=3).selection.pairs,
    )


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("cap", [None, 1])
def test_bound_of_a_round_holds_for_the_best_design_with_rewards(seed, cap):
    rng = np.random.default_rng(seed)
    x, prompt = 2 * rng.standard_normal((60, 3)), np.repeat(np.arange(12), 5)
    pool = CandidatePool(x, prompt)
    pairs = rng.permutation(every_pair(prompt))[:30]
    y = (rng.random(30) < sigmoid(x[pairs[:, 0], 0] - x[pairs[:, 1], 0])).astype(float)
    found = next_round(pool, pairs, y, budget=8, max_per_prompt=cap, fit_prior_sd=2.0)
    problem = found.selection.problem
    best = solve_trace_design(
        problem.pool,
        8,
        max_per_prompt=cap,
        prior_information=found.fit.information / 8,
        tolerance=1e-4,
        max_passes=1000,
    )
    assert found.selection.lower_bound <= best.objective
    assert best.lower_bound <= found.selection.objective


def test_rounds_learn(rng):
    """Labels of a known reward, four rounds: the fit nears it, and the information adds up."""
    d = 4
    x, prompt = rng.standard_normal((300, d)), np.repeat(np.arange(60), 5)
    truth = np.array([1.5, -1.0, 0.5, 0.0])
    pool = CandidatePool(x, prompt)

    def labels(pairs):
        chance = sigmoid((x[pairs[:, 0]] - x[pairs[:, 1]]) @ truth)
        return (rng.random(len(pairs)) < chance).astype(float)

    pairs = choose_pairs(pool, strategy="uniform", budget=20, rng=rng).pairs
    preferred, error = labels(pairs), []
    for _ in range(4):
        found = next_round(pool, pairs, preferred, budget=40, target="fitted")
        error.append(float(np.trace(found.fit.covariance)))
        assert not {*pool.pair_ids(found.selection.pairs)} & {*pool.pair_ids(pairs)}
        preferred = np.concatenate([preferred, labels(found.selection.pairs)])
        pairs = np.concatenate([pairs, found.selection.pairs])
    fit = fit_bradley_terry(pool, pairs, preferred)
    cosine = fit.theta @ truth / np.linalg.norm(fit.theta) / np.linalg.norm(truth)
    assert cosine > 0.9
    assert np.all(np.diff(error) < 0)
    away = fit.theta - truth
    assert away @ np.linalg.solve(fit.covariance, away) < 4 + 4 * np.sqrt(8)  # χ² of 4, 4σ


def test_a_prior_of_the_design_counts_as_it_does_without_labels(rng):
    """Where no reward has changed what a pair tells."""
    pool = make_ragged(rng)
    pairs, ties = pool.pair_rows(np.arange(2)), [0.5, 0.5]  # ties: the fit is 0
    plain, known = (
        next_round(pool, pairs, ties, budget=6, prior_sd=sd).selection.problem for sd in (None, 0.5)
    )
    added = known.base_information - plain.base_information
    alone = [trace_problem(pool, budget=6, prior_sd=sd).base_information for sd in (0.5, None)]
    np.testing.assert_allclose(added, alone[0] - alone[1], atol=1e-12)


def test_weights_never_go_by_scores_fitted_to_the_labels(rng):
    """A gap that the fit knows of is in 4σ′ already."""
    x, prompt = rng.standard_normal((40, 3)), np.repeat(np.arange(8), 5)
    label = ([[0, 1]], [1.0])
    request = {"budget": 6, "strategy": "trace_weighted", "agreement": 1.0}
    pool = CandidatePool(x, prompt, scores=x[:, 1])
    found, same = (
        next_round(pool, *label, scores=scores, **request).selection.pairs
        for scores in ("fitted", "pool")
    )
    np.testing.assert_array_equal(found, same)
    with pytest.raises(DesignError, match="needs scores"):
        next_round(CandidatePool(x, prompt), *label, **request)
