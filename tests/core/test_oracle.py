"""The linear oracle against sorting all pairs."""

from copy import copy
from itertools import product

import numpy as np
import pytest
import torch

from pairselect.core import CandidatePool, blocks, oracle_torch, trace_problem
from pairselect.core.oracle import largest_pairs

from .conftest import make_ragged

SIZES = (3, 1, 5, 2, 4, 3, 5, 6, 3, 4)


def test_oracle_returns_what_is_left(rng):
    pool = make_ragged(rng, (3, 2))
    ids, _ = largest_pairs(pool, np.eye(4), 100)
    np.testing.assert_array_equal(np.sort(ids), pool.candidate_ids())
    none, _ = largest_pairs(pool, np.eye(4), 5, without=pool.candidate_ids())
    assert none.size == 0


# --- every option -------------------------------------------------------------------------------


def with_rewards(pool, rng, scale=2.0):
    other = copy(pool)
    other.rewards = scale * rng.standard_normal(pool.rows.size)
    return other


def plain_and_rewarded(rng):
    """A ragged pool some of whose pairs are barred, and the same with rewards."""
    pool = make_ragged(rng, SIZES)
    pool = pool.without(pool.candidate_ids()[::9])
    return pool, with_rewards(pool, rng)


def by_sorting(pool, projection, count, *, per_prompt=None, without=(), offset=None):
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
        if len(best) < count and room[prompts[e]] > 0 and d[e] > -np.inf:
            room[prompts[e]] -= 1
            best.append(e)
    best = np.sort(np.array(best, dtype=np.int64))
    return ids[best], d[best]


def sorted_by_id(found):
    order = np.argsort(found[0])
    return found[0][order], found[1][order]


OPTIONS = ["none", "one", "two", "caps", "high_caps", "without", "offset", "all"]


def options_of(pool, rng):
    """Every option alone and all at once, with caps of 0 and a prompt that is offset away."""
    caps = rng.integers(0, 4, pool.n_prompts)
    caps[0], caps[-1] = 0, 50
    offset = 10 * rng.random(pool.n_prompts)
    without = np.sort(rng.choice(pool.candidate_ids(), 15, replace=False))
    nothing_of_one = np.where(np.arange(pool.n_prompts) == 1, np.inf, offset)
    sets = [
        {},
        {"per_prompt": 1},
        {"per_prompt": 2},
        {"per_prompt": caps},
        {"per_prompt": np.full_like(caps, 50)},
        {"without": without},
        {"offset": offset},
        {"per_prompt": caps, "without": without, "offset": nothing_of_one},
    ]
    return dict(zip(OPTIONS, sets, strict=True))


@pytest.mark.parametrize("entries", [2**20, 64])
@pytest.mark.parametrize("option", OPTIONS)
def test_oracle_equals_sorting_all_pairs(rng, monkeypatch, entries, option):
    monkeypatch.setattr(blocks, "CHUNK_ENTRIES", entries)
    projection = rng.standard_normal((4, 3))
    for pool in plain_and_rewarded(rng):
        kwargs = options_of(pool, rng)[option]
        for count in (1, 7, 30, 1000):
            ids, values = sorted_by_id(largest_pairs(pool, projection, count, **kwargs))
            expected_ids, expected = by_sorting(pool, projection, count, **kwargs)
            np.testing.assert_array_equal(ids, expected_ids)
            np.testing.assert_allclose(values, expected, atol=1e-10)


def test_caps_of_zero_everywhere_leave_nothing(rng):
    pool = make_ragged(rng, SIZES)
    ids, values = largest_pairs(
        pool, np.eye(4), 5, per_prompt=np.zeros(pool.n_prompts, dtype=np.int64)
    )
    assert ids.size == values.size == 0


# --- float32 ------------------------------------------------------------------------------------


