"""The rules that a design is compared with, each against a plain statement of itself."""

import numpy as np
import pytest

from pairselect.core import CandidatePool, choose_pairs

from .conftest import every_pair, make_ragged

SHUFFLED = (3, 1, 5, 2, 4, 3, 5)


def raw(rng, sizes=SHUFFLED, d=3):
    """Shuffled rows with labels that are in no order, scores and log-probabilities."""
    prompt = rng.permutation(np.repeat(rng.permutation(len(sizes)) * 7 - 3, sizes))
    x = rng.standard_normal((prompt.size, d)) + 5 * rng.standard_normal((100, d))[prompt]
    return x, prompt, rng.standard_normal(prompt.size)


def rows_of(pairs):
    return [tuple(int(row) for row in pair) for pair in pairs]


def same_choice(chosen, expected):
    assert sorted(rows_of(chosen.pairs)) == sorted(rows_of(expected))


def take(ranked, prompt, budget, cap=None):
    """The first of ranked pairs (n, 2), at most `cap` of a prompt, a number or {label: number}."""
    taken, left = [], {}
    for pair in ranked:
        label = prompt[pair[0]]
        most = cap if cap is None or isinstance(cap, int) else cap[label]
        room = left.setdefault(label, budget if most is None else most)
        if len(taken) < budget and room > 0:
            taken.append(pair)
            left[label] -= 1
    return np.array(taken)


def caps_by_label(pool, prompt, caps):
    """An array of caps in the pool's order of prompts, from caps by label."""
    labels = prompt[pool.rows[np.searchsorted(pool.prompt_of_row, np.arange(pool.n_prompts))]]
    return np.array([caps[label] for label in labels])


# --- first_two ----------------------------------------------------------------------------------


def turns(prompt, excluded=()):
    """All pairs, the first of each prompt, then the second …: prompts by their first row."""
    queues = []
    for label in dict.fromkeys(prompt):  # in the order of first rows
        rows = np.flatnonzero(prompt == label)
        ordered = [(i, j) for b, j in enumerate(rows) for i in rows[:b]]
        queues.append([pair for pair in ordered if pair not in excluded])
    longest = max(map(len, queues))
    return [queue[t] for t in range(longest) for queue in queues if t < len(queue)]


@pytest.mark.parametrize("budget", [1, 4, 6, 7, 13, 31])
@pytest.mark.parametrize("cap", [None, 6])
def test_first_two_takes_prompts_and_completions_in_the_order_of_their_rows(rng, budget, cap):
    x, prompt, _ = raw(rng)
    expected = take(turns(prompt), prompt, budget, cap)
    pool = CandidatePool(x, prompt)
    if budget > pool.reachable(cap):
        budget = pool.reachable(cap)
    same_choice(
        choose_pairs(pool, strategy="first_two", budget=budget, max_per_prompt=cap), expected
    )


def test_first_two_by_hand():
    prompt = np.array([9, 4, 9, 9, 4, 7])
    x = np.arange(12.0).reshape(6, 2) ** 2
    for budget, pairs in [
        (1, [(0, 2)]),
        (2, [(0, 2), (1, 4)]),
        (3, [(0, 2), (1, 4), (0, 3)]),
        (4, [(0, 2), (1, 4), (0, 3), (2, 3)]),
    ]:
        chosen = choose_pairs(CandidatePool(x, prompt), strategy="first_two", budget=budget)
        same_choice(chosen, pairs)
    without = CandidatePool(x, prompt, excluded=[[2, 0]])
    same_choice(choose_pairs(without, strategy="first_two", budget=1), [(0, 3)])


# --- reference_weighted -------------------------------------------------------------------------


