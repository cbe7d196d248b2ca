"""Labels of pairs, from the reward: the same pair has the same label, whoever chose it."""

from __future__ import annotations

import numpy as np
from scipy.special import expit

from pairselect.core.arrays import BoolArray, FloatArray, IntArray

KINDS = ("bradley-terry", "noise-free", "25% flipped")
FLIPPED = 0.25


def label_pairs(
    pairs: IntArray, reward: FloatArray, *, kind: str = "bradley-terry", seed: int
) -> BoolArray:
    """Whether the first of each pair (n, 2), rows of the reward, is preferred.

    ``bradley-terry``: with probability σ(difference of the rewards); ``25% flipped``: the same,
    then turned round in a quarter of the cases; ``noise-free``: the higher reward. Between equal
    rewards a coin decides.
    """
    if kind not in KINDS:
        raise ValueError(f"There are no labels {kind!r}: {', '.join(KINDS)}.")
    # A label belongs to the unordered pair.
    low, high = pairs.min(axis=1), pairs.max(axis=1)
    draws = np.array(
        [np.random.default_rng([6, seed, a, b]).random(2) for a, b in zip(low, high, strict=True)]
    ).reshape(-1, 2)
    logit = reward[low] - reward[high]
    if kind == "noise-free":
        chance = np.where(logit == 0, 0.5, np.where(logit > 0, 1.0, 0.0))
    else:
        chance = expit(logit)
    low_wins = draws[:, 0] < chance
    if kind == "25% flipped":
        low_wins ^= draws[:, 1] < FLIPPED
    return np.asarray(low_wins == (pairs[:, 0] == low))
