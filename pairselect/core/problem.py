"""The design problem, apart from any way of solving it.

The d × d algebra of the core uses `numpy.linalg` alone. `scipy.linalg` brings a second BLAS with
threads of its own, and two pools that wait for each other on two cores made a 128 × 128 Cholesky
factorisation a thousand times slower (0.1 ms to 110 ms).
"""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property
from numbers import Real
from operator import index
from typing import Any

import numpy as np
import numpy.typing as npt

from pairselect.core.arrays import Cap, DesignError, FloatArray, IntArray
from pairselect.core.line_search import trace_step
from pairselect.core.oracle import largest_pairs
from pairselect.core.pool import CandidatePool
from pairselect.core.targets import semidefinite, target_information

UNIDENTIFIED = "The chosen pairs do not identify every direction; use a larger ridge."


@dataclass(frozen=True)
class Point:
    """Φ and its gradient at one M = base + Σ_D."""

    objective: float  # Φ = tr(W M⁻¹)
    projection: FloatArray = field(repr=False)  # M⁻¹R, (d, r): d_e = ‖projectionᵀ g_e‖²
    mean_sensitivity: float  # Σ_e w_e d_e


@dataclass(frozen=True, eq=False)
class TraceProblem:
    """Minimise Φ(w) = tr(W (λI + prior + Σ_e w_e g_e g_eᵀ)⁻¹) over the capped designs.

    The capped designs are 0 ≤ w_e ≤ 1/n, Σ w = 1 and, with a cap m, at most m/n on each prompt:
    the convex hull of the choices of n distinct pairs. The uncapped problem is the one of Han,
    Goyal and Ma, arXiv:2606.19607; the cap makes the optimum one that a budget can be spent on.

    Build one with `trace_problem`.
    """

    pool: CandidatePool
    budget: int  # n
    max_per_prompt: Cap  # m
    ridge: float  # λ, absolute
    base_information: FloatArray = field(repr=False)  # λI + prior, (d, d)
    target: FloatArray = field(repr=False)  # W, (d, d)
    target_root: FloatArray = field(repr=False)  # R, (d, r), R Rᵀ = W

    def at(self, design_information: FloatArray) -> Point:
        """Evaluate Φ and its gradient −d_e at Σ_D (d, d).

        Raises
        ------
        DesignError
            If M is singular, which only a ridge of zero allows.
        """
        inverse = np.linalg.inv(self._factor(design_information))  # L⁻¹, with M = LLᵀ
        half = inverse @ self.target_root
        projection = inverse.T @ half
        return Point(
            objective=float(np.sum(half**2)),
            projection=projection,
            mean_sensitivity=float(np.sum(projection * (design_information @ projection))),
        )

    def inverse(self, design_information: FloatArray) -> FloatArray:
        """M⁻¹ (d, d) at Σ_D (d, d); raises as `at` does."""
        half = np.linalg.inv(self._factor(design_information))
        return np.asarray(half.T @ half)

    def _factor(self, design_information: FloatArray) -> FloatArray:
        """L with M = LLᵀ. With next to no ridge, rounding can hide that M is singular."""
        try:
            lower = np.asarray(np.linalg.cholesky(self.base_information + design_information))
        except np.linalg.LinAlgError:
            raise DesignError(UNIDENTIFIED) from None
        pivots = np.diag(lower)
        rounding = 8 * self.pool.dimension * np.finfo(np.float64).eps
        if pivots.min() ** 2 <= rounding * pivots.max() ** 2:
            raise DesignError(UNIDENTIFIED)
        return lower

    def best_pairs(self, point: Point, *, exact: bool = True) -> tuple[IntArray, float]:
        """The linear oracle: the n feasible pairs with the largest d_e, and a bound on Φ*.

        The bound is Φ* ≥ Φ² / (Φ + G), G = (mean of the n largest feasible d_e) − Σ w_e d_e.
        Write M, M* for the matrices at w and at an optimum w*, both including λI + prior. Then,
        by Cauchy-Schwarz for ⟨M*^(−1/2) R, M*^(1/2) M⁻¹ R⟩,

            Φ² = tr(Rᵀ M⁻¹ R)² ≤ tr(W M*⁻¹) · tr(M⁻¹ W M⁻¹ M*) = Φ* · tr(M⁻¹ W M⁻¹ M*).

        Since tr(M⁻¹ W M⁻¹ M) = Φ and M* − M = Σ (w*_e − w_e) g_e g_eᵀ (λI + prior cancels), the
        last factor is Φ + Σ w*_e d_e − Σ w_e d_e ≤ Φ + G. It is never weaker than Φ − G, and as
        Φ / bound − 1 = G / Φ, the relative gap needs no second quantity. With `exact` off the
        pass is in float32 and the bound an estimate.
        """
        ids, values = largest_pairs(
            self.pool,
            point.projection,
            self.budget,
            per_prompt=self.max_per_prompt,
            exact=exact,
        )
        excess = max(float(values.mean()) - point.mean_sensitivity, 0.0)
        return ids, self.bound(point, excess)

    def bound(self, point: Point, excess: float) -> float:
        """Φ* is at least this when no design has a mean d_e above that of the point by more."""
        return point.objective / (1 + excess / point.objective)

    def excess_at(self, point: Point, gap: float) -> float:
        """The excess at which the bound leaves this relative gap."""
        return gap * point.objective

    def step(self, information: FloatArray, direction: FloatArray, limit: float) -> float:
        """The α in [0, limit] with the smallest Φ at Σ_D = information + α · direction."""
        M = self.base_information + information
        return trace_step(M, direction, self.target_root, limit)

    def swap_change(self, fall: FloatArray, determinant: FloatArray, phi: float) -> FloatArray:
        """What swaps of two pairs change Φ by; see `ExchangeTable.changes`.

        Parameters
        ----------
        fall, determinant : arrays of one shape
            P − E, and the factor on det M, of each swap.
        phi : float
            Φ before the swap.
        """
        return np.asarray(-fall / np.where(determinant > 0, determinant, 1.0))

    @cached_property
    def has_full_rank(self) -> bool:
        """Whether the pairs of the pool vary in every direction."""
        spectrum = np.linalg.eigvalsh(self.pool.uniform_information)
        return bool(spectrum[0] > self.pool.dimension * np.finfo(np.float64).eps * spectrum[-1])

    def selection_information(self, ids: IntArray) -> FloatArray:
        """Σ_D of the design that puts 1/n on each of n pairs."""
        return self.pool.information(ids, np.full(ids.size, 1.0 / ids.size))

    @property
    def most_per_prompt(self) -> IntArray:
        """The most pairs that each prompt can give, (n_prompts,): its cap, or the budget."""
        most = self.budget if self.max_per_prompt is None else self.max_per_prompt
        return np.broadcast_to(np.asarray(most, dtype=np.int64), self.pool.n_prompts)

    def informs_every_direction(self, n: int, *, least: float = 0.0) -> bool:
        """Whether n pairs beside the prior can inform every direction of the features.

        The prior informs a direction if what it holds there is more than rounding, and at least
        `least` times what a label carries.
        """
        d = self.pool.dimension
        values = np.linalg.eigvalsh(self.prior_information)
        rounding = d * np.finfo(np.float64).eps * np.abs(values).max(initial=0.0)
        label = float(np.trace(self.pool.uniform_information)) / self.budget
        return bool(n + np.count_nonzero(values > max(rounding, least * label)) >= d)

    @property
    def prior_information(self) -> FloatArray:
        """What is held beside the ridge, (d, d)."""
        return self.base_information - self.ridge * np.eye(self.pool.dimension)

    @property
    def uniform_objective(self) -> float:
        """Φ when every candidate pair is as likely as the cap allows: uniform, in the limit."""
        return self.at(self.uniform_information).objective

    @property
    def uniform_information(self) -> FloatArray:
        """Σ_D of the uniform design, (d, d); without caps the same for every budget."""
        if self.max_per_prompt is None:
            return self.pool.uniform_information
        return self.pool.spread_information(self.uniform_rate() / self.budget)

    def uniform_rate(self) -> FloatArray:
        """Inclusion probability of each prompt's pairs, (n_prompts,), under uniform choice.

        n / n_pairs without a cap. Where that would ask a prompt for more than m pairs, it gives
        m and the others share the rest evenly.
        """
        pairs = self.pool.pairs_per_prompt.astype(np.float64)
        most = pairs if self.max_per_prompt is None else np.minimum(pairs, self.max_per_prompt)
        ceiling = np.divide(most, pairs, out=np.ones_like(pairs), where=pairs > 0)
        order = np.argsort(ceiling, kind="stable")
        full = np.concatenate([[0.0], np.cumsum(most[order])[:-1]])  # spent on filled prompts
        open_pairs = np.cumsum(pairs[order][::-1])[::-1]
        rate = (self.budget - full) / np.maximum(open_pairs, 1.0)
        level = rate[np.argmax(rate <= ceiling[order] * (1 + 1e-12))]
        return np.asarray(np.minimum(level, ceiling))


