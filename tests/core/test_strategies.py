"""Strategies: one request, one kind of answer."""

from functools import cache
from itertools import combinations

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
    trace_problem,
)
from pairselect.core.strategies import widest_gaps

from .conftest import every_pair, make_ragged, phi


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
        "trace_weighted",
        "uncertainty",
        "uniform",
    ]
    assert all(one.summary.endswith(".") and one.name == name for name, one in STRATEGIES.items())


CAPS = {"none": None, "one": 1, "two": 2, "each": np.array([1, 0, 3, 2, 2, 4])}


@cache
def stated(budget, cap):
    """A pool of which six prompts have pairs, a request, and the best design to within 1e-4."""
    pool = make_ragged(np.random.default_rng(5))
    settings = {
        "budget": budget,
        "max_per_prompt": CAPS[cap],
        "ridge": 0.01,
        "prior_information": 0.2 * np.eye(4),
    }
    best = solve_trace_design(pool, **settings, tolerance=1e-4, max_passes=500)
    assert best.gap <= 1e-4
    return pool, settings, best


@pytest.mark.parametrize("name", sorted(STRATEGIES))
@pytest.mark.parametrize("cap", ["none", "one", "two"])
def test_every_strategy_keeps_the_contract(rng, name, cap):
    n = 6
    pool, settings, best = stated(n, cap)
    for method in ("exact", "randomized"):
        chosen = choose_pairs(pool, strategy=name, method=method, rng=rng, **settings)
        assert chosen.pairs.shape == (n, 2)
        ids = pool.pair_ids(chosen.pairs)
        assert len(set(ids)) == n
        assert np.bincount(pool.pair_prompts(ids)).max() <= (CAPS[cap] or n)
        for column in (chosen.inclusion_probability, chosen.sensitivity, chosen.feature_distance):
            assert column.shape == (n,)
        chance = chosen.inclusion_probability
        assert np.all((chance > 0) & (chance <= 1))
        assert 0 < chosen.lower_bound <= best.objective
        assert best.lower_bound <= chosen.objective


def test_trace_is_solve_and_select(ragged):
    expected = select_pairs(solve_trace_design(ragged, 6, tolerance=0.03))
    chosen = choose_pairs(ragged, budget=6, tolerance=0.03)
    np.testing.assert_array_equal(chosen.pairs, expected.pairs)
    assert chosen.design is not None


def chances_of(pool, cap, n):
    """Of prompts with 1, 3, 6 and 10 pairs, n = 3·cap: the cap binds the last two, by hand."""
    assert cap is None or n == 3 * cap
    by_pairs = {1: cap / 4, 3: cap / 4, 6: cap / 6, 10: cap / 10} if cap else {}
    pairs = pool.pairs_per_prompt[pool.pair_prompts(pool.candidate_ids())]
    return np.array([by_pairs.get(k, n / 20) for k in pairs])


@pytest.mark.parametrize("cap", [None, 2])
def test_uniform_pairs_come_with_the_stated_probability(rng, cap):
    pool = make_ragged(rng, (2, 3, 5, 4))
    draws, count, chance = 400, np.zeros(pool.n_pairs), chances_of(pool, cap, 6)
    for _ in range(draws):
        chosen = choose_pairs(pool, strategy="uniform", budget=6, max_per_prompt=cap, rng=rng)
        ids = pool.pair_ids(chosen.pairs)
        count[ids] += 1
        np.testing.assert_allclose(chosen.inclusion_probability, chance[ids])
    assert np.all(np.abs(count / draws - chance) <= 4 * np.sqrt(chance * (1 - chance) / draws))


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


# --- what a strategy needs ----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "need"),
    [
        ("trace_gap", "scores"),
        ("max_gap", "scores"),
        ("uncertainty", "scores"),
        ("hybrid", "scores"),
        ("reference_weighted", "log_probs"),
    ],
)
def test_what_is_missing_is_said_before_anything_is_solved(rng, monkeypatch, name, need):
    def never(*args, **kwargs):
        raise AssertionError("solved")

    monkeypatch.setattr("pairselect.core.strategies.trace_problem", never)
    pool = CandidatePool(rng.standard_normal((9, 2)), np.repeat([0, 1, 2], 3))
    assert STRATEGIES[name].missing(pool) == (need,)
    with pytest.raises(DesignError, match=f'"{name}" needs {need}, one for each completion'):
        choose_pairs(pool, strategy=name, budget=2, rng=rng, random_share=0.5)


