"""A choice of pairs under other ridges, and over prompts."""

import numpy as np
import pytest

from pairselect.core import CandidatePool, DesignError, describe_selection, select_pairs
from pairselect.core.choice import STABLE, allocation, ridge_sweep
from pairselect.core.problem import trace_problem
from pairselect.core.solver import solve

from .conftest import every_pair, make_ragged

SIZES = (6, 5, 6, 7, 4, 6, 8, 3, 2, 6)
FACTORS = [0.01, 0.1, 1.0, 10.0, 100.0]


def choice(rng, *, prior=None, ridge=1e-2, budget=15):
    problem = trace_problem(
        make_ragged(rng, SIZES), budget=budget, ridge=ridge, prior_information=prior
    )
    return select_pairs(solve(problem))


def random_choice(rng, problem):
    pool = problem.pool
    ids = pool.candidate_ids(np.sort(rng.choice(pool.n_pairs, problem.budget, replace=False)))
    return describe_selection(problem, ids, np.ones(ids.size))


# --- the ridge ------------------------------------------------------------------------------


@pytest.mark.parametrize("held", [False, True])
@pytest.mark.parametrize("bounds", [False, True])
def test_sweep_is_the_problem_stated_with_another_ridge(rng, held, bounds):
    prior = np.diag([2.0, 0.5, 0.0, 1.0]) if held else None
    selection = choice(rng, prior=prior)
    pool = selection.problem.pool
    sweep = ridge_sweep(selection, bounds=bounds)
    np.testing.assert_array_equal(sweep.factors, FACTORS)
    assert sweep.objective[2] == pytest.approx(selection.objective, rel=1e-12)
    for k, factor in enumerate(FACTORS):
        there = trace_problem(pool, budget=15, ridge=1e-2 * factor, prior_information=prior)
        g = pool.differences(pool.pair_ids(selection.pairs))
        sigma = g.T @ g / 15
        M = there.base_information + sigma
        assert sweep.ridge[k] == pytest.approx(there.ridge)
        by_hand = float(np.trace(there.target @ np.linalg.inv(M)))
        assert sweep.objective[k] == pytest.approx(by_hand, rel=1e-9)
        assert sweep.condition_number[k] == pytest.approx(np.linalg.cond(M), rel=1e-6)
        held_by = np.trace(sigma @ np.linalg.inv(sigma + there.ridge * np.eye(4)))
        assert sweep.effective_dimension[k] == pytest.approx(held_by, rel=1e-9)
        if sweep.gap is not None:
            best = solve(there, tolerance=1e-3)
            assert sweep.objective[k] / (1 + sweep.gap[k]) <= best.objective * (1 + 1e-9)
    if sweep.gap is not None:
        assert sweep.gap[2] <= selection.gap + 1e-9
    assert (sweep.gap is None) != bounds


def test_sweep_does_not_depend_on_the_unit_or_the_order_of_factors(rng):
    prompt = np.repeat(np.arange(12), 5)
    features = rng.standard_normal((60, 4)) * [1, 2, 3, 4]
    pairs = every_pair(prompt)[rng.choice(120, 20, replace=False)]

    def sweep(scale, factors, pairs):
        problem = trace_problem(CandidatePool(scale * features, prompt), budget=20)
        ids = problem.pool.pair_ids(pairs)
        return ridge_sweep(describe_selection(problem, ids, np.ones(20)), factors, bounds=True)

    one, two = sweep(1.0, FACTORS, pairs), sweep(300.0, FACTORS[::-1], pairs[::-1, ::-1])
    np.testing.assert_allclose(two.ridge, 300**2 * one.ridge)
    for name in ("factors", "objective", "condition_number", "effective_dimension", "gap"):
        np.testing.assert_allclose(getattr(one, name), getattr(two, name), rtol=1e-8)
    assert one.stable == two.stable


def test_sweep_by_hand_and_stable_where_labels_reach(rng):
    """Two directions: prompts 0 to 9 differ in the first, 10 to 19 in the second."""
    tips = np.repeat(np.eye(2), 10, axis=0)
    features = np.stack([np.zeros_like(tips), tips], axis=1).reshape(-1, 2)
    pool = CandidatePool(features, np.repeat(np.arange(20), 2))
    problem = trace_problem(pool, budget=10, ridge=1e-3, target=np.eye(2))

    def sweep(prompts):
        pairs = np.column_stack([2 * np.array(prompts), 2 * np.array(prompts) + 1])
        return ridge_sweep(describe_selection(problem, pool.pair_ids(pairs), np.ones(10)))

    lam = 1e-3 / 2 * np.array(FACTORS)  # tr(Σ_uniform) = 1
    both = sweep([*range(5), *range(10, 15)])
    np.testing.assert_allclose(both.ridge, lam)
    np.testing.assert_allclose(both.objective, 2 / (0.5 + lam))
    np.testing.assert_allclose(both.condition_number, 1)
    np.testing.assert_allclose(both.effective_dimension, 1 / (0.5 + lam))
    assert both.stable
    one = sweep(range(10))  # leaves the second direction to the ridge
    np.testing.assert_allclose(one.objective, 1 / (1 + lam) + 1 / lam)
    np.testing.assert_allclose(one.condition_number, (1 + lam) / lam)
    np.testing.assert_allclose(one.effective_dimension, 1 / (1 + lam))
    assert not one.stable


