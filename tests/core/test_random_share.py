"""A share of the budget drawn at random."""

from itertools import combinations

import numpy as np
import pytest

from pairselect.core import (
    STRATEGIES,
    CandidatePool,
    Status,
    choose_pairs,
    solve_trace_design,
)

from .conftest import every_pair, make_ragged, phi
from .test_strategies import CAPS, chances_of, scored, stated


@pytest.mark.parametrize("name", sorted(STRATEGIES))
@pytest.mark.parametrize("cap", ["none", "two", "each"])
def test_a_random_share_keeps_the_contract(rng, name, cap):
    n = 9
    pool, settings, best = stated(n, cap)
    for share in (0.1, 0.6):
        chosen = choose_pairs(pool, strategy=name, rng=rng, random_share=share, **settings)
        ids = pool.pair_ids(chosen.pairs)
        assert len(set(ids)) == n
        counts = np.bincount(pool.pair_prompts(ids), minlength=6)
        assert np.all(counts <= (n if cap == "none" else CAPS[cap]))
        assert np.all(np.diff(ids) > 0)
        assert chosen.is_random.sum() == (n if name == "uniform" else round(share * n))
        chance = chosen.inclusion_probability
        assert np.all((chance > 0) & (chance <= 1))
        g = pool.differences(ids)
        W, base = best.problem.target, best.problem.base_information
        assert chosen.objective == pytest.approx(np.trace(W @ np.linalg.inv(base + g.T @ g / n)))
        assert chosen.problem.budget == n
        assert 0 < chosen.lower_bound <= best.objective
        assert best.lower_bound <= chosen.objective
        # The bound beside the drawn pairs is in the unit of the whole budget.
        assert chosen.admissible_bound <= chosen.objective * (1 + 1e-12)


@pytest.mark.parametrize("cap", [None, 2])
def test_a_share_of_all_is_uniform_and_a_share_of_nothing_is_the_strategy(ragged, cap):
    settings = {"budget": 6, "max_per_prompt": cap}

    def chosen(strategy, share):
        return choose_pairs(
            ragged,
            strategy=strategy,
            random_share=share,
            rng=np.random.default_rng(5),
            **settings,
        )

    for share in (1.0, 0.95):  # 0.95 of 6 is 6
        everything, uniform = chosen("max_gap", share), chosen("uniform", 0.0)
        np.testing.assert_array_equal(everything.pairs, uniform.pairs)
        np.testing.assert_array_equal(
            everything.inclusion_probability, uniform.inclusion_probability
        )
        assert np.all(everything.is_random)
    nothing, plain = chosen("max_gap", 0.05), chosen("max_gap", 0.0)  # 0.05 of 6 is none
    np.testing.assert_array_equal(nothing.pairs, plain.pairs)
    assert not np.any(nothing.is_random)


@pytest.mark.parametrize(("cap", "budget"), [(None, 6), (1, 4)])
def test_random_pairs_of_a_share_come_with_the_stated_probability(rng, cap, budget):
    pool = make_ragged(rng, (2, 3, 5, 4))
    draws, count, chance = 250, np.zeros(pool.n_pairs), chances_of(pool, cap, 3)
    settings = {"budget": budget, "max_per_prompt": cap, "random_share": 3 / budget}
    for _ in range(draws):
        chosen = choose_pairs(pool, strategy="max_gap", rng=rng, **settings)
        ids = pool.pair_ids(chosen.pairs)[chosen.is_random]
        assert ids.size == 3
        count[ids] += 1
        np.testing.assert_allclose(chosen.inclusion_probability[chosen.is_random], chance[ids])
        np.testing.assert_array_equal(chosen.inclusion_probability[~chosen.is_random], 1.0)
    assert np.all(np.abs(count / draws - chance) <= 4 * np.sqrt(chance * (1 - chance) / draws))


