"""The edges of what can be asked: a sentence that says what to change, or the right result."""

import re

import numpy as np
import pytest

from pairselect.core import (
    CandidatePool,
    DesignError,
    Status,
    choose_pairs,
    solve_trace_design,
    trace_problem,
)

from .conftest import every_pair, make_ragged, phi

TIGHT = {"tolerance": 1e-4, "max_passes": 500}
UNITS = [1e-8, 1e8]


def value(problem, pairs):
    return problem.at(problem.selection_information(problem.pool.pair_ids(pairs))).objective


# --- what is refused ------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("features", "prompt", "message"),
    [
        ([[1.0, 2.0]], [0], "Every prompt has one completion"),
        ([], [], "features must have shape (completions, d), d at least 1; got (0,)."),
        (np.zeros((4, 0)), [0, 0, 1, 1], "d at least 1; got (4, 0)."),
        (3.0, [0], "got ()."),
        (np.ones((1, 4, 2)), [0, 0, 1, 1], "got (1, 4, 2)."),
        (np.full((4, 2), -np.inf), [0, 0, 1, 1], "features has 8 values that are not finite"),
        ([[None, 1.0], [2.0, 3.0]], [0, 0], "features has 1 values that are not finite"),
        (np.array([[np.inf, 1], [2, 3]], np.float16), [0, 0], "features has 1 values"),
        ([[1.0, 2.0], [3.0]], [0, 0], "features must be an array of real numbers."),
        ([[0.0, 1.0], [2.0, 3.0]], [0.0, np.nan], "prompt_index must hold integers"),
    ],
)
def test_a_pool_that_is_none_is_refused_with_the_reason(features, prompt, message):
    with pytest.raises(DesignError, match=re.escape(message)) as refused:
        CandidatePool(features, prompt)
    assert re.fullmatch(r"[A-Za-z].*\.", str(refused.value))


@pytest.mark.parametrize("unit", [1.0, *UNITS])
def test_completions_that_differ_by_rounding_only_are_identical(rng, unit):
    offset = 1e17 * unit * rng.standard_normal((3, 2))
    x = np.repeat(offset, 4, axis=0) + unit * rng.standard_normal((12, 2))
    with pytest.raises(DesignError, match="All completions of a prompt have the same features"):
        CandidatePool(x, np.repeat([0, 1, 2], 4))


@pytest.mark.parametrize(
    ("kwargs", "message"),
    [
        ({"ridge": np.inf}, "ridge must be a number from 0 up; got inf."),
        ({"ridge": -np.inf}, "ridge must be a number from 0 up; got -inf."),
        ({"prior_information": np.full((4, 4), np.nan)}, "prior_information must be a finite"),
        ({"prior_information": np.diag([np.inf, 1, 1, 1])}, "prior_information must be a finite"),
        ({"target": np.full((4, 4), np.inf)}, "target must be a finite matrix"),
        ({"budget": np.inf}, "budget must be a whole number; got inf."),
        ({"budget": 10**30}, "the pool has 14 pairs; lower it."),
        ({"max_per_prompt": np.nan}, "max_per_prompt must be a whole number; got nan."),
    ],
)
def test_a_number_that_is_not_finite_is_refused_wherever_it_stands(rng, kwargs, message):
    with pytest.raises(DesignError, match=re.escape(message)):
        trace_problem(make_ragged(rng, (2, 3, 5)), **{"budget": 2, **kwargs})


def test_one_pair_more_than_there_are_is_refused_and_all_are_not(rng):
    pool = make_ragged(rng, (2, 1, 3, 4))
    assert solve_trace_design(pool, 10).status is Status.EVERY_PAIR
    with pytest.raises(DesignError, match="The budget is 11 but the pool has 10 pairs; lower it."):
        solve_trace_design(pool, 11)


def test_rank_one_without_a_ridge_is_refused(rng):
    pool = CandidatePool(rng.standard_normal((12, 1)) * [1, 2, 3], np.repeat([0, 1, 2], 4))
    with pytest.raises(DesignError, match="use a positive ridge or reduce the features first."):
        solve_trace_design(pool, 4, ridge=0)


