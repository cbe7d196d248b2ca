"""What a design is compared with: rules that look at the pairs one by one, or at random."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from pairselect.core.arrays import FloatArray, IntArray
from pairselect.core.problem import TraceProblem
from pairselect.core.random_pairs import uniform_sample
from pairselect.core.selection import Selection, best_within_caps, describe_selection
from pairselect.core.strategies import Request, sample_proportional, strategy

# hybrid: the diverse subset is this many times the budget.
DIVERSE = 3


@strategy("uniform", summary="Pairs at random, as a control.")
def uniform(request: Request) -> Selection:
    """Random pairs.

    Without a cap, a simple random sample of the candidate pairs: each with n / n_pairs. With a
    cap, a sample with the probabilities of `TraceProblem.uniform_rate`, spread evenly over prompts.
    """
    ids, probability = uniform_sample(request.problem, request.generator())
    chosen = describe_selection(request.problem, ids, probability)
    return replace(chosen, is_random=np.ones(ids.size, dtype=np.bool_))


@strategy("first_two", summary="The first two completions of each prompt, prompts in order.")
def first_two(request: Request) -> Selection:
    """The pair of each prompt's first two completions, in the order of the prompts' first rows.

    A budget above the number of prompts goes on with the first three completions, and so on.
    With fewer labels than prompts it is "first N" of arXiv:2606.19607.
    """
    pool = request.problem.pool
    ids = pool.candidate_ids()
    rows = pool.pair_rows(ids)
    prompts = pool.pair_prompts(ids)
    first_row = np.full(pool.n_prompts, pool.n_completions)
    np.minimum.at(first_row, pool.prompt_of_row, pool.rows)
    within = np.lexsort((rows[:, 0], rows[:, 1], prompts))
    grouped = prompts[within]
    turn = np.empty(ids.size, dtype=np.int64)
    turn[within] = np.arange(ids.size) - np.searchsorted(grouped, grouped)
    return _take(request, ids[np.lexsort((first_row[prompts], turn))])


@strategy(
    "reference_weighted",
    summary="At random, as likely as the reference model writes both.",
    needs=("log_probs",),
)
def reference_weighted(request: Request) -> Selection:
    """A sample with probabilities ∝ π₀(a)π₀(b), π₀ the softmax of the prompt's log-probabilities.

    Inclusion probabilities are min(1, c·w_e). Pairs that π₀ makes all but impossible share a
    floor, see `SMALLEST_WEIGHT`.
    """
    pool = request.problem.pool
    assert pool.log_probs is not None
    shifted = np.empty_like(pool.log_probs)
    for block in pool.blocks:
        table = pool.log_probs[block.rows].reshape(block.n_prompts, block.size)
        p = np.exp(table - table.max(axis=1, keepdims=True))
        shifted[block.rows] = (p / p.sum(axis=1, keepdims=True)).reshape(-1)
    sides = pool.sides(pool.candidate_ids())
    weights = shifted[sides[:, 0]] * shifted[sides[:, 1]]
    return sample_proportional(request, weights)


@strategy("k_center", summary="Pairs as different from each other as possible.")
def k_center(request: Request) -> Selection:
    """Farthest-first traversal of the sensitivities g_e, from the longest.

    The distance of two pairs is min(‖g_e − g_f‖, ‖g_e + g_f‖), since a pair has no direction. A
    step costs O(n_completions·d + n_pairs). Gonzalez, Clustering to minimize the maximum
    intercluster distance, Theoretical Computer Science 38 (1985) 293-306.
    """
    ids = farthest_first(request.problem, request.problem.budget)
    return describe_selection(request.problem, ids, np.ones(ids.size))


@strategy("max_gap", summary="The pairs whose scores differ most.", needs=("scores",))
def max_gap(request: Request) -> Selection:
    """The largest score gaps; ties at random where there is a generator, else by id.

    Without caps the inclusion probability of a tied pair is that of the draw; with caps it is
    reported as 1, as it depends on the prompts of the others.
    """
    return _by_gap(request, request.problem.pool.candidate_ids(), -1.0)


@strategy("uncertainty", summary="The pairs whose scores differ least.", needs=("scores",))
def uncertainty(request: Request) -> Selection:
    """The predicted preference nearest ½: the smallest score gaps; ties as in `max_gap`."""
    return _by_gap(request, request.problem.pool.candidate_ids(), 1.0)


@strategy(
    "hybrid",
    summary="Of a diverse subset, the pairs whose scores differ least.",
    needs=("scores",),
)
def hybrid(request: Request) -> Selection:
    """The smallest score gaps among the first 3n pairs of `k_center`."""
    problem = request.problem
    count = min(DIVERSE * problem.budget, problem.pool.n_pairs)
    most = None if problem.max_per_prompt is None else DIVERSE * problem.most_per_prompt
    wide = replace(problem, max_per_prompt=most)
    return _by_gap(request, np.sort(farthest_first(wide, count)), 1.0)


def farthest_first(problem: TraceProblem, count: int) -> IntArray:
    """Ids of up to `count` pairs in the order of a farthest-first traversal, within the caps."""
    pool = problem.pool
    ids = pool.candidate_ids()
    left, right = pool.sides(ids).T
    prompts = pool.pair_prompts(ids)
    most = count if problem.max_per_prompt is None else problem.max_per_prompt
    room = np.broadcast_to(np.asarray(most, dtype=np.int64), pool.n_prompts).copy()
    square = np.empty(ids.size)  # ‖g‖²
    step = 2**16
    for start in range(0, ids.size, step):
        part = slice(start, start + step)
        square[part] = np.sum((pool.centred[left[part]] - pool.centred[right[part]]) ** 2, axis=1)
    distance = square.copy()  # to the nearest centre; the first is 0, which tells nothing
    distance[room[prompts] <= 0] = -np.inf
    chosen: list[int] = []
    while len(chosen) < count:
        e = int(np.argmax(distance))
        if distance[e] == -np.inf:
            break
        chosen.append(e)
        along = pool.centred @ (pool.centred[left[e]] - pool.centred[right[e]])
        inner = np.abs(along[left] - along[right])  # |g_fᵀg_e| of every pair f
        np.minimum(distance, np.maximum(square + square[e] - 2 * inner, 0), out=distance)
        distance[e] = -np.inf
        room[prompts[e]] -= 1
        if room[prompts[e]] == 0:
            distance[prompts == prompts[e]] = -np.inf
    return ids[np.array(chosen, dtype=np.int64)]


def _by_gap(request: Request, ids: IntArray, sign: float) -> Selection:
    gap: FloatArray = request.problem.pool.score_gaps(ids)
    tie = np.zeros(ids.size) if request.rng is None else request.rng.random(ids.size)
    chosen = _take(request, ids[np.lexsort((tie, sign * gap))])
    if request.rng is None or request.problem.max_per_prompt is not None:
        return chosen
    its_gap = request.problem.pool.score_gaps(request.problem.pool.pair_ids(chosen.pairs))
    last = (sign * its_gap).max()  # of the pairs tied with the last, some were drawn
    chance = np.count_nonzero(sign * its_gap == last) / np.count_nonzero(sign * gap == last)
    return replace(chosen, inclusion_probability=np.where(sign * its_gap == last, chance, 1.0))


def _take(request: Request, ranked: IntArray) -> Selection:
    """The first n of ranked ids that the caps allow."""
    ids = best_within_caps(request.problem, ranked)
    return describe_selection(request.problem, ids, np.ones(ids.size))
