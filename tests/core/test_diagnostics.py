"""Duplicates, diversity and length in a pool."""

import numpy as np
import pytest

from pairselect.core import CandidatePool, DesignError, blocks, effective_rank
from pairselect.core.diagnostics import length_correlation, near_duplicates, pool_diversity

from .conftest import every_pair

SIZES = (6, 1, 5, 2, 7, 6, 3, 5, 1, 4)


def with_twins(rng, d=4):
    """Rows of prompts of different sizes, shuffled; half of them within 1e-3 of another."""
    prompt = rng.permutation(np.repeat(np.arange(len(SIZES)), SIZES))
    features = (
        rng.standard_normal((prompt.size, d)) + 4 * rng.standard_normal((len(SIZES), d))[prompt]
    )
    for x in range(len(SIZES)):
        rows = np.flatnonzero(prompt == x)
        for k in range(0, rows.size - 1, 4):
            features[rows[k + 1]] = features[rows[k]] + 1e-3 * rng.standard_normal(d)
    return features, prompt


def by_definition(features, pairs, threshold):
    distance = np.linalg.norm(features[pairs[:, 0]] - features[pairs[:, 1]], axis=1)
    cutoff = threshold * np.sqrt(np.mean(distance**2))
    return cutoff, sorted(map(tuple, pairs[distance <= cutoff]))


# --- duplicates -----------------------------------------------------------------------------


@pytest.mark.parametrize("threshold", [0.05, 0.5, 1.0])
@pytest.mark.parametrize("entries", [2**20, 64])
@pytest.mark.parametrize("barred", ["none", "few", "most"])
def test_near_duplicates_are_those_of_the_definition(rng, monkeypatch, threshold, entries, barred):
    monkeypatch.setattr(blocks, "CHUNK_ENTRIES", entries)
    features, prompt = with_twins(rng)
    pairs = every_pair(prompt)
    taken = rng.random(len(pairs)) < {"none": 0, "few": 0.2, "most": 0.7}[barred]
    pool = CandidatePool(features, prompt, excluded=pairs[taken])
    cutoff, expected = by_definition(features, pairs[~taken], threshold)
    found = near_duplicates(pool, threshold)
    assert found.cutoff == pytest.approx(cutoff, rel=1e-9)
    assert found.count == len(expected) > 0
    assert sorted(map(tuple, found.pairs)) == expected
    g = features[found.pairs[:, 0]] - features[found.pairs[:, 1]]
    np.testing.assert_allclose(found.distance, np.linalg.norm(g, axis=1), atol=1e-6)
    assert np.all(np.diff(found.distance) >= 0)


@pytest.mark.parametrize("limit", [0, 1, 3])
@pytest.mark.parametrize("entries", [2**20, 64])
def test_a_limit_keeps_the_nearest_and_counts_all(rng, monkeypatch, limit, entries):
    monkeypatch.setattr(blocks, "CHUNK_ENTRIES", entries)
    pool = CandidatePool(*with_twins(rng))
    every, few = near_duplicates(pool, 0.7), near_duplicates(pool, 0.7, limit=limit)
    assert few.count == every.count > 8
    np.testing.assert_array_equal(few.pairs, every.pairs[:limit])


def test_near_duplicates_do_not_depend_on_unit_origin_or_rewards(rng):
    features, prompt = with_twins(rng)
    one = near_duplicates(CandidatePool(features, prompt), 0.3)
    two = near_duplicates(
        CandidatePool(100 * (features - 3), prompt, rewards=5 * rng.standard_normal(prompt.size)),
        0.3,
    )
    np.testing.assert_array_equal(one.pairs, two.pairs)
    np.testing.assert_allclose(two.distance, 100 * one.distance, rtol=1e-6, atol=1e-6)


def test_near_duplicates_follow_their_rows(rng):
    features, prompt = with_twins(rng)
    order = rng.permutation(prompt.size)
    one = near_duplicates(CandidatePool(features, prompt))
    two = near_duplicates(CandidatePool(features[order], prompt[order]))
    assert one.count > 5
    assert {frozenset(pair) for pair in one.pairs} == {frozenset(order[pair]) for pair in two.pairs}


@pytest.mark.parametrize(("threshold", "limit"), [(-0.1, 5), (1.1, 5), (np.nan, 5), (0.1, -1)])
def test_near_duplicates_reject_what_is_out_of_range(rng, threshold, limit):
    with pytest.raises(DesignError, match="must"):
        near_duplicates(CandidatePool(*with_twins(rng)), threshold, limit=limit)


def test_diversity_of_a_pool_by_hand():
    """Corners 0, e₁, e₂ and the first again, with its text and without."""
    features = np.array([[0, 0], [1, 0], [0, 1], [0, 0], [0, 0]], float)
    pool = CandidatePool(features, np.zeros(5, int), text_id=[0, 1, 2, 0, 3])
    found = pool_diversity(pool)
    # 10 pairs, one of one text; of the other 9, rows (0, 4) and (3, 4) have equal features.
    assert found.barred_share == pytest.approx(1 / 10)
    assert found.near_duplicate_share == pytest.approx(2 / 9)
    # Three pairs e₁, three e₂, one e₁ − e₂: Σ = [[4, −1], [−1, 4]] / 9, eigenvalues 5 and 3.
    assert found.effective_rank == pytest.approx(64 / 34)
    assert found.dimension == 2


# --- length ---------------------------------------------------------------------------------