# --- few completions, few directions --------------------------------------------------------


@pytest.mark.parametrize("d", [1, 3, 50])
@pytest.mark.parametrize("unit", [1.0, *UNITS])
def test_a_pool_of_one_pair_has_the_value_worked_by_hand(rng, d, unit):
    """W = g gᵀ/2 and λ = ridge·‖g‖²/d, so Φ = 1/(2(1 + ridge/d)) whatever g."""
    pool = CandidatePool(unit * rng.standard_normal((2, d)), [9, 9])
    chosen = choose_pairs(pool, budget=1, ridge=0.25)
    assert chosen.pairs.tolist() == [[0, 1]]
    assert chosen.objective == pytest.approx(1 / (2 * (1 + 0.25 / d)), rel=1e-9)
    assert chosen.lower_bound == pytest.approx(chosen.objective, rel=1e-9)


@pytest.mark.parametrize("budget", [1, 4, 11])
@pytest.mark.parametrize("cap", [None, 3])
@pytest.mark.parametrize("ridge", [1e-9, 1e-3, 1.0])
@pytest.mark.parametrize("unit", [1.0, *UNITS])
def test_rank_one_is_solved_by_the_longest_differences(rng, budget, cap, ridge, unit):
    """φ = s·v: Φ = V‖v‖²/(λ + m‖v‖²), V the variance of s and m the mean square difference."""
    s, prompt = unit * rng.standard_normal(20), np.repeat(np.arange(4), 5)
    pool = CandidatePool(np.outer(s, [1.0, -2.0, 3.0]), prompt)
    chosen = choose_pairs(pool, budget=budget, max_per_prompt=cap, ridge=ridge, tolerance=1e-6)
    pairs = every_pair(prompt)
    square = (s[pairs[:, 0]] - s[pairs[:, 1]]) ** 2
    by_prompt = np.sort(square.reshape(4, 10), axis=1)[:, -(cap or 10) :]
    longest = np.sort(by_prompt.reshape(-1))[-budget:]
    V = np.mean([np.var(s[prompt == p], ddof=1) for p in range(4)])
    expected = 14 * V / (14 * ridge * square.mean() / 3 + 14 * longest.mean())
    assert chosen.objective == pytest.approx(expected, rel=1e-5)
    assert chosen.lower_bound == pytest.approx(expected, rel=1e-5)
    assert sorted(chosen.feature_distance**2) == pytest.approx(14 * longest, rel=1e-9)


@pytest.mark.parametrize("budget", [3, 15])
def test_more_dimensions_than_rows_changes_nothing_but_the_scale_of_the_ridge(rng, budget):
    """Twelve rows in R⁴⁰ span nine directions; in these the same λ gives the same Φ."""
    x, prompt = rng.standard_normal((12, 40)), np.repeat([0, 1, 2], 4)
    centred = x - x.reshape(3, 4, 40).mean(axis=1)[prompt]
    axes = np.linalg.svd(centred, full_matrices=False)[2][:9]
    wide = choose_pairs(CandidatePool(x, prompt), budget=budget, ridge=0.04)
    narrow = choose_pairs(CandidatePool(x @ axes.T, prompt), budget=budget, ridge=0.04 * 9 / 40)
    assert value(narrow.problem, wide.pairs) == pytest.approx(wide.objective, rel=1e-9)
    assert value(wide.problem, narrow.pairs) == pytest.approx(narrow.objective, rel=1e-9)
    assert max(wide.lower_bound, narrow.lower_bound) <= min(wide.objective, narrow.objective)
    g = x[wide.pairs[:, 0]] - x[wide.pairs[:, 1]]
    base = wide.problem.ridge * np.eye(40)
    W = np.mean([np.cov(x[prompt == p].T) for p in range(3)], axis=0)
    assert wide.objective == pytest.approx(
        phi(x, wide.pairs, np.full(len(g), 1 / len(g)), W, base), rel=1e-9
    )


