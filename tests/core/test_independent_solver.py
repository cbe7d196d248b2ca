"""The capped design against a conic interior-point solver, stated from the raw features."""

from itertools import pairwise

import cvxpy as cp
import numpy as np
import pytest

from pairselect.core import CandidatePool, Status, solve_trace_design, trace_problem

from .conftest import every_pair

TIGHT = {"tolerance": 1e-3, "max_passes": 1000}
# Relative error of the conic optimum itself.
CONIC = 1e-5
SIZES = (3, 1, 5, 2, 4, 3, 4, 2)
D = 3


def instance(seed):
    """Features (24, 3) of unequal spread with an offset on each prompt, rows shuffled."""
    rng = np.random.default_rng(seed)
    prompt = rng.permutation(np.repeat(np.arange(len(SIZES)), SIZES))
    x = rng.standard_normal((len(prompt), D)) * [1, 2, 4]
    return x + 3 * rng.standard_normal((len(SIZES), D))[prompt], prompt, rng


def policy_information(x, prompt):
    """W by its definition; prompts of one completion play no part."""
    sizes = np.bincount(prompt)
    return np.mean([np.cov(x[prompt == p].T) for p in np.flatnonzero(sizes > 1)], axis=0)


def conic_design(x, prompt, *, budget, cap, ridge, prior, W, pairs=None, criterion=None):
    """Φ*, and Σ_D at it. A budget of None is the plain simplex."""
    pairs = every_pair(prompt) if pairs is None else pairs
    g = x[pairs[:, 0]] - x[pairs[:, 1]]
    w = cp.Variable(len(g), nonneg=True)
    limits = [cp.sum(w) == 1]
    if budget is not None:
        limits.append(w <= 1 / budget)
    if cap is not None:
        member = np.equal.outer(np.unique(prompt), prompt[pairs[:, 0]]).astype(float)
        limits.append(member @ w <= cap / budget)
    base = ridge * np.sum(g**2) / len(g) / D * np.eye(D) + prior
    information = g.T @ cp.diag(w) @ g
    phi = cp.matrix_frac(np.linalg.cholesky(W), base + information)
    if criterion is not None:
        phi = criterion(base + information)
    best = float(cp.Problem(cp.Minimize(phi), limits).solve(solver=cp.CLARABEL))
    return best, information.value


CASES = [
    # budget, cap, ridge, whether there is prior information
    (1, None, 0, False),
    (1, None, 1e-9, False),
    (1, None, 0.1, True),
    (1, 1, 1e-3, False),
    (5, None, 0, True),
    (10, None, 1e-9, False),
    (10, None, 0.1, True),
    (22, None, 0, False),
    (6, 1, 0, False),
    (6, 1, 0.1, True),
    (7, 1, 1e-3, False),
    (11, 2, 1e-9, False),
    (11, 2, 1e-3, True),
]


@pytest.mark.parametrize("seed", [11, 12])
@pytest.mark.parametrize(("budget", "cap", "ridge", "informed"), CASES)
def test_bound_and_objective_bracket_the_conic_optimum(seed, budget, cap, ridge, informed):
    x, prompt, rng = instance(seed)
    A = rng.standard_normal((D, 1))
    prior = informed * A @ A.T  # rank one
    optimum, information = conic_design(
        x,
        prompt,
        budget=budget,
        cap=cap,
        ridge=ridge,
        prior=prior,
        W=policy_information(x, prompt),
    )
    pool = CandidatePool(x, prompt)
    design = solve_trace_design(
        pool, budget, max_per_prompt=cap, ridge=ridge, prior_information=prior, **TIGHT
    )
    assert design.status is Status.CONVERGED
    assert design.lower_bound <= optimum * (1 + CONIC)
    assert optimum <= design.objective * (1 + CONIC)
    assert design.objective / optimum - 1 <= design.gap + CONIC
    # Φ is strictly convex in Σ_D, so that Σ_D of the optimum is unique; at a gap of 1e-3 it is
    # known to about the root of that.
    found = pool.information(pool.pair_ids(design.pairs), design.weights)
    scale = np.linalg.norm(information)
    np.testing.assert_allclose(found, information, atol=0.05 * scale)


