"""CandidatePool: pair ids, sums over pairs, and what it refuses."""

import re

import numpy as np
import pytest

from pairselect.core import CandidatePool, DesignError, blocks

from .conftest import every_pair, make_ragged


def raw_case(rng, n=30, d=3):
    return rng.standard_normal((n, d)), rng.integers(0, 9, n)


def test_ids_and_rows_are_inverse_and_cover_every_pair(rng):
    x, prompt = raw_case(rng)
    pool = CandidatePool(x, prompt)
    expected = every_pair(prompt)
    assert pool.n_pairs == len(expected)
    rows = pool.pair_rows(pool.candidate_ids())
    assert np.all(rows[:, 0] < rows[:, 1])
    assert sorted(map(tuple, rows)) == sorted(map(tuple, expected))
    np.testing.assert_array_equal(pool.pair_ids(rows), pool.candidate_ids())
    np.testing.assert_array_equal(pool.pair_ids(rows[:, ::-1]), pool.candidate_ids())


def test_differences_are_those_of_the_features(rng):
    x, prompt = raw_case(rng)
    pool = CandidatePool(x + 100, prompt)
    ids = pool.candidate_ids()
    rows = pool.pair_rows(ids)
    np.testing.assert_allclose(pool.differences(ids), x[rows[:, 0]] - x[rows[:, 1]], atol=1e-12)


def test_prompt_of_a_pair_is_shared_by_the_labels(rng):
    x, prompt = raw_case(rng)
    pool = CandidatePool(x, prompt)
    ids = pool.candidate_ids()
    number, label = pool.pair_prompts(ids), prompt[pool.pair_rows(ids)[:, 0]]
    assert len(set(zip(number, label, strict=True))) == len(set(number)) == len(set(label))
    np.testing.assert_array_equal(
        np.bincount(number, minlength=pool.n_prompts), pool.pairs_per_prompt
    )


@pytest.mark.parametrize("entries", [2**20, 40])
def test_sums_over_pairs_equal_the_definition_in_any_chunking(rng, monkeypatch, entries):
    monkeypatch.setattr(blocks, "CHUNK_ENTRIES", entries)
    x, prompt = raw_case(rng)
    pool = CandidatePool(x, prompt)
    pairs = every_pair(prompt)
    g = x[pairs[:, 0]] - x[pairs[:, 1]]
    np.testing.assert_allclose(pool.uniform_information, g.T @ g / len(g), rtol=1e-12, atol=1e-14)
    w = rng.random(len(g))
    np.testing.assert_allclose(pool.information(pool.pair_ids(pairs), w), (g.T * w) @ g, atol=1e-12)


def test_same_texts_and_excluded_pairs_are_no_candidates_anywhere(rng):
    x, prompt = raw_case(rng)
    text = rng.integers(0, 3, len(x))
    excluded = every_pair(prompt)[::4][:, ::-1]
    pool = CandidatePool(x, prompt, text_id=text, excluded=excluded)
    gone = set(map(tuple, np.sort(excluded, axis=1)))
    left = np.array(
        [(i, j) for i, j in every_pair(prompt) if text[i] != text[j] and (i, j) not in gone]
    )
    assert 0 < len(left) < len(every_pair(prompt)) - len(gone)  # both reasons bite
    assert pool.n_pairs == len(left)
    rows = pool.pair_rows(pool.candidate_ids())
    assert sorted(map(tuple, rows)) == sorted(map(tuple, left))
    g = x[left[:, 0]] - x[left[:, 1]]
    np.testing.assert_allclose(pool.uniform_information, g.T @ g / len(g), atol=1e-12)
    counts = np.bincount(pool.pair_prompts(pool.candidate_ids()), minlength=pool.n_prompts)
    np.testing.assert_array_equal(pool.pairs_per_prompt, counts)


def test_equal_texts_under_different_prompts_may_be_compared_with_others(rng):
    x, prompt = rng.standard_normal((4, 2)), np.array([0, 0, 1, 1])
    assert CandidatePool(x, prompt, text_id=[5, 6, 5, 6]).n_pairs == 2


def test_singletons_play_no_part(rng):
    pool = make_ragged(rng, (1, 3, 1))
    assert (pool.n_prompts, pool.n_pairs, pool.n_completions) == (1, 3, 5)


def test_reachable_counts_the_cap(rng):
    pool = make_ragged(rng, (2, 3, 5))
    assert [pool.reachable(m) for m in (1, 2, 5, None)] == [3, 5, 9, 14]


@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.int64])
def test_any_real_dtype_gives_float64_algebra(rng, dtype):
    x, prompt = raw_case(rng)
    pool = CandidatePool((10 * x).astype(dtype), prompt.astype(np.int32))
    assert pool.uniform_information.dtype == np.float64


def test_input_arrays_are_left_alone(rng):
    x, prompt = raw_case(rng)
    before = x.copy()
    CandidatePool(x, prompt)
    np.testing.assert_array_equal(x, before)


