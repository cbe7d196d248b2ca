"""The predicted loss against the budget."""

from dataclasses import replace
from itertools import combinations

import numpy as np
import pytest

from pairselect.core import CandidatePool, DesignError, trace_problem
from pairselect.core.curve import KNEE_SHARE, _designed_objectives, budget_curve
from pairselect.core.random_pairs import random_ranks
from pairselect.core.solver import solve

from .conftest import make_ragged

SIZES = (6, 5, 6, 7, 4, 6, 8, 3, 2, 6)


def make_problem(rng, *, budget=20, cap=None, prior=None, sizes=SIZES, **options):
    pool = make_ragged(rng, sizes)
    return trace_problem(
        pool, budget=budget, max_per_prompt=cap, prior_information=prior, **options
    )


def line(distances, *, budget, ridge=1e-9, **settings):
    """One feature; prompt x has two completions at this distance, so each prompt is a pair."""
    distances = np.asarray(distances, float)
    features = np.column_stack([np.zeros(distances.size), distances]).reshape(-1, 1)
    pool = CandidatePool(features, np.repeat(np.arange(distances.size), 2))
    return trace_problem(pool, budget=budget, ridge=ridge, **settings)


CAPS = {"free": None, "capped": 2, "cap_each": np.array([1, 2, 3, 1, 2, 3, 1, 2, 3, 1])}


@pytest.mark.parametrize("cap", CAPS.values(), ids=CAPS)
@pytest.mark.parametrize("held", [False, True])
@pytest.mark.parametrize("tolerance", [0.03, 5e-4])  # with and without passes in float32
def test_curve_agrees_with_a_solve_at_every_budget(rng, cap, held, tolerance):
    prior = np.diag([2.0, 0.5, 0.0, 1.0]) if held else None
    problem = make_problem(rng, budget=10, cap=cap, prior=prior)
    pool = problem.pool
    curve = budget_curve(problem, [4, 6, 15], rng=rng, tolerance=tolerance)
    for n, designed, bound in zip(curve.budgets, curve.designed, curve.lower_bound, strict=True):
        # As many labels held, so their share of an average over n labels is smaller.
        share = None if prior is None else prior * 10 / n
        there = trace_problem(pool, budget=int(n), max_per_prompt=cap, prior_information=share)
        design = solve(there, tolerance=5e-4)
        assert bound * n <= design.objective * (1 + 1e-9)
        assert design.lower_bound <= designed * n * (1 + 1e-9)
        assert designed <= bound * (1 + max(tolerance, 5e-3))


@pytest.mark.parametrize("cap", CAPS.values(), ids=CAPS)
def test_loss_falls_with_the_budget_and_stays_below_random(rng, cap):
    problem = make_problem(rng, cap=cap, budget=12)
    curve = budget_curve(problem, rng=rng, draws=20)
    assert 12 in curve.budgets
    assert curve.budgets[-1] == problem.pool.reachable(problem.max_per_prompt)
    assert 8 <= curve.budgets.size <= 10
    # Before it is made to fall, each point is within its tolerance of one that does.
    objective, bound = _designed_objectives(problem, curve.budgets, 0.03)
    assert np.all(bound <= objective)
    assert np.all(objective <= 1.03 * bound)
    for raw in (objective / curve.budgets, bound / curve.budgets):
        assert np.all(raw[1:] <= 1.03 * raw[:-1])
    assert np.all(curve.lower_bound <= curve.designed * (1 + 1e-12))
    assert np.all(curve.designed <= curve.uniform * 1.03)
    assert np.all(curve.equivalent >= curve.budgets * 0.95)
    if cap is None:
        assert np.all(np.diff(curve.uniform_losses) < 0)
        assert curve.designed[-1] == pytest.approx(curve.uniform[-1], rel=1e-12)
        assert curve.lower_bound[-1] == pytest.approx(curve.designed[-1], rel=1e-12)
        assert curve.equivalent[-1] == pytest.approx(curve.budgets[-1])
        # Of few labels the design makes more than of many.
        assert curve.equivalent[0] / curve.budgets[0] > 1.5


def test_no_choice_of_pairs_beats_the_bound(rng):
    """All 2 to 10 of 10 pairs, by enumeration."""
    pool = make_ragged(rng, (3, 2, 4), d=2)
    problem = trace_problem(pool, budget=4, ridge=0.05)
    curve = budget_curve(problem, range(2, 11), rng=rng, tolerance=1e-4)
    ids = pool.candidate_ids()
    for n, bound in zip(curve.budgets, curve.lower_bound, strict=True):
        here = replace(problem, budget=int(n))
        best = min(
            here.at(here.selection_information(ids[list(chosen)])).objective
            for chosen in combinations(range(10), n)
        )
        assert bound * n <= best * (1 + 1e-9)