@pytest.mark.parametrize("unit", [1e-150, 1e-20, 1.0, 1e20, 1e150])
def test_float32_errs_by_a_millionth_of_both_squares_at_most(rng, unit):
    """In any unit of the features, M⁻¹R being in the inverse of it; for twins that is much."""
    x, prompt = rng.standard_normal((600, 8)), np.repeat(np.arange(60), 10)
    x[1::10] = x[::10] + 1e-4 * rng.standard_normal((60, 8))
    plain = CandidatePool(unit * x, prompt)
    projection = rng.standard_normal((8, 8)) / unit
    for pool in (plain, with_rewards(plain, rng)):
        found = largest_pairs(pool, projection, pool.n_pairs, exact=False)
        ids, values = sorted_by_id(found)
        np.testing.assert_array_equal(ids, pool.candidate_ids())
        assert values.dtype == np.float64
        d = np.sum((pool.information_vectors(ids) @ projection) ** 2, axis=1)
        square = np.sum((pool.centred @ projection) ** 2, axis=1)
        error = np.abs(values - d)
        assert np.all(error <= 1e-6 * square[pool.sides(ids)].sum(axis=1))
        assert np.max(error / d) > 1e-3  # so no relative error could be stated


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

needs_cuda = pytest.mark.skipif(not torch.cuda.is_available(), reason="needs CUDA")


def check_that_torch_finds_what_numpy_finds(rng, device, option):
    projection = rng.standard_normal((4, 3))
    for pool in plain_and_rewarded(rng):
        there = copy(pool)
        there.device = device
        kwargs = options_of(pool, rng)[option]
        for count, exact in product((1, 7, 1000), (False, True)):
            ids, values = sorted_by_id(largest_pairs(pool, projection, count, **kwargs))
            found, size = sorted_by_id(
                largest_pairs(there, projection, count, **kwargs, exact=exact)
            )
            np.testing.assert_array_equal(found, ids)
            np.testing.assert_allclose(size, values, atol=1e-9 if exact else 1e-3)
            assert (found.dtype, size.dtype) == (ids.dtype, values.dtype)


@pytest.mark.parametrize("entries", [2**26, 64])
@pytest.mark.parametrize("option", OPTIONS)
def test_torch_finds_what_numpy_finds(rng, monkeypatch, entries, option):
    monkeypatch.setattr(oracle_torch, "CHUNK_ENTRIES", entries)
    check_that_torch_finds_what_numpy_finds(rng, "cpu", option)


@needs_cuda
def test_cuda_finds_what_numpy_finds(rng, monkeypatch):
    for entries, option in product((2**26, 64), OPTIONS):
        monkeypatch.setattr(oracle_torch, "CHUNK_ENTRIES", entries)
        check_that_torch_finds_what_numpy_finds(rng, "cuda", option)


def check_that_torch_works_in(rng, device, unit):
    x, prompt = unit * rng.standard_normal((200, 5)), np.repeat(np.arange(20), 10)
    problem = trace_problem(CandidatePool(x, prompt, device=device), budget=30)
    here = trace_problem(CandidatePool(x, prompt), budget=30)
    point = here.at(here.pool.uniform_information)
    for exact in (False, True):
        ids, bound = here.best_pairs(point, exact=exact)
        found, same = problem.best_pairs(point, exact=exact)
        np.testing.assert_array_equal(np.sort(found), np.sort(ids))
        assert same == pytest.approx(bound, rel=1e-10 if exact else 1e-5)


UNITS = [1e-150, 1.0, 1e150]


@pytest.mark.parametrize("unit", UNITS)
def test_torch_works_in_any_unit(rng, unit):
    check_that_torch_works_in(rng, "cpu", unit)


@needs_cuda
def test_cuda_works_in_any_unit(rng):
    for unit in UNITS:
        check_that_torch_works_in(rng, "cuda", unit)


@pytest.mark.parametrize("device", ["cpu", pytest.param("cuda", marks=needs_cuda)])
def test_pools_derived_from_a_pool_share_its_features_on_the_device(rng, device):
    pool = CandidatePool(rng.standard_normal((30, 4)), np.repeat(np.arange(6), 5), device=device)
    projection = rng.standard_normal((4, 4))
    top, _ = largest_pairs(pool, projection, 10, exact=False)
    other = pool.without(top)
    rest, _ = largest_pairs(other, projection, 100, exact=False)
    assert other.__dict__["_on_device"] is pool.__dict__["_on_device"]
    np.testing.assert_array_equal(np.sort(np.concatenate([top, rest])), pool.candidate_ids())