X = np.arange(8.0).reshape(4, 2) ** 2
P = np.array([0, 0, 1, 1])


@pytest.mark.parametrize(
    ("args", "kwargs", "message"),
    [
        ((np.where(X == 4, np.nan, X), P), {}, "1 values that are not finite"),
        ((np.where(X > 10, np.inf, X), P), {}, "not finite"),
        ((X[0], P), {}, "shape (completions, d)"),
        ((np.zeros((0, 2)), np.zeros(0, int)), {}, "shape (completions, d)"),
        ((X, P[:3]), {}, "one entry a row"),
        ((X, P + 0.5), {}, "must hold integers"),
        ((X, P, [0.0, 1.0]), {}, "log_probs must have one entry"),
        ((X, P, [0.0, 1.0, np.nan, 0.0]), {}, "log_probs has 1 values"),
        ((X, np.arange(4)), {}, "one completion"),
        ((np.ones((4, 2)) / 3, P), {}, "same features"),
        ((X[[0, 0, 2, 2]], P), {}, "same features"),
        ((X, P), {"text_id": [1, 1, 2, 2]}, "No candidate pair is left"),
        ((X, P), {"text_id": [1, 1, 2]}, "text_id must have one entry"),
        ((X, P), {"excluded": [[0, 2]]}, "two completions of one prompt"),
        ((X, P), {"excluded": [[1, 1]]}, "two different completions"),
        ((X, P), {"excluded": [[0, 4]]}, "rows of features, 0 to 3"),
        ((X, P), {"excluded": [[0, -1]]}, "rows of features, 0 to 3"),
        ((X, P), {"excluded": [0, 1]}, "shape (n, 2)"),
        (([["a", "b"]], [0]), {}, "real numbers"),
    ],
)
def test_bad_input_is_refused_with_the_reason(args, kwargs, message):
    with pytest.raises(DesignError, match=re.escape(message)):
        CandidatePool(*args, **kwargs)


def test_a_singleton_cannot_be_in_a_pair(rng):
    x = rng.standard_normal((3, 2))
    with pytest.raises(DesignError, match="two completions of one prompt"):
        CandidatePool(x, [0, 0, 1]).pair_ids([[0, 2]])


# --- what the strategies and the rounds ask of a pool -------------------------------------------


def rewarded(rng, n=40, d=3):
    x, prompt = raw_case(rng, n, d)
    rewards = 2 * rng.standard_normal(n)
    return x, prompt, rewards, CandidatePool(x, prompt, rewards=rewards, scores=-rewards)


def factor(rewards, pairs):
    """4σ′ of the logit, by the definition."""
    p = 1 / (1 + np.exp(rewards[pairs[:, 1]] - rewards[pairs[:, 0]]))
    return 4 * p * (1 - p)


@pytest.mark.parametrize("entries", [2**20, 30])
@pytest.mark.parametrize("share", [0.1, 0.9])
def test_both_ways_to_sum_information_equal_the_definition(rng, monkeypatch, entries, share):
    """Few pairs one by one, many by the graph; with rewards and without, ids in any order."""
    monkeypatch.setattr(blocks, "CHUNK_ENTRIES", entries)
    x, prompt, rewards, pool = rewarded(rng)
    pairs = rng.permutation(every_pair(prompt))
    pairs = pairs[: int(share * len(pairs))]
    assert (len(pairs) > pool.rows.size) == (share == 0.9)  # which way it goes
    w = rng.random(len(pairs))
    g = x[pairs[:, 0]] - x[pairs[:, 1]]
    np.testing.assert_allclose(
        pool.information(pool.pair_ids(pairs), w),
        (g.T * w * factor(rewards, pairs)) @ g,
        atol=1e-12,
    )
    plain = CandidatePool(x, prompt)
    np.testing.assert_allclose(
        plain.information(plain.pair_ids(pairs), w), (g.T * w) @ g, atol=1e-12
    )


@pytest.mark.parametrize("excluded_share", [0.0, 0.2, 0.8])
@pytest.mark.parametrize("with_rewards", [False, True])
def test_spread_information_is_the_sum_over_candidates(rng, excluded_share, with_rewards):
    x, prompt, rewards, _ = rewarded(rng)
    pairs = every_pair(prompt)
    gone = rng.random(len(pairs)) < excluded_share
    pool = CandidatePool(x, prompt, excluded=pairs[gone], rewards=rewards if with_rewards else None)
    left = pairs[~gone]
    weight = rng.random(pool.n_prompts)
    w = weight[pool.pair_prompts(pool.pair_ids(left))]
    if with_rewards:
        w = w * factor(rewards, left)
    g = x[left[:, 0]] - x[left[:, 1]]
    np.testing.assert_allclose(pool.spread_information(weight), (g.T * w) @ g, atol=1e-12)


