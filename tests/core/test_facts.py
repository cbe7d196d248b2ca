"""Closed forms, invariances and derivatives of Φ, evaluated at given designs.

With g = βΔφ and W the Fisher information of φ, the DPO β divides Φ by β². The tabular cases use
one-hot features less one coordinate: 1ᵀW = 0, so nothing is lost, and no ridge is needed.
"""

import numpy as np
import pytest

from pairselect.core import CandidatePool, solve_trace_design, trace_problem

from .conftest import every_pair, make_ragged

BETAS = [0.1, 1.0, 5.0]
STEPS = 10.0 ** -np.arange(1, 11)


def tabular(p, beta=1.0, **options):
    """One prompt whose d completions have nothing in common, π = p."""
    d = len(p)
    W = (np.diag(p) - np.outer(p, p))[:-1, :-1]
    pool = CandidatePool(beta * np.eye(d)[:, :-1], np.zeros(d, int), **options)
    return pool, trace_problem(pool, budget=1, ridge=0, target=W)


def value(problem, pairs, weights):
    """Φ of a design given by rows of the features."""
    pool = problem.pool
    return problem.at(pool.information(pool.pair_ids(pairs), np.asarray(weights))).objective


def sensitivity(problem, weights):
    """d_e of every candidate pair, at weights over all of them."""
    pool = problem.pool
    ids = pool.candidate_ids()
    point = problem.at(pool.information(ids, weights))
    return np.sum((pool.differences(ids) @ point.projection) ** 2, axis=1)


# --- closed forms ---------------------------------------------------------------------------


@pytest.mark.parametrize("beta", BETAS)
def test_two_draws_from_the_policy_give_the_rank_over_two_beta_squared(rng, beta):
    """Two independent draws are the pair {i, j} with chance 2π_iπ_j, so Σ_D = 2β²W."""
    items, p = rng.standard_normal((7, 3)), rng.dirichlet(np.ones(7))
    pool = CandidatePool(beta * items, np.zeros(7, int))
    W = np.cov(items.T, aweights=p, ddof=0)
    problem = trace_problem(pool, budget=1, ridge=0, target=W)
    i, j = every_pair(np.zeros(7)).T
    assert value(problem, np.column_stack([i, j]), 2 * p[i] * p[j]) == pytest.approx(
        3 / (2 * beta**2), rel=1e-11
    )


@pytest.mark.parametrize("beta", BETAS)
def test_two_draws_give_the_rank_also_where_the_features_are_flat(rng, beta):
    """Features in a plane of five dimensions: rank 2, as the ridge goes to zero."""
    items = rng.standard_normal((7, 2)) @ rng.standard_normal((2, 5))
    p = rng.dirichlet(np.ones(7))
    pool = CandidatePool(beta * items, np.zeros(7, int))
    problem = trace_problem(pool, budget=1, ridge=1e-9, target=np.cov(items.T, aweights=p, ddof=0))
    i, j = every_pair(np.zeros(7)).T
    assert value(problem, np.column_stack([i, j]), 2 * p[i] * p[j]) == pytest.approx(
        2 / (2 * beta**2), rel=1e-6
    )


@pytest.mark.parametrize("beta", BETAS)
def test_on_a_path_resistances_add(rng, beta):
    """Pairs (k, k+1) of weight w_k are resistors 1/w_k in series: R_ij = Σ_{i≤k<j} 1/w_k."""
    p, w = rng.dirichlet(np.ones(6)), rng.dirichlet(np.ones(5))
    _, problem = tabular(p, beta)
    at = np.append(0, np.cumsum(1 / w))
    expected = p @ np.abs(at[:, None] - at) @ p / 2 / beta**2
    path = np.column_stack([np.arange(5), np.arange(1, 6)])
    assert value(problem, path, w) == pytest.approx(expected, rel=1e-10)


