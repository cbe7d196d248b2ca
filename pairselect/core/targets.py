"""The target information W: which directions of θ change the policy's value."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from pairselect.core.arrays import DesignError, FloatArray
from pairselect.core.pool import CandidatePool

# Relative ridge of the regression of log-probabilities on features, as for the design.
POLICY_RIDGE = 1e-3


def target_information(pool: CandidatePool, target: str | npt.ArrayLike = "samples") -> FloatArray:
    """W = I(θ₀), the Fisher information of the reference policy, shape (d, d).

    Parameters
    ----------
    pool : CandidatePool
    target : {"samples", "policy", "fitted"} or (d, d) array
        ``"samples"``: the mean over prompts of the covariance of the prompt's features,
        (1/(K−1)) Σ_k (φ_k − φ̄)(φ_k − φ̄)ᵀ; unbiased when the completions are draws from the
        reference policy. ``"policy"``: the same under p = softmax(θ̂₀ᵀφ), with θ̂₀ fitted to the
        pool's `log_probs`; on completions that are themselves draws it counts the policy twice,
        and long completions make p nearly one-hot. ``"fitted"``: under p = softmax(r̂) over the
        prompt's completions, with the pool's `rewards`: the policy that r̂ leads to from the
        reference at β = 1, when the completions are draws from the reference. An array is W.

    Raises
    ------
    DesignError
        For an unknown name, a matrix that is not (d, d) and positive semidefinite, or
        ``"policy"`` on a pool without log-probabilities, or ``"fitted"`` on one without rewards.

    Notes
    -----
    Han, Goyal and Ma, arXiv:2606.19607, define W by the policy; ``"samples"`` is its unbiased
    estimate from draws.
    """
    if not isinstance(target, str):
        return semidefinite(target, pool.dimension, "target")
    if target == "samples":
        return pool.scatter(1.0 / ((pool.sizes - 1) * pool.n_prompts))
    if target == "policy":
        return _tilted_information(pool, _policy_logits(pool))
    if target == "fitted":
        if pool.rewards is None:
            raise DesignError('target="fitted" needs rewards in the pool: it is for later rounds.')
        return _tilted_information(pool, pool.rewards)
    raise DesignError(f'target must be "samples", "policy", "fitted" or a matrix; got "{target}".')


def effective_rank(matrix: FloatArray) -> float:
    """(Σ eigenvalues)² / Σ eigenvalues²: d when all directions weigh the same, 1 for one."""
    scaled = matrix / np.abs(matrix).max()  # squares of squares could overflow
    return float(np.trace(scaled) ** 2 / np.sum(scaled**2))


def semidefinite(values: npt.ArrayLike, d: int, name: str) -> FloatArray:
    """The symmetric part of a (d, d) positive semidefinite matrix, checked."""
    matrix = np.asarray(values, dtype=np.float64)
    if matrix.shape != (d, d) or not np.all(np.isfinite(matrix)):
        raise DesignError(f"{name} must be a finite matrix of shape ({d}, {d}).")
    scale = float(np.abs(matrix).max())
    if float(np.abs(matrix - matrix.T).max()) > 1e-8 * scale:
        raise DesignError(f"{name} must be symmetric.")
    matrix = (matrix + matrix.T) / 2
    if float(np.linalg.eigvalsh(matrix)[0]) < -1e-8 * scale:
        raise DesignError(f"{name} must be positive semidefinite.")
    return matrix


def _policy_logits(pool: CandidatePool) -> FloatArray:
    """θ̂₀ᵀφ (rows,), θ̂₀ fitted to the log-probabilities by ridge regression."""
    if pool.log_probs is None:
        raise DesignError(
            'target="policy" needs log_probs in the pool; give them or use target="samples".'
        )
    x = pool.centred
    scatter = x.T @ x
    penalty = POLICY_RIDGE * float(np.trace(scatter)) / pool.dimension
    # The x are centred, so centring the log-probabilities would not change xᵀ log p.
    theta = np.linalg.solve(scatter + penalty * np.eye(pool.dimension), x.T @ pool.log_probs)
    return np.asarray(x @ theta)


def _tilted_information(pool: CandidatePool, logits: FloatArray) -> FloatArray:
    """The mean over prompts of the covariance of the features under softmax(logits)."""
    total = np.zeros((pool.dimension, pool.dimension))
    for block in pool.blocks:
        for chunk in block.chunks(pool.dimension):
            x = pool.centred[chunk.rows].reshape(chunk.n_prompts, chunk.size, -1)
            z = logits[chunk.rows].reshape(chunk.n_prompts, chunk.size)
            p = np.exp(z - z.max(axis=1, keepdims=True))
            p /= p.sum(axis=1, keepdims=True)
            mean = np.einsum("xk,xkd->xd", p, x)
            flat = ((x - mean[:, None]) * np.sqrt(p)[:, :, None]).reshape(-1, pool.dimension)
            total += flat.T @ flat
    return total / pool.n_prompts