def test_coordinates_that_do_not_vary_change_nothing_but_the_scale_of_the_ridge(rng):
    x, prompt = rng.standard_normal((20, 2)), np.repeat(np.arange(4), 5)
    padded = np.column_stack([x, np.zeros(20), np.full(20, 1e6), prompt])  # constant in a prompt
    plain = choose_pairs(CandidatePool(x, prompt), budget=6, ridge=0.02)
    wide = choose_pairs(CandidatePool(padded, prompt), budget=6, ridge=0.05)
    assert value(plain.problem, wide.pairs) == pytest.approx(wide.objective, rel=1e-9)
    assert wide.lower_bound <= plain.objective
    assert plain.lower_bound <= wide.objective


# --- prompts without a pair -----------------------------------------------------------------


def test_prompts_of_one_completion_change_nothing_whatever_their_features(rng):
    x, prompt = rng.standard_normal((20, 3)), np.repeat(np.arange(4), 5)
    lonely = 1e6 * rng.standard_normal((3, 3))
    plain = trace_problem(CandidatePool(x, prompt), budget=7)
    pool = CandidatePool(np.vstack([lonely, x]), np.append([-1, 7, 9], prompt))
    chosen = choose_pairs(pool, budget=7)
    assert chosen.pairs.min() >= 3
    assert value(plain, chosen.pairs - 3) == pytest.approx(chosen.objective, rel=1e-10)
    assert chosen.problem.ridge == pytest.approx(plain.ridge, rel=1e-12)


@pytest.mark.parametrize("cap", [None, 2])
def test_a_prompt_whose_pairs_are_all_excluded_is_as_good_as_absent(rng, cap):
    """With W held: the target looks at all completions, the design at candidate pairs only."""
    x, prompt = rng.standard_normal((20, 3)), np.repeat(np.arange(4), 5)
    settings = {"budget": 6, "max_per_prompt": cap, "target": np.eye(3)}
    excluded = every_pair(prompt)[:10]
    without = choose_pairs(CandidatePool(x, prompt, excluded=excluded), **settings)
    same_text = np.append(np.zeros(5, int), np.arange(15))
    marked = choose_pairs(CandidatePool(x, prompt, text_id=same_text), **settings)
    absent = choose_pairs(CandidatePool(x[5:], prompt[5:]), **settings)
    for chosen in (without, marked):
        assert chosen.pairs.min() >= 5
        assert value(absent.problem, chosen.pairs - 5) == pytest.approx(chosen.objective, rel=1e-9)
        assert chosen.lower_bound <= absent.objective
        assert absent.lower_bound <= chosen.objective


@pytest.mark.parametrize("method", ["exact", "randomized"])
def test_a_prompt_of_identical_completions_is_not_chosen_while_others_are_left(rng, method):
    """Its pairs have g = 0 and tell nothing, also where nobody marked them."""
    x, prompt = rng.standard_normal((20, 3)), np.repeat(np.arange(4), 5)
    x[5:10] = x[5]
    pool = CandidatePool(x, prompt)
    chosen = choose_pairs(pool, budget=12, method=method, rng=rng, tolerance=1e-4)
    assert 1 not in prompt[chosen.pairs[:, 0]]
    assert chosen.feature_distance.min() > 0
    everything = choose_pairs(pool, budget=40, method=method, rng=rng)
    assert np.count_nonzero(everything.feature_distance == 0) == 10


def test_a_budget_that_the_cap_just_allows_takes_one_pair_of_every_prompt(rng):
    """One pair a prompt is the paper's response selection: weights sum to 1/n in each."""
    x, prompt = rng.standard_normal((24, 3)), np.repeat(np.arange(6), 4)
    pool = CandidatePool(x, prompt)
    design = solve_trace_design(pool, 6, max_per_prompt=1, **TIGHT)
    total = np.bincount(prompt[design.pairs[:, 0]], weights=design.weights)
    np.testing.assert_allclose(total, 1 / 6, rtol=1e-9)
    assert design.status is not Status.EVERY_PAIR
    assert design.gap <= 1e-4
    for method in ("exact", "randomized"):
        chosen = choose_pairs(pool, budget=6, max_per_prompt=1, method=method, rng=rng)
        np.testing.assert_array_equal(np.sort(prompt[chosen.pairs[:, 0]]), np.arange(6))