def test_random_pairs_are_the_mean_over_all_choices(rng):
    pool = make_ragged(rng, (3, 2, 4), d=2)
    problem = trace_problem(pool, budget=4, ridge=0.05)
    curve = budget_curve(problem, [4, 6], rng=rng, draws=500)
    ids = pool.candidate_ids()
    for n, uniform in zip(curve.budgets, curve.uniform, strict=True):
        here = replace(problem, budget=int(n))
        every = [
            here.at(here.selection_information(ids[list(chosen)])).objective
            for chosen in combinations(range(10), n)
        ]
        assert uniform * n == pytest.approx(np.mean(every), abs=5 * np.std(every) / np.sqrt(500))


def test_many_random_pairs_are_taken_at_their_limit(rng):
    """One feature, so above 100 labels nothing is drawn, and draws below it are close to it."""
    problem = line(rng.uniform(0.5, 1.5, 2000), budget=95)
    curve = budget_curve(problem, [95, 150, 1500], rng=rng, draws=50)
    limit = [replace(problem, budget=int(n)).uniform_objective for n in curve.budgets]
    np.testing.assert_allclose(curve.uniform[1:] * curve.budgets[1:], limit[1:], rtol=1e-12)
    assert curve.uniform[0] * 95 == pytest.approx(limit[0], rel=0.03)
    assert curve.uniform[0] * 95 != pytest.approx(limit[0], rel=1e-6)


@pytest.mark.parametrize("cap", [2, CAPS["cap_each"]])
def test_random_pairs_within_a_cap_have_the_uniform_rate(rng, cap):
    problem = make_problem(rng, budget=13, cap=cap)
    pool, rounds = problem.pool, 600
    times = np.zeros(pool.n_pairs)
    for _ in range(rounds):
        ranks = random_ranks(problem, rng)
        assert np.unique(ranks).size == 13
        prompts = pool.pair_prompts(pool.candidate_ids(ranks))
        assert np.all(np.bincount(prompts, minlength=pool.n_prompts) <= cap)
        times[ranks] += 1
    rate = problem.uniform_rate()[pool.pair_prompts(pool.candidate_ids())]
    error = np.sqrt(rate * (1 - rate) / rounds)
    assert np.all(np.abs(times / rounds - rate) <= 5 * error + 1e-9)


def test_loss_of_one_feature_is_what_the_longest_pairs_hold(rng):
    """With d = 1 the best n pairs are the n longest, and Φ/n = W / (nλ + Σ g²)."""
    distances = rng.uniform(0.1, 2.0, 30)
    problem = line(distances, budget=5, ridge=0.1)
    curve = budget_curve(problem, [1, 3, 12, 30], rng=rng, tolerance=1e-9)
    longest = np.cumsum(np.sort(distances**2)[::-1])[curve.budgets - 1]
    expected = problem.target[0, 0] / (curve.budgets * problem.ridge + longest)
    np.testing.assert_allclose(curve.designed, expected, rtol=1e-8)


def test_pairs_all_alike_make_a_label_worth_one(rng):
    curve = budget_curve(line(np.ones(64), budget=8), rng=rng)
    np.testing.assert_allclose(curve.designed, curve.uniform, rtol=1e-12)
    np.testing.assert_allclose(curve.equivalent, curve.budgets, rtol=1e-9)
    assert curve.worth == pytest.approx(8)
    assert curve.knee is None  # doubling halves the loss to the end


def test_eight_pairs_that_tell_are_worth_all(rng):
    """8 of 64 pairs carry everything: the loss is 1/min(n, 8), up to a factor."""
    distances = np.where(np.arange(64) % 8 == 3, 1.0, 1e-6)
    curve = budget_curve(
        line(distances, budget=8, ridge=1e-12), range(1, 65), rng=rng, tolerance=1e-6
    )
    assert curve.worth == pytest.approx(64, rel=0.05)  # drawn
    np.testing.assert_allclose(
        curve.designed / curve.designed[-1], 8 / np.minimum(curve.budgets, 8), rtol=1e-4
    )
    # 1 − loss(2n)/loss(n) = 1 − n/8 from 4 labels on, a quarter at 6.
    assert KNEE_SHARE == 0.25
    assert curve.knee in (6, 7)


