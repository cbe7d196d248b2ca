"""Beliefs on pairs: against enumeration, an EM written apart, finite differences, simulation."""

from itertools import product
from math import log

import numpy as np
import pytest
from scipy.special import expit, logit

from pairselect.core.aggregation import (
    ABILITY_OF_ALL_SD,
    ABILITY_SD,
    LEFT_SD,
    USUAL_ABILITY,
    _codes,
    _Labels,
    aggregate_labels,
)
from pairselect.core.arrays import DesignError


def simulate(n, k, accuracy, *, leans=None, repeats=0.0, seed=0):
    """Winners (n,) and the answers of k of the annotators to each pair."""
    rng = np.random.default_rng(seed)
    people = len(accuracy)
    first_wins = rng.random(n) < 0.5
    pair = np.repeat(np.arange(n), k)
    annotator = np.argsort(rng.random((n, people)), axis=1)[:, :k].ravel()
    left = rng.random(n * k) < 0.5
    again = rng.random(n * k) < repeats
    pair, annotator = np.r_[pair, pair[again]], np.r_[annotator, annotator[again]]
    left = np.r_[left, ~left[again]]
    lean = np.zeros(people) if leans is None else np.asarray(leans)
    u = logit(np.asarray(accuracy))[annotator] * np.where(first_wins[pair], 1, -1)
    u = u + lean[annotator] * np.where(left, 1, -1)
    answer = (rng.random(len(u)) < expit(u)).astype(float)
    return first_wins, pair, annotator, answer, left


def calibration_error(probability, first_wins):
    sure = np.maximum(probability, 1 - probability)
    right = (probability > 0.5) == first_wins
    place = np.digitize(sure, [0.6, 0.7, 0.8, 0.9])
    return sum(
        abs(sure[place == k].mean() - right[place == k].mean()) * (place == k).mean()
        for k in range(5)
        if (place == k).any()
    )


@pytest.mark.parametrize(
    ("n", "k", "people", "repeats"), [(600, 3, 6, 0.0), (2000, 2, 8, 0.0), (3000, 1, 4, 0.15)]
)
def test_posteriors_are_calibrated(n, k, people, repeats):
    accuracy = np.linspace(0.6, 0.95, people)
    leans = np.linspace(-0.5, 0.5, people)
    wins, *labels = simulate(n, k, accuracy, leans=leans, repeats=repeats)
    found = aggregate_labels(*labels)
    assert found.converged
    assert calibration_error(found.probability, wins) < 0.04
    if k > 1:  # with one label a pair nothing beats believing it
        assert ((found.probability > 0.5) == wins).mean() > majority(*labels, wins) - 0.001
    assert np.corrcoef(found.ability, logit(accuracy))[0, 1] > 0.8
    assert np.corrcoef(found.lean, leans)[0, 1] > 0.8


def majority(pair, annotator, answer, left, wins):
    votes = np.bincount(pair, answer - 0.5)
    return np.where(votes == 0, 0.5, (votes > 0) == wins).mean()


def test_likelihood_and_beliefs_by_enumeration():
    """Every assignment of winners to 5 pairs, with prior, a tie and a known pair."""
    rng = np.random.default_rng(1)
    pair = np.array([0, 0, 1, 1, 2, 2, 3, 4, 4])
    annotator = np.array([0, 1, 0, 2, 1, 2, 0, 1, 2])
    answer = np.array([1, 1, 0, 1, 0.5, 0, 1, 1, 0])
    left = rng.random(9) < 0.5
    known = np.array([np.nan, np.nan, np.nan, np.nan, 1.0])
    prior = np.array([0.5, 0.3, 0.8, 0.6, 0.4])
    found = aggregate_labels(pair, annotator, answer, left, known=known, prior=prior)
    total, first = 0.0, np.zeros(5)
    for winners in product([1, -1], repeat=5):
        z = np.array(winners)
        weight = 1.0
        for k in range(5):
            chance = known[k] if not np.isnan(known[k]) else prior[k]
            weight *= chance if z[k] == 1 else 1 - chance
        u = found.ability[annotator] * z[pair] + found.lean[annotator] * np.where(left, 1, -1)
        weight *= np.prod(expit(u) ** answer * expit(-u) ** (1 - answer))
        total += weight
        first += weight * (z == 1)
    assert found.probability == pytest.approx(first / total, rel=1e-9)
    assert found.log_likelihood == pytest.approx(log(total), rel=1e-9)


