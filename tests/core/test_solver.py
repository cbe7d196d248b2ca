"""The capped design: certificate, independent solver, closed forms, invariances."""

import cvxpy as cp
import numpy as np
import pytest

from pairselect.core import CandidatePool, DesignError, Status, solve_trace_design

from .conftest import every_pair, make_ragged, phi

TIGHT = {"tolerance": 1e-3, "max_passes": 500}


def conic_optimum(problem):
    """Φ* by a conic interior-point solver, from the pairs themselves."""
    pool, n = problem.pool, problem.budget
    ids = pool.candidate_ids()
    g = pool.differences(ids)
    w = cp.Variable(len(ids), nonneg=True)
    limits = [w <= 1 / n, cp.sum(w) == 1]
    if problem.max_per_prompt is not None:
        member = np.equal.outer(np.arange(pool.n_prompts), pool.pair_prompts(ids)).astype(float)
        limits.append(member @ w <= problem.max_per_prompt / n)
    M = problem.base_information + g.T @ cp.diag(w) @ g
    task = cp.Problem(cp.Minimize(cp.matrix_frac(problem.target_root, M)), limits)
    return float(task.solve(solver=cp.CLARABEL))


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize(("budget", "cap"), [(1, None), (8, None), (7, 1), (12, 2)])
def test_gap_bounds_true_suboptimality(seed, budget, cap):
    rng = np.random.default_rng(seed)
    pool = make_ragged(rng, (3, 1, 5, 2, 4, 3, 4, 5, 2))
    A = rng.standard_normal((4, 2))
    design = solve_trace_design(
        pool,
        budget,
        max_per_prompt=cap,
        ridge=0.01,
        prior_information=0.3 * A @ A.T if seed else None,
        **TIGHT,
    )
    optimum = conic_optimum(design.problem)
    assert design.status == Status.CONVERGED
    assert design.lower_bound <= optimum * (1 + 1e-6)
    assert optimum <= design.objective * (1 + 1e-6)
    assert design.gap <= 1e-3


@pytest.mark.parametrize("passes", [1, 2, 3, 5])
def test_gap_holds_when_the_passes_run_out(rng, passes):
    pool = make_ragged(rng, (4, 4, 5, 5, 6))
    design = solve_trace_design(pool, 9, tolerance=1e-9, max_passes=passes)
    assert design.status == Status.PASS_LIMIT
    assert design.passes == passes
    assert "max_passes" in design.status.message
    assert design.lower_bound <= conic_optimum(design.problem) <= design.objective * (1 + 1e-6)
    if passes == 1:
        assert design.objective == pytest.approx(design.uniform_objective)


@pytest.mark.parametrize("passes", [1, 4, 60])
@pytest.mark.parametrize("cap", [None, 2])
def test_weights_are_feasible_and_give_the_objective(rng, passes, cap):
    x, prompt = rng.standard_normal((60, 3)), np.repeat(np.arange(12), 5)
    pool = CandidatePool(x, prompt)
    design = solve_trace_design(pool, 20, max_per_prompt=cap, tolerance=1e-3, max_passes=passes)
    pairs, w = design.pairs, design.weights
    assert pairs.shape == (len(w), 2)
    assert len(np.unique(pairs, axis=0)) == len(pairs)
    assert np.all(pairs[:, 0] < pairs[:, 1])
    np.testing.assert_array_equal(prompt[pairs[:, 0]], prompt[pairs[:, 1]])
    assert w.sum() == pytest.approx(1, abs=1e-12)
    assert w.min() > 0
    assert w.max() <= 1 / 20
    if cap:
        assert np.bincount(prompt[pairs[:, 0]], weights=w).max() <= cap / 20 + 1e-12
    W, base = design.problem.target, design.problem.base_information
    assert design.objective == pytest.approx(phi(x, pairs, w, W, base), rel=1e-10)


def test_design_beats_uniform_and_uniform_is_the_definition(rng):
    x, prompt = rng.standard_normal((40, 3)) * [1, 2, 5], np.repeat(np.arange(8), 5)
    design = solve_trace_design(CandidatePool(x, prompt), 10)
    pairs = every_pair(prompt)
    uniform = phi(
        x,
        pairs,
        np.full(len(pairs), 1 / len(pairs)),
        design.problem.target,
        design.problem.base_information,
    )
    assert design.uniform_objective == pytest.approx(uniform, rel=1e-10)
    assert design.objective < 0.9 * uniform


