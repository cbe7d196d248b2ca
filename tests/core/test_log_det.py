"""The D-criterion: an independent solver, its bound, the equivalence theorem."""

import cvxpy as cp
import numpy as np
import pytest

from pairselect.core import CandidatePool, choose_pairs, trace_problem
from pairselect.core.log_det import LogDetProblem
from pairselect.core.oracle import largest_pairs
from pairselect.core.solver import solve

from .conftest import every_pair, make_ragged
from .test_independent_solver import instance


def log_det_problem(x, prompt, **settings):
    return LogDetProblem.of(trace_problem(CandidatePool(x, prompt), **settings))


def conic_optimum(x, prompt, *, base, budget, cap=None):
    """min det(base + Σ w g gᵀ)^(−1/d), stated from the raw features."""
    pairs = every_pair(prompt)
    g = x[pairs[:, 0]] - x[pairs[:, 1]]
    w = cp.Variable(len(g), nonneg=True)
    limits = [cp.sum(w) == 1, w <= 1 / budget]
    if cap is not None:
        member = np.equal.outer(np.unique(prompt), prompt[pairs[:, 0]]).astype(float)
        limits.append(member @ w <= cap / budget)
    value = cp.Problem(cp.Maximize(cp.log_det(base + g.T @ cp.diag(w) @ g)), limits)
    return float(np.exp(-value.solve(solver=cp.CLARABEL) / x.shape[1]))


@pytest.mark.parametrize("seed", [1, 2])
@pytest.mark.parametrize(
    ("budget", "cap", "ridge"), [(1, None, 0.0), (1, None, 0.1), (8, None, 1e-3), (6, 1, 1e-3)]
)
def test_bound_and_objective_bracket_the_conic_optimum(seed, budget, cap, ridge):
    x, prompt, rng = instance(seed)
    A = rng.standard_normal((3, 1))
    problem = log_det_problem(
        x, prompt, budget=budget, max_per_prompt=cap, ridge=ridge, prior_information=0.1 * A @ A.T
    )
    optimum = conic_optimum(x, prompt, base=problem.base_information, budget=budget, cap=cap)
    design = solve(problem, tolerance=1e-3, max_passes=1000)
    assert design.gap <= 1e-3
    assert design.lower_bound <= optimum * (1 + 1e-5)
    assert optimum <= design.objective * (1 + 1e-5)


@pytest.mark.parametrize("seed", range(5))
def test_the_bound_holds_at_any_point(seed):
    """Far from the optimum as well: at single choices, one after the other."""
    x, prompt, rng = instance(seed)
    problem = log_det_problem(x, prompt, budget=6, ridge=1e-3)
    best = solve(problem, tolerance=1e-4, max_passes=1000)
    for _ in range(20):
        ids = rng.choice(problem.pool.n_pairs, 6, replace=False)
        point = problem.at(problem.selection_information(ids))
        bound = problem.best_pairs(point)[1]
        assert 0 < bound <= best.objective <= point.objective * (1 + 1e-12)


@pytest.mark.parametrize("d", [2, 3, 5])
def test_largest_sensitivity_is_the_dimension_at_the_optimum(rng, d):
    """Kiefer and Wolfowitz: no cap, no ridge."""
    x, prompt = rng.standard_normal((40, d)), np.repeat(np.arange(8), 5)
    problem = log_det_problem(x, prompt, budget=1, ridge=0)
    design = solve(problem, tolerance=1e-4, max_passes=2000)
    point = problem.at(design.information)
    assert point.mean_sensitivity == pytest.approx(d)
    _, top = largest_pairs(problem.pool, point.projection, 1)
    assert d <= top[0] * (1 + 1e-12)
    assert top[0] <= d * (1 + 1e-3)


def test_objective_and_gradient_are_those_of_the_definition(rng):
    x, prompt, _ = instance(3)
    problem = log_det_problem(x, prompt, budget=5, ridge=0.01)
    ids = rng.choice(problem.pool.n_pairs, 5, replace=False)
    information = problem.selection_information(ids)

    def objective(S):
        return np.linalg.det(problem.base_information + S) ** (-1 / 3)

    point = problem.at(information)
    assert point.objective == pytest.approx(objective(information))
    every = problem.pool.candidate_ids()
    g = problem.pool.differences(every)
    d = np.sum((g @ point.projection) ** 2, axis=1)
    h = 1e-6
    for e in range(0, every.size, 5):
        step = h * np.outer(g[e], g[e])
        slope = (objective(information + step) - objective(information - step)) / (2 * h)
        assert slope == pytest.approx(-point.objective * d[e] / 3, rel=1e-5)
    assert problem.bound(point, problem.excess_at(point, 0.25)) == pytest.approx(
        point.objective / 1.25
    )


def test_the_optimum_does_not_change_under_an_invertible_map(rng):
    """Unlike the trace criterion's it depends on no target: the same pairs, up to a tie."""
    x, prompt, _ = instance(7)
    A = rng.standard_normal((3, 3))
    plain, mapped = (
        solve(log_det_problem(y, prompt, budget=6, ridge=0), tolerance=1e-4, max_passes=1000)
        for y in (x, x @ A)
    )
    ratio = abs(np.linalg.det(A)) ** (-2 / 3)
    assert mapped.objective == pytest.approx(ratio * plain.objective, rel=2e-4)
    identity = solve(
        log_det_problem(x, prompt, budget=6, ridge=0, target=np.eye(3)), tolerance=0.003
    )
    sampled = solve(log_det_problem(x, prompt, budget=6, ridge=0), tolerance=0.003)
    np.testing.assert_array_equal(identity.weights, sampled.weights)


def test_d_optimal_takes_the_largest_weights(rng):
    pool = make_ragged(rng)
    chosen = choose_pairs(pool, strategy="d_optimal", budget=6, max_per_prompt=2, tolerance=0.003)
    design = solve(
        LogDetProblem.of(trace_problem(pool, budget=6, max_per_prompt=2)), tolerance=0.003
    )
    by_weight = design.pair_ids[np.argsort(-design.weights, kind="stable")]
    expected, counts = [], np.zeros(pool.n_prompts, dtype=int)
    for e in by_weight:
        prompt = pool.pair_prompts(np.array([e]))[0]
        if counts[prompt] < 2 and len(expected) < 6:
            expected.append(e)
            counts[prompt] += 1
    np.testing.assert_array_equal(np.sort(pool.pair_ids(chosen.pairs)), np.sort(expected))
    assert chosen.design is None
