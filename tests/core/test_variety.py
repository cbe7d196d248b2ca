"""How much a pool offers, by prompt, by source and by completions a prompt."""

import numpy as np
import pytest

from pairselect.core import (
    CandidatePool,
    DesignError,
    blocks,
    completions_curve,
    effective_rank,
    prompt_variety,
    source_spread,
    trace_problem,
)

from .conftest import every_pair, make_ragged, phi


def distances(pool: CandidatePool, ids: np.ndarray) -> np.ndarray:
    return np.linalg.norm(pool.differences(ids), axis=1)


# --- prompts --------------------------------------------------------------------------------


@pytest.mark.parametrize("entries", [2**20, 64])
def test_prompt_variety_is_that_of_the_definition(ragged, monkeypatch, entries):
    monkeypatch.setattr(blocks, "CHUNK_ENTRIES", entries)
    found = prompt_variety(ragged)
    ids = ragged.candidate_ids()
    prompts, apart = ragged.pair_prompts(ids), distances(ragged, ids)
    for x in range(ragged.n_prompts):
        assert found.widest[x] == pytest.approx(apart[prompts == x].max(), rel=1e-9)
        rows = ragged.centred[ragged.prompt_of_row == x]
        assert found.effective_rank[x] == pytest.approx(effective_rank(rows.T @ rows), rel=1e-9)
        assert 1 <= found.effective_rank[x] <= len(rows) - 1 + 1e-9
    assert found.median_distance == pytest.approx(np.median(apart), rel=1e-6)


def test_a_pair_that_is_no_candidate_makes_no_prompt_wide(rng):
    features = np.array([[0.0], [9.0], [1.0], [0.0], [2.0], [0.0], [2.0]])
    prompt = np.array([0, 0, 0, 1, 1, 2, 2])
    pool = CandidatePool(features, prompt, excluded=[(0, 1), (1, 2), (5, 6)])
    found = dict(zip(pool.prompt_labels, prompt_variety(pool).widest, strict=True))
    assert found == {0: 1.0, 1: 2.0, 2: 0.0}
    assert prompt_variety(pool).median_distance == 1.5


def test_effective_rank_of_a_prompt_counts_its_directions():
    line = np.outer([0.0, 1.0, 2.0, 3.0], [1.0, 2.0, 0.0])
    corners = np.vstack([np.eye(3), np.ones((1, 3))])
    same = np.ones((2, 3))
    pool = CandidatePool(np.vstack([same, line, corners[:3]]), np.repeat([0, 1, 2], [2, 4, 3]))
    found = dict(zip(pool.prompt_labels, prompt_variety(pool).effective_rank, strict=True))
    assert found == pytest.approx({0: 0.0, 1: 1.0, 2: 2.0})


def test_a_prompt_of_near_twins_is_narrow(rng):
    features = rng.standard_normal((40, 3))
    features[:4] = features[0] + 1e-3 * rng.standard_normal((4, 3))
    pool = CandidatePool(features, np.repeat(np.arange(10), 4))
    found = prompt_variety(pool)
    assert list(pool.prompt_labels[found.narrow()]) == [0]
    assert found.narrow(1e-6).sum() == 0
    assert found.narrow(100).all()


# --- sources --------------------------------------------------------------------------------


def test_source_spread_is_the_mean_square_over_the_pairs_of_a_source(rng):
    """With as many completions of a source for every prompt, the estimate is a plain mean."""
    prompt = np.repeat(np.arange(7), 5)
    source = np.tile([0, 3, 0, 3, 0], 7)
    features = rng.standard_normal((35, 4)) * np.where(source == 3, 2.0, 0.5)[:, None]
    order = rng.permutation(35)
    pool = CandidatePool(features[order], prompt[order])
    pairs = every_pair(prompt)
    square = np.sum((features[pairs[:, 0]] - features[pairs[:, 1]]) ** 2, axis=1)
    expected = {
        s: square[np.all(source[pairs] == s, axis=1)].mean() / square.mean() for s in (0, 3)
    }
    assert source_spread(pool, source[order]) == pytest.approx(expected)
    assert expected[0] < 0.5 < 1 < expected[3]


def test_a_source_with_one_completion_a_prompt_has_no_spread():
    pool = CandidatePool(np.arange(8.0)[:, None], np.repeat([0, 1], 4))
    assert list(source_spread(pool, [1, 2, 2, 5, 1, 2, 2, 5])) == [2]


def test_sources_need_one_entry_a_row(ragged):
    with pytest.raises(DesignError, match="one a row"):
        source_spread(ragged, [0, 1])


# --- completions a prompt -------------------------------------------------------------------


@pytest.fixture
def wide(rng) -> CandidatePool:
    return CandidatePool(rng.standard_normal((240, 4)), np.repeat(np.arange(30), 8))


def test_the_objective_falls_with_the_completions(wide, rng):
    curve = completions_curve(wide, rng=rng, draws=4)
    assert list(curve.counts) == [2, 3, 4, 6, 8]
    assert curve.budget == 30
    assert np.all(np.diff(curve.draws, axis=1) <= 0)
    assert np.all(np.diff(curve.objective) < 0)
    np.testing.assert_allclose(curve.objective, curve.draws.mean(axis=0))
    assert curve.counts[curve.half] == 4
    assert curve.last_fall == pytest.approx(1 - curve.objective[4] / curve.objective[2])
    assert 0 <= curve.gap < 0.1