@pytest.mark.parametrize("beta", BETAS)
def test_on_a_cycle_the_two_ways_round_are_parallel(rng, beta):
    """Closing the path: R_ij = s(T − s)/T, s the one way and T the whole round."""
    p, w = rng.dirichlet(np.ones(6)), rng.dirichlet(np.ones(6))
    _, problem = tabular(p, beta)
    at, total = np.append(0, np.cumsum(1 / w[:5])), np.sum(1 / w)
    s = np.abs(at[:, None] - at)
    expected = p @ (s * (total - s) / total) @ p / 2 / beta**2
    cycle = np.column_stack([np.arange(6), np.roll(np.arange(6), -1)])
    assert value(problem, cycle, w) == pytest.approx(expected, rel=1e-10)


@pytest.mark.parametrize("d", [2, 4, 7])
@pytest.mark.parametrize("beta", BETAS)
def test_under_a_uniform_policy_other_designs_are_worse_than_all_pairs_equal(rng, d, beta):
    pool, problem = tabular(np.full(d, 1 / d), beta)
    pairs, count = every_pair(np.zeros(d)), pool.n_pairs
    best = (d - 1) ** 2 / (2 * d * beta**2)
    assert value(problem, pairs, np.full(count, 1 / count)) == pytest.approx(best, rel=1e-12)
    for w in rng.dirichlet(np.ones(count + 1), size=20)[:, :count]:
        assert value(problem, pairs, w) > best  # some weight left on no pair: worse at d = 2 too


@pytest.mark.parametrize("centre", [0, 3])
@pytest.mark.parametrize("beta", BETAS)
def test_other_stars_are_worse_than_the_square_root_star(rng, centre, beta):
    """Around centre c, Φ = β⁻² Σ π_i(1−π_i)/w_i: by Cauchy-Schwarz w_i ∝ √(π_i(1−π_i))."""
    p = rng.dirichlet(np.ones(5))
    _, problem = tabular(p, beta)
    leaf = np.delete(np.arange(5), centre)
    star = np.column_stack([np.full(4, centre), leaf])
    root = np.sqrt(p[leaf] * (1 - p[leaf]))
    best = root.sum() ** 2 / beta**2
    assert value(problem, star, root / root.sum()) == pytest.approx(best, rel=1e-11)
    for w in rng.dirichlet(np.ones(4), size=20):
        assert value(problem, star, w) > best


@pytest.mark.parametrize("beta", BETAS)
def test_beta_divides_the_optimum_by_its_square_and_leaves_the_choice(rng, beta):
    x, prompt = rng.standard_normal((30, 3)), np.repeat(np.arange(6), 5)
    W = np.diag([1.0, 2.0, 3.0])
    one, other = (
        solve_trace_design(
            CandidatePool(b * x, prompt), 8, target=W, tolerance=1e-4, max_passes=500
        )
        for b in (1.0, beta)
    )
    assert other.objective * beta**2 == pytest.approx(one.objective, rel=1e-4)
    assert other.lower_bound * beta**2 <= one.objective * (1 + 1e-12)
    assert one.lower_bound <= other.objective * beta**2 * (1 + 1e-12)


# --- invariances of Φ at a given design -----------------------------------------------------


@pytest.fixture
def given(rng):
    """Features, prompts, pairs and weights of some design on a ragged pool."""
    prompt = rng.permutation(np.repeat(np.arange(6), (2, 5, 3, 4, 1, 5)))
    x = rng.standard_normal((20, 3)) * [1, 3, 9]
    pairs = every_pair(prompt)
    return x, prompt, pairs, rng.dirichlet(np.ones(len(pairs)))


@pytest.mark.parametrize("ridge", [0, 0.05])
def test_phi_ignores_the_order_of_the_completions(given, rng, ridge):
    x, prompt, pairs, w = given
    order = rng.permutation(20)
    moved = np.argsort(order)[pairs]  # where each row went
    plain = trace_problem(CandidatePool(x, prompt), budget=4, ridge=ridge)
    shuffled = trace_problem(CandidatePool(x[order], prompt[order]), budget=4, ridge=ridge)
    assert value(shuffled, moved, w) == pytest.approx(value(plain, pairs, w), rel=1e-12)


