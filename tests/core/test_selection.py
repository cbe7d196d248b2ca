"""From weights to n pairs: certificate, randomisation, cap."""

from dataclasses import replace

import numpy as np
import pytest

from pairselect.core import (
    CandidatePool,
    DesignError,
    Status,
    choose_pairs,
    describe_selection,
    select_pairs,
    solve_trace_design,
    trace_problem,
)
from pairselect.core.selection import largest_weights

from .conftest import make_ragged, phi


@pytest.mark.parametrize("method", ["exact", "randomized"])
@pytest.mark.parametrize("cap", [None, 1, 2])
def test_selection_reports_what_it_chose(rng, method, cap):
    x, prompt = rng.standard_normal((60, 3)), np.repeat(np.arange(12), 5)
    pool = CandidatePool(x, prompt)
    design = solve_trace_design(pool, 11, max_per_prompt=cap)
    chosen = select_pairs(design, method=method, rng=rng)
    pairs = chosen.pairs
    assert pairs.shape == (11, 2)
    assert len(np.unique(pairs, axis=0)) == 11
    np.testing.assert_array_equal(prompt[pairs[:, 0]], prompt[pairs[:, 1]])
    assert np.bincount(prompt[pairs[:, 0]]).max() <= (cap or 11)
    g = x[pairs[:, 0]] - x[pairs[:, 1]]
    W, base = design.problem.target, design.problem.base_information
    assert chosen.objective == pytest.approx(phi(x, pairs, np.full(11, 1 / 11), W, base))
    assert chosen.lower_bound >= design.lower_bound
    assert chosen.gap == pytest.approx(chosen.objective / chosen.lower_bound - 1)
    np.testing.assert_allclose(chosen.feature_distance, np.linalg.norm(g, axis=1))
    h = x[design.pairs[:, 0]] - x[design.pairs[:, 1]]
    N = np.linalg.inv(base + (h.T * design.weights) @ h)
    np.testing.assert_allclose(chosen.sensitivity, np.einsum("nd,de,ne->n", g, N @ W @ N, g))
    if method == "exact":
        np.testing.assert_array_equal(chosen.inclusion_probability, 1)
    else:
        weight = dict(zip(map(tuple, design.pairs), design.weights, strict=True))
        expected = [11 * weight[tuple(pair)] for pair in pairs]
        np.testing.assert_allclose(chosen.inclusion_probability, expected)


def test_randomized_pairs_come_with_probability_n_times_weight(rng):
    pool = make_ragged(rng)
    design = solve_trace_design(pool, 6, max_per_prompt=2, max_passes=3)
    draws, count = 500, np.zeros(len(design.weights))
    for _ in range(draws):
        pairs = select_pairs(design, method="randomized", rng=rng).pairs
        count[np.searchsorted(design.pair_ids, pool.pair_ids(pairs))] += 1
    p = 6 * design.weights
    assert 0.02 < p.min() < 0.98  # something is random
    assert np.all(np.abs(count / draws - p) <= 4 * np.sqrt(p * (1 - p) / draws) + 1e-12)


def test_exact_is_at_least_as_good_as_rounding_and_the_mean_random_draw(rng):
    pool = CandidatePool(rng.standard_normal((200, 6)), np.repeat(np.arange(40), 5))
    design = solve_trace_design(pool, 25)
    problem = design.problem
    rounded = problem.at(problem.selection_information(largest_weights(design))).objective
    exact = select_pairs(design).objective
    drawn = [select_pairs(design, method="randomized", rng=rng).objective for _ in range(10)]
    assert exact < rounded
    assert exact < min(drawn)


def test_largest_weights_respects_the_cap_and_breaks_ties_by_id(rng):
    """Both largest weights are in the first prompt, which may give one."""
    pool = make_ragged(rng, (4, 4))
    design = solve_trace_design(pool, 2, max_per_prompt=1)
    chances = np.array([0.25, 0.4, 0.35, 0.33, 0.34, 0.33])
    capped = replace(design, pair_ids=np.array([0, 2, 3, 6, 7, 8]), weights=chances / 2)
    assert largest_weights(capped).tolist() == [2, 7]
    free = replace(capped, problem=replace(design.problem, max_per_prompt=None))
    assert largest_weights(free).tolist() == [2, 3]
    assert largest_weights(replace(free, weights=np.full(6, 1 / 6))).tolist() == [0, 2]


def test_exact_needs_no_generator_and_repeats(ragged):
    design = solve_trace_design(ragged, 5)
    np.testing.assert_array_equal(select_pairs(design).pairs, select_pairs(design).pairs)


def test_randomized_repeats_with_the_same_seed(ragged):
    design = solve_trace_design(ragged, 5)
    first, second = (
        select_pairs(design, method="randomized", rng=np.random.default_rng(3)) for _ in range(2)
    )
    np.testing.assert_array_equal(first.pairs, second.pairs)


@pytest.mark.parametrize("method", ["exact", "randomized"])
def test_every_pair_is_chosen_when_the_budget_allows(ragged, rng, method):
    chosen = choose_pairs(ragged, budget=ragged.n_pairs, method=method, rng=rng)
    assert len(np.unique(chosen.pairs, axis=0)) == ragged.n_pairs
    assert chosen.gap == pytest.approx(0, abs=1e-12)


