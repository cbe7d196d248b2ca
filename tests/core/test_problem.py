"""Φ, its gradient, the certificate, the uniform design, and refused requests."""

import numpy as np
import pytest

from pairselect.core import (
    CandidatePool,
    DesignError,
    fit_bradley_terry,
    one_pair_per_prompt,
    solve,
    solve_trace_design,
    trace_problem,
)

from .conftest import make_ragged, phi


def random_weights(rng, problem):
    """Feasible weights over all candidate pairs: the mean of some choices of n pairs."""
    pool, n = problem.pool, problem.budget
    weights = np.zeros(pool.n_pairs)
    for share in rng.dirichlet(np.ones(4)):
        weights[rng.choice(pool.n_pairs, n, replace=False)] += share / n
    return weights


@pytest.mark.parametrize("budget", [1, 6, 20])
@pytest.mark.parametrize("prior", [False, True])
def test_objective_equals_the_definition(rng, budget, prior):
    x, prompt = rng.standard_normal((20, 3)), np.repeat(np.arange(4), 5)
    A = rng.standard_normal((3, 3))
    extra = A @ A.T if prior else np.zeros((3, 3))
    pool = CandidatePool(x, prompt)
    problem = trace_problem(pool, budget=budget, ridge=0.02, prior_information=extra)
    pairs = pool.pair_rows(pool.candidate_ids())
    g = x[pairs[:, 0]] - x[pairs[:, 1]]
    lam = 0.02 * np.trace(g.T @ g / len(g)) / 3
    weights = random_weights(rng, problem)
    W = np.mean([np.cov(x[prompt == p].T) for p in range(4)], axis=0)
    expected = phi(x, pairs, weights, W, lam * np.eye(3) + extra)
    point = problem.at(pool.information(pool.candidate_ids(), weights))
    assert point.objective == pytest.approx(expected, rel=1e-12)


def test_objective_is_convex_along_segments(rng):
    pool = make_ragged(rng)
    problem = trace_problem(pool, budget=8)
    ids = pool.candidate_ids()
    ends = [pool.information(ids, random_weights(rng, problem)) for _ in range(2)]
    t = np.linspace(0, 1, 21)
    values = np.array([problem.at((1 - s) * ends[0] + s * ends[1]).objective for s in t])
    assert np.all(np.diff(values, 2) > 0)


@pytest.mark.parametrize("cap", [None, 2])
@pytest.mark.parametrize("prior", [0.0, 0.7])
def test_bound_of_any_point_is_below_every_feasible_design(rng, cap, prior):
    """With ridge, prior and cap; and it is never weaker than Φ − G."""
    pool = make_ragged(rng)
    problem = trace_problem(
        pool, budget=9, max_per_prompt=cap, ridge=0.05, prior_information=prior * np.eye(4)
    )
    best = solve_trace_design(
        pool,
        9,
        max_per_prompt=cap,
        ridge=0.05,
        prior_information=prior * np.eye(4),
        tolerance=1e-4,
        max_passes=300,
    )
    for _ in range(50):
        weights = random_weights(rng, problem)  # need not respect the cap: the bound still holds
        point = problem.at(pool.information(pool.candidate_ids(), weights))
        ids, bound = problem.best_pairs(point)
        d = np.sum((pool.differences(ids) @ point.projection) ** 2, axis=1)
        G = max(d.mean() - point.mean_sensitivity, 0)
        assert point.objective - G - 1e-12 <= bound <= best.objective * (1 + 1e-12)


@pytest.mark.parametrize(
    ("budget", "cap", "expected"),
    [
        # pairs a prompt 1, 3, 10, by hand
        (7, None, [0.5, 0.5, 0.5]),
        (14, None, [1, 1, 1]),
        (4, 2, [2 / 4, 2 / 4, 2 / 10]),
        (5, 2, [1, 2 / 3, 2 / 10]),
        (3, 1, [1, 1 / 3, 1 / 10]),
    ],
)
def test_uniform_rate_fills_capped_prompts_and_shares_the_rest(rng, budget, cap, expected):
    problem = trace_problem(make_ragged(rng, (2, 3, 5)), budget=budget, max_per_prompt=cap)
    np.testing.assert_allclose(problem.uniform_rate(), expected, rtol=1e-12)