@pytest.mark.parametrize("seed", [11, 12])
def test_a_budget_of_one_is_the_problem_without_a_cap(seed):
    x, prompt, _ = instance(seed)
    optimum, _ = conic_design(
        x,
        prompt,
        budget=None,
        cap=None,
        ridge=1e-3,
        prior=np.zeros((D, D)),
        W=policy_information(x, prompt),
    )
    design = solve_trace_design(CandidatePool(x, prompt), 1, **TIGHT)
    assert design.lower_bound <= optimum * (1 + CONIC)
    assert optimum <= design.objective * (1 + CONIC)
    assert design.gap <= 1e-3


@pytest.mark.parametrize("budget", [1, 9])
def test_the_identity_as_target_is_the_trace_of_the_inverse(budget):
    """W = I is A-optimality, another atom of the conic solver."""
    x, prompt, _ = instance(13)
    optimum, _ = conic_design(
        x,
        prompt,
        budget=budget,
        cap=None,
        ridge=1e-3,
        prior=np.zeros((D, D)),
        W=np.eye(D),
        criterion=cp.tr_inv,
    )
    design = solve_trace_design(CandidatePool(x, prompt), budget, target=np.eye(D), **TIGHT)
    assert design.lower_bound <= optimum * (1 + CONIC)
    assert optimum <= design.objective * (1 + CONIC)
    assert design.gap <= 1e-3


def test_excluded_pairs_and_same_texts_are_absent_from_the_optimum_too():
    x, prompt, rng = instance(14)
    text = rng.integers(0, 4, len(x))
    every = every_pair(prompt)
    excluded, rest = every[::5], np.delete(every, np.s_[::5], axis=0)
    left = rest[text[rest[:, 0]] != text[rest[:, 1]]]
    assert len(left) < len(rest)  # both reasons bite
    optimum, _ = conic_design(
        x,
        prompt,
        budget=8,
        cap=3,
        ridge=0.01,
        prior=np.zeros((D, D)),
        W=policy_information(x, prompt),
        pairs=left,
    )
    pool = CandidatePool(x, prompt, text_id=text, excluded=excluded)
    design = solve_trace_design(pool, 8, max_per_prompt=3, ridge=0.01, **TIGHT)
    assert design.lower_bound <= optimum * (1 + CONIC)
    assert optimum <= design.objective * (1 + CONIC)
    assert design.gap <= 1e-3


@pytest.mark.parametrize("seed", [11, 12])
@pytest.mark.parametrize(("budget", "cap", "ridge"), [(1, None, 0), (9, None, 0.01), (6, 1, 0.01)])
def test_certificate_of_any_point_is_below_the_conic_optimum(seed, budget, cap, ridge):
    """From nearly one pair to nearly uniform; so G bounds the true suboptimality anywhere."""
    x, prompt, rng = instance(seed)
    optimum, _ = conic_design(
        x,
        prompt,
        budget=budget,
        cap=cap,
        ridge=ridge,
        prior=np.zeros((D, D)),
        W=policy_information(x, prompt),
    )
    pool = CandidatePool(x, prompt)
    problem = trace_problem(pool, budget=budget, max_per_prompt=cap, ridge=ridge)
    bounds = []
    for evenness in np.geomspace(0.2, 50, 30):
        w = rng.dirichlet(np.full(pool.n_pairs, evenness))
        _, bound = problem.best_pairs(problem.at(pool.information(pool.candidate_ids(), w)))
        bounds.append(bound)
    assert max(bounds) <= optimum * (1 + CONIC)
    assert max(bounds) > 0.3 * optimum  # and it says something


def test_the_optimum_rises_with_the_budget_and_falls_with_the_cap_per_prompt():
    """The feasible set shrinks with n and grows with m."""
    x, prompt, _ = instance(15)
    pool = CandidatePool(x, prompt)
    by_budget = [solve_trace_design(pool, n, **TIGHT) for n in (1, 4, 8, 16, 29)]
    by_cap = [solve_trace_design(pool, 7, max_per_prompt=m, **TIGHT) for m in (None, 3, 2, 1)]
    for chain in (by_budget, by_cap):
        for wider, narrower in pairwise(chain):
            assert wider.lower_bound <= narrower.objective
        assert chain[-1].lower_bound > chain[0].objective  # and strictly, from end to end