@pytest.fixture
def lengthy(rng):
    """Length is in the first feature, with noise; prompts differ in both for other reasons."""
    prompt = rng.permutation(np.repeat(np.arange(40), 5))
    features = rng.standard_normal((200, 6)) * [5, 3, 1, 1, 1, 0.5]
    lengths = 300 - 20 * features[:, 0] + 60 * rng.standard_normal(200)
    lengths += 500 * rng.random(40)[prompt]
    return features + 9 * rng.standard_normal((40, 6))[prompt], prompt, lengths.clip(0)


def test_length_correlation_is_the_one_within_prompts(lengthy):
    features, prompt, lengths = lengthy
    pool = CandidatePool(features, prompt)
    report = length_correlation(pool, lengths, directions=4)
    dummies = (prompt[:, None] == np.arange(40)).astype(float)

    def within(values):
        return values - dummies @ np.linalg.lstsq(dummies, values, rcond=None)[0]

    np.testing.assert_allclose(report.directions @ report.directions.T, np.eye(4), atol=1e-12)
    spectrum = np.linalg.eigvalsh(pool.uniform_information)[::-1]
    np.testing.assert_allclose(report.information_share, spectrum[:4] / spectrum.sum())
    for direction, correlation in zip(report.directions, report.correlation, strict=True):
        expected = np.corrcoef(within(features @ direction), within(lengths))[0, 1]
        assert correlation == pytest.approx(expected, abs=1e-12)
    assert report.correlation[0] > 0.7 > 0.3 > report.correlation[1:].max()

    y = within(lengths)
    residual = y - within(features) @ np.linalg.lstsq(within(features), y, rcond=None)[0]
    assert report.r_squared == pytest.approx(1 - residual @ residual / (y @ y), rel=1e-9)
    assert report.adjusted_r_squared == pytest.approx(
        1 - (residual @ residual / (200 - 40 - 6)) / (y @ y / (200 - 40)), rel=1e-9
    )


def test_length_correlation_ignores_units_origins_and_order(rng, lengthy):
    features, prompt, lengths = lengthy
    order = rng.permutation(200)
    one = length_correlation(CandidatePool(features, prompt), lengths)
    two = length_correlation(
        CandidatePool(7 * features[order] + 2, prompt[order]), 3 * lengths[order] + 100
    )
    np.testing.assert_allclose(one.correlation, two.correlation, rtol=1e-9)
    np.testing.assert_allclose(one.directions, two.directions, atol=1e-9)
    assert one.r_squared == pytest.approx(two.r_squared)
    assert one.adjusted_r_squared == pytest.approx(two.adjusted_r_squared)


def test_directions_are_those_of_the_information_given(lengthy):
    features, prompt, lengths = lengthy
    W = np.diag([1.0, 2.0, 3.0, 4.0, 5.0, 6.0])
    report = length_correlation(CandidatePool(features, prompt), lengths, information=W)
    np.testing.assert_allclose(np.abs(report.directions), np.eye(6)[:0:-1], atol=1e-12)
    whole = length_correlation(CandidatePool(features, prompt), lengths, directions=99)
    assert whole.directions.shape == (6, 6)
    assert whole.information_share.sum() == pytest.approx(1)


def test_length_that_is_a_feature_is_explained_in_full(rng):
    features = rng.random((30, 3))
    report = length_correlation(CandidatePool(features, np.repeat(np.arange(6), 5)), features[:, 1])
    assert report.r_squared == pytest.approx(1)
    assert report.adjusted_r_squared == pytest.approx(1)


def test_adjusted_r_squared_finds_nothing_in_noise(rng):
    """With 20 features on 60 free rows R² is 1/3 of nothing; adjusted it is 0 on average."""
    prompt = np.repeat(np.arange(20), 4)
    reports = [
        length_correlation(CandidatePool(rng.standard_normal((80, 20)), prompt), rng.random(80))
        for _ in range(200)
    ]
    assert np.mean([r.r_squared for r in reports]) == pytest.approx(1 / 3, abs=0.03)
    assert np.mean([r.adjusted_r_squared for r in reports]) == pytest.approx(0, abs=0.04)


def test_equal_lengths_correlate_with_nothing(rng):
    prompt = np.repeat(np.arange(6), 5)
    lengths = 100.1 + np.repeat(rng.random(6), 5)  # equal in each prompt, but for rounding
    report = length_correlation(CandidatePool(rng.random((30, 3)), prompt), lengths)
    np.testing.assert_array_equal(report.correlation, 0)
    assert report.r_squared == 0


def test_without_free_rows_the_adjusted_r_squared_is_unknown(rng):
    pool = CandidatePool(rng.random((4, 3)), np.repeat([0, 1], 2))
    report = length_correlation(pool, rng.random(4))
    assert report.r_squared == pytest.approx(1)
    assert np.isnan(report.adjusted_r_squared)


@pytest.mark.parametrize(
    ("lengths", "options"),
    [
        (np.ones(29), {}),
        (np.full(30, np.nan), {}),
        (-np.ones(30), {}),
        (np.ones(30), {"directions": 0}),
        (np.ones(30), {"information": np.zeros((3, 3))}),
    ],
)
def test_it_rejects_lengths_that_are_none(rng, lengths, options):
    pool = CandidatePool(rng.random((30, 3)), np.repeat(np.arange(6), 5))
    with pytest.raises(DesignError):
        length_correlation(pool, lengths, **options)


def test_diversity_reports_the_rank_of_the_uniform_information(rng):
    pool = CandidatePool(*with_twins(rng))
    assert pool_diversity(pool).effective_rank == effective_rank(pool.uniform_information)
