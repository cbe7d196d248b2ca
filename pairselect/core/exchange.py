"""Exchange: improve a choice of n pairs by swapping pairs while Φ falls."""

from __future__ import annotations

import numpy as np

from pairselect.core.arrays import FloatArray, IntArray
from pairselect.core.oracle import largest_pairs
from pairselect.core.problem import Point, TraceProblem

# Pairs on either side of one shortlist: its Gram matrices fit in a core's cache (0.5 MB each).
SHORTLIST = 128
# A swap must lower Φ by this fraction, far above the rounding of Φ.
SMALLEST_GAIN = 1e-9
MAX_ROUNDS = 200


def exchange_pairs(problem: TraceProblem, chosen: IntArray) -> IntArray:
    """Swap chosen pairs for others while that lowers Φ at weights 1/n.

    Each round ranks all candidate pairs of the pool with one pass of the oracle, and swaps within
    a shortlist of the most promising. It ends when no pair outside could gain, or when no swap
    within the shortlist lowers Φ. Deterministic.

    Parameters
    ----------
    problem : TraceProblem
    chosen : (n,) integers
        Ids of distinct candidate pairs that respect the cap.

    Returns
    -------
    (n,) integers
        Sorted ids, at least as good as `chosen`, within the cap.

    Notes
    -----
    Φ is convex, so a swap of i for j cannot gain more than (d_j − d_i)/n: a pair j with d_j below
    the smallest d_i it may replace is out of the question, which is what ranks the pairs outside.
    """
    chosen = np.sort(chosen)
    best = problem.at(problem.selection_information(chosen)).objective
    for _ in range(MAX_ROUNDS):
        trial = np.sort(_improve_once(problem, chosen))
        objective = problem.at(problem.selection_information(trial)).objective
        if objective >= best * (1 - SMALLEST_GAIN):
            break
        chosen, best = trial, objective
    return chosen


def _improve_once(problem: TraceProblem, chosen: IntArray) -> IntArray:
    pool, n = problem.pool, chosen.size
    information = problem.selection_information(chosen)
    inverse = problem.inverse(information)  # N
    point = problem.at(information)
    prompts = pool.pair_prompts(chosen)
    counts = np.bincount(prompts, minlength=pool.n_prompts)
    full = counts >= problem.most_per_prompt

    g = pool.information_vectors(chosen)
    d = np.sum((g @ point.projection) ** 2, axis=1)
    leverage = np.sum((g @ inverse) * g, axis=1) / n
    loss = d / np.maximum(1 - leverage, 1e-12)  # n (Φ without the pair − Φ), exactly

    # A pair from a full prompt can only replace one of the same prompt.
    floor = np.full(pool.n_prompts, np.inf)
    np.minimum.at(floor, prompts, d)
    floor[~full] = d.min()
    outside, promise = largest_pairs(
        pool,
        point.projection,
        SHORTLIST,
        per_prompt=problem.max_per_prompt,
        without=chosen,
        offset=floor,
        exact=False,
    )
    outside = np.sort(outside[promise > 0])
    if outside.size == 0:
        return chosen

    by_loss = np.argsort(loss, kind="stable")
    wanted = np.unique(pool.pair_prompts(outside))
    _, cheapest = np.unique(prompts[by_loss], return_index=True)  # each prompt's smallest loss
    partners = by_loss[cheapest][np.isin(prompts[by_loss[cheapest]], wanted[full[wanted]])]
    inside = chosen[np.union1d(by_loss[:SHORTLIST], partners)]

    table = ExchangeTable(problem, inverse, point, inside, outside, counts)
    kept = np.setdiff1d(chosen, inside, assume_unique=True)
    return np.concatenate([kept, table.run(smallest=SMALLEST_GAIN * point.objective)])


class ExchangeTable:
    """Swaps within a shortlist, evaluated exactly from two Gram matrices.

    With g scaled by n^(−1/2), H = g N gᵀ and J = g N W N gᵀ hold all that a swap needs, and adding
    or removing a pair changes them by rank one (Sherman-Morrison): no d × d algebra a swap.
    """

    def __init__(
        self,
        problem: TraceProblem,
        inverse: FloatArray,
        point: Point,
        inside: IntArray,
        outside: IntArray,
        counts: IntArray,
    ) -> None:
        self.problem, self.objective = problem, point.objective
        self.ids = np.concatenate([inside, outside])
        self.chosen = np.arange(self.ids.size) < inside.size
        self.prompts = problem.pool.pair_prompts(self.ids)
        self.counts, self.most = counts.copy(), problem.most_per_prompt
        g = problem.pool.information_vectors(self.ids) / np.sqrt(problem.budget)
        self.H = g @ inverse @ g.T
        z = g @ point.projection
        self.J = z @ z.T

    def run(self, smallest: float) -> IntArray:
        """Make the best swap until none lowers Φ by `smallest`; the ids then chosen."""
        for _ in range(self.ids.size):
            rows, columns = np.flatnonzero(self.chosen), np.flatnonzero(~self.chosen)
            change = self.changes(rows, columns)
            i, j = np.unravel_index(np.argmin(change), change.shape)
            if change[i, j] > -smallest:
                break
            self._swap(int(rows[i]), int(columns[j]))
        return self.ids[self.chosen]

    def changes(self, rows: IntArray, columns: IntArray) -> FloatArray:
        """Φ after swapping each of `rows` for each of `columns`, less Φ; ∞ where the cap forbids.

        With a, b, c the entries of H and A, B, C those of J (a = H_jj, b = H_ii, c = H_ij): the
        swap multiplies det M by 1 + Q − F and tr(WM⁻¹) falls by (P − E) / (1 + Q − F), P = A − B,
        Q = a − b, F = ab − c², E = bA + aB − 2cC: Sherman-Morrison-Woodbury at rank two.
        """
        a, b, c = self.H[columns, columns], self.H[rows, rows][:, None], self.H[rows][:, columns]
        A, B, C = self.J[columns, columns], self.J[rows, rows][:, None], self.J[rows][:, columns]
        determinant = 1 + a - b - (a * b - c**2)
        safe = determinant > 1e-12  # else the swap would leave M singular
        full = (self.counts >= self.most)[self.prompts[columns]]
        same = self.prompts[rows][:, None] == self.prompts[columns]
        allowed = safe & (~full | same)
        change = np.full(c.shape, np.inf)
        change[allowed] = self.problem.swap_change(
            A - B - (b * A + a * B - 2 * c * C), determinant, self.objective
        )[allowed]
        return change

    def _swap(self, out: int, new: int) -> None:
        self._update(new, 1.0)
        self._update(out, -1.0)
        self.chosen[[out, new]] = False, True
        self.counts[self.prompts[out]] -= 1
        self.counts[self.prompts[new]] += 1

    def _update(self, e: int, sign: float) -> None:
        x, y, strength = self.H[:, e].copy(), self.J[:, e].copy(), self.J[e, e]
        t = sign / (1 + sign * self.H[e, e])
        self.H -= t * np.outer(x, x)
        cross = np.outer(x, y - 0.5 * t * strength * x)
        self.J -= t * (cross + cross.T)