# --- closed forms ---------------------------------------------------------------------------


@pytest.mark.parametrize("d", [3, 5, 8])
def test_tabular_uniform_policy_optimum_is_all_pairs_equal(d):
    """One-hot features, π uniform: Φ* = (d−1)²/(2d)."""
    W = (np.eye(d) - 1 / d) / d
    pool = CandidatePool(np.eye(d), np.zeros(d, int))
    design = solve_trace_design(pool, 2, ridge=1e-9, target=W, **TIGHT)
    assert design.objective == pytest.approx((d - 1) ** 2 / (2 * d), rel=1e-6)
    np.testing.assert_allclose(design.weights, 2 / (d * (d - 1)), rtol=1e-3)


@pytest.mark.parametrize("d", [3, 6])
def test_tabular_objective_is_the_sum_of_effective_resistances(rng, d):
    """Φ = Σ_{i<j} π_i π_j R_ij, R from the pseudo-inverse of the weighted Laplacian."""
    p = rng.dirichlet(np.ones(d))
    pool = CandidatePool(np.eye(d), np.zeros(d, int))
    design = solve_trace_design(pool, 1, ridge=1e-10, target=np.diag(p) - np.outer(p, p), **TIGHT)
    laplacian = np.zeros((d, d))
    for (i, j), w in zip(design.pairs, design.weights, strict=True):
        e = np.eye(d)[i] - np.eye(d)[j]
        laplacian += w * np.outer(e, e)
    inverse = np.linalg.pinv(laplacian)
    diagonal = np.diag(inverse)
    resistance = diagonal[:, None] + diagonal - 2 * inverse
    assert design.objective == pytest.approx(p @ resistance @ p / 2, rel=1e-6)


def test_star_weights_follow_the_square_root(rng):
    """Only pairs with completion 0: w_i ∝ √(π_i(1−π_i)), Φ* = (Σ √(π_i(1−π_i)))²."""
    d = 5
    p = np.array([0.4, 0.3, 0.15, 0.1, 0.05])
    others = [(i, j) for i in range(1, d) for j in range(i + 1, d)]
    pool = CandidatePool(np.eye(d), np.zeros(d, int), excluded=others)
    W = np.diag(p) - np.outer(p, p)
    design = solve_trace_design(pool, 1, ridge=1e-10, target=W, tolerance=1e-5, max_passes=2000)
    root = np.sqrt(p[1:] * (1 - p[1:]))
    assert design.objective == pytest.approx(root.sum() ** 2, rel=2e-5)
    np.testing.assert_allclose(design.weights, root / root.sum(), atol=3e-3)


@pytest.mark.parametrize("k", [2, 4])
def test_uniform_design_on_draws_from_the_policy_gives_half_the_rank(rng, k):
    x, prompt = rng.standard_normal((12 * k, 3)), np.repeat(np.arange(12), k)
    design = solve_trace_design(CandidatePool(x, prompt), 3, ridge=0, max_passes=1)
    assert design.uniform_objective == pytest.approx(3 / 2, rel=1e-12)


def test_one_pair_is_the_best_single_pair_in_one_dimension():
    """d = 1, n = 1: all weight on the longest difference, M = λ + 25."""
    pool = CandidatePool([[0.0], [3.0], [5.0]], [0, 0, 0])
    design = solve_trace_design(pool, 1, ridge=0.3, target=[[2.0]], tolerance=1e-9)
    assert design.pairs.tolist() == [[0, 2]]
    lam = 0.3 * (9 + 4 + 25) / 3
    assert design.problem.ridge == pytest.approx(lam)
    assert design.objective == pytest.approx(2 / (lam + 25))


# --- invariances ----------------------------------------------------------------------------


@pytest.fixture
def case(rng):
    x, prompt = rng.standard_normal((30, 3)) * [1, 2, 4], np.repeat(np.arange(6), 5)
    return x, prompt, solve_trace_design(CandidatePool(x, prompt), 12, **TIGHT)


def test_optimum_ignores_the_order_of_rows_and_the_names_of_prompts(case, rng):
    x, prompt, design = case
    order = rng.permutation(30)
    again = solve_trace_design(CandidatePool(x[order], -3 * prompt[order]), 12, **TIGHT)
    assert again.objective == pytest.approx(design.objective, rel=1e-3)
    assert again.uniform_objective == pytest.approx(design.uniform_objective, rel=1e-10)
    assert again.lower_bound <= design.objective
    assert design.lower_bound <= again.objective