@pytest.mark.parametrize(
    ("size", "counts", "half"),
    [(3, [2, 3], 2), (5, [2, 3, 4, 5], 3), (12, [2, 3, 5, 6, 9, 12], 6)],
)
def test_the_counts_end_with_all_and_hold_half(rng, size, counts, half):
    pool = CandidatePool(rng.standard_normal((6 * size, 2)), np.repeat(np.arange(6), size))
    curve = completions_curve(pool, rng=rng, draws=1)
    assert list(curve.counts) == counts
    assert curve.counts[curve.half] == half


def test_two_completions_leave_no_choice(rng):
    """Then Φ is that of all pairs of two, with W and λ of the whole pool: by the definition."""
    features = rng.standard_normal((15, 3))
    prompt = np.repeat(np.arange(5), 3)
    pool = CandidatePool(features, prompt)
    problem = trace_problem(pool, budget=5)
    pairs = every_pair(prompt).reshape(5, 3, 2)
    possible = [
        phi(
            features,
            pairs[np.arange(5), np.array(choice)],
            np.full(5, 0.2),
            problem.target,
            problem.base_information,
        )
        for choice in np.ndindex(3, 3, 3, 3, 3)
    ]
    curve = completions_curve(pool, rng=rng, draws=6)
    for drawn in curve.draws[:, 0]:
        assert np.min(np.abs(possible / drawn - 1)) < 1e-9


def test_all_completions_bring_what_the_best_choice_does(rng):
    """Brute force over every choice of three of the nine pairs."""
    from itertools import combinations

    features = rng.standard_normal((9, 2))
    prompt = np.repeat(np.arange(3), 3)
    pool = CandidatePool(features, prompt)
    problem = trace_problem(pool, budget=3)
    pairs = every_pair(prompt)
    best = min(
        phi(
            features,
            pairs[list(ids)],
            np.full(3, 1 / 3),
            problem.target,
            problem.base_information,
        )
        for ids in combinations(range(9), 3)
    )
    curve = completions_curve(pool, rng=rng, draws=2)
    assert np.all(curve.draws[:, -1] >= best * (1 - 1e-9))
    assert np.all(curve.draws[:, -1] <= best * (1 + curve.gap) * (1 + 1e-9))


def test_the_curve_does_not_depend_on_the_unit_or_the_origin(wide):
    one = completions_curve(wide, rng=np.random.default_rng(1), draws=1)
    other = CandidatePool(100 * wide.centred + 5, wide.prompt_of_row)
    two = completions_curve(other, rng=np.random.default_rng(1), draws=1)
    np.testing.assert_allclose(two.objective, one.objective, rtol=1e-6)


def test_copies_of_a_text_bring_next_to_nothing(rng):
    """Of two answers, four copies each, four random ones hold both but for one time in 35."""
    answers = rng.standard_normal((40, 2, 3))
    features = np.tile(answers, (1, 4, 1)).reshape(-1, 3)
    pool = CandidatePool(features, np.arange(320) // 8)
    curve = completions_curve(pool, rng=rng, text_id=np.arange(320) % 2)
    assert 0 < curve.last_fall < 0.1
    # In the end there are 40 pairs for 40 labels: by the definition.
    problem = trace_problem(pool, budget=40)
    pairs = np.arange(320).reshape(40, 8)[:, :2]
    expected = phi(features, pairs, np.full(40, 1 / 40), problem.target, problem.base_information)
    np.testing.assert_allclose(curve.draws[:, -1], expected)
    assert completions_curve(pool, rng=rng).last_fall > 0.2  # what they would seem to bring


def test_labels_that_find_no_pair_are_lost(rng):
    """Of three texts two are the same, so a third of the prompts has no pair at k = 2."""
    features = rng.standard_normal((300, 2))
    features[1::3] = features[::3]
    pool = CandidatePool(features, np.arange(300) // 3)
    curve = completions_curve(pool, rng=rng, text_id=[0, 0, 1] * 100, draws=8)
    # Twice the information at weight 1/n, but for the ridge, when every prompt has its pair.
    assert curve.objective[0] == pytest.approx(1.5 * curve.objective[1], rel=0.1)
    same = completions_curve(pool, rng=rng, text_id=[0, 0, 0] * 100)
    assert same.last_fall == 0


def test_prompts_of_any_size_take_part(rng):
    pool = make_ragged(rng, sizes=(4, 1, 2, 5, 6, 4, 3, 4))
    curve = completions_curve(pool, rng=rng)
    assert curve.budget == pool.n_prompts == 7
    assert list(curve.counts) == [2, 3, 4]


def test_every_step_is_told(wide, rng):
    told: list[tuple[int, int]] = []
    completions_curve(wide, rng=rng, draws=2, on_step=lambda *step: told.append(step))
    assert told == [(done, 10) for done in range(1, 11)]


def test_bad_requests_are_refused(wide, rng):
    with pytest.raises(DesignError, match="text_id must have shape"):
        completions_curve(wide, rng=rng, text_id=[1, 2])
    pairs = CandidatePool(rng.standard_normal((8, 2)), np.arange(8) // 2)
    with pytest.raises(DesignError, match="three completions"):
        completions_curve(pairs, rng=rng)
    for settings in ({"draws": 0}, {"ridge": 0.0}):
        with pytest.raises(DesignError, match="draws must be at least 1"):
            completions_curve(wide, rng=rng, **settings)
