"""Strategies: one request, one kind of answer."""

import numpy as np
import pytest

from pairselect.core import (
    STRATEGIES,
    CandidatePool,
    DesignError,
    Request,
    Strategy,
    choose_pairs,
    describe_selection,
    select_pairs,
    solve_trace_design,
    strategy,
)

from .conftest import make_ragged


def test_registered_names():
    assert sorted(STRATEGIES) == [
        "d_optimal",
        "first_two",
        "hybrid",
        "k_center",
        "max_gap",
        "reference_weighted",
        "trace",
        "trace_gap",
        "trace_vertex",
        "uncertainty",
        "uniform",
    ]
    assert all(one.summary.endswith(".") and one.name == name for name, one in STRATEGIES.items())


@pytest.mark.parametrize("name", sorted(STRATEGIES))
@pytest.mark.parametrize("method", ["exact", "randomized"])
@pytest.mark.parametrize("cap", [None, 1, 2])
def test_every_strategy_keeps_the_contract(rng, name, method, cap):
    pool, n = make_ragged(rng), 6  # six prompts have pairs
    chosen = choose_pairs(
        pool,
        strategy=name,
        budget=n,
        max_per_prompt=cap,
        method=method,
        rng=rng,
        prior_information=0.2 * np.eye(4),
        ridge=0.01,
    )
    assert chosen.pairs.shape == (n, 2)
    ids = pool.pair_ids(chosen.pairs)
    assert len(set(ids)) == n
    assert np.bincount(pool.pair_prompts(ids)).max() <= (cap or n)
    for column in (chosen.inclusion_probability, chosen.sensitivity, chosen.feature_distance):
        assert column.shape == (n,)
    assert np.all((chosen.inclusion_probability > 0) & (chosen.inclusion_probability <= 1))
    assert 0 < chosen.lower_bound <= chosen.objective
    best = solve_trace_design(
        pool,
        n,
        max_per_prompt=cap,
        ridge=0.01,
        prior_information=0.2 * np.eye(4),
        tolerance=1e-4,
        max_passes=500,
    )
    assert chosen.lower_bound <= best.objective


def test_trace_is_solve_and_select(ragged):
    expected = select_pairs(solve_trace_design(ragged, 6, tolerance=0.03))
    chosen = choose_pairs(ragged, budget=6, tolerance=0.03)
    np.testing.assert_array_equal(chosen.pairs, expected.pairs)
    assert chosen.design is not None


@pytest.mark.parametrize("cap", [None, 2])
def test_uniform_pairs_come_with_the_stated_probability(rng, cap):
    pool = make_ragged(rng, (2, 3, 5, 4))
    draws, count, stated = 3000, np.zeros(pool.n_pairs), np.full(pool.n_pairs, np.nan)
    for _ in range(draws):
        chosen = choose_pairs(pool, strategy="uniform", budget=6, max_per_prompt=cap, rng=rng)
        ids = pool.pair_ids(chosen.pairs)
        count[ids] += 1
        stated[ids] = chosen.inclusion_probability
    assert stated @ np.ones(pool.n_pairs) == pytest.approx(6)
    if cap is None:
        np.testing.assert_allclose(stated, 6 / 20)
    error = 4 * np.sqrt(stated * (1 - stated) / draws)
    assert np.all(np.abs(count / draws - stated) <= error + 1e-12)


def test_uniform_has_no_design_and_its_sensitivity_is_its_own(rng):
    x, prompt = rng.standard_normal((30, 2)), np.repeat(np.arange(6), 5)
    chosen = choose_pairs(CandidatePool(x, prompt), strategy="uniform", budget=9, rng=rng)
    assert chosen.design is None
    g = x[chosen.pairs[:, 0]] - x[chosen.pairs[:, 1]]
    N = np.linalg.inv(chosen.problem.base_information + g.T @ g / 9)
    K = N @ chosen.problem.target @ N
    np.testing.assert_allclose(chosen.sensitivity, np.einsum("nd,de,ne->n", g, K, g))


def test_a_strategy_is_added_in_a_few_lines(ragged, monkeypatch):
    monkeypatch.setattr("pairselect.core.strategies.STRATEGIES", registry := {})

    @strategy("first", summary="The first pairs.")
    def first(request: Request):
        ids = request.problem.pool.candidate_ids()[: request.problem.budget]
        return describe_selection(request.problem, ids, np.ones(ids.size))

    assert registry == {"first": Strategy("first", "The first pairs.", (), first)}
    assert len(choose_pairs(ragged, strategy="first", budget=4).pairs) == 4


def test_bad_requests_are_refused(ragged, rng):
    with pytest.raises(DesignError, match='no strategy "best"; choose from d_optimal, first_two'):
        choose_pairs(ragged, strategy="best", budget=3)
    with pytest.raises(DesignError, match="pass rng"):
        choose_pairs(ragged, strategy="uniform", budget=3)
    for name in STRATEGIES:
        with pytest.raises(DesignError, match="the pool has"):
            choose_pairs(ragged, strategy=name, budget=10_000, rng=rng)
