"""The order in which chosen pairs are labelled."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from pairselect.core.arrays import FloatArray, IntArray
from pairselect.core.design import Design
from pairselect.core.pool import CandidatePool
from pairselect.core.problem import TraceProblem, trace_problem
from pairselect.core.selection import Selection

# Steps between two fresh factorisations, which stop the drift of the rank-one updates and drop
# the rows already placed.
REFRESH = 256
# Relative ridge of the ordering where the problem has none: the first pairs need one.
SMALLEST_RIDGE = 1e-3


def order_pairs(
    source: Design | TraceProblem | CandidatePool,
    pairs: npt.ArrayLike,
    *,
    ridge: float = 1e-3,
    target: str | npt.ArrayLike = "samples",
    prior_information: npt.ArrayLike | None = None,
) -> IntArray:
    """A queue order such that work stopped early still leaves a good design.

    Greedy on Φ from M₀ = λI + prior: the next pair is the one that lowers
    tr(W (M + g gᵀ/n)⁻¹) most, which is (d_e/n) / (1 + g_eᵀM⁻¹g_e/n) by Sherman-Morrison. Ties go
    to the pair that stands first in `pairs`.

    Parameters
    ----------
    source : Design, TraceProblem or CandidatePool
        What the pairs were chosen from. The keyword arguments are for a pool only, and mean what
        they do in `solve_trace_design`; a design has its own.
    pairs : (n, 2) integers
        Rows of `features`.

    Returns
    -------
    (n,) integers
        A permutation: ``pairs[order]`` is the queue.

    Raises
    ------
    DesignError
        If `pairs` are not pairs of the pool.

    Notes
    -----
    O(n²d) in all, with one (n, d) × (d, 2) product a step: about 1 s for n = 5,000 and d = 128.
    """
    if isinstance(source, Design):
        source = source.problem
    if isinstance(source, CandidatePool):
        source = trace_problem(
            source,
            budget=max(len(np.asarray(pairs)), 1),
            ridge=ridge,
            target=target,
            prior_information=prior_information,
        )
    ids = source.pool.pair_ids(pairs)
    base = source.base_information
    if source.ridge == 0:
        d = source.pool.dimension
        scale = float(np.trace(source.pool.uniform_information)) / d
        base = base + SMALLEST_RIDGE * scale * np.eye(d)
    g = source.pool.information_vectors(ids) / np.sqrt(source.budget)
    return _greedy(g, base, source.target_root)


def order_selection(selection: Selection, rng: np.random.Generator) -> IntArray:
    """A queue order of a selection's pairs, such that work stopped early leaves a good choice.

    What the strategy chose comes in the order of `order_pairs`. What was drawn at random, as a
    control, comes in random order and evenly spread, so that every beginning of the queue holds
    its share of a random sample.

    Parameters
    ----------
    selection : Selection
    rng : numpy.random.Generator

    Returns
    -------
    (n,) integers
        A permutation: ``selection.pairs[order]`` is the queue.
    """
    chosen = np.flatnonzero(~selection.is_random)
    chosen = chosen[order_pairs(selection.problem, selection.pairs[chosen])]
    random = rng.permutation(np.flatnonzero(selection.is_random))
    turn = [(np.arange(part.size) + 0.5) / part.size for part in (chosen, random) if part.size]
    order: IntArray = np.concatenate([chosen, random])[
        np.argsort(np.concatenate(turn), kind="stable")
    ]
    return order


def _greedy(g: FloatArray, M: FloatArray, root: FloatArray) -> IntArray:
    """Greedy order of rows g (n, d), already scaled, from M (d, d)."""
    order: list[IntArray] = []
    left = np.arange(len(g))
    while left.size:
        rows = g[left]
        inverse = np.linalg.inv(M)  # N
        projection = inverse @ root
        kernel = projection @ projection.T  # K = NWN
        leverage = np.sum((rows @ inverse) * rows, axis=1)  # gᵀNg
        sensitivity = np.sum((rows @ projection) ** 2, axis=1)  # gᵀKg
        placed = np.zeros(left.size, dtype=bool)
        for _ in range(min(REFRESH, left.size)):
            e = int(np.argmax(np.where(placed, -np.inf, sensitivity / (1 + leverage))))
            placed[e] = True
            order.append(left[e : e + 1])
            n_e, k_e = inverse @ rows[e], kernel @ rows[e]
            t = 1 / (1 + leverage[e])
            strength = float(sensitivity[e])
            x, y = (rows @ np.stack([n_e, k_e], axis=1)).T  # gᵀN g_e, gᵀK g_e
            leverage -= t * x**2
            sensitivity += t * x * (t * strength * x - 2 * y)
            inverse -= t * np.outer(n_e, n_e)
            cross = np.outer(n_e, k_e - 0.5 * t * strength * n_e)
            kernel -= t * (cross + cross.T)
        M = M + rows[placed].T @ rows[placed]
        left = left[~placed]
    return np.concatenate(order) if order else np.zeros(0, dtype=np.int64)
