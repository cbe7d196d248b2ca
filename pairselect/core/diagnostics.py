"""What a pool can tell before a label is bought: duplicates, diversity, length."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from pairselect.core.arrays import DesignError, FloatArray, IntArray
from pairselect.core.pool import CandidatePool
from pairselect.core.targets import effective_rank, semidefinite

# A label on a pair at 1/20 of the usual distance carries 1/400 of the usual information, which
# is g gᵀ: below what a person's time is worth, and near what two wordings of one answer differ by.
NEAR = 0.05


# --- duplicates -----------------------------------------------------------------------------


@dataclass(frozen=True, eq=False)
class NearDuplicates:
    """Candidate pairs whose features are nearly equal.

    Attributes
    ----------
    pairs : (k, 2) integers
        The closest of them, nearest first: rows of `features`, the first below the second.
    distance : (k,) array
        ‖g_e‖, in the unit of the features.
    count : int
        How many there are in all; k is at most the limit asked for.
    cutoff : float
        ‖g_e‖ up to which a pair counts, in the unit of the features.
    """

    pairs: IntArray = field(repr=False)
    distance: FloatArray = field(repr=False)
    count: int
    cutoff: float


def near_duplicates(
    pool: CandidatePool, threshold: float = NEAR, *, limit: int = 10_000
) -> NearDuplicates:
    """Candidate pairs with ‖g_e‖ ≤ threshold · the root mean square of ‖g_e‖ over all of them.

    Their labels carry at most threshold² of the mean information of a label, by its trace. As in
    the oracle, ‖g_(i,j)‖² = ‖φ_i‖² + ‖φ_j‖² − 2 φ_iᵀφ_j, in chunks of prompts.

    Parameters
    ----------
    pool : CandidatePool
    threshold : float
        Share of the root mean square; 0 to 1. Distances under about 1e-7 of the largest norm in
        a prompt are rounding, and count as 0 or nearly so.
    limit : int
        The most pairs to return; all are counted.

    Raises
    ------
    DesignError
        If the threshold or the limit is out of range.
    """
    if not 0 <= threshold <= 1:
        raise DesignError(f"threshold must lie between 0 and 1; got {threshold}.")
    if limit < 0:
        raise DesignError(f"limit must be 0 or more; got {limit}.")
    cutoff = threshold * _mean_square(pool) ** 0.5
    count, held = 0, 0
    ids, squares = [np.zeros(0, dtype=np.int64)], [np.zeros(0)]
    for block in pool.blocks:
        left, right = block.corners
        for chunk in block.chunks(pool.dimension):
            x = pool.centred[chunk.rows].reshape(chunk.n_prompts, chunk.size, -1)
            gram = x @ x.transpose(0, 2, 1)  # (prompts, K, K)
            half = np.einsum("xkk->xk", gram) / 2
            gram -= half[:, :, None]
            gram -= half[:, None, :]  # −‖g‖²/2
            # A triangle's entries in the order of pair ids; few pass, so no distance is copied.
            close = np.flatnonzero(
                (gram >= -(cutoff**2) / 2).reshape(chunk.n_prompts, -1)[
                    :, left * block.size + right
                ]
            )
            n_pairs = chunk.n_prompts * block.pairs_per_prompt
            first, last = np.searchsorted(
                pool.barred, [chunk.first_pair, chunk.first_pair + n_pairs]
            )
            close = np.setdiff1d(close, pool.barred[first:last] - chunk.first_pair, True)
            prompt, pair = np.divmod(close, block.pairs_per_prompt)
            ids.append(close + chunk.first_pair)
            squares.append(-2 * gram[prompt, left[pair], right[pair]])
            count += close.size
            held += close.size
            if held > 2 * limit:
                ids, squares = _closest(ids, squares, limit)
                held = ids[0].size
    ids, squares = _closest(ids, squares, limit)
    return NearDuplicates(
        pairs=pool.pair_rows(ids[0]),
        distance=np.sqrt(np.maximum(squares[0], 0.0)),
        count=count,
        cutoff=cutoff,
    )


def _mean_square(pool: CandidatePool) -> float:
    """Mean ‖g_e‖² over the candidate pairs, whatever information their labels carry."""
    if pool.rewards is not None or pool.weights is not None:
        pool = pool.unweighted()
    return float(np.trace(pool.uniform_information))


def _closest(
    ids: list[IntArray], squares: list[FloatArray], limit: int
) -> tuple[list[IntArray], list[FloatArray]]:
    number, square = np.concatenate(ids), np.concatenate(squares)
    keep = np.lexsort((number, square))[:limit]
    return [number[keep]], [square[keep]]


@dataclass(frozen=True)
class PoolDiversity:
    """How much there is to choose from.

    Attributes
    ----------
    near_duplicate_share : float
        Share of the candidate pairs that are near-duplicates.
    barred_share : float
        Share of all pairs within prompts that are no candidates: equal texts, and what was
        excluded when the pool was made.
    effective_rank : float
        Of Σ_uniform, (Σ eigenvalues)² / Σ eigenvalues²: how many directions pairs differ in.
    dimension : int
        d, the most that `effective_rank` can be.
    """

    near_duplicate_share: float
    barred_share: float
    effective_rank: float
    dimension: int


def pool_diversity(pool: CandidatePool, threshold: float = NEAR) -> PoolDiversity:
    """Near-duplicates, equal texts and the effective rank of a pool; see `near_duplicates`."""
    return PoolDiversity(
        near_duplicate_share=near_duplicates(pool, threshold, limit=0).count / pool.n_pairs,
        barred_share=pool.barred.size / (pool.barred.size + pool.n_pairs),
        effective_rank=effective_rank(pool.uniform_information),
        dimension=pool.dimension,
    )


# --- length ---------------------------------------------------------------------------------


@dataclass(frozen=True, eq=False)
class LengthReport:
    """How much of the features is length, within prompts.

    Attributes
    ----------
    directions : (k, d) array
        Leading eigenvectors of the information, of length 1; each points to longer completions.
    information_share : (k,) array
        Share of each in the trace.
    correlation : (k,) array
        Of the completions' scores along it with their length, 0 to 1 (the sign of an eigenvector
        is arbitrary); 0 where one of both does not vary.
    r_squared, adjusted_r_squared : float
        Of the regression of length on all d features. The first rises with d even if nothing is
        there; the second, 1 − (1 − R²)(rows − prompts)/(rows − prompts − rank), does not (and
        can be below 0); NaN where no row is left over.
    """

    directions: FloatArray = field(repr=False)
    information_share: FloatArray
    correlation: FloatArray
    r_squared: float
    adjusted_r_squared: float


def length_correlation(
    pool: CandidatePool,
    lengths: npt.ArrayLike,
    *,
    information: npt.ArrayLike | None = None,
    directions: int = 5,
) -> LengthReport:
    """Correlation of the leading feature directions with length, both centred in each prompt.

    Parameters
    ----------
    pool : CandidatePool
    lengths : (n_completions,) array
        In tokens, or any unit; from 0 up.
    information : (d, d) array, optional
        Whose directions: W, or by default the pool's Σ_uniform.
    directions : int
        How many, from 1; at most d.

    Raises
    ------
    DesignError
        On wrong shapes, lengths that are negative or not finite, or information that is zero.
    """
    tokens = np.asarray(lengths, dtype=np.float64)
    if tokens.shape != (pool.n_completions,):
        raise DesignError(
            f"lengths must have shape ({pool.n_completions},), one a row of features; "
            f"got {tokens.shape}."
        )
    if not np.all(np.isfinite(tokens)) or tokens.min() < 0:
        raise DesignError("lengths must be finite and not negative.")
    if directions < 1:
        raise DesignError(f"directions must be at least 1; got {directions}.")
    if information is None:
        matrix = pool.uniform_information
    else:
        matrix = semidefinite(information, pool.dimension, "information")
    values, vectors = np.linalg.eigh(matrix)
    values = np.maximum(values[::-1], 0.0)
    if values[0] == 0:
        raise DesignError("The information is zero, so it has no directions.")
    leading = vectors[:, ::-1][:, :directions].T  # (k, d)

    length = tokens[pool.rows]
    length = (
        length - (np.bincount(pool.prompt_of_row, weights=length) / pool.sizes)[pool.prompt_of_row]
    )
    total = float(length @ length)
    if total <= (pool.n_completions * np.finfo(float).eps * tokens.max()) ** 2:
        length, total = np.zeros_like(length), 0.0  # the rest is rounding of the mean
    x = pool.centred
    scatter, with_length = x.T @ x, x.T @ length
    covariance = leading @ with_length
    norm = np.sqrt(np.einsum("kd,de,ke->k", leading, scatter, leading).clip(0) * total)
    correlation = np.divide(covariance, norm, out=np.zeros_like(norm), where=norm > 0)

    spectrum, basis = np.linalg.eigh(scatter)
    seen = spectrum > pool.dimension * np.finfo(float).eps * spectrum[-1]
    explained = float(np.sum((basis.T @ with_length)[seen] ** 2 / spectrum[seen]))
    r_squared = min(explained / total, 1.0) if total > 0 else 0.0
    free = pool.rows.size - pool.n_prompts
    left = free - int(seen.sum())
    return LengthReport(
        directions=leading * np.where(correlation < 0, -1.0, 1.0)[:, None],
        information_share=values[:directions] / values.sum(),
        correlation=np.minimum(np.abs(correlation), 1.0),
        r_squared=r_squared,
        adjusted_r_squared=1 - (1 - r_squared) * free / left if left > 0 else float("nan"),
    )
