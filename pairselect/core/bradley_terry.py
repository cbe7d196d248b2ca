"""A reward fitted to preferences: ridge-regularised Bradley-Terry on the features."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from pairselect.core.arrays import DesignError, FloatArray
from pairselect.core.pool import CandidatePool

# Prior standard deviations that the evidence chooses from. A random pair's better completion is
# preferred 52% of the time at the lowest (little but noise) and 93% at the highest.
PRIOR_GRID = tuple(2.0**k for k in range(-3, 4))

# On the gradient in the unit of the prior; rounding leaves about 1e-11 at 20,000 labels.
TOLERANCE = 1e-8
MAX_ITERATIONS = 100
MAX_HALVINGS = 40


@dataclass(frozen=True, eq=False)
class BradleyTerryFit:
    """The fitted reward and what the labels say about it.

    Attributes
    ----------
    theta : (d,) array
        θ̂, logits per unit of a feature.
    rewards : (n_completions,) array
        θ̂ᵀφ in logits, mean zero on each prompt; 0 for the completion of a prompt that has one.
    prior_sd : float
        Standard deviation of a random pair's logit under the prior.
    prior_variance : float
        τ², the prior variance of each coordinate of θ.
    log_evidence : float
        Laplace's approximation to the log of the labels' probability under the prior, in nats.
    converged : bool
        Whether `gradient_norm` met the tolerance. If not, the fit is the best point found: make
        `prior_sd` smaller.
    iterations : int
        Newton steps; of the whole grid where the evidence chose `prior_sd`.
    gradient_norm : float
        ‖τ∇‖ at θ̂. It bounds the distance to the optimum: ‖θ̂ − optimum‖ ≤ τ · gradient_norm.
    information : (d, d) array
        Σ_labels 4σ′(û_e) g_e g_eᵀ: the unit of Σ_D times the number of labels.
    """

    theta: FloatArray = field(repr=False)
    rewards: FloatArray = field(repr=False)
    prior_sd: float
    prior_variance: float
    log_evidence: float
    converged: bool
    iterations: int
    gradient_norm: float
    information: FloatArray = field(repr=False)

    @property
    def covariance(self) -> FloatArray:
        """Laplace's posterior covariance of θ, (Σ_labels σ′ g gᵀ + I/τ²)⁻¹, shape (d, d)."""
        ridge = np.eye(self.theta.size) / self.prior_variance
        return np.asarray(np.linalg.inv(self.information / 4 + ridge))


def fit_bradley_terry(
    pool: CandidatePool,
    pairs: npt.ArrayLike,
    preferred: npt.ArrayLike,
    *,
    prior_sd: float | None = None,
) -> BradleyTerryFit:
    """Fit P(first preferred) = σ(θᵀ(φ_first − φ_second)) under the prior θ ~ N(0, τ²I).

    θ̂ maximises Σ_e [y_e log σ(u_e) + (1 − y_e) log σ(−u_e)] − ‖θ‖²/2τ², u_e = θᵀg_e.

    Parameters
    ----------
    pool : CandidatePool
        Its rewards and its excluded pairs play no part.
    pairs : (n, 2) integers
        Rows of `features`, two completions of one prompt, the sides in either order. A pair may
        occur several times.
    preferred : (n,) array
        1 if the first of the pair is preferred, 0 for the second, ½ for a tie, or any
        probability between.
    prior_sd : float, optional
        Standard deviation, over the prior and all pairs of the pool, of a pair's logit:
        τ² = prior_sd² / (mean of ‖g‖²), which makes it free of the features' unit. By default
        the value of `PRIOR_GRID` with the largest evidence.

    Returns
    -------
    BradleyTerryFit

    Raises
    ------
    DesignError
        Without a label, on wrong shapes, for `preferred` outside [0, 1], for rows that are not two
        completions of one prompt, or for a `prior_sd` that is not a positive number.

    Notes
    -----
    Newton's method with step halving, from 0, in the coordinates z = θ/τ. There the objective is
    strongly convex with modulus 1, so the norm of the gradient bounds the error. Along the grid
    each fit starts from the last.

    Bradley and Terry, Rank analysis of incomplete block designs, Biometrika 39 (1952) 324-345.
    The evidence, log p(y | θ̂) − ‖ẑ‖²/2 − ½ log det(I + τ² Σ σ′ g gᵀ), is that of MacKay, The
    evidence framework applied to classification networks, Neural Computation 4 (1992) 720-736;
    a tie counts as half a label for each side. Equal information of every pair at u = 0, where
    σ′ = ¼, is why `information` has the factor 4: Σ_D leaves the ¼ out.
    """
    g = _signed_differences(pool, pairs)
    y = _probabilities(preferred, len(g))
    spread = pool.mean_square_difference
    grid = PRIOR_GRID if prior_sd is None else (_positive(prior_sd),)

    taus = np.array(grid) / np.sqrt(spread)
    found: list[_Optimum] = []
    start = np.zeros(pool.dimension)  # θ
    for tau in taus:
        found.append(_maximise(g * tau, y, start / tau))
        start = tau * found[-1].z
    best = int(np.argmax([optimum.log_evidence for optimum in found]))
    optimum = found[best]
    theta = taus[best] * optimum.z
    rewards = np.zeros(pool.n_completions)
    rewards[pool.rows] = pool.centred @ theta
    weighted = g * np.sqrt(4 * optimum.slope)[:, None]
    return BradleyTerryFit(
        theta=theta,
        rewards=rewards,
        prior_sd=grid[best],
        prior_variance=float(taus[best] ** 2),
        log_evidence=optimum.log_evidence,
        converged=optimum.converged,
        iterations=sum(optimum.iterations for optimum in found),
        gradient_norm=optimum.gradient_norm,
        information=weighted.T @ weighted,
    )


