"""The queue order."""

import numpy as np
import pytest

from pairselect.core import (
    CandidatePool,
    DesignError,
    choose_pairs,
    order_pairs,
    order_selection,
    ordering,
    select_pairs,
    solve_trace_design,
)


@pytest.fixture
def case(rng):
    pool = CandidatePool(
        rng.standard_normal((150, 5)) * [1, 1, 2, 3, 4], np.repeat(np.arange(30), 5)
    )
    return pool, solve_trace_design(pool, 40)


def prefix_values(problem, pairs):
    """Φ of the first k pairs at weight 1/n, by the definition."""
    g = problem.pool.differences(problem.pool.pair_ids(pairs)) / np.sqrt(problem.budget)
    M, values = problem.base_information.copy(), []
    for row in g:
        M += np.outer(row, row)
        values.append(np.trace(problem.target @ np.linalg.inv(M)))
    return np.array(values)


@pytest.mark.parametrize("refresh", [1, 7, 256])
def test_each_place_goes_to_the_pair_that_lowers_phi_most(case, monkeypatch, refresh):
    monkeypatch.setattr(ordering, "REFRESH", refresh)
    _, design = case
    pairs = select_pairs(design).pairs
    order = order_pairs(design, pairs)
    np.testing.assert_array_equal(np.sort(order), np.arange(40))
    for k in range(0, 40, 6):
        best = min(
            prefix_values(design.problem, pairs[np.append(order[:k], e)])[-1] for e in order[k:]
        )
        assert prefix_values(design.problem, pairs[order[: k + 1]])[-1] == pytest.approx(best)


def test_prefixes_beat_random_prefixes(case, rng):
    _, design = case
    pairs = select_pairs(design).pairs
    ours = prefix_values(design.problem, pairs[order_pairs(design, pairs)])
    theirs = np.mean(
        [prefix_values(design.problem, pairs[rng.permutation(40)]) for _ in range(20)], axis=0
    )
    assert np.all(ours[:-1] < theirs[:-1])
    assert ours[-1] == pytest.approx(theirs[-1])
    assert np.all(np.diff(ours) < 0)


def test_order_follows_from_the_pool_as_from_the_design(case):
    pool, design = case
    pairs = select_pairs(design).pairs
    np.testing.assert_array_equal(order_pairs(pool, pairs), order_pairs(design, pairs))


def test_prior_information_changes_the_order(case):
    pool, design = case
    pairs = select_pairs(design).pairs
    prior = np.diag([0, 0, 0, 0, 1e6])
    assert np.any(order_pairs(pool, pairs, prior_information=prior) != order_pairs(pool, pairs))


def test_ties_go_to_the_first():
    """Three equal prompts: equal pairs keep their order."""
    pool = CandidatePool(np.tile([[0.0, 0.0], [1.0, 2.0]], (3, 1)), [0, 0, 1, 1, 2, 2])
    pairs = [[4, 5], [0, 1], [2, 3]]
    assert order_pairs(pool, pairs).tolist() == [0, 1, 2]


def test_order_exists_without_a_ridge(rng):
    pool = CandidatePool(rng.standard_normal((40, 3)), np.repeat(np.arange(8), 5))
    chosen = choose_pairs(pool, budget=9, ridge=0)
    order = order_pairs(chosen.design, chosen.pairs)
    np.testing.assert_array_equal(np.sort(order), np.arange(9))


def test_no_pairs_give_an_empty_order(case):
    _, design = case
    assert order_pairs(design, np.zeros((0, 2), int)).shape == (0,)


def test_pairs_across_prompts_are_refused(case):
    _, design = case
    with pytest.raises(DesignError, match="of one prompt"):
        order_pairs(design, [[0, 149]])


def test_control_pairs_are_spread_over_the_queue_in_random_order(rng):
    pool = CandidatePool(rng.standard_normal((60, 3)), np.repeat(np.arange(12), 5))
    chosen = choose_pairs(pool, budget=40, random_share=0.25, rng=rng)
    order = order_selection(chosen, np.random.default_rng(1))
    assert sorted(order) == list(range(40))
    control = chosen.is_random[order]
    for k in range(4, 41, 4):  # every beginning has its quarter
        assert control[:k].sum() == k // 4
    designed = np.flatnonzero(~chosen.is_random)
    expected = designed[order_pairs(chosen.problem, chosen.pairs[designed])]
    np.testing.assert_array_equal(order[~control], expected)
    other = order_selection(chosen, np.random.default_rng(2))
    assert set(order[control]) == set(other[chosen.is_random[other]])
    assert list(order[control]) != list(other[chosen.is_random[other]])


def test_a_random_sample_is_queued_in_random_order(rng):
    pool = CandidatePool(rng.standard_normal((60, 3)), np.repeat(np.arange(12), 5))
    chosen = choose_pairs(pool, budget=40, strategy="uniform", rng=rng)
    first = [order_selection(chosen, np.random.default_rng(seed))[0] for seed in range(300)]
    assert len(set(first)) > 36  # of 40, each as likely


def test_order_and_exchange_weigh_pairs_by_their_rewards(rng):
    """A pair that all agree on tells nothing: it is not chosen, and if it must be, it is last."""
    x = np.array([[0.0], [1.0], [1.0], [-1.2]])
    rewards = np.array([0.0, 0.0, 0.0, 20.0])
    pool = CandidatePool(x, np.zeros(4, int), rewards=rewards)
    chosen = choose_pairs(pool, budget=1)
    assert chosen.pairs.tolist() in ([[0, 1]], [[0, 2]])
    every = choose_pairs(pool, budget=6)
    queue = every.pairs[order_pairs(every.problem, every.pairs)]
    assert 3 not in queue[:2]