def trace_problem(
    pool: CandidatePool,
    *,
    budget: int,
    ridge: float = 1e-3,
    max_per_prompt: Cap = None,
    target: str | npt.ArrayLike = "samples",
    prior_information: npt.ArrayLike | None = None,
    prior_sd: float | None = None,
) -> TraceProblem:
    """Check a request and state it as a `TraceProblem`; see `solve_trace_design`."""
    n = _count(budget, "budget")
    m = _cap(max_per_prompt, pool)
    if n > pool.n_pairs:
        raise DesignError(f"The budget is {n} but the pool has {pool.n_pairs} pairs; lower it.")
    if n > pool.reachable(m):
        raise DesignError(
            f"The budget is {n} but {_named(m)} allow {pool.reachable(m)} (the pool has "
            f"{pool.n_pairs}); lower the budget or raise max_per_prompt."
        )
    if not isinstance(ridge, Real) or not np.isfinite(ridge) or ridge < 0:
        raise DesignError(f"ridge must be a number from 0 up; got {ridge!r}.")

    d = pool.dimension
    total = float(np.trace(pool.uniform_information))
    if total == 0:
        raise DesignError(
            "No label would tell anything: the pairs that are left have equal features or are "
            "settled already; enlarge the pool."
        )
    lam = ridge * total / d
    base = lam * np.eye(d)
    if prior_information is not None:
        base += semidefinite(prior_information, d, "prior_information")
    if prior_sd is not None:
        if not isinstance(prior_sd, Real) or not np.isfinite(prior_sd) or prior_sd <= 0:
            raise DesignError(f"prior_sd must be a number above 0; got {prior_sd!r}.")
        base += 4 * pool.mean_square_difference / (n * prior_sd**2) * np.eye(d)
    if ridge == 0:
        spectrum = np.linalg.eigvalsh(base + pool.uniform_information)
        if spectrum[0] <= d * np.finfo(float).eps * spectrum[-1]:
            raise DesignError(
                "With ridge 0 the pool must vary in every direction of the features, and this "
                "one does not; use a positive ridge or reduce the features first."
            )
    W = target_information(pool, target)
    values, vectors = np.linalg.eigh(W)
    seen = values > d * np.finfo(float).eps * values[-1]
    if not np.any(seen):
        raise DesignError("The target information is zero: no direction matters; check target.")
    root = vectors[:, seen] * np.sqrt(values[seen])
    return TraceProblem(pool, n, m, lam, base, W, root)