def test_a_knee_can_come_before_the_first_budget(rng):
    distances = np.where(np.arange(64) < 2, 1.0, 1e-6)
    curve = budget_curve(line(distances, budget=16, ridge=1e-12), [16, 30, 64], rng=rng)
    assert curve.knee == 16


@pytest.mark.parametrize("held", [2.0, 5.0])
def test_with_a_prior_the_knee_goes_by_what_is_learnt(rng, held):
    """In one direction that knows p labels the loss is 1/(p + n), and the doubled n teaches
    p/(p + 2n) as much again: half at n = p/2."""
    problem = line(np.ones(96), budget=8, prior_information=[[held]])
    curve = budget_curve(problem, range(1, 97), rng=rng)
    assert curve.knee == pytest.approx(8 * held / 2, abs=1)


def test_the_unit_and_the_order_of_rows_change_nothing(rng):
    prompt = np.repeat(np.arange(12), 5)
    features = rng.standard_normal((60, 4)) * [1, 2, 3, 4]

    def curve(scale, order):
        pool = CandidatePool(scale * features[order], prompt[order])
        return budget_curve(
            trace_problem(pool, budget=20), rng=np.random.default_rng(3), tolerance=1e-4
        )

    one = curve(1.0, np.arange(60))
    two = curve(1000.0, np.arange(60))
    np.testing.assert_allclose(one.uniform, two.uniform, rtol=1e-9)
    np.testing.assert_allclose(one.designed, two.designed, rtol=2e-4)
    np.testing.assert_allclose(one.equivalent, two.equivalent, rtol=1e-3)
    shuffled = curve(1.0, rng.permutation(60))
    np.testing.assert_allclose(one.designed, shuffled.designed, rtol=2e-4)


def test_worth_follows_the_pairs_chosen(rng):
    problem = make_problem(rng, budget=20)
    plain = budget_curve(problem, rng=np.random.default_rng(1))
    at = np.flatnonzero(plain.budgets == 20)[0]
    assert plain.worth == plain.equivalent[at] == plain.random_labels(plain.designed[at])
    worse = budget_curve(
        problem, rng=np.random.default_rng(1), chosen_objective=1.1 * 20 * plain.designed[at]
    )
    np.testing.assert_array_equal(worse.equivalent, plain.equivalent)
    assert 20 < worse.worth < plain.worth
    random = budget_curve(
        problem, rng=np.random.default_rng(1), chosen_objective=20 * plain.uniform[at]
    )
    assert random.worth == pytest.approx(20)


def test_more_than_all_random_pairs_is_infinite(rng):
    curve = budget_curve(make_problem(rng, budget=8, cap=1), [8, 10], rng=rng, draws=200)
    assert curve.random_labels(0.99 * curve.uniform_losses[-1]) == np.inf
    assert curve.random_labels(curve.uniform_losses[-1]) == pytest.approx(10)


def test_a_reward_far_apart_makes_its_pairs_worth_less(rng):
    """The information of a label comes from the pool: with 4σ′ the loss can only be higher."""
    prompt = np.repeat(np.arange(12), 5)
    features, rewards = rng.standard_normal((60, 4)), 3 * rng.standard_normal(60)
    plain = trace_problem(CandidatePool(features, prompt), budget=20)
    fitted = CandidatePool(features, prompt, rewards=rewards)
    problem = replace(plain, pool=fitted)
    low = budget_curve(plain, rng=np.random.default_rng(1), tolerance=1e-3)
    high = budget_curve(problem, rng=np.random.default_rng(1), tolerance=1e-3)
    assert np.all(high.lower_bound > low.designed)
    assert np.all(high.uniform > low.uniform)


@pytest.mark.parametrize(
    ("budgets", "options", "message"),
    [
        ([0, 5], {}, "Budgets must lie between 1 and"),
        ([5, 10_000], {}, "Budgets must lie between 1 and"),
        (None, {"tolerance": 0}, "tolerance"),
        (None, {"draws": 0}, "draws"),
    ],
)
def test_it_rejects_what_cannot_be_met(rng, budgets, options, message):
    with pytest.raises(DesignError, match=message):
        budget_curve(make_problem(rng), budgets, rng=rng, **options)


def test_a_pool_with_one_pair_has_a_curve_of_one_point(rng):
    curve = budget_curve(line([1.0], budget=1), rng=rng)
    np.testing.assert_array_equal(curve.budgets, [1])
    assert curve.worth == pytest.approx(1)
    assert curve.knee is None