@pytest.mark.parametrize("cap", [None, 1])
def test_reference_weighted_pairs_come_with_the_stated_probability(cap):
    rng = np.random.default_rng(8)
    x, prompt, log_probs = raw(rng, (2, 3, 4))
    pool = CandidatePool(x, prompt, 2 * log_probs)
    budget, draws, pairs = 3, 400, every_pair(prompt)
    count, stated = np.zeros(len(pairs)), np.full(len(pairs), np.nan)
    place = {pair: e for e, pair in enumerate(rows_of(pairs))}
    for _ in range(draws):
        chosen = choose_pairs(
            pool, strategy="reference_weighted", budget=budget, max_per_prompt=cap, rng=rng
        )
        here = [place[pair] for pair in rows_of(chosen.pairs)]
        count[here] += 1
        stated[here] = chosen.inclusion_probability
    seen = ~np.isnan(stated)
    assert stated[seen].sum() == pytest.approx(budget, abs=1e-2)
    p = np.where(seen, stated, 0.0)
    assert np.all(np.abs(count / draws - p) <= 4 * np.sqrt(p * (1 - p) / draws) + 1e-12)

    weight = np.exp(2 * log_probs)
    for label in np.unique(prompt):
        weight[prompt == label] /= weight[prompt == label].sum()
    w = weight[pairs[:, 0]] * weight[pairs[:, 1]]
    rate = stated / w
    for label in np.unique(prompt) if cap else [None]:
        free = seen & (stated < 1 - 1e-9)
        free &= prompt[pairs[:, 0]] == label if cap else True
        np.testing.assert_allclose(rate[free], rate[free].max(initial=0.0))  # ∝ π₀(a)π₀(b)


def test_reference_weighted_looks_at_odds_within_a_prompt_alone(rng):
    x, prompt, log_probs = raw(rng)
    first, second = (
        choose_pairs(
            CandidatePool(x, prompt, log_probs + shift * prompt),
            strategy="reference_weighted",
            budget=7,
            rng=np.random.default_rng(1),
        )
        for shift in (0.0, 500.0)
    )
    np.testing.assert_array_equal(first.pairs, second.pairs)
    np.testing.assert_allclose(first.inclusion_probability, second.inclusion_probability)


def test_reference_weighted_fills_a_budget_that_the_likely_pairs_cannot(rng):
    """Of each prompt two completions are all but certain: one likely pair a prompt."""
    x, prompt = rng.standard_normal((24, 3)), np.repeat(np.arange(6), 4)
    log_probs = np.tile([0.0, 0.0, -2000.0, -3000.0], 6)
    pool = CandidatePool(x, prompt, log_probs)
    chosen = choose_pairs(pool, strategy="reference_weighted", budget=20, rng=rng)
    likely = [pair for pair in rows_of(chosen.pairs) if pair[0] % 4 == 0 and pair[1] % 4 == 1]
    assert len(set(rows_of(chosen.pairs))) == 20
    assert len(likely) == 6


# --- k_center and hybrid ------------------------------------------------------------------------


def naive_farthest_first(x, prompt, count, cap=None):
    """All distances between all pairs, of either direction, as often as it takes."""
    pairs = every_pair(prompt)
    g = x[pairs[:, 0]] - x[pairs[:, 1]]
    chosen, used = [], {}
    while len(chosen) < count:
        best, farthest = -1, -1.0
        for e in range(len(pairs)):
            label = prompt[pairs[e][0]]
            most = count if cap is None else cap if isinstance(cap, int) else cap[label]
            if e in chosen or used.get(label, 0) >= most:
                continue
            away = [np.linalg.norm(g[e])]
            away += [np.linalg.norm(g[e] - g[f]) for f in chosen]
            away += [np.linalg.norm(g[e] + g[f]) for f in chosen]
            if min(away) > farthest:
                best, farthest = e, min(away)
        if best < 0:
            break
        chosen.append(best)
        used[prompt[pairs[best][0]]] = used.get(prompt[pairs[best][0]], 0) + 1
    return pairs[chosen]


@pytest.mark.parametrize("cap", [None, 1, 2, "each"])
@pytest.mark.parametrize("budget", [1, 5, 6])
def test_k_center_is_farthest_first_over_all_pairs(rng, cap, budget):
    x, prompt, _ = raw(rng)
    pool = CandidatePool(x, prompt)
    limits = most = cap
    if cap == "each":
        limits = {label: k % 3 for k, label in enumerate(dict.fromkeys(prompt))}
        most = caps_by_label(pool, prompt, limits)
        assert most.min() == 0
    budget = min(budget, pool.reachable(most))
    chosen = choose_pairs(pool, strategy="k_center", budget=budget, max_per_prompt=most)
    same_choice(chosen, naive_farthest_first(x, prompt, budget, limits))


@pytest.mark.parametrize("cap", [None, 1, 2])
def test_hybrid_takes_the_closest_scores_of_three_times_as_many_diverse_pairs(rng, cap):
    x, prompt, scores = raw(rng)
    pool = CandidatePool(x, prompt, scores=scores)
    diverse = naive_farthest_first(x, prompt, 15, cap and 3 * cap)
    gap = np.abs(scores[diverse[:, 0]] - scores[diverse[:, 1]])
    chosen = choose_pairs(pool, strategy="hybrid", budget=5, max_per_prompt=cap)
    same_choice(chosen, take(diverse[np.argsort(gap)], prompt, 5, cap))