def one_pair_per_prompt(pool: CandidatePool, **settings: Any) -> TraceProblem:
    """The paper's response selection, Σ_{e ∈ prompt} w_e = 1/#prompts: one pair of each prompt.

    With as many labels as prompts, at most one each means exactly one. `settings` are those of
    `trace_problem`.
    """
    return trace_problem(pool, budget=pool.reachable(1), max_per_prompt=1, **settings)


def _cap(value: Cap, pool: CandidatePool) -> Cap:
    if value is None:
        return None
    caps = np.asarray(value)
    if caps.ndim == 0:
        return _count(value, "max_per_prompt")
    if caps.shape != (pool.n_prompts,) or caps.dtype.kind not in "iu" or caps.min() < 0:
        raise DesignError(
            f"max_per_prompt must be a number, or {pool.n_prompts} whole numbers from 0 up, one "
            "for each of the pool's prompt_labels."
        )
    return caps.astype(np.int64)


def _named(cap: Cap) -> str:
    return (
        "the caps of the prompts"
        if isinstance(cap, np.ndarray)
        else f"at most {cap} pairs a prompt"
    )


def _count(value: object, name: str) -> int:
    try:
        number = index(value)  # type: ignore[arg-type]  # what is no number is refused
    except TypeError:
        raise DesignError(f"{name} must be a whole number; got {value!r}.") from None
    if number < 1:
        raise DesignError(f"{name} must be at least 1; got {number}.")
    return number
