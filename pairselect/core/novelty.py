"""Why a pair stands in its place: what it tells alone, and what is left of it there."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from pairselect.core.arrays import BoolArray, FloatArray, IntArray
from pairselect.core.ordering import REFRESH, SMALLEST_RIDGE
from pairselect.core.problem import TraceProblem

# Candidates that a pair is ranked among: with so many, a share is off by 1% (standard error).
AMONG = 2000


@dataclass(frozen=True, eq=False)
class Novelty:
    """What each pair of a queue tells, alone and in its place.

    With M₀ = λI + prior and M_k = M₀ + Σ g gᵀ/n over the pairs before place k, a pair's gain at M
    is what it lowers Φ by: (d_e/n) / (1 + g_eᵀM⁻¹g_e/n), d_e = g_eᵀM⁻¹WM⁻¹g_e.

    Attributes
    ----------
    alone : (n,) array
        Share of the candidate pairs whose d_e at M₀ is smaller; 0 to 1.
    left : (n,) array
        Its gain at M_k over its gain at M₀: 1 where the pairs before it have nothing in common
        with it, near 0 where they tell the same. Above 0.
    then : (n,) array
        Share of the candidate pairs not yet in the queue whose gain at M_k is smaller; 0 to 1,
        NaN where none is left.
    """

    alone: FloatArray = field(repr=False)
    left: FloatArray = field(repr=False)
    then: FloatArray = field(repr=False)


def novelty(
    problem: TraceProblem, ids: IntArray, rng: np.random.Generator, *, among: int = AMONG
) -> Novelty:
    """What the pairs of a queue, given by id in its order, tell alone and in their places.

    Parameters
    ----------
    problem : TraceProblem
    ids : (n,) integers
        Of candidate pairs, the first of the queue first.
    rng : numpy.random.Generator
        Draws the candidates that pairs are ranked among, where there are more than `among`.
    among : int
        At least 1.

    Notes
    -----
    As in `order_pairs`, rank-one updates: O(n (n + among) d) in all.
    """
    pool, n = problem.pool, problem.budget
    ranks = np.arange(pool.n_pairs)
    if pool.n_pairs > among:
        ranks = np.sort(rng.choice(pool.n_pairs, among, replace=False))
    others = pool.candidate_ids(ranks)
    # All gains at once: those of the queue, then those of the candidates.
    rows = pool.information_vectors(np.concatenate([ids, others])) / np.sqrt(n)
    place = {int(e): k for k, e in enumerate(others)}
    waiting: BoolArray = np.ones(others.size, dtype=np.bool_)  # candidates not yet in the queue

    M = problem.base_information
    if problem.ridge == 0:  # the first pairs need one
        scale = float(np.trace(pool.uniform_information)) / pool.dimension
        M = M + SMALLEST_RIDGE * scale * np.eye(pool.dimension)
    size = ids.size
    alone, left, then = np.empty(size), np.empty(size), np.full(size, np.nan)
    first = np.zeros(0)
    for k in range(size):
        if k % REFRESH == 0:  # against the drift of the updates
            M = M + rows[max(k - REFRESH, 0) : k].T @ rows[max(k - REFRESH, 0) : k]
            inverse = np.linalg.inv(M)  # N
            projection = inverse @ problem.target_root
            kernel = projection @ projection.T  # NWN
            leverage = np.sum((rows[k:] @ inverse) * rows[k:], axis=1)  # gᵀNg
            sensitivity = np.sum((rows[k:] @ projection) ** 2, axis=1)  # d_e/n
        # Of the pairs from place k on, then of the candidates.
        gain = np.maximum(sensitivity, 0) / (1 + np.maximum(leverage, 0))
        if k == 0:
            first = gain[:size].copy()
            ranked = np.sort(sensitivity[size:])
            alone = np.searchsorted(ranked, sensitivity[:size] * (1 - 1e-9)) / ranked.size
        left[k] = gain[0] / first[k] if first[k] > 0 else 0.0
        own = place.get(int(ids[k]))
        if own is not None:
            waiting[own] = False
        if waiting.any():
            then[k] = float(np.mean(gain[size - k :][waiting] < gain[0] * (1 - 1e-9)))
        n_e, k_e = inverse @ rows[k], kernel @ rows[k]
        t = 1 / (1 + leverage[0])
        strength = float(sensitivity[0])
        x, y = (rows[k + 1 :] @ np.stack([n_e, k_e], axis=1)).T
        leverage = leverage[1:] - t * x**2
        sensitivity = sensitivity[1:] + t * x * (t * strength * x - 2 * y)
        inverse = inverse - t * np.outer(n_e, n_e)
        cross = np.outer(n_e, k_e - 0.5 * t * strength * n_e)
        kernel = kernel - t * (cross + cross.T)
    return Novelty(alone=alone, left=left, then=then)