def test_no_other_strategy_needs_anything(rng):
    pool = CandidatePool(rng.standard_normal((9, 2)), np.repeat([0, 1, 2], 3))
    able = [name for name, one in STRATEGIES.items() if not one.missing(pool)]
    assert sorted(able) == [
        "d_optimal",
        "first_two",
        "k_center",
        "trace",
        "trace_vertex",
        "uniform",
    ]
    for name in able:
        assert len(choose_pairs(pool, strategy=name, budget=2, rng=rng).pairs) == 2


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"keep": 0.0}, "keep must be above 0"),
        ({"keep": 1.1}, "keep must be above 0 and at most 1"),
        ({"keep": np.nan}, "keep must be above 0"),
        ({"random_share": -0.1}, "random_share must be from 0 to 1"),
        ({"random_share": 1.1}, "random_share must be from 0 to 1"),
        ({"random_share": np.nan}, "random_share must be from 0 to 1"),
        ({"random_share": 0.5}, "pass rng"),
    ],
)
def test_bad_settings_are_refused(ragged, settings, message):
    with pytest.raises(DesignError, match=message):
        choose_pairs(ragged, budget=4, **settings)


# --- trace_vertex -------------------------------------------------------------------------------


def test_trace_vertex_fills_a_budget_from_a_design_of_one_pair(rng):
    """In one dimension the design is the longest pair alone; any budget can be met all the same."""
    x, prompt = rng.standard_normal((20, 1)), np.repeat(np.arange(5), 4)
    pairs = every_pair(prompt)
    longest = pairs[np.argmax(np.abs(x[pairs[:, 0], 0] - x[pairs[:, 1], 0]))]
    for n in (1, 6, 30):
        chosen = choose_pairs(CandidatePool(x, prompt), strategy="trace_vertex", budget=n, rng=rng)
        assert len(np.unique(chosen.pairs, axis=0)) == n
        certain = chosen.pairs[chosen.inclusion_probability > 1 - 1e-6]
        assert tuple(longest) in set(map(tuple, certain))


# --- trace_gap ----------------------------------------------------------------------------------


def scored(rng, scores=None, sizes=(4, 3, 5, 4, 2, 5), d=3):
    prompt = np.repeat(np.arange(len(sizes)), sizes)
    x = rng.standard_normal((prompt.size, d))
    scores = rng.standard_normal(prompt.size) if scores is None else scores(prompt)
    return x, prompt, scores, CandidatePool(x, prompt, scores=scores)


def gaps_of(pairs, scores):
    return np.abs(scores[pairs[:, 0]] - scores[pairs[:, 1]])


@pytest.mark.parametrize("method", ["exact", "randomized"])
@pytest.mark.parametrize("keep", [0.2, 0.5])
@pytest.mark.parametrize("cap", [None, 2])
def test_trace_gap_chooses_among_the_widest_gaps_alone(rng, method, keep, cap):
    _, prompt, scores, pool = scored(rng)
    pairs = every_pair(prompt)
    gap = np.sort(gaps_of(pairs, scores))[::-1]
    least = gap[int(np.ceil(keep * len(pairs))) - 1]
    chosen = choose_pairs(
        pool,
        strategy="trace_gap",
        budget=5,
        keep=keep,
        method=method,
        rng=rng,
        max_per_prompt=cap,
    )
    assert gaps_of(chosen.pairs, scores).min() >= least
    assert len(np.unique(chosen.pairs, axis=0)) == 5
    assert chosen.problem.pool is pool  # Φ and its bound are those of all pairs


def test_trace_gap_that_keeps_everything_is_trace(rng):
    _, _, _, pool = scored(rng, lambda prompt: np.zeros(prompt.size))
    for settings in ({"keep": 1.0}, {"keep": 0.3}):  # all scores equal: there is nothing to keep
        chosen = choose_pairs(pool, strategy="trace_gap", budget=6, tolerance=0.01, **settings)
        plain = choose_pairs(pool, strategy="trace", budget=6, tolerance=0.01)
        np.testing.assert_array_equal(chosen.pairs, plain.pairs)
        assert chosen.objective == plain.objective
        assert chosen.admissible_bound == plain.lower_bound


