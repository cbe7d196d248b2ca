"""What is said of a choice is so, where it is tempting to say more."""

import numpy as np
import pytest

from pairselect.core import (
    CandidatePool,
    DesignError,
    Status,
    budget_curve,
    choose_pairs,
    describe_selection,
    fit_bradley_terry,
    near_duplicates,
    next_round,
    solve_trace_design,
    trace_problem,
)

from .conftest import make_ragged


@pytest.mark.parametrize(("prior_sd", "few"), [(1.0, False), (1000.0, True)])
def test_a_prior_that_holds_next_to_nothing_does_not_hide_that_pairs_are_few(rng, prior_sd, few):
    pool = CandidatePool(rng.standard_normal((80, 30)), np.repeat(np.arange(20), 4))
    chosen = choose_pairs(pool, budget=10, prior_sd=prior_sd)
    assert (chosen.status is Status.FEW_PAIRS) == few


def test_the_prior_of_a_design_is_that_of_the_fit_whatever_is_excluded_or_settled(rng):
    x, prompt = rng.standard_normal((40, 3)), np.repeat(np.arange(10), 4)
    x[0] *= 30
    excluded, rewards = [(0, 1), (0, 2), (0, 3)], 3 * rng.standard_normal(40)
    pool = CandidatePool(x, prompt, excluded=excluded, rewards=rewards)
    fit = fit_bradley_terry(pool, [(4, 5)], [1], prior_sd=0.5)
    held = trace_problem(pool, budget=8, prior_sd=0.5).prior_information
    np.testing.assert_allclose(held * 8 / 4, np.eye(3) / fit.prior_variance, rtol=1e-9, atol=1e-12)


def test_pairs_that_tell_nothing_are_named_as_such(rng):
    x = np.array([[0.0], [0.0], [1.0], [2.0]])
    pool = CandidatePool(x, [0, 0, 1, 1], excluded=[(2, 3)])
    with pytest.raises(DesignError, match="No label would tell anything"):
        choose_pairs(pool, budget=1)
    with pytest.raises(DesignError, match="No label would tell anything"):
        next_round(CandidatePool(x, [0, 0, 1, 1]), [(2, 3)], [1], budget=1)


@pytest.mark.parametrize("strategy", ["max_gap", "uncertainty"])
def test_pairs_tied_by_score_come_with_the_chance_that_they_were_drawn_with(rng, strategy):
    """Scores 0, 1, 2 in each of six prompts: a gap of 2 once, of 1 twice."""
    scores = np.tile([0.0, 1.0, 2.0], 6)
    pool = CandidatePool(rng.standard_normal((18, 2)), np.repeat(np.arange(6), 3), scores=scores)
    draws, times, stated = 600, np.zeros(18), np.full(18, np.nan)
    for _ in range(draws):
        chosen = choose_pairs(pool, strategy=strategy, budget=9, rng=rng)
        ids = pool.pair_ids(chosen.pairs)
        times[ids] += 1
        stated[ids] = chosen.inclusion_probability
    expected = {"max_gap": {2: 1.0, 1: 3 / 12}, "uncertainty": {2: np.nan, 1: 9 / 12}}[strategy]
    gaps = pool.score_gaps(pool.candidate_ids()).astype(int)
    np.testing.assert_allclose(stated, [expected[gap] for gap in gaps])
    error = 4.5 * np.sqrt(np.nan_to_num(stated * (1 - stated)) / draws)
    assert np.all(np.abs(times / draws - np.nan_to_num(stated)) <= error + 1e-12)


def test_a_random_share_of_random_pairs_is_a_random_sample(rng):
    pool = make_ragged(rng)
    chosen = choose_pairs(pool, strategy="uniform", budget=8, random_share=0.3, rng=rng)
    assert np.all(chosen.is_random)
    np.testing.assert_allclose(chosen.inclusion_probability, 8 / pool.n_pairs)


