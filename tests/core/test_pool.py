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