@pytest.mark.parametrize("seed", range(6))
@pytest.mark.parametrize("cap", [None, 2])
def test_the_designed_part_is_the_best_beside_the_random_part(seed, cap):
    """Brute force over the rest of a tiny pool, and the bound that is given for it."""
    rng = np.random.default_rng(seed)
    x, prompt, _, pool = scored(rng, sizes=(3, 4, 3), d=2)
    settings = {"budget": 4, "max_per_prompt": cap, "random_share": 0.5, "rng": rng}
    chosen = choose_pairs(pool, tolerance=1e-3, prior_information=0.1 * np.eye(2), **settings)
    drawn = [tuple(pair) for pair in chosen.pairs[chosen.is_random]]
    assert len(drawn) == 2
    W, base = chosen.problem.target, chosen.problem.base_information
    values = []
    for two in combinations([p for p in map(tuple, every_pair(prompt)) if p not in drawn], 2):
        pairs = np.array([*drawn, *two])
        if cap is None or np.bincount(prompt[pairs[:, 0]]).max() <= cap:
            values.append(phi(x, pairs, np.full(4, 1 / 4), W, base))
    assert chosen.admissible_bound <= min(values) * (1 + 1e-12)
    assert chosen.objective == pytest.approx(min(values), rel=0.02)
    assert chosen.objective < np.median(values)


def test_a_random_share_comes_with_the_design_of_all_pairs(rng):
    """Its design, objective, bound and weights are in the unit of the whole budget."""
    x, prompt = rng.standard_normal((100, 3)), np.repeat(np.arange(20), 5)
    pool, n = CandidatePool(x, prompt), 20
    chosen = choose_pairs(pool, budget=n, random_share=0.3, rng=rng)
    design = chosen.design
    assert chosen.status is Status.CONVERGED
    assert design.problem is chosen.problem
    assert design.weights.sum() == pytest.approx(1)
    assert design.weights.max() <= 1 / n * (1 + 1e-12)
    W, base = design.problem.target, design.problem.base_information
    assert design.objective == pytest.approx(phi(x, design.pairs, design.weights, W, base))
    drawn = chosen.pairs[chosen.is_random]
    h, scale = x[drawn[:, 0]] - x[drawn[:, 1]], n / (n - 6)
    best = solve_trace_design(
        pool.without(pool.pair_ids(drawn)),
        n - 6,
        ridge=0,
        target=W,
        prior_information=scale * (base + h.T @ h / n),
        tolerance=1e-4,
        max_passes=500,
    )
    assert design.lower_bound <= scale * best.objective
    assert scale * best.lower_bound <= design.objective <= chosen.objective
    assert design.gap <= 0.003
    assert chosen.objective <= design.uniform_objective
    by_pair = dict(zip(map(tuple, design.pairs), design.weights, strict=True))
    for pair in chosen.pairs[chosen.is_random]:
        assert by_pair[tuple(pair)] == 1 / n
    g = x[design.pairs[:, 0]] - x[design.pairs[:, 1]]
    N = np.linalg.inv(base + (g.T * design.weights) @ g)
    h = x[chosen.pairs[:, 0]] - x[chosen.pairs[:, 1]]
    np.testing.assert_allclose(chosen.sensitivity, np.einsum("nd,de,ne->n", h, N @ W @ N, h))


def test_a_random_share_of_fewer_pairs_than_directions_needs_no_ridge(rng):
    x, prompt = rng.standard_normal((200, 6)), np.repeat(np.arange(40), 5)
    chosen = choose_pairs(
        CandidatePool(x, prompt), budget=30, ridge=0, random_share=0.1, rng=rng, tolerance=0.05
    )
    assert chosen.is_random.sum() == 3
    assert np.isfinite(chosen.objective)


def test_a_rule_beside_a_random_share_is_still_a_rule(rng):
    _, _, _, pool = scored(rng)
    chosen = choose_pairs(pool, strategy="max_gap", budget=6, random_share=0.5, rng=rng)
    assert chosen.status is Status.RULE
    assert chosen.design is None
