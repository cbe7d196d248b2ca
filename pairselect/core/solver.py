"""The capped trace design by Frank-Wolfe with corrections."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from pairselect.core.arrays import Cap, FloatArray, IntArray
from pairselect.core.design import (
    MAX_PASSES,
    SMALLEST_FAST_TOLERANCE,
    TOLERANCE,
    Certificate,
    Design,
    check_limits,
    describe_design,
)
from pairselect.core.pool import CandidatePool
from pairselect.core.problem import TraceProblem, trace_problem

# Corrections stop when the gap within the known choices is this share of the gap over all pairs.
CORRECTION = 0.5
MAX_CORRECTIONS = 30


def solve_trace_design(
    pool: CandidatePool,
    budget: int,
    *,
    ridge: float = 1e-3,
    max_per_prompt: Cap = None,
    tolerance: float = TOLERANCE,
    target: str | npt.ArrayLike = "samples",
    prior_information: npt.ArrayLike | None = None,
    prior_sd: float | None = None,
    max_passes: int = MAX_PASSES,
) -> Design:
    """Minimise Φ(w) = tr(W M⁻¹), M = λI + prior + Σ_e w_e g_e g_eᵀ, over the capped designs.

    The capped designs are 0 ≤ w_e ≤ 1/n, Σ w = 1 and, with a cap m, at most m/n on each prompt.

    Parameters
    ----------
    pool : CandidatePool
    budget : int
        n, the number of pairs to label; 1 to the number of candidate pairs.
    ridge : float
        Relative: λ = ridge · tr(Σ_uniform) / d, so that the unit of the features does not matter.
        0 is allowed where the pool varies in every direction.
    max_per_prompt : int or (n_prompts,) integers, optional
        m, the most pairs of one prompt; an array has one entry for each of the pool's
        `prompt_labels`.
    tolerance : float
        Stop when Φ is certified to be within this fraction of the optimum; above 0.
    target : {"samples", "policy", "fitted"} or (d, d) array
        W; see `target_information`.
    prior_information : (d, d) array, optional
        Positive semidefinite information already held, in the unit of Σ_D: information a label
        times labels held, over n. A label with logit û counts 4σ′(û) g gᵀ, as σ′(0) = 1/4 is left
        out of Σ_D.
    prior_sd : float, optional
        Add the information of the prior of `fit_bradley_terry`, under which the logit of a random
        pair has this standard deviation: 4/(n prior_sd²) times the mean ‖g‖² over all pairs, on
        every direction. With few labels a dimension the design then leaves alone what the fit will
        shrink anyway. 1 is moderate: the better of a random pair wins 67% of the time.
    max_passes : int
        The most passes of the oracle over all pairs; at least 1.

    Returns
    -------
    Design
        With status ``converged``, ``pass_limit``, ``every_pair`` or ``rank_deficient``; the
        certificate holds in all.

    Raises
    ------
    DesignError
        If the request cannot be met; the message says what to change.

    Notes
    -----
    The criterion is that of Han, Goyal and Ma, arXiv:2606.19607. Their design has no cap and moves
    to one pair a step; a vertex of the capped set holds n pairs, so a step here moves to the n best
    pairs at once (Frank-Wolfe over the convex hull of the choices). Between passes the weights of
    the choices found so far are corrected by exact pairwise steps, which need d × d algebra only.
    """
    problem = trace_problem(
        pool,
        budget=budget,
        ridge=ridge,
        max_per_prompt=max_per_prompt,
        target=target,
        prior_information=prior_information,
        prior_sd=prior_sd,
    )
    return solve(problem, tolerance=tolerance, max_passes=max_passes)


def solve(
    problem: TraceProblem, *, tolerance: float = TOLERANCE, max_passes: int = MAX_PASSES
) -> Design:
    """Solve a stated problem; see `solve_trace_design`."""
    check_limits(tolerance, max_passes)
    mixture = Mixture(problem)
    uniform_objective = problem.at(mixture.information).objective
    certificate = mixture.improve(tolerance=tolerance, max_passes=max_passes)
    return describe_design(
        problem,
        mixture.merged(),
        information=mixture.information,
        certificate=certificate,
        uniform_objective=uniform_objective,
        tolerance=tolerance,
    )


class Mixture:
    """A design as a convex combination of the uniform design and choices of n pairs.

    Holds Σ_D of every component; the uniform design is component 0 and never listed as pairs
    unless weight is left on it at the end.
    """

    def __init__(self, problem: TraceProblem) -> None:
        self.problem = problem
        self.rate = problem.uniform_rate()
        self.information = problem.pool.spread_information(self.rate / problem.budget)
        self.components = [self.information]
        self.choices: list[IntArray] = [np.zeros(0, dtype=np.int64)]
        self.shares = [1.0]

    def improve(self, *, tolerance: float, max_passes: int) -> Certificate:
        """Frank-Wolfe until Φ is certified to be within `tolerance`, or the passes run out."""
        fast = tolerance >= SMALLEST_FAST_TOLERANCE and max_passes > 1
        certificate = Certificate(self.problem, fast=fast)
        while True:
            point = self.problem.at(self.information)
            last = certificate.passes >= max_passes - (2 if fast else 1)
            ids = certificate.look(point)
            gap = point.objective / certificate.promised - 1
            if gap <= tolerance or last:
                certificate.prove()
                gap = point.objective / certificate.lower_bound - 1
                if gap <= tolerance or certificate.passes >= max_passes:
                    return certificate
            self.move_to(ids)
            self.correct(stop=CORRECTION * gap)

    def move_to(self, ids: IntArray) -> None:
        """The Frank-Wolfe step: towards a new choice of n pairs, as far as Φ falls."""
        component = self.problem.selection_information(ids)
        step = self._step(component - self.information, 1.0)
        self.shares = [share * (1 - step) for share in self.shares] + [step]
        self.components.append(component)
        self.choices.append(ids)
        self._refresh()

    def correct(self, stop: float) -> None:
        """Pairwise steps: move share from the worst component to the best while it pays."""
        for _ in range(MAX_CORRECTIONS):
            point = self.problem.at(self.information)
            P = point.projection
            kernel = P @ P.T  # M⁻¹WM⁻¹, so that ⟨kernel, Σ_t⟩ is a component's mean d_e
            value = [float(np.sum(kernel * component)) for component in self.components]
            best, worst = int(np.argmax(value)), int(np.argmin(value))
            if value[best] - value[worst] <= self.problem.excess_at(point, stop):
                return
            step = self._step(self.components[best] - self.components[worst], self.shares[worst])
            self.shares[best] += step
            self.shares[worst] -= step
            self._refresh()

    def merged(self) -> tuple[IntArray, FloatArray]:
        """Support as sorted pair ids (s,), and the weights (s,)."""
        problem = self.problem
        ids = [np.concatenate(self.choices)]
        sizes = [choice.size for choice in self.choices]
        weights = [np.repeat(np.array(self.shares), sizes) / problem.budget]
        if self.choices[0].size == 0:
            uniform = problem.pool.candidate_ids()
            ids.append(uniform)
            weights.append(
                self.shares[0] * self.rate[problem.pool.pair_prompts(uniform)] / problem.budget
            )
        support, place = np.unique(np.concatenate(ids), return_inverse=True)
        total = np.bincount(place, weights=np.concatenate(weights))
        used = total > 0  # a cap of 0 leaves its prompt none
        return support[used], np.minimum(total[used], 1 / problem.budget)

    def _step(self, direction: FloatArray, limit: float) -> float:
        return self.problem.step(self.information, direction, limit)

    def _refresh(self) -> None:
        """Drop the components without a share, and sum the others again."""
        keep = [t for t, share in enumerate(self.shares) if share > 0]
        self.components = [self.components[t] for t in keep]
        self.choices = [self.choices[t] for t in keep]
        self.shares = [self.shares[t] for t in keep]
        self.information = sum(
            (s * c for s, c in zip(self.shares, self.components, strict=True)),
            start=np.zeros_like(self.information),
        )
