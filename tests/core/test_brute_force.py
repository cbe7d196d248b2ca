"""Every selection of tiny pools: what the bound, the exchange and the oracle claim."""

from itertools import combinations

import numpy as np
import pytest

from pairselect.core import CandidatePool, choose_pairs, solve_trace_design, trace_problem

from .conftest import every_pair

D = 3
POOLS = {
    "two of three": (3, 3),
    "ragged": (3, 1, 2, 4),
    "many small": (2, 3, 2, 1, 2, 3),
    "one prompt": (5,),
}


def tiny(sizes, seed, d=D):
    rng = np.random.default_rng(seed)
    prompt = rng.permutation(np.repeat(np.arange(len(sizes)), sizes))
    return rng.standard_normal((len(prompt), d)) * np.linspace(1, 3, d), prompt


def every_selection(prompt, budget, cap):
    """Pairs (p, 2), and the feasible choices (s, budget) of them as positions."""
    pairs = every_pair(prompt)
    owner = prompt[pairs[:, 0]]
    choices = np.array(list(combinations(range(len(pairs)), budget)))
    most = np.array([np.bincount(owner[choice]).max() for choice in choices])
    return pairs, choices[most <= (cap or budget)]


def every_objective(x, pairs, choices, problem):
    """Φ of each choice (s,) with weight 1/n on its pairs, by the definition."""
    g = x[pairs[:, 0]] - x[pairs[:, 1]]
    outer = g[:, :, None] * g[:, None, :]  # (p, d, d)
    M = problem.base_information + outer[choices].mean(axis=1)
    return np.trace(problem.target @ np.linalg.inv(M), axis1=1, axis2=2)


@pytest.mark.parametrize("name", POOLS)
@pytest.mark.parametrize(("budget", "cap"), [(1, None), (3, None), (5, None), (2, 1), (3, 2)])
@pytest.mark.parametrize("ridge", [1e-3, 0.3])
def test_lower_bound_is_below_every_selection(name, budget, cap, ridge):
    """One prompt with a cap of m allows m pairs, and no more are asked of it."""
    x, prompt = tiny(POOLS[name], 5)
    pool = CandidatePool(x, prompt)
    budget = min(budget, pool.reachable(cap))
    pairs, choices = every_selection(prompt, budget, cap)
    rng = np.random.default_rng(6)
    options = {"budget": budget, "max_per_prompt": cap, "ridge": ridge, "rng": rng}
    design = solve_trace_design(pool, budget, max_per_prompt=cap, ridge=ridge, tolerance=1e-3)
    all_phi = every_objective(x, pairs, choices, design.problem)
    assert design.lower_bound <= all_phi.min() * (1 + 1e-9)
    for strategy, method in [("trace", "exact"), ("trace", "randomized"), ("uniform", "exact")]:
        chosen = choose_pairs(pool, strategy=strategy, method=method, **options)
        assert chosen.lower_bound <= all_phi.min() * (1 + 1e-9)
        # What is reported is the Φ of one of the choices that were enumerated.
        assert np.abs(all_phi / chosen.objective - 1).min() < 1e-9


def test_lower_bound_is_below_every_selection_with_prior_information():
    x, prompt = tiny((3, 4, 2), 7)
    prior = np.diag([4.0, 0.0, 0.5])
    for budget in range(1, 10):
        pairs, choices = every_selection(prompt, budget, None)
        chosen = choose_pairs(CandidatePool(x, prompt), budget=budget, prior_information=prior)
        all_phi = every_objective(x, pairs, choices, chosen.problem)
        assert chosen.lower_bound <= all_phi.min() * (1 + 1e-9)
        assert all_phi.min() <= chosen.objective * (1 + 1e-9)