@dataclass(frozen=True)
class _Optimum:
    z: FloatArray  # (d,)
    slope: FloatArray  # σ′(û), (n,)
    log_evidence: float
    converged: bool
    iterations: int
    gradient_norm: float


def _maximise(x: FloatArray, y: FloatArray, z: FloatArray) -> _Optimum:
    """The z that minimises Σ [log(1 + e^u) − y u] + ‖z‖²/2, u = xz, for x (n, d), from z (d,)."""
    for iterations in range(MAX_ITERATIONS + 1):
        u = x @ z
        log_p, log_q = -np.logaddexp(0, -u), -np.logaddexp(0, u)  # log σ(u), log σ(−u)
        slope = np.exp(log_p + log_q)
        gradient = z - x.T @ (y - np.exp(log_p))
        norm = float(np.linalg.norm(gradient))
        scaled = x * np.sqrt(slope)[:, None]
        hessian = scaled.T @ scaled
        hessian[np.diag_indices_from(hessian)] += 1
        if norm <= TOLERANCE or iterations == MAX_ITERATIONS:
            break
        step = np.linalg.solve(hessian, gradient)
        fraction = _fraction(x, y, z, step, float(gradient @ step))
        if fraction == 0:
            break
        z = z - fraction * step
    _, log_det = np.linalg.slogdet(hessian)
    return _Optimum(
        z, slope, -_loss(x, y, z) - float(log_det) / 2, norm <= TOLERANCE, iterations, norm
    )


def _fraction(x: FloatArray, y: FloatArray, z: FloatArray, step: FloatArray, fall: float) -> float:
    """1, ½, ¼, …: the first share of the Newton step that lowers the loss; 0 if none does."""
    loss = _loss(x, y, z)
    slack = 1e-13 * abs(loss)  # rounding of the loss
    for halvings in range(MAX_HALVINGS):
        share = 0.5**halvings
        if _loss(x, y, z - share * step) <= loss - 1e-4 * share * fall + slack:
            return share
    return 0.0


def _loss(x: FloatArray, y: FloatArray, z: FloatArray) -> float:
    u = x @ z
    return float(np.sum(np.logaddexp(0, u) - y * u) + z @ z / 2)


def _signed_differences(pool: CandidatePool, pairs: npt.ArrayLike) -> FloatArray:
    """φ(first) − φ(second), (n, d), with the sides as they stand in `pairs`."""
    table = np.asarray(pairs)
    if table.size == 0:
        raise DesignError("There is no label to fit; label at least one pair.")
    g = pool.differences(pool.pair_ids(table))  # the lower row first
    g[table[:, 0] > table[:, 1]] *= -1
    return g


def _probabilities(preferred: npt.ArrayLike, n: int) -> FloatArray:
    try:
        y = np.asarray(preferred, dtype=np.float64)
    except (TypeError, ValueError) as error:
        raise DesignError("preferred must be an array of numbers from 0 to 1.") from error
    if y.shape != (n,):
        raise DesignError(f"preferred must have one entry a pair, shape ({n},); got {y.shape}.")
    if not np.all((y >= 0) & (y <= 1)):
        raise DesignError(
            "preferred must be from 0 to 1: 1 for the first of the pair, 0 for the second, 0.5 "
            "for a tie."
        )
    return y


def _positive(prior_sd: float) -> float:
    if not np.isfinite(prior_sd) or prior_sd <= 0:
        raise DesignError(f"prior_sd must be a number above 0; got {prior_sd}.")
    return float(prior_sd)
