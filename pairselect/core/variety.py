"""How much a pool offers: by prompt, by source, and by how many completions each prompt has."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace

import numpy as np
import numpy.typing as npt

from pairselect.core.arrays import BoolArray, DesignError, FloatArray, IntArray
from pairselect.core.exchange import exchange_pairs
from pairselect.core.pool import CandidatePool
from pairselect.core.problem import TraceProblem, trace_problem
from pairselect.core.selection import describe_selection, largest_weights
from pairselect.core.solver import solve

# At a tenth of the usual distance, even the best label of a prompt carries a hundredth of the
# usual information, which is g gᵀ.
NARROW = 0.1
# The exchange closes most of what a coarser design leaves open, and 1% costs twice the time.
TOLERANCE = 0.03


# --- prompts --------------------------------------------------------------------------------


@dataclass(frozen=True, eq=False)
class PromptVariety:
    """How far the completions of each prompt lie apart; arrays in the order of `prompt_labels`.

    Attributes
    ----------
    widest : (n_prompts,) array
        Largest ‖g_e‖ of the prompt's candidate pairs; 0 where it has none.
    effective_rank : (n_prompts,) array
        Of the covariance of the prompt's features, (Σ eigenvalues)² / Σ eigenvalues²: in how many
        directions its completions differ, at most K − 1; 0 where they do not.
    median_distance : float
        Median ‖g_e‖ over the candidate pairs of the pool.
    """

    widest: FloatArray = field(repr=False)
    effective_rank: FloatArray = field(repr=False)
    median_distance: float

    def narrow(self, threshold: float = NARROW) -> BoolArray:
        """Prompts (n_prompts,) whose widest pair is below threshold · the median pair."""
        return np.asarray(self.widest < threshold * self.median_distance)


def prompt_variety(pool: CandidatePool) -> PromptVariety:
    """The widest pair and the effective rank of every prompt, in chunks of prompts.

    As in the oracle, ‖g_(i,j)‖² = ‖φ_i‖² + ‖φ_j‖² − 2 φ_iᵀφ_j. The K × K Gram matrix of a
    prompt has the eigenvalues of its covariance, up to a factor and zeros. tr(·)²/tr(·²) is the
    effective rank R₀ of Bartlett, Long, Lugosi and Tsigler (arXiv:1906.11300), elsewhere called
    the participation ratio.
    """
    widest, rank = np.zeros(pool.n_prompts), np.zeros(pool.n_prompts)
    distances: list[npt.NDArray[np.float32]] = []
    for block in pool.blocks:
        left, right = block.corners
        for chunk in block.chunks(pool.dimension):
            x = pool.centred[chunk.rows].reshape(chunk.n_prompts, chunk.size, -1)
            gram = x @ x.transpose(0, 2, 1)  # (prompts, K, K)
            norm = np.einsum("xkk->xk", gram)
            trace, square = norm.sum(axis=1), np.einsum("xkl,xkl->x", gram, gram)
            rank[chunk.prompts] = np.divide(
                trace**2, square, out=np.zeros_like(trace), where=square > 0
            )
            apart = norm[:, left] + norm[:, right] - 2 * gram[:, left, right]  # (prompts, pairs)
            first, last = np.searchsorted(
                pool.barred, [chunk.first_pair, chunk.first_pair + apart.size]
            )
            candidate = np.ones(apart.size, dtype=np.bool_)
            candidate[pool.barred[first:last] - chunk.first_pair] = False
            candidate = candidate.reshape(apart.shape)
            apart = np.sqrt(np.maximum(apart, 0.0))
            widest[chunk.prompts] = np.max(apart, axis=1, where=candidate, initial=0.0)
            distances.append(apart[candidate].astype(np.float32))
    return PromptVariety(widest, rank, float(np.median(np.concatenate(distances))))


# --- sources --------------------------------------------------------------------------------


def source_spread(pool: CandidatePool, sources: npt.ArrayLike) -> dict[int, float]:
    """How far two completions of one source lie apart, as a share of two of the pool.

    Of each source the mean ‖g‖² that two of its draws on one prompt have, 2 Σ ‖φ − φ̄_xs‖² over
    Σ (K_xs − 1), divided by the mean ‖g‖² over all pairs within prompts. φ̄_xs is the mean of the
    source's completions of the prompt. Above 1, the source brings more variety than the mixture.

    Parameters
    ----------
    pool : CandidatePool
    sources : (n_completions,) integers
        Which source wrote each row of features.

    Returns
    -------
    dict
        By source; without those that have no prompt with two completions.

    Raises
    ------
    DesignError
        On another shape.
    """
    source = np.asarray(sources)
    if source.shape != (pool.n_completions,):
        raise DesignError(
            f"sources must have shape ({pool.n_completions},), one a row of features; "
            f"got {source.shape}."
        )
    kinds, kind = np.unique(source[pool.rows], return_inverse=True)
    group = pool.prompt_of_row * kinds.size + kind
    order = np.argsort(group, kind="stable")
    starts = np.flatnonzero(np.diff(group[order], prepend=-1))
    sizes = np.diff(np.append(starts, order.size))
    square = np.add.reduceat(np.sum(pool.centred**2, axis=1)[order], starts)
    total = np.add.reduceat(pool.centred[order], starts, axis=0)
    within = np.maximum(square - np.sum(total**2, axis=1) / sizes, 0.0)
    owner = group[order][starts] % kinds.size
    scatter = np.bincount(owner, weights=within, minlength=kinds.size)
    free = np.bincount(owner, weights=sizes - 1, minlength=kinds.size)
    return {
        int(kinds[s]): float(2 * scatter[s] / free[s] / pool.mean_square_difference)
        for s in np.flatnonzero(free)
    }


# --- completions a prompt -------------------------------------------------------------------


@dataclass(frozen=True, eq=False)
class CompletionsCurve:
    """Φ of the best choice of n pairs, where each prompt has k of its completions.

    Attributes
    ----------
    counts : (m,) integers
        k, rising from 2 to the median number of completions a prompt, with its half among them.
    objective : (m,) array
        Φ of n whole pairs chosen from as many completions, the mean over the draws.
    draws : (draws, m) array
        Φ draw by draw, each falling: what can be chosen from k completions can be from more.
    gap : float
        No choice at any point has a Φ that is smaller by more than this share of the bound.
    budget : int
        n: one label for each prompt, which at k = 2 is every pair, or more than there are.
    """

    counts: IntArray
    objective: FloatArray
    draws: FloatArray = field(repr=False)
    gap: float
    budget: int

    @property
    def half(self) -> int:
        """Place in `counts` of half of the last k, rounded up."""
        return int(np.searchsorted(self.counts, (self.counts[-1] + 1) // 2))

    @property
    def last_fall(self) -> float:
        """By which share Φ falls from half of the completions to all; 0 to 1."""
        return float(1 - self.objective[-1] / self.objective[self.half])


def completions_curve(
    pool: CandidatePool,
    *,
    rng: np.random.Generator,
    text_id: npt.ArrayLike | None = None,
    draws: int = 3,
    ridge: float = 1e-3,
    on_step: Callable[[int, int], None] | None = None,
) -> CompletionsCurve:
    """Φ of one label a prompt, chosen from 2, 3, 4, 6, 8, … completions of each prompt.

    W and λ are those of the whole pool at every k, so that the numbers can be compared. Each draw
    puts the completions of every prompt in a random order, and k is the first k of them; prompts
    with fewer give all that they have. Of equal texts one takes part: the copies of a good pair
    would look like more good pairs. Where fewer than n pairs are left, all of them are taken, with
    weight 1/n as ever: the other labels have nothing to be bought for.

    Parameters
    ----------
    pool : CandidatePool
        With at least three completions in the median prompt. What is barred is not regarded.
    rng : numpy.random.Generator
    text_id : (n_completions,) integers, optional
        Completions of one prompt with equal `text_id` have the same text.
    draws : int
        Orders to average over, at least 1.
    ridge : float
        Relative, as in `solve_trace_design`; above 0.
    on_step : function, optional
        Called with the steps done and all steps after each of them; what it raises passes.

    Raises
    ------
    DesignError
        Where the pool has fewer completions, or numbers are out of range.
    """
    most = int(np.median(pool.sizes))
    if most < 3:
        raise DesignError("The median prompt must have at least three completions.")
    if draws < 1 or not ridge > 0:
        raise DesignError(f"draws must be at least 1 and ridge above 0; got {draws} and {ridge}.")
    problem = trace_problem(pool, budget=1, ridge=ridge)
    problem = replace(problem, budget=pool.n_prompts)
    counts = np.array(_steps(most), dtype=np.int64)
    texts = np.arange(pool.n_completions) if text_id is None else np.asarray(text_id)
    if texts.shape != (pool.n_completions,):
        raise DesignError(
            f"text_id must have shape ({pool.n_completions},), one a row of features; "
            f"got {texts.shape}."
        )
    texts = texts[pool.rows]
    first = np.cumsum(pool.sizes) - pool.sizes
    found, bound = np.empty((draws, counts.size)), np.empty((draws, counts.size))
    for draw in range(draws):
        # Sorted by prompt, and at random inside.
        order = np.lexsort((rng.random(pool.rows.size), pool.prompt_of_row))
        place = np.arange(order.size) - first[pool.prompt_of_row]
        for step, k in enumerate(counts):
            chosen = _distinct(order[place < k], pool.prompt_of_row, texts)
            found[draw, step], bound[draw, step] = _best(problem, chosen)
            if on_step is not None:
                on_step(draw * counts.size + step + 1, found.size)
    # A choice from fewer completions is one from more; a bound the reverse.
    found = np.minimum.accumulate(found, axis=1)
    bound = np.maximum.accumulate(bound[:, ::-1], axis=1)[:, ::-1]
    return CompletionsCurve(
        counts=counts,
        objective=found.mean(axis=0),
        draws=found,
        gap=max(float(np.max(found / bound)) - 1, 0.0),
        budget=problem.budget,
    )


def _distinct(places: IntArray, prompts: IntArray, texts: IntArray) -> IntArray:
    """The first of these places for each text of a prompt."""
    order = np.lexsort((np.arange(places.size), texts[places], prompts[places]))
    prompt, text = prompts[places][order], texts[places][order]
    is_new = (np.diff(prompt, prepend=-1) != 0) | (np.diff(text, prepend=text[:1] - 1) != 0)
    return np.asarray(places[np.sort(order[is_new])])


def _best(problem: TraceProblem, places: IntArray) -> tuple[float, float]:
    """Φ of the best n pairs of the completions at these places in `pool.rows`, and its bound."""
    pool, n = problem.pool, problem.budget
    prompts = pool.prompt_of_row[places]
    if np.bincount(prompts).max() < 2:
        phi = problem.at(np.zeros_like(problem.base_information)).objective
        return phi, phi
    part = CandidatePool(pool.centred[places], prompts)
    if part.n_pairs <= n:  # every pair, so no choice
        information = part.information(part.candidate_ids(), np.full(part.n_pairs, 1 / n))
        phi = problem.at(information).objective
        return phi, phi
    here = replace(problem, pool=part)
    design = solve(here, tolerance=TOLERANCE)
    # From the largest weights alone: the other starts of a small pool gain little and cost most.
    ids = exchange_pairs(here, largest_weights(design))
    selection = describe_selection(here, ids, np.ones(ids.size), design)
    return selection.objective, selection.lower_bound


def _steps(most: int) -> list[int]:
    """From `most` down by halves, with three quarters between: 2, 3, 4, 6, 8, 12, 16."""
    steps = {2}
    while most > 2:
        steps |= {most, (3 * most + 3) // 4}
        most = (most + 1) // 2
    return sorted(steps)