@pytest.mark.parametrize("cap", [None, 1, 2])
def test_exact_is_the_best_selection_or_within_15_percent_of_it(cap):
    """Exchange ends in a local optimum; over these 16 pools it is mostly the global one."""
    excess = []
    for seed in range(16):
        x, prompt = tiny((3, 4, 2, 3), 100 + seed)
        chosen = choose_pairs(CandidatePool(x, prompt), budget=4, max_per_prompt=cap)
        pairs, choices = every_selection(prompt, 4, cap)
        excess.append(
            chosen.objective / every_objective(x, pairs, choices, chosen.problem).min() - 1
        )
    assert min(excess) > -1e-9
    assert max(excess) < 0.15
    assert np.count_nonzero(np.array(excess) < 1e-9) >= 13


@pytest.mark.parametrize("cap", [None, 1, 3])
def test_in_one_dimension_exact_is_the_best_selection_for_every_budget(cap):
    """Φ falls with Σ w_e g_e², so the longest differences that the cap allows are optimal."""
    x, prompt = tiny((2, 4, 1, 3), 8, d=1)
    pool = CandidatePool(x, prompt)
    for budget in range(1, pool.reachable(cap) + 1):
        chosen = choose_pairs(pool, budget=budget, max_per_prompt=cap)
        pairs, choices = every_selection(prompt, budget, cap)
        best = every_objective(x, pairs, choices, chosen.problem).min()
        assert chosen.objective == pytest.approx(best, rel=1e-9)


@pytest.mark.parametrize("name", POOLS)
@pytest.mark.parametrize("cap", [None, 1, 2, 4])
@pytest.mark.parametrize("seed", range(3))
def test_oracle_finds_the_best_of_all_feasible_selections(name, cap, seed):
    """Greedy is exact because the two limits are nested; here against all subsets of pairs."""
    x, prompt = tiny(POOLS[name], 20 + seed)
    pool = CandidatePool(x, prompt)
    rng = np.random.default_rng(seed)
    W = np.cov(rng.standard_normal((D, 9)))
    for budget in range(1, min(pool.reachable(cap), 5) + 1):
        problem = trace_problem(pool, budget=budget, max_per_prompt=cap, target=W)
        pairs, choices = every_selection(prompt, budget, cap)
        w = rng.dirichlet(np.ones(len(pairs)))
        g = x[pairs[:, 0]] - x[pairs[:, 1]]
        N = np.linalg.inv(problem.base_information + (g.T * w) @ g)
        d = np.einsum("pd,de,pe->p", g, N @ W @ N, g)
        ids, _ = problem.best_pairs(problem.at(pool.information(pool.pair_ids(pairs), w)))
        found = {tuple(pair) for pair in pool.pair_rows(np.sort(ids)).tolist()}
        best = choices[np.argmax(d[choices].sum(axis=1))]
        assert found == {tuple(pair) for pair in np.sort(pairs[best], axis=1).tolist()}


def test_oracle_passes_over_excluded_pairs_and_same_texts():
    x, prompt = tiny((4, 3, 1, 3), 30)
    text = np.arange(len(x)) // 3
    every = every_pair(prompt)
    excluded, rest = every[::4], np.delete(every, np.s_[::4], axis=0)
    left = rest[text[rest[:, 0]] != text[rest[:, 1]]]
    assert 6 <= len(left) < len(rest)  # both reasons bite
    pool = CandidatePool(x, prompt, text_id=text, excluded=excluded)
    problem = trace_problem(pool, budget=4, max_per_prompt=2)
    point = problem.at(pool.uniform_information)
    g = x[left[:, 0]] - x[left[:, 1]]
    N = np.linalg.inv(problem.base_information + g.T @ g / len(g))
    d = np.einsum("pd,de,pe->p", g, N @ problem.target @ N, g)
    owner = prompt[left[:, 0]]
    feasible = [c for c in combinations(range(len(left)), 4) if np.bincount(owner[[*c]]).max() <= 2]
    best = max(feasible, key=lambda c: d[[*c]].sum())
    ids, bound = problem.best_pairs(point)
    assert sorted(ids) == sorted(pool.pair_ids(left[[*best]]))
    # The bound, from the same numbers: Φ²/(Φ + G).
    phi, G = np.trace(problem.target @ N), d[[*best]].mean() - d.mean()
    assert bound == pytest.approx(phi**2 / (phi + G), rel=1e-6)
