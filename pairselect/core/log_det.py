"""The D-criterion on the same problem, as a baseline: what is known about θ, not about value."""

from __future__ import annotations

from dataclasses import fields

import numpy as np

from pairselect.core.arrays import FloatArray
from pairselect.core.line_search import log_det_step
from pairselect.core.problem import Point, TraceProblem


class LogDetProblem(TraceProblem):
    """Minimise det(λI + prior + Σ_e w_e g_e g_eᵀ)^(−1/d) over the capped designs.

    The gradient of log det M has d_e = g_eᵀ M⁻¹ g_e in the place of the trace criterion's, so the
    same oracle and the same solver serve. As log det is concave, log det M* ≤ log det M + G with
    G = (mean of the n largest d_e) − Σ w_e d_e, hence the objective's bound exp(−G/d) times it.
    Kiefer and Wolfowitz, The equivalence of two extremum problems, Canadian Journal of
    Mathematics 12 (1960) 363-366.
    """

    @classmethod
    def of(cls, problem: TraceProblem) -> LogDetProblem:
        """The same pool, budget, caps and base under the D-criterion."""
        return cls(**{one.name: getattr(problem, one.name) for one in fields(problem)})

    def at(self, design_information: FloatArray) -> Point:
        lower = self._factor(design_information)
        projection = np.asarray(np.linalg.inv(lower).T, dtype=np.float64)
        return Point(
            objective=float(np.exp(-2 * np.mean(np.log(np.diag(lower))))),
            projection=projection,
            mean_sensitivity=float(np.sum(projection * (design_information @ projection))),
        )

    def bound(self, point: Point, excess: float) -> float:
        return point.objective * float(np.exp(-excess / self.pool.dimension))

    def excess_at(self, point: Point, gap: float) -> float:
        return float(self.pool.dimension * np.log1p(gap))

    def step(self, information: FloatArray, direction: FloatArray, limit: float) -> float:
        return log_det_step(self.base_information + information, direction, limit)

    def swap_change(self, fall: FloatArray, determinant: FloatArray, phi: float) -> FloatArray:
        grown = np.where(determinant > 0, determinant, 1.0)
        return np.asarray(phi * (grown ** (-1 / self.pool.dimension) - 1))
