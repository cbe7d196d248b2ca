"""What a pair tells alone, and what is left of it in its place."""

import numpy as np
import pytest

from pairselect.core import CandidatePool, choose_pairs, order_selection, trace_problem
from pairselect.core.novelty import novelty as novelty_of


@pytest.fixture
def queue(rng):
    pool = CandidatePool(rng.standard_normal((60, 4)) * [1, 1, 2, 3], np.repeat(np.arange(15), 4))
    chosen = choose_pairs(pool, budget=25, prior_sd=2.0)
    pairs = chosen.pairs[order_selection(chosen, rng)]
    return chosen.problem, pool.pair_ids(pairs)


def gains(problem, M, ids):
    """Falls of Φ, from the definition: Φ with the pair less Φ without it."""
    g = problem.pool.differences(ids) / np.sqrt(problem.budget)
    before = np.trace(problem.target @ np.linalg.inv(M))
    after = [np.trace(problem.target @ np.linalg.inv(M + np.outer(row, row))) for row in g]
    return before - np.array(after)


@pytest.mark.parametrize("refresh", [1, 7, 256])
def test_numbers_are_those_of_the_definition(queue, rng, monkeypatch, refresh):
    monkeypatch.setattr("pairselect.core.novelty.REFRESH", refresh)
    problem, ids = queue
    told = novelty_of(problem, ids, rng)
    every = problem.pool.candidate_ids()
    M = problem.base_information.copy()
    inverse = np.linalg.inv(M)
    g = problem.pool.differences(every)
    alone = np.einsum("ed,df,ef->e", g, inverse @ problem.target @ inverse, g)
    first = dict(zip(every.tolist(), gains(problem, M, every), strict=True))
    for k, e in enumerate(ids.tolist()):
        own = alone[np.searchsorted(every, e)]
        assert told.alone[k] == pytest.approx(np.mean(alone < own * (1 - 1e-9)))
        now = gains(problem, M, ids[k : k + 1])[0]
        assert told.left[k] == pytest.approx(now / first[e], rel=1e-6)
        others = np.setdiff1d(every, ids[: k + 1])
        less = np.mean(gains(problem, M, others) < now * (1 - 1e-9))
        assert told.then[k] == pytest.approx(less, abs=1e-12)
        row = problem.pool.differences(ids[k : k + 1])[0] / np.sqrt(problem.budget)
        M = M + np.outer(row, row)


def test_a_pair_that_repeats_another_has_little_left_and_a_new_one_all(rng):
    """Pairs along e₁, e₁ again, and e₂."""
    features = np.array([[1, 0], [-1, 0], [1, 0], [-1, 0], [0, 1], [0, -1]], dtype=float)
    pool = CandidatePool(features, [0, 0, 1, 1, 2, 2])
    problem = trace_problem(pool, budget=3)
    told = novelty_of(problem, np.array([0, 1, 2]), rng)
    assert told.left[0] == 1
    assert told.left[1] < 0.01
    assert told.left[2] == pytest.approx(1)
    assert told.then[1] == 0  # the one that is left tells more
    assert np.isnan(told.then[2])  # none is left


def test_a_sample_of_the_candidates_ranks_nearly_alike(queue, rng):
    problem, ids = queue
    exact, drawn = novelty_of(problem, ids, rng), novelty_of(problem, ids, rng, among=60)
    np.testing.assert_allclose(drawn.left, exact.left)
    assert not np.array_equal(drawn.alone, exact.alone)
    assert np.abs(drawn.alone - exact.alone).max() < 0.25  # four standard errors of 60


def test_without_a_ridge_the_first_pair_has_numbers_too(rng):
    pool = CandidatePool(rng.standard_normal((40, 3)), np.repeat(np.arange(10), 4))
    chosen = choose_pairs(pool, budget=20, ridge=0)
    told = novelty_of(chosen.problem, pool.pair_ids(chosen.pairs), rng)
    assert np.all(np.isfinite(told.alone))
    assert np.all(told.left > 0)