def test_gradient_by_finite_differences():
    _, pair, annotator, answer, left = simulate(40, 2, [0.7, 0.8, 0.9], leans=[0.3, 0, -0.4])
    answer[::7] = 0.5
    odds = np.zeros(40)
    odds[:4] = [np.inf, -np.inf, 0.7, -2.0]
    labels = _Labels(pair, _codes(annotator.astype(np.int32), left, answer), 3, odds)
    rng = np.random.default_rng(2)
    for scale in (0.0, 0.5, 2.0):
        x = scale * rng.normal(size=7) + np.r_[np.full(3, 1.0), np.zeros(3), 1.0]
        _, gradient = labels.loss(x)
        for place in range(7):
            step = 1e-6 * np.eye(7)[place]
            slope = (labels.loss(x + step)[0] - labels.loss(x - step)[0]) / 2e-6
            assert gradient[place] == pytest.approx(slope, rel=1e-5, abs=1e-5)


def test_the_maximum_is_that_of_em():
    """Dawid and Skene's own algorithm, with the same prior, by gradient M-steps."""
    _, pair, annotator, answer, left = simulate(300, 3, [0.65, 0.8, 0.9, 0.7], leans=[0.4, 0, 0, 0])
    found = aggregate_labels(pair, annotator, answer, left)
    s, alpha, beta, mean = np.where(left, 1, -1), np.full(4, USUAL_ABILITY), np.zeros(4), 1.4
    for _ in range(300):
        one = alpha[annotator] + beta[annotator] * s
        two = -alpha[annotator] + beta[annotator] * s
        evidence = answer * (one - two) - np.logaddexp(0, one) + np.logaddexp(0, two)
        first = expit(np.bincount(pair, evidence))[pair]
        for _ in range(5):  # the M-step, towards its maximum
            one = alpha[annotator] + beta[annotator] * s
            two = -alpha[annotator] + beta[annotator] * s
            if_first, if_second = answer - expit(one), answer - expit(two)
            up = np.bincount(annotator, first * if_first - (1 - first) * if_second)
            across = np.bincount(annotator, s * (first * if_first + (1 - first) * if_second))
            share = (expit(alpha + beta) + expit(beta - alpha)) / 2  # prefers the left
            slope = [expit(u) * expit(-u) / 2 for u in (alpha + beta, beta - alpha)]
            by_share = logit(share) / LEFT_SD**2 / (share * (1 - share))
            up = up - (alpha - mean) / ABILITY_SD**2 - by_share * (slope[0] - slope[1])
            alpha = alpha + 0.01 * up
            beta = beta + 0.01 * (across - by_share * (slope[0] + slope[1]))
            pull = (alpha.sum() / ABILITY_SD**2) + USUAL_ABILITY / ABILITY_OF_ALL_SD**2
            mean = pull / (4 / ABILITY_SD**2 + 1 / ABILITY_OF_ALL_SD**2)
    assert found.ability == pytest.approx(alpha, abs=1e-3)
    assert found.lean == pytest.approx(beta, abs=1e-3)


