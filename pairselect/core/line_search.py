"""Exact line search: along a line every criterion here is a sum over generalised eigenvalues."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from pairselect.core.arrays import FloatArray


def trace_step(M: FloatArray, direction: FloatArray, root: FloatArray, limit: float) -> float:
    """The α in [0, limit] that minimises tr(RRᵀ (M + α·direction)⁻¹).

    With direction · v_k = ν_k M v_k and v_kᵀ M v_k = 1 (a generalised eigenproblem),

        Φ(α) = Σ_k p_k / (1 + α ν_k),   p_k = ‖Rᵀ v_k‖²,

    convex, so the root of its slope is the minimiser.

    Parameters
    ----------
    M : (d, d) array
        Positive definite.
    direction : (d, d) array
        Symmetric.
    root : (d, r) array
        R.
    limit : float
        The longest step; M + limit · direction must be positive semidefinite.
    """
    inverse, nu, vectors = _generalised(M, direction)
    p = np.sum((vectors.T @ (inverse @ root)) ** 2, axis=1)

    def slope(alpha: float) -> float:
        return -float(np.sum(p * nu / np.maximum(1 + alpha * nu, 1e-12) ** 2))

    return _root(slope, limit)


def log_det_step(M: FloatArray, direction: FloatArray, limit: float) -> float:
    """The α in [0, limit] that maximises log det(M + α·direction) = Σ_k log(1 + α ν_k) + const."""
    _, nu, _ = _generalised(M, direction)

    def slope(alpha: float) -> float:
        return -float(np.sum(nu / np.maximum(1 + alpha * nu, 1e-12)))

    return _root(slope, limit)


def _generalised(M: FloatArray, direction: FloatArray) -> tuple[FloatArray, FloatArray, FloatArray]:
    """L⁻¹ with M = LLᵀ, and the eigenvalues and vectors of L⁻¹ · direction · L⁻ᵀ."""
    inverse = np.linalg.inv(np.linalg.cholesky(M))
    nu, vectors = np.linalg.eigh(inverse @ direction @ inverse.T)
    return inverse, nu, vectors


def _root(slope: Callable[[float], float], limit: float) -> float:
    """Where an increasing slope on [0, limit] crosses zero, or the end that it points to."""
    if slope(0.0) >= 0:
        return 0.0
    if slope(limit) <= 0:
        return limit
    from scipy.optimize import brentq  # 0.4 s, which every command would pay

    return float(brentq(slope, 0.0, limit, xtol=1e-12 * limit, rtol=1e-12))