def test_of_two_scores_the_pairs_that_differ_are_kept_whatever_the_share(rng):
    _, prompt, scores, pool = scored(rng, lambda prompt: np.arange(prompt.size) % 2 * 1.0)
    pairs = every_pair(prompt)
    differ = pool.pair_ids(pairs[gaps_of(pairs, scores) == 1])
    assert 0.5 < differ.size / len(pairs) < 0.7
    problem = trace_problem(pool, budget=5)
    for keep in (0.01, 0.3, 0.6, 0.9):
        np.testing.assert_array_equal(widest_gaps(problem, keep), np.sort(differ))
    np.testing.assert_array_equal(widest_gaps(problem, 1.0), pool.candidate_ids())


def test_the_share_grows_until_the_budget_fits_under_the_caps(rng):
    """The widest gaps are all in one prompt, which may give two pairs."""
    _, prompt, scores, pool = scored(
        rng, lambda p: np.where(p == 2, 100.0, 1.0) * np.arange(p.size)
    )
    pairs = every_pair(prompt)
    gap = gaps_of(pairs, scores)
    assert np.all(gap[prompt[pairs[:, 0]] == 2] > gap[prompt[pairs[:, 0]] != 2].max())
    problem = trace_problem(pool, budget=6, max_per_prompt=2)
    kept = widest_gaps(problem, 0.2)
    ranked = pool.pair_ids(pairs[np.argsort(-gap, kind="stable")])
    wide = {count: ranked[:count] for count in (8, 15, 29)}  # 0.2, 0.4, 0.8 of 36
    reach = {
        count: np.minimum(np.bincount(pool.pair_prompts(ids), minlength=6), 2).sum()
        for count, ids in wide.items()
    }
    assert reach[8] == 2
    assert reach[15] == 6
    assert set(wide[15]) <= set(kept)  # and the ties of the last
    assert pool.score_gaps(kept).min() == pool.score_gaps(wide[15]).min()
    chosen = choose_pairs(pool, strategy="trace_gap", budget=6, max_per_prompt=2, keep=0.2)
    assert set(pool.pair_ids(chosen.pairs)) <= set(kept)
    assert np.bincount(prompt[chosen.pairs[:, 0]]).max() == 2


@pytest.mark.parametrize("cap", [None, 1])
@pytest.mark.parametrize("seed", range(3))
def test_no_admissible_choice_of_trace_gap_is_below_its_bound(seed, cap):
    rng = np.random.default_rng(seed)
    steps = np.array([0, 1, 2, 0, 1, 2, 3, 0, 1, 2]) + 0.1 * rng.standard_normal(10)
    x, prompt, _, pool = scored(rng, lambda prompt: steps, sizes=(3, 4, 3), d=2)
    settings = {"budget": 3, "max_per_prompt": cap}
    chosen = choose_pairs(pool, strategy="trace_gap", keep=0.5, tolerance=1e-3, **settings)
    loose = choose_pairs(pool, strategy="trace_gap", keep=0.5, tolerance=5.0, **settings)
    kept = pool.pair_rows(widest_gaps(chosen.problem, 0.5))
    assert len(kept) == 6
    W, base = chosen.problem.target, chosen.problem.base_information

    def lowest(pairs):
        return min(
            phi(x, np.array(three), np.full(3, 1 / 3), W, base)
            for three in combinations(pairs, 3)
            if cap is None or len({prompt[pair[0]] for pair in three}) == 3
        )

    best, best_of_all = lowest(kept), lowest(every_pair(prompt))
    for one in (chosen, loose):
        assert one.lower_bound <= best_of_all * (1 + 1e-12)
        assert one.admissible_bound <= best * (1 + 1e-12)
        assert best <= one.objective * (1 + 1e-12)
        assert one.admissible_gap <= one.gap
    assert chosen.objective <= best * 1.1  # a local optimum