def test_one_answer_a_pair_leaves_the_prior():
    """Not identified, so nobody is more than usually good, and the belief is .8."""
    n = 500
    rng = np.random.default_rng(0)
    left = np.arange(n) % 2 == 0
    answer = np.where(rng.random(n) < 0.5, 1.0, 0.0)
    answer[left] = np.repeat([0.0, 1.0], n // 4)  # half of either side is chosen: no lean
    answer[~left] = np.repeat([0.0, 1.0], n // 4)
    found = aggregate_labels(np.arange(n), np.zeros(n, dtype=int), answer, left)
    assert found.accuracy[0] == pytest.approx(0.8, abs=1e-3)
    assert found.left_share[0] == pytest.approx(0.5, abs=1e-3)
    assert found.probability == pytest.approx(np.where(answer == 1, 0.8, 0.2), abs=1e-3)


@pytest.mark.parametrize("people", [10, 40])
def test_many_who_lean_are_still_believed_as_people_usually_are(people):
    """With one answer a pair a smaller ability would explain each lean by a smaller one."""
    leans = np.linspace(-0.5, 0.5, people)
    wins, *labels = simulate(300 * people, 1, np.full(people, 0.8), leans=leans)
    found = aggregate_labels(*labels)
    assert found.accuracy == pytest.approx(np.full(people, 0.8), abs=0.03)
    assert calibration_error(found.probability, wins) < 0.04


def test_a_lean_is_seen_with_one_answer_a_pair():
    n = 400
    left = np.arange(n) % 2 == 0
    wins_left = np.arange(n) % 4 < 3  # of four, three times the left one
    found = aggregate_labels(
        np.arange(n), np.zeros(n, dtype=int), np.where(left == wins_left, 1.0, 0.0), left
    )
    assert found.left_share[0] > 0.65
    sure = np.maximum(found.probability, 1 - found.probability)
    assert sure[wins_left].max() < sure[~wins_left].min()  # against the lean says more


def test_repeats_and_known_pairs_identify_accuracy():
    accuracy = [0.7, 0.95]
    _, *labels = simulate(4000, 1, accuracy, repeats=0.3)
    assert aggregate_labels(*labels).accuracy == pytest.approx(accuracy, abs=0.06)
    wins, *labels = simulate(4000, 1, accuracy)
    known = np.where(np.arange(4000) < 800, wins, np.nan)
    assert aggregate_labels(*labels, known=known).accuracy == pytest.approx(accuracy, abs=0.04)


def test_the_intervals_of_accuracy_cover_it():
    covered = []
    for seed in range(12):
        accuracy = np.linspace(0.65, 0.92, 6)
        _, *labels = simulate(400, 3, accuracy, seed=seed)
        found = aggregate_labels(*labels, uncertainty=True)
        low, high = found.accuracy_interval.T
        assert np.all((low < found.accuracy) & (found.accuracy < high))
        covered += [*((low <= accuracy) & (accuracy <= high))]
    assert 0.88 <= np.mean(covered) <= 1.0
    assert aggregate_labels(*labels).accuracy_interval is None


def test_without_evidence_the_interval_is_the_priors():
    """Of one person with one answer: α has the variance .7² + .5²."""
    found = aggregate_labels([0], [0], [1], [True], uncertainty=True)
    assert found.ability_sd[0] == pytest.approx(np.hypot(ABILITY_SD, ABILITY_OF_ALL_SD), rel=0.02)


def test_the_same_person_twice_is_heard_once():
    twice = aggregate_labels([0, 0, 1], [0, 0, 1], [1, 1, 1], [True, False, True])
    apart = aggregate_labels([0, 0, 1], [0, 1, 1], [1, 1, 1], [True, False, True])
    assert 0.7 < twice.probability[0] < 0.9 < apart.probability[0]
    contradicted = aggregate_labels([0, 0], [0, 0], [1, 0], [True, False])
    assert contradicted.probability[0] < 0.65


def test_ties_are_half_an_answer_to_either_side():
    alone = aggregate_labels([0], [0], [0.5], [True])
    assert alone.probability[0] == pytest.approx(0.5, abs=0.02)
    assert alone.accuracy[0] < 0.8
    every = aggregate_labels(
        np.arange(50) // 2, np.arange(50) % 2, np.full(50, 0.5), np.arange(50) % 3 == 0
    )
    assert every.probability == pytest.approx(np.full(25, 0.5), abs=0.05)


def test_swapping_the_sides_of_a_pair_mirrors_its_belief():
    _, pair, annotator, answer, left = simulate(60, 2, [0.7, 0.8, 0.9], leans=[0.5, 0, 0])
    found = aggregate_labels(pair, annotator, answer, left)
    mirrored = aggregate_labels(pair, annotator, 1 - answer, ~left)
    assert mirrored.probability == pytest.approx(1 - found.probability, abs=1e-6)
    assert mirrored.ability == pytest.approx(found.ability, abs=1e-5)


def test_somebody_who_answers_the_wrong_way_round_is_found():
    _, *labels = simulate(500, 3, [0.85, 0.85, 0.85, 0.15])
    assert aggregate_labels(*labels).accuracy[3] < 0.35


def test_nothing_to_aggregate():
    found = aggregate_labels([], [], [], [], n_pairs=2, prior=[0.5, 0.9])
    assert found.probability.tolist() == pytest.approx([0.5, 0.9])
    assert found.converged
    assert found.ability.size == 0


@pytest.mark.parametrize(
    ("changes", "problem"),
    [
        ({"answer": [1, 0.7]}, "answer must be 1"),
        ({"answer": [1]}, "one entry a label"),
        ({"pair": [0, -1]}, "pair must be"),
        ({"annotator": [0.5, 1.0]}, "annotator must be"),
        ({"annotator": [0]}, "of one length"),
        ({"n_pairs": 1}, "below n_pairs"),
        ({"known": [0.5, 1]}, "known must"),
        ({"prior": [0.0, 0.5]}, "prior must"),
    ],
)
def test_bad_input_says_what_to_give(changes, problem):
    good = {"pair": [0, 1], "annotator": [0, 1], "answer": [1, 0], "first_on_left": [True, True]}
    with pytest.raises(DesignError, match=problem):
        aggregate_labels(**{**good, **changes})
