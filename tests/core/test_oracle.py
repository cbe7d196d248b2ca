"""The linear oracle against sorting all pairs."""

import numpy as np
import pytest

from pairselect.core import blocks
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