@pytest.mark.parametrize("size", [1e3, 1e9])
def test_an_excluded_outlier_takes_no_digits_from_the_others(rng, size):
    x, prompt = rng.standard_normal((30, 3)), np.repeat(np.arange(6), 5)
    x[7] = size
    pool = CandidatePool(x, prompt, excluded=[[7, other] for other in (5, 6, 8, 9)])
    pairs = np.array([pair for pair in every_pair(prompt) if 7 not in pair])
    g = x[pairs[:, 0]] - x[pairs[:, 1]]
    np.testing.assert_allclose(pool.uniform_information, g.T @ g / len(g), rtol=1e-5, atol=1e-5)


def test_information_vectors_hold_what_a_label_brings(rng):
    x, prompt, rewards, pool = rewarded(rng)
    pairs = every_pair(prompt)
    g = np.sqrt(factor(rewards, pairs))[:, None] * (x[pairs[:, 0]] - x[pairs[:, 1]])
    np.testing.assert_allclose(pool.information_vectors(pool.pair_ids(pairs)), g, atol=1e-12)
    plain = CandidatePool(x, prompt)
    ids = plain.candidate_ids()
    np.testing.assert_array_equal(plain.information_vectors(ids), plain.differences(ids))


def test_a_sure_label_brings_nothing_and_overflows_nothing():
    pool = CandidatePool([[0.0], [1.0], [2.0]], [0, 0, 0], rewards=[-1e6, 0.0, 1.0])
    vectors = pool.information_vectors(pool.candidate_ids())[:, 0]
    np.testing.assert_allclose(vectors**2, [0, 0, 4 * 0.19661193324148185])


def test_score_gaps_by_hand_and_only_with_scores():
    x = np.arange(5.0)[:, None]
    pool = CandidatePool(x, [1, 0, 1, 0, 1], scores=[5.0, 1.0, 2.0, 8.0, 9.0])
    gaps = pool.score_gaps(pool.pair_ids([[0, 2], [4, 0], [3, 1], [2, 4]]))
    np.testing.assert_array_equal(gaps, [3, 4, 7, 7])
    with pytest.raises(DesignError, match="no scores"):
        CandidatePool(x, [1, 0, 1, 0, 1]).score_gaps(np.array([0]))


def test_sides_are_places_in_the_sorted_rows(rng):
    x, prompt = raw_case(rng)
    pool = CandidatePool(x, prompt)
    ids = rng.permutation(pool.candidate_ids())
    sides = pool.sides(ids)
    assert np.all(sides[:, 0] < sides[:, 1])
    np.testing.assert_array_equal(pool.rows[sides], pool.pair_rows(ids))
    np.testing.assert_array_equal(pool.prompt_of_row[sides[:, 0]], pool.prompt_of_row[sides[:, 1]])


def test_without_and_restricted_to_are_the_pool_with_those_pairs_excluded(rng):
    x, prompt, rewards, pool = rewarded(rng)
    before = pool.uniform_information.copy()
    pairs = rng.permutation(every_pair(prompt))
    gone, kept = pairs[:20], pairs[20:]
    fresh = CandidatePool(x, prompt, rewards=rewards, excluded=gone)
    for other in (
        pool.without(pool.pair_ids(gone)),
        pool.without(pool.pair_ids(gone[:12])).without(pool.pair_ids(gone[8:])),
        pool.restricted_to(pool.pair_ids(kept)),
        pool.without(pool.pair_ids(gone)).restricted_to(pool.pair_ids(pairs[15:])),
    ):
        assert other.n_pairs == fresh.n_pairs == len(kept)
        np.testing.assert_array_equal(other.barred, fresh.barred)
        np.testing.assert_array_equal(other.pairs_per_prompt, fresh.pairs_per_prompt)
        np.testing.assert_allclose(other.uniform_information, fresh.uniform_information)
    assert pool.n_pairs == len(pairs)  # the first is as it was
    np.testing.assert_array_equal(pool.uniform_information, before)


def test_a_pool_without_any_pair_left_is_refused(rng):
    x, prompt = raw_case(rng)
    pool = CandidatePool(x, prompt)
    with pytest.raises(DesignError, match="No candidate pair is left"):
        pool.without(pool.candidate_ids())
    with pytest.raises(DesignError, match="No candidate pair is left"):
        pool.restricted_to(np.zeros(0, dtype=np.int64))


@pytest.mark.parametrize("empty", [[], np.zeros((0, 2), dtype=np.int64)])
def test_excluding_nothing_changes_nothing(rng, empty):
    x, prompt = raw_case(rng)
    pool = CandidatePool(x, prompt, excluded=empty)
    assert pool.n_pairs == len(every_pair(prompt))
    assert pool.pair_ids(empty).shape == (0,)


@pytest.mark.parametrize("name", ["scores", "rewards"])
def test_columns_of_the_wrong_length_or_value_are_refused(name):
    with pytest.raises(DesignError, match=f"{name} must have one entry"):
        CandidatePool(X, P, **{name: [1.0, 2.0]})
    with pytest.raises(DesignError, match=f"{name} has 1 values"):
        CandidatePool(X, P, **{name: [1.0, 2.0, np.inf, 0.0]})