def test_stable_does_not_depend_on_the_factors_asked_for(rng):
    selection = choice(rng)
    whole = ridge_sweep(selection, [0.1, 1.0, 10.0])
    moved = whole.objective[0] / whole.objective[-1]
    assert whole.stable == (moved <= STABLE)
    assert ridge_sweep(selection, [1e-6, 1e6]).stable == whole.stable


def test_a_stable_choice_stays_near_the_best_as_the_ridge_falls(rng):
    """What `stable` promises, on choices near and far from the best."""
    stable = 0
    for _ in range(12):
        problem = trace_problem(make_ragged(rng, SIZES), budget=15, ridge=3e-3)
        selection = random_choice(rng, problem)
        sweep = ridge_sweep(selection, [0.1])
        if sweep.stable:
            stable += 1
            there = solve(trace_problem(problem.pool, budget=15, ridge=3e-4), tolerance=1e-3)
            fraction = solve(problem, tolerance=1e-3)
            most = (selection.objective / fraction.lower_bound) * STABLE
            assert sweep.objective[0] <= most * there.objective
    assert stable > 3


@pytest.mark.parametrize("factors", [[], [0.0, 1.0], [-1.0], [np.nan], [np.inf]])
def test_sweep_rejects_factors_that_are_no_ridge(rng, factors):
    with pytest.raises(DesignError, match="factors"):
        ridge_sweep(choice(rng), factors)


def test_sweep_of_no_ridge_is_rejected(rng):
    with pytest.raises(DesignError, match="ridge is 0"):
        ridge_sweep(choice(rng, ridge=0))


# --- allocation -----------------------------------------------------------------------------


def test_allocation_by_hand():
    """Labels 30, 10, 20 of 3, 4 and 2 completions, and 40 with one, which cannot have a pair."""
    prompt = np.array([10, 30, 10, 20, 40, 30, 10, 20, 30, 10])
    pool = CandidatePool(np.arange(10.0)[:, None] ** 2, prompt)
    found = allocation(pool, [[0, 2], [9, 0], [6, 2], [5, 1]])
    by_label = dict(zip(prompt[found.rows], found.counts, strict=True))
    assert by_label == {10: 3, 30: 1, 20: 0}
    assert (found.without, found.minimum, found.median, found.maximum) == (1, 0, 1.0, 3)
    assert found.top_share == pytest.approx(3 / 4)  # one prompt of three
    assert found.effective_prompts == pytest.approx(16 / 10)


def test_allocation_counts_what_a_loop_counts(rng):
    sizes = np.concatenate([[1, 1], rng.integers(2, 7, 30)])
    prompt = rng.permutation(np.repeat(100 + np.arange(32), sizes))
    pairs = every_pair(prompt)
    chosen = pairs[rng.choice(len(pairs), 40, replace=False)]
    sides = np.where(rng.random(40)[:, None] < 0.5, chosen, chosen[:, ::-1])
    found = allocation(CandidatePool(rng.standard_normal((prompt.size, 3)), prompt), sides)
    expected = {x: 0 for x in prompt if sizes[x - 100] > 1}
    for row in chosen[:, 0]:
        expected[prompt[row]] += 1
    assert dict(zip(prompt[found.rows], found.counts, strict=True)) == expected
    counts = sorted(expected.values(), reverse=True)
    assert found.top_share == sum(counts[:3]) / 40
    assert found.without == counts.count(0)
    assert found.effective_prompts == pytest.approx(1600 / sum(c * c for c in counts))


def test_pairs_spread_evenly_count_all_prompts():
    pool = CandidatePool(np.arange(40.0)[:, None] ** 2, np.repeat(np.arange(20), 2))
    found = allocation(pool, np.arange(40).reshape(20, 2))
    assert found.effective_prompts == pytest.approx(20)
    assert found.top_share == pytest.approx(0.1)
    assert found.without == 0


def test_prompts_without_a_candidate_are_left_out_unless_chosen(rng):
    features = rng.standard_normal((8, 2))
    pool = CandidatePool(features, np.repeat(np.arange(4), 2), excluded=[[0, 1], [2, 3]])
    np.testing.assert_array_equal(allocation(pool, [[4, 5]]).rows, [4, 6])
    np.testing.assert_array_equal(allocation(pool, [[4, 5], [0, 1]]).rows, [0, 4, 6])


def test_allocation_rejects_what_is_no_pair(rng):
    pool = CandidatePool(rng.standard_normal((4, 2)), [0, 0, 1, 1])
    with pytest.raises(DesignError, match="no pairs"):
        allocation(pool, np.zeros((0, 2), int))
    with pytest.raises(DesignError, match="one prompt"):
        allocation(pool, [[0, 2]])