@pytest.mark.parametrize("ridge", [0, 0.05])
def test_phi_ignores_the_order_and_the_names_of_the_prompts(given, rng, ridge):
    x, prompt, pairs, w = given
    names = rng.choice(10**9, 6, replace=False) - 5 * 10**8
    plain = trace_problem(CandidatePool(x, prompt), budget=4, ridge=ridge)
    renamed = trace_problem(CandidatePool(x, names[prompt]), budget=4, ridge=ridge)
    assert value(renamed, pairs, w) == pytest.approx(value(plain, pairs, w), rel=1e-12)


def test_phi_ignores_which_side_of_a_pair_comes_first(given, rng):
    x, prompt, pairs, w = given
    problem = trace_problem(CandidatePool(x, prompt), budget=4)
    some = rng.random(len(pairs)) < 0.5
    swapped = np.where(some[:, None], pairs[:, ::-1], pairs)
    assert value(problem, swapped, w) == pytest.approx(value(problem, pairs, w), rel=1e-13)


@pytest.mark.parametrize("stretch", [1.0, 1e3])
def test_phi_without_a_ridge_ignores_an_invertible_map_of_the_features(given, rng, stretch):
    """Σ_D and W turn into AᵀΣ_DA and AᵀWA, and the A cancel in the trace."""
    x, prompt, pairs, w = given
    A = rng.standard_normal((3, 3)) @ np.diag([1, 1, stretch])
    plain = trace_problem(CandidatePool(x, prompt), budget=4, ridge=0)
    mapped = trace_problem(CandidatePool(x @ A, prompt), budget=4, ridge=0)
    assert value(mapped, pairs, w) == pytest.approx(value(plain, pairs, w), rel=1e-8)


def test_phi_with_a_ridge_does_not_ignore_an_invertible_map(given, rng):
    """So the test above does not pass because nothing moves."""
    x, prompt, pairs, w = given
    A = rng.standard_normal((3, 3))
    plain = trace_problem(CandidatePool(x, prompt), budget=4, ridge=0.05)
    mapped = trace_problem(CandidatePool(x @ A, prompt), budget=4, ridge=0.05)
    assert abs(value(mapped, pairs, w) / value(plain, pairs, w) - 1) > 1e-3


@pytest.mark.parametrize("budget", [1, 4, 12])
@pytest.mark.parametrize("cap", [None, 2])
def test_an_unmarked_exact_duplicate_does_not_raise_the_optimum(rng, budget, cap):
    """With W and λ held: every design of the smaller pool is one of the larger, at the same Φ."""
    x, prompt = rng.standard_normal((30, 3)), np.repeat(np.arange(6), 5)
    twin, index = np.vstack([x, x[7]]), np.append(prompt, prompt[7])
    plain = trace_problem(CandidatePool(x, prompt), budget=budget)
    fixed = {"target": plain.target, "prior_information": plain.ridge * np.eye(3), "ridge": 0}
    fixed |= {"tolerance": 1e-3, "max_passes": 500, "max_per_prompt": cap}
    before = solve_trace_design(CandidatePool(x, prompt), budget, **fixed)
    after = solve_trace_design(CandidatePool(twin, index), budget, **fixed)
    assert after.lower_bound <= before.objective * (1 + 1e-12)


def test_an_exact_duplicate_leaves_the_uncapped_optimum_as_it_is(rng):
    """Without a cap the twins' weights can be merged, so more candidates do not help either."""
    x, prompt = rng.standard_normal((30, 3)), np.repeat(np.arange(6), 5)
    doubled, index = np.vstack([x, x]), np.tile(prompt, 2)
    plain = trace_problem(CandidatePool(x, prompt), budget=1)
    fixed = {"target": plain.target, "prior_information": plain.ridge * np.eye(3), "ridge": 0}
    fixed |= {"tolerance": 1e-3, "max_passes": 500}
    before = solve_trace_design(CandidatePool(x, prompt), 1, **fixed)
    after = solve_trace_design(CandidatePool(doubled, index), 1, **fixed)
    assert max(before.gap, after.gap) <= 1e-3
    assert after.objective == pytest.approx(before.objective, rel=1e-3)