def test_uniform_rate_is_feasible_when_prompts_lost_pairs(rng):
    x, prompt = rng.standard_normal((12, 2)), np.repeat([0, 1, 2], 4)
    excluded = [(i, j) for i in range(4) for j in range(i + 1, 4)] + [(4, 5), (4, 6)]
    pool = CandidatePool(x, prompt, excluded=excluded)
    for budget in range(1, pool.reachable(3) + 1):
        problem = trace_problem(pool, budget=budget, max_per_prompt=3)
        rate = problem.uniform_rate()
        totals = rate * pool.pairs_per_prompt
        assert totals.sum() == pytest.approx(budget)
        assert rate.max() <= 1 + 1e-12
        assert totals.max() <= 3 + 1e-12


@pytest.mark.parametrize(
    ("kwargs", "message"),
    [
        ({"budget": 15}, "budget is 15 but the pool has 14 pairs"),
        ({"budget": 6, "max_per_prompt": 2}, "at most 2 pairs a prompt allow 5 .the pool has 14"),
        ({"budget": 0}, "budget must be at least 1"),
        ({"budget": -3}, "budget must be at least 1"),
        ({"budget": 2.5}, "budget must be a whole number"),
        ({"budget": 2, "max_per_prompt": 0}, "max_per_prompt must be at least 1"),
        ({"budget": 2, "ridge": -1e-3}, "ridge must be"),
        ({"budget": 2, "ridge": np.nan}, "ridge must be"),
        ({"budget": 2, "prior_information": np.eye(3)}, "prior_information must be"),
        ({"budget": 2, "prior_information": -np.eye(4)}, "positive semidefinite"),
        ({"budget": 2, "target": np.zeros((4, 4))}, "target information is zero"),
    ],
)
def test_a_request_that_cannot_be_met_is_refused(rng, kwargs, message):
    with pytest.raises(DesignError, match=message):
        trace_problem(make_ragged(rng, (2, 3, 5)), **kwargs)


def test_ridge_zero_needs_a_pool_of_full_rank(rng):
    x = rng.standard_normal((12, 3))
    flat = np.column_stack([x, x[:, 0] - x[:, 1]])
    prompt = np.repeat([0, 1, 2], 4)
    trace_problem(CandidatePool(x, prompt), budget=5, ridge=0)
    with pytest.raises(DesignError, match="use a positive ridge"):
        trace_problem(CandidatePool(flat, prompt), budget=5, ridge=0)
    prior = np.eye(4)
    trace_problem(CandidatePool(flat, prompt), budget=5, ridge=0, prior_information=prior)


def test_one_pair_per_prompt_gives_every_prompt_its_share(rng):
    pool = make_ragged(rng)  # six of the eight prompts have pairs
    problem = one_pair_per_prompt(pool, ridge=0.01)
    assert (problem.budget, problem.max_per_prompt, problem.ridge > 0) == (6, 1, True)
    design = solve(problem)
    total = np.bincount(pool.pair_prompts(design.pair_ids), weights=design.weights)
    np.testing.assert_allclose(total, np.full(6, 1 / 6), rtol=1e-9)


def test_prompt_selection_compares_the_first_two_completions(rng):
    x = rng.standard_normal((11, 2))
    prompt = np.array([5, 3, 3, 5, 5, 9, 3, 7, 7, 9, 1])
    pool = CandidatePool(x, prompt, text_id=[0, 1, 2, 3, 4, 5, 6, 8, 8, 9, 0]).first_two()
    rows = pool.pair_rows(pool.candidate_ids())
    assert sorted(map(tuple, rows)) == [(0, 3), (1, 2), (5, 9)]  # the two texts of 7 are equal
    assert pool.n_pairs == 3


def test_the_prior_of_the_fit_counts_as_information(rng):
    """Both are about θ ~ N(0, τ²I): λ of the design times n/4 is the precision 1/τ² of the fit."""
    pool, n = make_ragged(rng), 5
    fit = fit_bradley_terry(pool, pool.pair_rows(np.arange(3)), [1, 0, 1], prior_sd=0.7)
    plain, with_prior = (trace_problem(pool, budget=n, prior_sd=sd) for sd in (None, 0.7))
    added = with_prior.base_information - plain.base_information
    np.testing.assert_allclose(added * n / 4, np.eye(4) / fit.prior_variance, atol=1e-12)
    for bad in (0, -1, np.nan, "a"):
        with pytest.raises(DesignError, match="prior_sd must be a number above 0"):
            trace_problem(pool, budget=n, prior_sd=bad)
