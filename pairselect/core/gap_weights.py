"""How much a label tells, given how far the scores of its two completions are apart.

`docs/proof/theory.md` derives it: given |s| = γ, with s the score's difference, a label is to
first order Bradley-Terry in the features with slope ∝ a(γ), so it carries a(γ)² g gᵀ.
"""

from __future__ import annotations

import numpy as np
from scipy.special import ndtr

from pairselect.core.arrays import FloatArray

# No weight is below this share of the largest: a pair without any could not be told from no pair.
LEAST = 1e-6


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


def gap_weights(gap: FloatArray, agreement: float) -> FloatArray:
    """a(γ)² of each pair (m,), their mean 1; all alike where no two scores differ.

    Parameters
    ----------
    gap : (m,) array
        |score of a − score of b|, in any unit.
    agreement : float
        A, the share of labels that prefer the completion with the higher score, ½ to 1.
    """
    square = float(np.mean(gap**2))
    if square == 0:
        return np.ones_like(gap)
    found = slope(gap / np.sqrt(square), agreement) ** 2
    found = np.maximum(found, LEAST * found.max())
    return np.asarray(found / found.mean())