# --- sensitivities --------------------------------------------------------------------------


def test_without_a_ridge_the_mean_sensitivity_of_any_design_is_phi(rng):
    """Σ w_e d_e = tr(M⁻¹WM⁻¹Σ_D) and M = Σ_D; so no design has max_e d_e below its Φ."""
    pool = make_ragged(rng)
    problem = trace_problem(pool, budget=3, ridge=0)
    for w in rng.dirichlet(np.full(pool.n_pairs, 0.5), size=10):
        point = problem.at(pool.information(pool.candidate_ids(), w))
        d = sensitivity(problem, w)
        assert point.mean_sensitivity == pytest.approx(point.objective, rel=1e-9)
        assert d @ w == pytest.approx(point.objective, rel=1e-9)
        assert d.max() > point.objective


def test_at_the_uncapped_optimum_chosen_pairs_all_have_sensitivity_phi(rng):
    pool = make_ragged(rng)
    design = solve_trace_design(pool, 1, ridge=0, tolerance=1e-5, max_passes=5000)
    w = np.zeros(pool.n_pairs)
    w[pool.pair_ids(design.pairs)] = design.weights
    d = sensitivity(design.problem, w)
    assert d.max() <= design.objective * (1 + 2e-5)
    np.testing.assert_allclose(d[w > 0.02], design.objective, rtol=2e-3)
    assert np.count_nonzero(w > 0.02) >= 4  # the support spans all four directions


def test_at_the_capped_optimum_full_pairs_have_the_largest_sensitivity(rng):
    """A threshold divides the pairs: w_e = 1/n above it, 0 below, between the two only at it."""
    pool, n = make_ragged(rng, (5, 5, 4, 4, 3)), 12
    design = solve_trace_design(pool, n, tolerance=1e-5, max_passes=5000)
    w = np.zeros(pool.n_pairs)
    w[pool.pair_ids(design.pairs)] = design.weights
    d = sensitivity(design.problem, w)
    full, empty = n * w > 0.99, n * w < 0.01
    assert min(full.sum(), empty.sum()) >= 5
    assert d[full].min() >= d[empty].max() * (1 - 1e-3)


# --- the gradient ---------------------------------------------------------------------------


@pytest.mark.parametrize("ridge", [0, 1e-3, 1.0])
@pytest.mark.parametrize("evenness", [0.5, 1.0, 20.0])
def test_central_differences_approach_minus_d_as_the_square_of_the_step(rng, ridge, evenness):
    """The error is Ch² + O(h⁴) from Φ‴ and about ε/h from rounding, at ten scales of h."""
    pool = make_ragged(rng)
    problem = trace_problem(pool, budget=3, ridge=ridge)
    ids = pool.candidate_ids()
    w = rng.dirichlet(np.full(pool.n_pairs, evenness))
    d = sensitivity(problem, w)
    mean = problem.at(pool.information(ids, w)).mean_sensitivity
    assert mean == pytest.approx(d @ w, rel=1e-9)
    heavy = np.where(np.arange(pool.n_pairs) == np.argmax(w * d), w, 0)  # along one coordinate
    segment = rng.dirichlet(np.full(pool.n_pairs, evenness)) - w
    half = np.where(rng.random(pool.n_pairs) < 0.5, w, -w)
    g = pool.differences(ids)
    for direction in (heavy, segment, half):
        ahead, behind = (
            np.array([problem.at((g.T * (w + sign * h * direction)) @ g).objective for h in STEPS])
            for sign in (1, -1)
        )
        slope = -d @ direction
        error = np.abs((ahead - behind) / (2 * STEPS) / slope - 1)
        # From 1e-2 to 1e-3 neither the next order nor rounding shows.
        assert error[1] / error[2] == pytest.approx(100, rel=0.05)
        C = error[1] / STEPS[1] ** 2
        assert np.all(error <= 1.1 * C * STEPS**2 + 1e-13 / STEPS)
        assert error.min() < 1e-9
