"""What a choice of pairs looks like: over prompts, and under other ridges."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

import numpy as np
import numpy.typing as npt

from pairselect.core.arrays import DesignError, FloatArray, IntArray
from pairselect.core.pool import CandidatePool
from pairselect.core.selection import Selection

# A choice that hinges on the ridge moves by more than this between a tenth and ten times of it.
STABLE = 1.25


@dataclass(frozen=True, eq=False)
class RidgeSweep:
    """One choice of pairs under other ridges.

    Attributes
    ----------
    factors, ridge : (k,) arrays
        Multiples of the problem's λ, rising, and the ridges themselves.
    objective : (k,) array
        Φ of the choice; falls as λ rises.
    condition_number : (k,) array
        Of M.
    effective_dimension : (k,) array
        Σ s/(s + λ) over the eigenvalues s of Σ_D: the directions that labels identify better
        than the ridge.
    gap : (k,) array or None
        At most so far is the choice from the best one under each ridge.
    stable : bool
        Φ at a tenth and at ten times λ differ by a factor of at most `STABLE`. As the best Φ
        rises when λ falls, a stable choice within the fraction ε of the best at λ is within
        (1 + ε)·STABLE − 1 of it at any λ down to a tenth.
    """

    factors: FloatArray
    ridge: FloatArray
    objective: FloatArray
    condition_number: FloatArray
    effective_dimension: FloatArray
    gap: FloatArray | None
    stable: bool


def ridge_sweep(
    selection: Selection,
    factors: npt.ArrayLike = (0.01, 0.1, 1.0, 10.0, 100.0),
    *,
    bounds: bool = False,
) -> RidgeSweep:
    """Does this choice of pairs hinge on the ridge?

    With Σ_D + prior = Σ_k s_k v_k v_kᵀ, Φ(λ) = Σ_k ‖Rᵀv_k‖² / (s_k + λ): one eigendecomposition.

    Parameters
    ----------
    selection : Selection
        `describe_selection` makes one of any pairs.
    factors : (k,) array
        Multiples of the problem's λ; above 0.
    bounds : bool
        Also bound the best Φ under each ridge, by one pass of the oracle each, at the design of
        the selection if it has one. Not solved again, so the gaps are wide far from factor 1.

    Raises
    ------
    DesignError
        If the problem's ridge is 0, or a factor is not above 0.
    """
    problem = selection.problem
    times = np.unique(np.asarray(factors, dtype=np.float64))
    if times.size == 0 or not np.all(np.isfinite(times)) or times[0] <= 0:
        raise DesignError("factors must be numbers above 0.")
    if problem.ridge <= 0:
        raise DesignError("The ridge is 0, which has no multiples; state a positive ridge.")
    identity = np.eye(problem.pool.dimension)
    prior = problem.base_information - problem.ridge * identity
    information = problem.selection_information(problem.pool.pair_ids(selection.pairs))
    values, vectors = np.linalg.eigh(information + prior)
    values = np.maximum(values, 0.0)  # rounding
    share = np.sum((vectors.T @ problem.target_root) ** 2, axis=1)
    held = np.maximum(np.linalg.eigvalsh(information), 0.0)

    def objective(ridge: float) -> float:
        return float(np.sum(share / (values + ridge)))

    ridges = times * problem.ridge
    phi = np.array([objective(ridge) for ridge in ridges])
    gap = None
    if bounds:
        design = information if selection.design is None else selection.design.information
        best = np.empty(ridges.size)
        for k, ridge in enumerate(ridges):
            here = replace(problem, ridge=float(ridge), base_information=prior + ridge * identity)
            best[k] = here.best_pairs(here.at(design))[1]
        smaller = times <= 1  # the best Φ only rises as λ falls, so the selection's bound holds
        best[smaller] = np.maximum(best[smaller], selection.lower_bound)
        gap = np.maximum(phi / best - 1, 0.0)
    return RidgeSweep(
        factors=times,
        ridge=ridges,
        objective=phi,
        condition_number=(values[-1] + ridges) / (values[0] + ridges),
        effective_dimension=np.array([float(np.sum(held / (held + r))) for r in ridges]),
        gap=gap,
        stable=objective(problem.ridge / 10) <= STABLE * objective(problem.ridge * 10),
    )


@dataclass(frozen=True, eq=False)
class Allocation:
    """How a choice of pairs is spread over the prompts that have a candidate pair.

    Attributes
    ----------
    counts : (p,) integers
        Pairs of each prompt.
    rows : (p,) integers
        A row of `features` of each prompt, its first: what the caller knows the prompt by.
    without, minimum, maximum : int
        Prompts with no pair; the fewest and the most of a prompt.
    median : float
    top_share : float
        Share of the pairs in the tenth of the prompts (rounded up) that have the most.
    effective_prompts : float
        (Σ c)² / Σ c²: the number of prompts if all have as many, 1 if one has them all.
    """

    counts: IntArray = field(repr=False)
    rows: IntArray = field(repr=False)
    without: int
    minimum: int
    median: float
    maximum: int
    top_share: float
    effective_prompts: float


def allocation(pool: CandidatePool, pairs: npt.ArrayLike) -> Allocation:
    """Count the pairs (n, 2), rows of `features`, by prompt.

    Prompts that cannot have a pair are left out, unless one of the pairs is theirs (it may have
    been excluded from the pool since).

    Raises
    ------
    DesignError
        Without a pair, or if a row is out of range or its partner in another prompt.
    """
    ids = pool.pair_ids(pairs)
    if ids.size == 0:
        raise DesignError("There are no pairs to count.")
    every = np.bincount(pool.pair_prompts(ids), minlength=pool.n_prompts)
    possible = (pool.pairs_per_prompt > 0) | (every > 0)
    first = np.searchsorted(pool.prompt_of_row, np.flatnonzero(possible))
    counts = every[possible].astype(np.int64)
    tenth = -(-counts.size // 10)
    return Allocation(
        counts=counts,
        rows=pool.rows[first],
        without=int(np.count_nonzero(counts == 0)),
        minimum=int(counts.min()),
        median=float(np.median(counts)),
        maximum=int(counts.max()),
        top_share=float(np.sort(counts)[-tenth:].sum() / counts.sum()),
        effective_prompts=float(counts.sum() ** 2 / np.sum(counts**2)),
    )