def test_a_choice_worse_than_random_is_worth_less_than_its_number(rng):
    """20 pairs of twins, a thousandth of the usual distance apart, beside the ridge."""
    x = rng.standard_normal((40, 3))
    x = np.concatenate([x, x + 1e-3 * rng.standard_normal(x.shape)])
    pool = CandidatePool(x, np.tile(np.repeat(np.arange(10), 4), 2))
    problem = trace_problem(pool, budget=20)
    twins = pool.pair_ids(np.stack([np.arange(20), 40 + np.arange(20)], axis=1))
    bad = describe_selection(problem, twins, np.ones(20))
    assert budget_curve(problem, rng=rng, chosen_objective=bad.objective).worth < 5
    drawn = choose_pairs(pool, strategy="uniform", budget=5, rng=rng)
    curve = budget_curve(problem, rng=rng, draws=50)
    assert 2 < curve.random_labels(drawn.objective / 5) < 12


def test_an_excluded_outlier_makes_no_pair_a_near_duplicate(rng):
    x, prompt = rng.standard_normal((60, 3)), np.repeat(np.arange(15), 4)
    plain = near_duplicates(CandidatePool(x, prompt, excluded=[(0, 1), (0, 2), (0, 3)]))
    x[0] = 1e6
    with_outlier = near_duplicates(CandidatePool(x, prompt, excluded=[(0, 1), (0, 2), (0, 3)]))
    assert with_outlier.count == plain.count
    assert with_outlier.cutoff == pytest.approx(plain.cutoff, rel=1e-3)


def test_a_prompt_that_may_give_none_has_no_weight(rng):
    pool = make_ragged(rng)
    caps = np.where(pool.prompt_labels == pool.prompt_labels[2], 0, 3)
    design = solve_trace_design(pool, 8, max_per_prompt=caps)
    assert design.weights.min() > 0
    assert 2 not in pool.pair_prompts(design.pair_ids)


def test_caps_are_in_the_order_of_the_labels_that_the_pool_gives(rng):
    """Three completions and two: the prompt with fewer comes first, whatever its label."""
    x, prompt = rng.standard_normal((5, 2)), np.array([4, 4, 4, 9, 9])
    pool = CandidatePool(x, prompt)
    assert pool.prompt_labels.tolist() == [9, 4]
    for label, cap in ((4, [0, 1]), (9, [1, 0])):
        chosen = choose_pairs(pool, budget=1, max_per_prompt=cap)
        assert prompt[chosen.pairs[0, 0]] == label
    with pytest.raises(DesignError, match="one for each of the pool's prompt_labels"):
        choose_pairs(pool, budget=1, max_per_prompt=[1, 1, 1])


def test_a_kept_set_no_larger_than_the_budget_is_said_to_leave_no_choice(rng):
    pool = make_ragged(rng)
    n = int(np.ceil(0.3 * pool.n_pairs))
    chosen = choose_pairs(pool, strategy="trace_gap", budget=n)
    assert chosen.status is Status.EVERY_PAIR
    assert "let the strategy keep more" in chosen.status.message
    assert chosen.gap > 0


def test_a_design_of_another_criterion_says_when_it_stopped_early(rng):
    pool = CandidatePool(rng.standard_normal((60, 5)), np.repeat(np.arange(12), 5))
    problem = {"budget": 20, "rng": rng}
    early = choose_pairs(pool, strategy="trace_vertex", tolerance=1e-5, **problem)
    late = choose_pairs(pool, strategy="trace_vertex", tolerance=0.2, **problem)
    assert (early.status, late.status) == (Status.PASS_LIMIT, Status.RULE)


def test_a_prior_scales_with_the_budget_and_the_ridge_does_not(rng):
    """Labels held are a number of labels; λ is relative to the pool."""
    problem = trace_problem(make_ragged(rng), budget=6, prior_sd=1.0)
    curve = budget_curve(problem, [6, 12], rng=rng, tolerance=1e-6)
    twelve = trace_problem(problem.pool, budget=12, prior_sd=1.0)
    alone = budget_curve(twelve, [12], rng=rng, tolerance=1e-6)
    assert curve.designed[-1] == pytest.approx(alone.designed[-1], rel=1e-4)
