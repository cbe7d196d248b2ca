"""Exchange: every swap is evaluated exactly, and the end is a local optimum."""

import numpy as np
import pytest

from pairselect.core import CandidatePool, choose_pairs, exchange, trace_problem
from pairselect.core.exchange import ExchangeTable, exchange_pairs
from pairselect.core.log_det import LogDetProblem

from .conftest import make_ragged


def value(problem, ids):
    return problem.at(problem.selection_information(np.asarray(ids))).objective


def table_of(problem, inside, outside):
    information = problem.selection_information(inside)
    inverse = np.linalg.inv(problem.base_information + information)
    counts = np.bincount(problem.pool.pair_prompts(inside), minlength=problem.pool.n_prompts)
    return ExchangeTable(problem, inverse, problem.at(information), inside, outside, counts)


def every_swap(problem, ids, most):
    pool = problem.pool
    for out in ids:
        for new in np.setdiff1d(pool.candidate_ids(), ids):
            swapped = np.append(ids[ids != out], new)
            if np.bincount(pool.pair_prompts(swapped)).max() <= most:
                yield out, new, swapped


@pytest.mark.parametrize("criterion", [lambda problem: problem, LogDetProblem.of])
@pytest.mark.parametrize("ridge", [1e-3, 0.5])
@pytest.mark.parametrize("most", [2, 99])
def test_changes_equal_the_difference_of_two_objectives(rng, ridge, most, criterion):
    pool = make_ragged(rng)
    problem = criterion(trace_problem(pool, budget=7, ridge=ridge, max_per_prompt=most))
    ids = np.sort(rng.choice(pool.n_pairs, 7, replace=False))
    while np.bincount(pool.pair_prompts(ids)).max() > most:
        ids = np.sort(rng.choice(pool.n_pairs, 7, replace=False))
    outside = np.setdiff1d(pool.candidate_ids(), ids)
    table = table_of(problem, ids, outside)
    change = table.changes(np.arange(7), np.arange(7, 7 + outside.size))
    start, allowed = value(problem, ids), set()
    for out, new, swapped in every_swap(problem, ids, most):
        i, j = np.searchsorted(ids, out), np.searchsorted(outside, new)
        allowed.add((i, j))
        assert change[i, j] == pytest.approx(value(problem, swapped) - start, rel=1e-6, abs=1e-9)
    forbidden = [change[i, j] for i, j in np.ndindex(change.shape) if (i, j) not in allowed]
    assert np.all(np.isinf(forbidden))
    assert bool(forbidden) == (most == 2)


def test_rank_one_updates_equal_a_fresh_start(rng):
    pool = make_ragged(rng)
    problem = trace_problem(pool, budget=7)
    ids, outside = np.arange(7), np.arange(7, pool.n_pairs)
    table = table_of(problem, ids, outside)
    for out, new in [(0, 9), (3, 12), (9, 0)]:
        table._swap(out, new)
    inside = np.sort(table.ids[table.chosen])
    order = np.argsort(np.concatenate([inside, np.setdiff1d(table.ids, inside)]))
    fresh = table_of(problem, inside, np.setdiff1d(table.ids, inside))
    np.testing.assert_allclose(table.H, fresh.H[np.ix_(order, order)], rtol=1e-8, atol=1e-10)
    np.testing.assert_allclose(table.J, fresh.J[np.ix_(order, order)], rtol=1e-8, atol=1e-10)
    np.testing.assert_array_equal(table.counts, fresh.counts)


@pytest.mark.parametrize("cap", [None, 1, 2])
def test_no_single_swap_improves_the_result(rng, cap):
    pool = make_ragged(rng)
    n = 6 if cap == 1 else 7  # six prompts have pairs
    problem = trace_problem(pool, budget=n, max_per_prompt=cap)
    prompts = pool.pair_prompts(pool.candidate_ids())
    by_prompt = np.argsort(prompts, kind="stable")
    rank = np.concatenate([np.arange(k) for k in np.bincount(prompts)])
    start = by_prompt[rank < (cap or 99)][:n]
    ids = exchange_pairs(problem, start)
    assert len(set(ids)) == n
    best = value(problem, ids)
    assert best < value(problem, start)
    for _, _, swapped in every_swap(problem, ids, cap or 99):
        assert value(problem, swapped) >= best * (1 - 2 * exchange.SMALLEST_GAIN)


@pytest.mark.parametrize("cap", [None, 1, 2])
def test_short_lists_reach_about_the_same_value(rng, monkeypatch, cap):
    """Also where the cap lets most pairs replace only one of their own prompt."""
    pool = CandidatePool(rng.standard_normal((200, 5)), np.repeat(np.arange(40), 5))
    problem = trace_problem(pool, budget=40, max_per_prompt=cap)
    start = pool.candidate_ids()[::10]  # one of each prompt
    full = value(problem, exchange_pairs(problem, start))
    monkeypatch.setattr(exchange, "SHORTLIST", 4)
    ids = exchange_pairs(problem, start)
    assert np.bincount(pool.pair_prompts(ids)).max() <= (cap or 40)
    assert value(problem, ids) <= full * 1.01
    assert full < 0.8 * value(problem, start)


def test_exchange_is_deterministic(rng):
    problem = trace_problem(make_ragged(rng), budget=7)
    first = exchange_pairs(problem, np.arange(7))
    np.testing.assert_array_equal(first, exchange_pairs(problem, np.arange(7)[::-1]))


def test_d_optimal_pairs_of_equal_items_beat_random_ones_by_log_det(rng):
    """One prompt, one-hot features: all pairs weigh the same, and ties may not go by number."""
    pool = CandidatePool(np.eye(20), np.zeros(20, int))

    def log_det(strategy):
        chosen = choose_pairs(pool, strategy=strategy, budget=60, rng=rng)
        problem = LogDetProblem.of(chosen.problem)
        return value(problem, pool.pair_ids(chosen.pairs))

    assert log_det("d_optimal") < min(log_det("uniform") for _ in range(20))
