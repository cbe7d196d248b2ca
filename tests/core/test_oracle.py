"""The linear oracle against sorting all pairs."""

from copy import copy

import numpy as np
import pytest
import torch

from pairselect.core import CandidatePool, blocks, trace_problem
from pairselect.core.oracle import largest_pairs

from .conftest import make_ragged

SIZES = (3, 1, 5, 2, 4, 3, 5, 6, 3, 4)


def by_sorting(pool, projection, count, per_prompt=None, without=(), offset=None):
    ids = np.setdiff1d(pool.candidate_ids(), without)
    d = np.sum((pool.differences(ids) @ projection) ** 2, axis=1)
    prompts = pool.pair_prompts(ids)
    if offset is not None:
        d = d - offset[prompts]
    taken: dict[int, int] = {}
    best = []
    for e in np.argsort(-d):
        if len(best) < count and taken.get(prompts[e], 0) < (per_prompt or len(ids)):
            taken[prompts[e]] = taken.get(prompts[e], 0) + 1
            best.append((ids[e], d[e]))
    return sorted(best)


@pytest.mark.parametrize("entries", [2**20, 64])
@pytest.mark.parametrize("count", [1, 7, 30])
@pytest.mark.parametrize("options", ["plain", "capped", "without", "offset", "all"])
def test_oracle_equals_sorting_all_pairs(rng, monkeypatch, entries, count, options):
    monkeypatch.setattr(blocks, "CHUNK_ENTRIES", entries)
    pool = make_ragged(rng, SIZES)
    projection = rng.standard_normal((4, 3))
    kwargs = {}
    if options in ("capped", "all"):
        kwargs["per_prompt"] = 2
    if options in ("without", "all"):
        kwargs["without"] = np.sort(rng.choice(pool.n_pairs, 15, replace=False))
    if options in ("offset", "all"):
        kwargs["offset"] = 10 * rng.random(pool.n_prompts)
    ids, values = largest_pairs(pool, projection, count, **kwargs)
    expected = by_sorting(pool, projection, count, **kwargs)
    order = np.argsort(ids)
    np.testing.assert_array_equal(ids[order], [e for e, _ in expected])
    np.testing.assert_allclose(values[order], [v for _, v in expected], atol=1e-10)


def test_oracle_skips_what_is_no_candidate(rng):
    plain = make_ragged(rng, SIZES)
    projection = np.eye(4)
    top, _ = largest_pairs(plain, projection, 10)
    rest, _ = largest_pairs(plain, projection, 10, without=np.sort(top))
    assert not set(top) & set(rest)


def test_oracle_returns_what_is_left(rng):
    pool = make_ragged(rng, (3, 2))
    ids, _ = largest_pairs(pool, np.eye(4), 100)
    np.testing.assert_array_equal(np.sort(ids), pool.candidate_ids())
    none, _ = largest_pairs(pool, np.eye(4), 5, without=pool.candidate_ids())
    assert none.size == 0


# --- caps of each prompt, rewards ---------------------------------------------------------------


def with_rewards(pool, rng, scale=2.0):
    other = copy(pool)
    other.rewards = scale * rng.standard_normal(pool.rows.size)
    return other


def reference(pool, projection, count, *, per_prompt=None, without=(), offset=None):
    """The best pairs by sorting all, caps as a number or an array; ids and values by id."""
    ids = np.setdiff1d(pool.candidate_ids(), without)
    d = np.sum((pool.information_vectors(ids) @ projection) ** 2, axis=1)
    prompts = pool.pair_prompts(ids)
    if offset is not None:
        d = d - offset[prompts]
    room = np.full(pool.n_prompts, ids.size)
    if per_prompt is not None:
        room[:] = per_prompt
    best = []
    for e in np.argsort(-d):
        if len(best) < count and room[prompts[e]] > 0:
            room[prompts[e]] -= 1
            best.append(e)
    best = np.sort(best)
    return ids[best], d[best]


def sorted_by_id(found):
    order = np.argsort(found[0])
    return found[0][order], found[1][order]


def option_sets(pool, rng):
    """Every option alone and all at once, with caps of 0 and barred pairs."""
    caps = rng.integers(0, 4, pool.n_prompts)
    caps[0], caps[-1] = 0, 50
    offset = 10 * rng.random(pool.n_prompts)
    offset[1] = np.inf  # nothing of this prompt
    some = np.sort(rng.choice(pool.n_pairs, 15, replace=False))
    alone = [
        {},
        {"per_prompt": 1},
        {"per_prompt": 2},
        {"per_prompt": caps},
        {"per_prompt": np.zeros_like(caps) + 50},
        {"without": some},
        {"offset": np.where(np.isinf(offset), 0.0, offset)},
    ]
    return [*alone, {"per_prompt": caps, "without": some, "offset": offset}]


N_OPTIONS = 8


@pytest.mark.parametrize("entries", [2**20, 64])
@pytest.mark.parametrize("count", [1, 7, 1000])
@pytest.mark.parametrize("option", range(N_OPTIONS))
@pytest.mark.parametrize("rewards", [False, True])
def test_oracle_equals_sorting_under_caps_of_each_prompt_and_rewards(
    rng, monkeypatch, entries, count, option, rewards
):
    monkeypatch.setattr(blocks, "CHUNK_ENTRIES", entries)
    pool = make_ragged(rng, SIZES)
    pool = with_rewards(pool, rng) if rewards else pool
    kwargs = option_sets(pool, rng)[option]
    projection = rng.standard_normal((4, 3))
    ids, values = sorted_by_id(largest_pairs(pool, projection, count, **kwargs))
    finite = reference(pool, projection, count, **kwargs)
    keep = finite[1] > -np.inf
    np.testing.assert_array_equal(ids, finite[0][keep])
    np.testing.assert_allclose(values, finite[1][keep], atol=1e-10)