def test_hybrid_within_a_single_prompt_still_has_three_times_as_many(rng):
    x, prompt, scores = raw(rng, (12,))
    diverse = naive_farthest_first(x, prompt, 15)
    gap = np.abs(scores[diverse[:, 0]] - scores[diverse[:, 1]])
    chosen = choose_pairs(CandidatePool(x, prompt, scores=scores), strategy="hybrid", budget=5)
    same_choice(chosen, diverse[np.argsort(gap)][:5])


def test_hybrid_fills_any_budget_that_the_caps_allow(rng):
    pool = make_ragged(rng, (2, 5, 2, 6, 3))
    for cap in (None, 1, 2, 4):
        n = pool.reachable(cap)
        chosen = choose_pairs(pool, strategy="hybrid", budget=n, max_per_prompt=cap, rng=rng)
        assert len(set(rows_of(chosen.pairs))) == n


# --- gaps ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(("name", "sign"), [("max_gap", -1), ("uncertainty", 1)])
@pytest.mark.parametrize("cap", [None, 2])
def test_gap_rules_equal_sorting(rng, name, sign, cap):
    x, prompt, scores = raw(rng)
    pairs = every_pair(prompt)
    gap = np.abs(scores[pairs[:, 0]] - scores[pairs[:, 1]])
    expected = take(pairs[np.argsort(sign * gap)], prompt, 9, cap)
    pool = CandidatePool(x, prompt, scores=scores)
    for generator in (None, rng):  # no ties: it plays no part
        chosen = choose_pairs(pool, strategy=name, budget=9, max_per_prompt=cap, rng=generator)
        same_choice(chosen, expected)
        np.testing.assert_array_equal(chosen.inclusion_probability, 1)


@pytest.mark.parametrize("name", ["max_gap", "uncertainty"])
def test_ties_are_by_id_without_a_generator_and_at_random_with_one(rng, name):
    """Two scores: half of the gaps are 0 and half are 1."""
    x, prompt = rng.standard_normal((40, 2)), np.repeat(np.arange(10), 4)
    scores = np.tile([0.0, 1.0, 1.0, 0.0], 10)
    pool = CandidatePool(x, prompt, scores=scores)
    wanted = 1.0 if name == "max_gap" else 0.0
    ids = pool.candidate_ids()
    tied = ids[pool.score_gaps(ids) == wanted]
    assert 10 < tied.size < ids.size

    plain = choose_pairs(pool, strategy=name, budget=10)
    np.testing.assert_array_equal(pool.pair_ids(plain.pairs), tied[:10])
    count = np.zeros(tied.size)
    for seed in range(600):
        pairs = [
            choose_pairs(pool, strategy=name, budget=10, rng=np.random.default_rng(seed)).pairs
            for _ in range(1 + (seed < 5))
        ]
        np.testing.assert_array_equal(pairs[0], pairs[-1])  # the same seed, the same pairs
        count[np.searchsorted(tied, pool.pair_ids(pairs[0]))] += 1
    assert count.sum() == 6000  # none but tied ones
    p = 10 / tied.size
    assert np.all(np.abs(count / 600 - p) <= 4 * np.sqrt(p * (1 - p) / 600))


# --- uniform ------------------------------------------------------------------------------------


def test_uniform_pairs_are_all_marked_as_the_control(rng):
    pool = make_ragged(rng)
    drawn = [choose_pairs(pool, strategy="uniform", budget=6, rng=rng) for _ in range(30)]
    assert len({tuple(pool.pair_ids(one.pairs)) for one in drawn}) > 20
    assert all(np.all(one.is_random) for one in drawn)


def test_uniform_obeys_a_cap_of_its_own_for_each_prompt(rng):
    pool = make_ragged(rng)
    caps = np.array([0, 1, 2, 0, 3, 2])
    for _ in range(30):
        chosen = choose_pairs(pool, strategy="uniform", budget=7, max_per_prompt=caps, rng=rng)
        counts = np.bincount(pool.pair_prompts(pool.pair_ids(chosen.pairs)), minlength=6)
        assert np.all(counts <= caps)
        assert counts.sum() == 7