def test_a_budget_of_all_pairs_but_one_leaves_out_the_right_one(rng):
    x, prompt = rng.standard_normal((9, 3)), np.repeat([0, 1, 2], 3)
    pool = CandidatePool(x, prompt)
    chosen = choose_pairs(pool, budget=8)
    pairs = every_pair(prompt)
    best = min(value(chosen.problem, np.delete(pairs, e, axis=0)) for e in range(9))
    assert chosen.objective == pytest.approx(best, rel=1e-9)
    assert chosen.lower_bound <= best


# --- units ----------------------------------------------------------------------------------


@pytest.mark.parametrize("unit", UNITS)
@pytest.mark.parametrize("cap", [None, 2])
@pytest.mark.parametrize("ridge", [0, 1e-3])
def test_the_choice_is_as_good_in_any_unit(rng, unit, cap, ridge):
    """Φ has no unit, so a choice made in one is worth the same in the other."""
    x, prompt = rng.standard_normal((30, 4)), np.repeat(np.arange(6), 5)
    settings = {"budget": 10, "max_per_prompt": cap, "ridge": ridge, "tolerance": 1e-3}
    plain = choose_pairs(CandidatePool(x, prompt), **settings)
    scaled = choose_pairs(CandidatePool(unit * x, prompt), **settings)
    assert value(plain.problem, scaled.pairs) == pytest.approx(scaled.objective, rel=1e-9)
    assert scaled.problem.uniform_objective == pytest.approx(
        plain.problem.uniform_objective, rel=1e-9
    )
    assert scaled.lower_bound <= plain.objective
    assert plain.lower_bound <= scaled.objective
    assert scaled.design.gap <= 1e-3


@pytest.mark.parametrize("unit", [1e-100, 1e-8, 1e8, 1e100])
def test_the_unit_of_the_target_is_that_of_phi(rng, unit):
    x, prompt = rng.standard_normal((30, 4)), np.repeat(np.arange(6), 5)
    W = np.diag([1.0, 2.0, 3.0, 0.0])
    pool = CandidatePool(x, prompt)
    plain = solve_trace_design(pool, 10, target=W, **TIGHT)
    scaled = solve_trace_design(pool, 10, target=unit * W, **TIGHT)
    assert scaled.objective / unit == pytest.approx(plain.objective, rel=2e-4)
    assert scaled.lower_bound / unit == pytest.approx(plain.lower_bound, rel=2e-4)


def test_the_bound_holds_where_the_prompts_have_units_of_their_own(rng):
    """One prompt's differences are 1e8 times another's; W is dominated by the first."""
    x, prompt = rng.standard_normal((9, 2)), np.repeat([0, 1, 2], 3)
    x *= np.array([1e-8, 1.0, 1e8])[prompt][:, None]
    chosen = choose_pairs(CandidatePool(x, prompt), budget=2)
    pairs = every_pair(prompt)
    every = [value(chosen.problem, pairs[[i, j]]) for i, j in every_pair(np.zeros(9))]
    assert chosen.lower_bound <= min(every) * (1 + 1e-9)
    assert chosen.objective == pytest.approx(min(every), rel=1e-9)
    assert set(prompt[chosen.pairs[:, 0]]) == {2}


def test_an_offset_of_a_hundred_million_costs_only_its_rounding(rng):
    """Sixteen digits less eight leave the differences with eight."""
    x, prompt = rng.standard_normal((30, 3)), np.repeat(np.arange(6), 5)
    shifted = x + 1e8 * rng.standard_normal((6, 3))[prompt]
    plain = choose_pairs(CandidatePool(x, prompt), budget=8)
    moved = choose_pairs(CandidatePool(shifted, prompt), budget=8)
    assert value(plain.problem, moved.pairs) == pytest.approx(moved.objective, rel=1e-6)
    assert moved.lower_bound <= plain.objective * (1 + 1e-6)
    assert plain.lower_bound <= moved.objective * (1 + 1e-6)