def test_caps_of_zero_everywhere_leave_nothing(rng):
    pool = make_ragged(rng, SIZES)
    ids, values = largest_pairs(
        pool, np.eye(4), 5, per_prompt=np.zeros(pool.n_prompts, dtype=np.int64)
    )
    assert ids.size == values.size == 0


# --- float32 ------------------------------------------------------------------------------------


@pytest.mark.parametrize("unit", [1e-150, 1e-20, 1.0, 1e20, 1e150])
@pytest.mark.parametrize("rewards", [False, True])
def test_float32_values_are_those_of_float64_within_the_stated_error(rng, unit, rewards):
    """In any unit of the features, M⁻¹R being in the inverse of it."""
    x, prompt = rng.standard_normal((600, 8)), np.repeat(np.arange(60), 10)
    pool = CandidatePool(unit * x, prompt)
    pool = with_rewards(pool, rng) if rewards else pool
    projection = rng.standard_normal((8, 8)) / unit
    exact_ids, exact = sorted_by_id(largest_pairs(pool, projection, 300))
    ids, values = sorted_by_id(largest_pairs(pool, projection, 300, exact=False))
    d = np.sum((pool.information_vectors(ids) @ projection) ** 2, axis=1)
    np.testing.assert_allclose(values, d, rtol=1e-5)
    assert d.min() >= exact.min() * (1 - 1e-5)  # what replaces a pair is as good
    assert np.mean(np.isin(ids, exact_ids)) > 0.98
    assert values.dtype == np.float64


@pytest.mark.parametrize("unit", [1e-150, 1.0, 1e150])
def test_float32_offsets_are_in_the_unit_of_the_values(rng, unit):
    pool = CandidatePool(unit * rng.standard_normal((200, 4)), np.repeat(np.arange(40), 5))
    projection = rng.standard_normal((4, 4)) / unit
    offset = 20 * rng.random(40)
    offset[3] = np.inf
    exact = sorted_by_id(largest_pairs(pool, projection, 20, offset=offset))
    fast = sorted_by_id(largest_pairs(pool, projection, 20, offset=offset, exact=False))
    np.testing.assert_array_equal(fast[0], exact[0])
    np.testing.assert_allclose(fast[1], exact[1], rtol=1e-4)


# --- torch --------------------------------------------------------------------------------------

DEVICES = [
    "cpu",
    pytest.param(
        "cuda", marks=pytest.mark.skipif(not torch.cuda.is_available(), reason="needs CUDA")
    ),
]


@pytest.mark.parametrize("device", DEVICES)
@pytest.mark.parametrize("entries", [2**26, 64])
@pytest.mark.parametrize("option", range(N_OPTIONS))
@pytest.mark.parametrize("rewards", [False, True])
@pytest.mark.parametrize("exact", [False, True])
def test_torch_finds_what_numpy_finds(rng, monkeypatch, device, entries, option, rewards, exact):
    from pairselect.core import oracle_torch

    monkeypatch.setattr(oracle_torch, "CHUNK_ENTRIES", entries)
    pool = make_ragged(rng, SIZES)
    pool = pool.without(pool.candidate_ids()[::9])
    pool = with_rewards(pool, rng) if rewards else pool
    options = option_sets(pool, rng)[option]
    projection = rng.standard_normal((4, 3))
    there = copy(pool)
    there.device = device
    for count in (1, 7, 1000):
        ids, values = sorted_by_id(largest_pairs(pool, projection, count, **options))
        found, size = sorted_by_id(largest_pairs(there, projection, count, **options, exact=exact))
        np.testing.assert_array_equal(found, ids)
        np.testing.assert_allclose(size, values, atol=1e-9 if exact else 1e-3)
        assert (found.dtype, size.dtype) == (ids.dtype, values.dtype)


@pytest.mark.parametrize("device", DEVICES)
@pytest.mark.parametrize("unit", [1e-150, 1.0, 1e150])
@pytest.mark.parametrize("exact", [False, True])
def test_torch_works_in_any_unit(rng, device, unit, exact):
    x, prompt = unit * rng.standard_normal((200, 5)), np.repeat(np.arange(20), 10)
    problem = trace_problem(CandidatePool(x, prompt, device=device), budget=30)
    here = trace_problem(CandidatePool(x, prompt), budget=30)
    point = here.at(here.pool.uniform_information)
    ids, bound = here.best_pairs(point, exact=exact)
    found, same = problem.best_pairs(point, exact=exact)
    np.testing.assert_array_equal(np.sort(found), np.sort(ids))
    assert same == pytest.approx(bound, rel=1e-10 if exact else 1e-5)


@pytest.mark.parametrize("device", DEVICES)
def test_pools_derived_from_a_pool_share_its_features_on_the_device(rng, device):
    pool = CandidatePool(rng.standard_normal((30, 4)), np.repeat(np.arange(6), 5), device=device)
    projection = rng.standard_normal((4, 4))
    top, _ = largest_pairs(pool, projection, 10, exact=False)
    other = pool.without(top)
    rest, _ = largest_pairs(other, projection, 100, exact=False)
    assert other.__dict__["_on_device"] is pool.__dict__["_on_device"]
    np.testing.assert_array_equal(np.sort(np.concatenate([top, rest])), pool.candidate_ids())
