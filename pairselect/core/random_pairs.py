"""What random pairs bring: Φ of as many, at any budget, without a pass over all pairs."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from pairselect.core.arrays import FloatArray, IntArray
from pairselect.core.problem import TraceProblem
from pairselect.core.sampling import systematic_sample

# Up to so many labels a dimension Φ of random pairs is drawn, above it is Φ of the uniform design:
# drawn pairs lie above that limit by about d/n, at most 1% there.
DRAWN_LABELS = 100


def random_objectives(
    problems: Sequence[TraceProblem], *, draws: int, rng: np.random.Generator
) -> FloatArray:
    """Mean Φ of n random pairs, by drawing them, and its limit where that is as good as reached.

    Parameters
    ----------
    problems : (k,) problems
        One problem at rising budgets.
    draws : int
        Sets of pairs to average over, for each budget of at most `DRAWN_LABELS` a dimension.
    rng : numpy.random.Generator

    Returns
    -------
    (k,) array

    Raises
    ------
    DesignError
        If with ridge 0 drawn pairs leave a direction unidentified.
    """
    few = [p for p in problems if p.budget <= DRAWN_LABELS * p.pool.dimension]
    drawn = np.array(
        [
            [p.at(total / p.budget).objective for p, total in zip(few, totals, strict=True)]
            for totals in (_drawn_information(few, rng) for _ in range(draws))
        ]
    ).mean(axis=0)
    limit = [p.uniform_objective for p in problems[len(few) :]]
    return np.concatenate([drawn, limit])


def _drawn_information(problems: list[TraceProblem], rng: np.random.Generator) -> list[FloatArray]:
    """Σ_e g gᵀ over as many random pairs as each problem's budget, for rising budgets.

    Without caps the sets are nested, so that their loss falls with n draw by draw.
    """
    if not problems:
        return []
    if problems[0].max_per_prompt is not None:
        return [_sum(problem, random_ranks(problem, rng)) for problem in problems]
    ranks = random_ranks(problems[-1], rng)
    ends = [problem.budget for problem in problems]
    starts = [0, *ends[:-1]]
    parts = [_sum(problems[0], ranks[a:b]) for a, b in zip(starts, ends, strict=True)]
    return list(np.cumsum(parts, axis=0))


def _sum(problem: TraceProblem, ranks: IntArray) -> FloatArray:
    ids = problem.pool.candidate_ids(np.sort(ranks))
    return problem.pool.information(ids, np.ones(ids.size))


def random_ranks(problem: TraceProblem, rng: np.random.Generator) -> IntArray:
    """Ranks of n random candidate pairs, each with the probability of `uniform_rate`.

    Without caps a simple random sample, in random order. With caps, a prompt with
    T = rate · pairs gives ⌊T⌋ or ⌈T⌉ pairs, drawn without repetition. No work is done for the
    pairs that are not drawn.
    """
    if problem.max_per_prompt is None:
        return rng.choice(problem.pool.n_pairs, problem.budget, replace=False)
    pairs = problem.pool.pairs_per_prompt
    total = problem.uniform_rate() * pairs
    count = np.floor(total + 1e-9).astype(np.int64)
    rest = np.clip(total - count, 0.0, 1.0)
    missing = problem.budget - int(count.sum())
    if missing > 0:
        count[systematic_sample(rest, np.arange(pairs.size), missing, rng)] += 1
    first = np.cumsum(pairs) - pairs
    drawn = [
        first[x] + rng.choice(pairs[x], count[x], replace=False) for x in np.flatnonzero(count)
    ]
    return np.concatenate(drawn)


def uniform_sample(problem: TraceProblem, rng: np.random.Generator) -> tuple[IntArray, FloatArray]:
    """Ids (n,) of random candidate pairs and their inclusion probabilities (n,)."""
    ids = problem.pool.candidate_ids(np.sort(random_ranks(problem, rng)))
    return ids, problem.uniform_rate()[problem.pool.pair_prompts(ids)]
