"""The vertex design: the paper's solver against a conic one, step by step."""

import numpy as np
import pytest

from pairselect.core import (
    CandidatePool,
    Status,
    solve_trace_design,
    solve_vertex_design,
    trace_problem,
)

from .conftest import every_pair, make_ragged, phi
from .test_independent_solver import conic_design, instance, policy_information


def stated(x, prompt, **settings):
    return trace_problem(CandidatePool(x, prompt), **{"budget": 3, "ridge": 1e-3, **settings})


@pytest.mark.parametrize("seed", [11, 12, 13])
@pytest.mark.parametrize("informed", [False, True])
def test_bound_and_objective_bracket_the_conic_optimum_of_the_simplex(seed, informed):
    x, prompt, rng = instance(seed)
    A = rng.standard_normal((3, 1))
    prior = informed * A @ A.T
    W = policy_information(x, prompt)
    optimum, _ = conic_design(x, prompt, budget=None, cap=None, ridge=1e-3, prior=prior, W=W)
    problem = stated(x, prompt, prior_information=prior, max_per_prompt=1)
    design = solve_vertex_design(problem, tolerance=0.02, max_passes=2000)
    assert design.status is Status.CONVERGED
    assert design.gap <= 0.02
    assert design.lower_bound <= optimum * (1 + 1e-5)
    assert optimum <= design.objective * (1 + 1e-5)


@pytest.mark.parametrize("passes", [2, 3, 10, 60])
def test_weights_are_a_design_and_objective_and_bound_are_theirs(passes):
    x, prompt, _ = instance(4)
    problem = stated(x, prompt)
    design = solve_vertex_design(problem, tolerance=1e-9, max_passes=passes)
    W, base = problem.target, problem.base_information
    assert design.status is Status.PASS_LIMIT
    assert design.passes == passes
    assert np.all(design.weights > 0)
    assert design.weights.sum() == pytest.approx(1)
    assert design.objective == pytest.approx(phi(x, design.pairs, design.weights, W, base))
    best = solve_trace_design(problem.pool, 1, tolerance=1e-4, max_passes=1000)
    assert design.lower_bound <= best.objective
    assert best.lower_bound <= design.objective


def test_objective_falls_with_every_pass():
    x, prompt, _ = instance(5)
    found = [
        solve_vertex_design(stated(x, prompt), tolerance=1e-9, max_passes=passes)
        for passes in range(2, 16)
    ]
    objectives = np.array([design.objective for design in found])
    assert np.all(np.diff(objectives) < 0)
    assert objectives[0] < found[0].uniform_objective


def test_the_first_step_is_the_best_point_on_the_line_to_the_best_pair():
    x, prompt, _ = instance(6)
    problem = stated(x, prompt)
    W, base = problem.target, problem.base_information
    pairs = every_pair(prompt)
    uniform = np.full(len(pairs), 1 / len(pairs))
    g = x[pairs[:, 0]] - x[pairs[:, 1]]
    N = np.linalg.inv(base + g.T @ g / len(g))
    top = int(np.argmax(np.einsum("nd,de,ne->n", g, N @ W @ N, g)))

    def along(a):
        return phi(x, pairs, (1 - a) * uniform + a * np.eye(len(pairs))[top], W, base)

    design = solve_vertex_design(problem, tolerance=1e-9, max_passes=2)  # one step
    by_pair = dict(zip(map(tuple, design.pairs), design.weights, strict=True))
    others = [by_pair[tuple(pair)] for e, pair in enumerate(pairs) if e != top]
    step = 1 - len(pairs) * others[0]
    np.testing.assert_allclose(others, others[0])
    assert by_pair[tuple(pairs[top])] == pytest.approx(step + others[0])
    assert design.objective == pytest.approx(along(step))
    grid = np.linspace(0, 0.999, 5000)
    assert step == pytest.approx(grid[np.argmin([along(a) for a in grid])], abs=3e-4)


def test_time_limit_ends_it_with_a_valid_bound(rng):
    problem = trace_problem(make_ragged(rng), budget=6)
    late = solve_vertex_design(problem, tolerance=1e-9, max_passes=10_000, time_limit=0.0)
    assert late.status is Status.PASS_LIMIT
    assert late.passes <= 2
    longer = solve_vertex_design(problem, tolerance=0.01, max_passes=2000)
    assert late.lower_bound <= longer.objective <= late.objective


def test_budget_and_caps_play_no_part(rng):
    pool = make_ragged(rng)
    one, other = (
        solve_vertex_design(trace_problem(pool, budget=n, max_per_prompt=cap), max_passes=40)
        for n, cap in [(2, None), (6, 1)]
    )
    np.testing.assert_array_equal(one.pair_ids, other.pair_ids)
    np.testing.assert_array_equal(one.weights, other.weights)
    assert (one.objective, one.lower_bound) == (other.objective, other.lower_bound)
    assert one.weights.max() > 1 / 6  # above what the cap of a budget of 6 allows


def test_in_one_dimension_it_is_the_longest_pair_alone(rng):
    """No weight is left on the uniform design: the support is one pair."""
    x, prompt = rng.standard_normal((12, 1)), np.repeat(np.arange(3), 4)
    pairs = every_pair(prompt)
    longest = pairs[np.argmax(np.abs(x[pairs[:, 0], 0] - x[pairs[:, 1], 0]))]
    for tolerance in (0.1, 1e-12):  # passes in float32, and in float64
        design = solve_vertex_design(stated(x, prompt), tolerance=tolerance)
        assert design.status is Status.CONVERGED
        np.testing.assert_array_equal(design.pairs, [longest])
        np.testing.assert_allclose(design.weights, [1.0])