@pytest.mark.parametrize("scale", [1e-5, 1e5, 2.0**-17, 2.0**17])
def test_optimum_ignores_the_unit_of_the_features(case, scale):
    """To the bit where the unit is a power of two; else rounding may take another way there."""
    x, prompt, design = case
    again = solve_trace_design(CandidatePool(scale * x, prompt), 12, **TIGHT)
    exact = np.frexp(scale)[0] == 0.5
    rel = 1e-12 if exact else TIGHT["tolerance"]
    assert again.objective == pytest.approx(design.objective, rel=rel)


def test_optimum_ignores_an_offset_on_each_prompt(case, rng):
    x, prompt, design = case
    shifted = x + 50 * rng.standard_normal((6, 3))[prompt]
    again = solve_trace_design(CandidatePool(shifted, prompt), 12, **TIGHT)
    assert again.objective == pytest.approx(design.objective, rel=1e-6)


def test_optimum_without_ridge_ignores_a_linear_map(case, rng):
    x, prompt, _ = case
    plain = solve_trace_design(CandidatePool(x, prompt), 12, ridge=0, **TIGHT)
    mapped = solve_trace_design(
        CandidatePool(x @ rng.standard_normal((3, 3)), prompt), 12, ridge=0, **TIGHT
    )
    assert mapped.objective == pytest.approx(plain.objective, rel=2e-3)


def test_a_duplicate_completion_does_not_raise_the_optimum(case):
    """With W and λ held fixed, more candidates can only help; and a marked twin changes nothing."""
    x, prompt, design = case
    problem = design.problem
    doubled, index = np.vstack([x, x[:1]]), np.append(prompt, prompt[0])
    text = np.append(np.arange(30), 0)
    prior = problem.ridge * np.eye(3)
    fixed = {"target": problem.target, "ridge": 0, "prior_information": prior, **TIGHT}
    marked = CandidatePool(doubled, index, text_id=text)
    again = solve_trace_design(marked, 12, **fixed)
    assert again.lower_bound <= design.objective
    assert marked.n_pairs == 60 + 4
    assert (0, 30) not in set(map(tuple, again.pairs))


# --- the ends of the range ------------------------------------------------------------------


def test_budget_of_every_pair_leaves_nothing_to_choose(ragged):
    design = solve_trace_design(ragged, ragged.n_pairs)
    assert design.status == Status.EVERY_PAIR
    assert "takes all pairs" in design.status.message
    assert len(design.pairs) == ragged.n_pairs
    np.testing.assert_allclose(design.weights, 1 / ragged.n_pairs)
    assert design.gap == 0
    assert design.objective == pytest.approx(design.uniform_objective)


def test_two_completions_are_a_design(rng):
    design = solve_trace_design(CandidatePool(rng.standard_normal((2, 5)), [4, 4]), 1)
    assert design.pairs.tolist() == [[0, 1]]
    assert design.status == Status.EVERY_PAIR


def test_more_features_than_pairs_is_solved_with_a_ridge(rng):
    pool = CandidatePool(rng.standard_normal((12, 40)), np.repeat([0, 1, 2], 4))
    design = solve_trace_design(pool, 5)
    assert design.gap <= 0.01
    assert design.condition_number > 1
    assert 1 <= design.target_rank <= 9


def test_prior_information_moves_the_design_to_what_is_unknown():
    """Direction 0 is known well, so the one pair goes to direction 1, though it is shorter."""
    x = np.array([[0, 0], [3.0, 0], [0, 0], [0, 2.0]])
    pool = CandidatePool(x, [0, 0, 1, 1])
    options = {"target": np.eye(2), "tolerance": 1e-6, "max_passes": 500}
    without = solve_trace_design(pool, 1, **options)
    informed = solve_trace_design(pool, 1, prior_information=np.diag([1e4, 0]), **options)
    weight = dict(zip(map(tuple, informed.pairs.tolist()), informed.weights, strict=True))
    assert len(without.pairs) == 2
    assert weight[2, 3] > 0.99


@pytest.mark.parametrize(
    ("kwargs", "message"),
    [
        ({"tolerance": 0.0}, "tolerance"),
        ({"tolerance": np.nan}, "tolerance"),
        ({"max_passes": 0}, "max_passes"),
    ],
)
def test_bad_settings_are_refused(ragged, kwargs, message):
    with pytest.raises(DesignError, match=message):
        solve_trace_design(ragged, 3, **kwargs)
