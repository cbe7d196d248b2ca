"""Fixed-size random samples with prescribed inclusion probabilities."""

from __future__ import annotations

import numpy as np

from pairselect.core.arrays import Cap, DesignError, FloatArray, IntArray

REDRAWS = 100


def proportional_probabilities(
    weights: FloatArray, group: IntArray, size: int, most: IntArray
) -> FloatArray:
    """Inclusion probabilities min(1, c·w_e), summing to `size`, no group above its cap.

    c is the same for all groups but those that it would put above their cap: each of these has
    the smaller c that meets it, so that probabilities stay proportional within every group.

    Parameters
    ----------
    weights : (s,) array
        w_e ≥ 0, enough of them above 0 to fill `size`.
    group : (s,) integers
        Group (prompt) of each position, 0 to n_groups − 1.
    size : int
    most : (n_groups,) integers
        Cap of each group.

    Raises
    ------
    DesignError
        If the positive weights cannot fill `size` within the caps.
    """
    scaled = weights / max(float(weights.max()), np.finfo(np.float64).tiny)
    positive = np.flatnonzero(scaled >= np.finfo(np.float64).tiny)
    w, group = scaled[positive], group[positive]
    limit = np.minimum(1 / w, _levels(w, 1 / w, group, most)[group])
    if np.sum(w * limit) < size * (1 - 1e-9):
        raise DesignError("Too few pairs have a positive weight for this budget.")
    level = _levels(w, limit, np.zeros(w.size, dtype=np.int64), np.array([size]))[0]
    probability = np.zeros(weights.size)
    probability[positive] = np.minimum(w * np.minimum(limit, level), 1.0)
    return probability


def _levels(w: FloatArray, limit: FloatArray, group: IntArray, total: IntArray) -> FloatArray:
    """The c of each group for which Σ w_e·min(c, limit_e) is its total; ∞ where none is enough.

    Positions that c takes to their limit are held there and c is found again for the others: c
    only rises, so this ends.
    """
    held = np.zeros(w.size, dtype=np.bool_)
    level: FloatArray = np.zeros(total.size)
    while True:
        spent = np.bincount(group, weights=w * limit * held, minlength=total.size)
        free = np.bincount(group, weights=w * ~held, minlength=total.size)
        found = np.divide(total - spent, free, out=np.full(total.size, np.inf), where=free > 0)
        level = np.asarray(np.maximum(level, found))
        reached = ~held & (limit < level[group])
        if not np.any(reached):
            return level
        held |= reached


def systematic_sample(
    probability: FloatArray,
    group: IntArray,
    size: int,
    rng: np.random.Generator,
    *,
    max_per_group: Cap = None,
) -> IntArray:
    """Draw exactly `size` positions, position e with probability exactly π_e.

    Systematic sampling: lay intervals of length π_e end to end and take those that hold one of
    the points u, u + 1, u + 2, …, u uniform on [0, 1). The groups lie in random order and each is
    shuffled within, so a group of total T gives ⌊T⌋ or ⌈T⌉ members: a cap that the probabilities
    respect is respected by every sample.

    Parameters
    ----------
    probability : (s,) array
        π_e in (0, 1], summing to `size`.
    group : (s,) integers
        Group (prompt) of each position.
    size : int
        Sample size.
    rng : numpy.random.Generator
    max_per_group : int or array, optional
        Most members of a group, of every one or of each (indexed by `group`); the total of each
        group's π must not exceed it.

    Returns
    -------
    (size,) integers
        Sorted positions, without repetition.

    Raises
    ------
    DesignError
        If the probabilities do not sum to `size`, exceed 1, or exceed the cap in a group.

    Notes
    -----
    Probabilities of *pairs of positions* are not controlled, and some are zero. Madow, On the
    theory of systematic sampling, II, Annals of Mathematical Statistics 20 (1949) 333-354.
    """
    if abs(probability.sum() - size) > 1e-6 * size or probability.max() > 1 + 1e-9:
        raise DesignError("Inclusion probabilities must be at most 1 and sum to the sample size.")
    groups, number = np.unique(group, return_inverse=True)
    if isinstance(max_per_group, np.ndarray):
        cap = max_per_group[groups]
    else:
        cap = np.full(groups.size, size if max_per_group is None else max_per_group)
    if np.any(np.bincount(number, weights=probability) > cap * (1 + 1e-9)):
        raise DesignError("The inclusion probabilities of a group exceed its cap.")
    # Rounding of the cumulative sums can put a point on the wrong side of a boundary, with a
    # probability of about 1e-12; such a sample is drawn again.
    for _ in range(REDRAWS):
        order = np.lexsort((rng.random(number.size), rng.permutation(groups.size)[number]))
        ends = np.cumsum(probability[order])
        ends *= size / ends[-1]
        u = rng.random()
        points = np.diff(np.floor(ends - u), prepend=np.floor(-u))  # how many each interval holds
        chosen = np.sort(order[points > 0])
        counts = np.bincount(number[chosen], minlength=groups.size)
        if chosen.size == size and np.all(counts <= cap):
            return chosen
    raise DesignError("No sample respected the cap; the inclusion probabilities are inconsistent.")