def test_same_texts_are_never_chosen_even_when_the_budget_needs_almost_all(rng):
    x, prompt = rng.standard_normal((20, 3)), np.repeat(np.arange(4), 5)
    text = np.tile([0, 0, 1, 1, 2], 4)
    pool = CandidatePool(x, prompt, text_id=text)
    assert pool.n_pairs == 4 * 8
    for strategy, method in [("trace", "exact"), ("trace", "randomized"), ("uniform", "exact")]:
        for cap, budget in [(None, 31), (7, 27)]:
            chosen = choose_pairs(
                pool, strategy=strategy, method=method, budget=budget, max_per_prompt=cap, rng=rng
            )
            assert np.all(text[chosen.pairs[:, 0]] != text[chosen.pairs[:, 1]])


def test_bad_requests_are_refused(ragged, rng):
    design = solve_trace_design(ragged, 5)
    with pytest.raises(DesignError, match="needs rng"):
        select_pairs(design, method="randomized")
    with pytest.raises(DesignError, match='method must be "exact"'):
        select_pairs(design, method="greedy", rng=rng)


@pytest.mark.parametrize("seed", range(3))
def test_fewer_pairs_than_directions_without_a_ridge_are_refused(seed):
    """Whichever way rounding tips the last pivot of the singular M."""
    rng = np.random.default_rng(seed)
    pool = CandidatePool(rng.standard_normal((20, 6)), np.repeat(np.arange(4), 5))
    design = solve_trace_design(pool, 5, ridge=0, tolerance=0.05)
    assert np.isfinite(design.objective)  # the weights identify all six directions
    with pytest.raises(DesignError, match="use a larger ridge"):
        select_pairs(design)


def test_pairs_of_a_design_are_not_random_controls(rng):
    pool = make_ragged(rng)
    for method in ("exact", "randomized"):
        chosen = choose_pairs(pool, budget=5, method=method, rng=rng)
        assert chosen.is_random.dtype == np.bool_
        assert chosen.is_random.tolist() == [False] * 5
    assert (
        choose_pairs(pool, strategy="uniform", budget=5, rng=rng).is_random.tolist() == [True] * 5
    )


@pytest.mark.parametrize("strategy", ["trace", "uniform", "max_gap", "trace_gap"])
@pytest.mark.parametrize("share", [0.0, 0.5])
def test_fewer_pairs_than_directions_are_said_to_be_few(rng, strategy, share):
    """Six directions: 4 pairs are few, 6 are not, and 4 are not beside a prior of rank 2."""
    x, prompt = rng.standard_normal((50, 6)), np.repeat(np.arange(10), 5)
    pool = CandidatePool(x, prompt, scores=rng.standard_normal(50))
    two = np.diag([1.0, 1.0, 0, 0, 0, 0])
    for n, prior, few in [(4, None, True), (6, None, False), (4, two, False), (3, two, True)]:
        chosen = choose_pairs(
            pool, strategy=strategy, budget=n, prior_information=prior, rng=rng, random_share=share
        )
        assert (chosen.status is Status.FEW_PAIRS) == few
    assert "fewer pairs than dimensions" in Status.FEW_PAIRS.message


def test_without_a_restriction_the_admissible_bound_is_the_bound(rng):
    pool = make_ragged(rng)
    for strategy in ("trace", "uniform", "max_gap", "d_optimal"):
        chosen = choose_pairs(pool, strategy=strategy, budget=5, rng=rng)
        assert chosen.admissible_bound == chosen.lower_bound
        assert chosen.admissible_gap == chosen.gap


def test_a_design_lends_its_bound_to_the_selection(rng):
    """The bound at the chosen pairs alone is weaker than that at the optimal weights."""
    pool = make_ragged(rng)
    chosen = choose_pairs(pool, budget=6, tolerance=1e-3)
    bare = trace_problem(pool, budget=6)
    alone = bare.best_pairs(bare.at(bare.selection_information(pool.pair_ids(chosen.pairs))))[1]
    assert alone < chosen.design.lower_bound == chosen.lower_bound


def test_the_bound_of_all_pairs_bounds_the_admissible_ones_too(rng):
    """A design of some pairs that was stopped early, whose own bound is next to nothing."""
    pool = make_ragged(rng)
    some = trace_problem(pool.restricted_to(pool.candidate_ids()[::2]), budget=5)
    design = solve_trace_design(some.pool, 5)
    ids = pool.pair_ids(select_pairs(design).pairs)
    problem = trace_problem(pool, budget=5)
    for weak in (replace(design, lower_bound=1e-9), replace(design, lower_bound=1e-3)):
        chosen = describe_selection(problem, ids, np.ones(5), weak)
        assert chosen.lower_bound > 1e-3
        assert chosen.admissible_bound == chosen.lower_bound
    chosen = describe_selection(problem, ids, np.ones(5), replace(design, lower_bound=1e3))
    assert chosen.admissible_bound == 1e3 > chosen.lower_bound  # and not the other way round
