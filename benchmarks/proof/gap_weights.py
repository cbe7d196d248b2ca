"""The trace design with a weight for each pair, by the gap between its scores.

`docs/proof/theory.md` derives the weight: given |s| = γ, with s the score's difference, a label
is to first order Bradley-Terry in the features with slope ∝ a(γ), so it carries a(γ)² g gᵀ.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from scipy.special import ndtr

from pairselect.core import CandidatePool, choose_pairs, target_information
from pairselect.core.arrays import FloatArray, IntArray


def slope(gap: FloatArray, agreement: float) -> FloatArray:
    """a(γ) = γ ρ m(γ) + (1 − ρ²) m′(γ) for gaps in units of their root mean square.

    m(γ) = 2Φ(ργ/√(1−ρ²)) − 1 is the mean label (±1) at a score difference of γ, m′ its derivative
    by the mean of the latent label, and ρ = sin π(A − ½) the correlation of score and latent
    label at which the score's sign agrees with a share A of the labels.
    """
    rho = np.sin(np.pi * (agreement - 0.5))
    if rho >= 1 - 1e-9:
        return np.asarray(gap)
    rest = np.sqrt(1 - rho**2)
    z = rho * gap / rest
    density = np.exp(-(z**2) / 2) / np.sqrt(2 * np.pi)
    return np.asarray(gap * rho * (2 * ndtr(z) - 1) + 2 * rest * density)


def weights_of(gap: FloatArray, weight: str) -> FloatArray:
    """w (m,), mean 1: ``agreement:A`` by `slope`, or ``power:P`` for γ to the power of P."""
    kind, _, value = weight.partition(":")
    unit = gap / np.sqrt(np.mean(gap**2))
    found = slope(unit, float(value)) ** 2 if kind == "agreement" else unit ** float(value)
    # A pair without any weight could not be told from no pair.
    found = np.maximum(found, 1e-6 * found.max())
    return np.asarray(found / found.mean())


def weighted_pairs(
    pool: CandidatePool, weight: str, *, budget: int, settings: dict[str, Any]
) -> IntArray:
    """n pairs (n, 2) by the capped trace design of Σ w_e g_e g_eᵀ, W that of the pool.

    The product's own solver: each pair becomes a prompt of two completions that differ by √w g.
    """
    ids = pool.candidate_ids()
    g = pool.differences(ids) * np.sqrt(weights_of(pool.score_gaps(ids), weight))[:, None]
    table = np.stack([g / 2, -g / 2], axis=1).reshape(-1, pool.dimension)
    own = settings | {"target": target_information(pool, settings["target"])}
    apart = CandidatePool(table, np.repeat(np.arange(ids.size), 2))
    chosen = choose_pairs(apart, strategy="trace", budget=budget, **own)
    return pool.pair_rows(ids[chosen.pairs[:, 0] // 2])
