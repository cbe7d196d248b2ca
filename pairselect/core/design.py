"""A design with its certificate: what every solver returns."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum

import numpy as np

from pairselect.core.arrays import DesignError, FloatArray, IntArray
from pairselect.core.problem import Point, TraceProblem
from pairselect.core.targets import effective_rank

# The exact choice comes within 0.2 to 2% of the optimum; the bound must be as near to tell.
TOLERANCE = 0.003
MAX_PASSES = 100
# A pass in float32 ranks the largest d_e with a relative error of about 1e-5, so below this it
# must not decide when to stop.
SMALLEST_FAST_TOLERANCE = 1e-3


class Status(StrEnum):
    """How a solve ended; `message` says what to do next."""

    CONVERGED = "converged"
    PASS_LIMIT = "pass_limit"  # noqa: S105  # nosec B105
    EVERY_PAIR = "every_pair"
    RANK_DEFICIENT = "rank_deficient"
    FEW_PAIRS = "few_pairs"
    RULE = "rule"

    @property
    def message(self) -> str:
        return _MESSAGES[self]


_MESSAGES = {
    Status.CONVERGED: (
        "The design's weights are within the tolerance of the optimum; what is lost by whole pairs "
        "shows in the gap of the selection."
    ),
    Status.PASS_LIMIT: (
        "The passes ran out before the tolerance was met; gap says how far at most it is above the "
        "best. Use it as it is, or allow more passes (max_passes)."
    ),
    Status.EVERY_PAIR: (
        "The budget takes all pairs that there were to choose from; lower it, enlarge the pool or "
        "let the strategy keep more, to have a choice."
    ),
    Status.RANK_DEFICIENT: (
        "Within the tolerance, but the pairs to choose from do not vary in every direction of the "
        "features, and there the ridge decides; reduce the features to fewer dimensions."
    ),
    Status.FEW_PAIRS: (
        "There are fewer pairs than dimensions, so no choice can inform every direction and the "
        "gap says little; label at least two pairs a dimension, or reduce the features to fewer."
    ),
    Status.RULE: (
        "Chosen by a rule that does not look at the objective; gap says how far at most it is "
        "above the best choice."
    ),
}


@dataclass(frozen=True, eq=False)
class Design:
    """A capped design and the certificate of how good it is.

    Attributes
    ----------
    pairs : (s, 2) integers
        The support: rows of `features`, the first below the second.
    weights : (s,) array
        w_e in (0, 1/n], summing to 1; a randomized choice takes a pair with probability n·w_e.
    objective : float
        Φ at the weights.
    lower_bound : float
        No design among the pairs to choose from, and so no choice of n of them, has a smaller Φ.
    gap : float
        objective / lower_bound − 1.
    uniform_objective : float
        Φ of the uniform design under the same caps.
    passes : int
        Passes of the linear oracle over all pairs.
    status : Status
    condition_number : float
        Of M at the design.
    target_rank : float
        Effective rank of W, (Σ eigenvalues)² / Σ eigenvalues².
    problem : TraceProblem
        What was solved, with the pool.
    """

    pairs: IntArray = field(repr=False)
    weights: FloatArray = field(repr=False)
    objective: float
    lower_bound: float
    uniform_objective: float
    passes: int
    status: Status
    condition_number: float
    target_rank: float
    problem: TraceProblem = field(repr=False)
    pair_ids: IntArray = field(repr=False)
    information: FloatArray = field(repr=False)  # Σ_D, (d, d)

    @property
    def gap(self) -> float:
        return max(self.objective / self.lower_bound - 1, 0.0)


def check_limits(tolerance: float, max_passes: int) -> None:
    """Raise `DesignError` for a tolerance or a number of passes that cannot be met."""
    if not 0 < tolerance < float("inf"):
        raise DesignError(f"tolerance must be a number above 0; got {tolerance}.")
    if max_passes < 1:
        raise DesignError(f"max_passes must be at least 1; got {max_passes}.")


class Certificate:
    """The best lower bound found, and the passes of the oracle that it took.

    Passes that only look for a direction are in float32, and what they say about the bound is a
    promise. `prove` makes it a fact, by a pass in float64 where the best bound was promised.
    """

    def __init__(self, problem: TraceProblem, *, fast: bool) -> None:
        self.problem, self.fast = problem, fast
        self.promised, self.lower_bound, self.passes = 0.0, 0.0, 0
        self._promising: Point | None = None

    def look(self, point: Point) -> IntArray:
        """One pass: the best pairs at the point, (n,) ids."""
        ids, bound = self.problem.best_pairs(point, exact=not self.fast)
        self.passes += 1
        if bound > self.promised:
            self.promised, self._promising = bound, point
        if not self.fast:
            self.lower_bound = self.promised
        return ids

    def prove(self) -> None:
        """Make `lower_bound` valid in float64."""
        if self.fast and self._promising is not None:
            self.passes += 1
            bound = self.problem.best_pairs(self._promising)[1]
            self.lower_bound = max(self.lower_bound, bound)


def describe_design(
    problem: TraceProblem,
    weighted: tuple[IntArray, FloatArray],
    *,
    information: FloatArray,
    certificate: Certificate,
    uniform_objective: float,
    tolerance: float,
) -> Design:
    """A `Design` from the ids and weights (s,) of its support and what is known of it."""
    support, weights = weighted
    objective = problem.at(information).objective
    lower_bound = certificate.lower_bound
    if problem.budget == problem.pool.n_pairs:
        status, lower_bound = Status.EVERY_PAIR, objective
    elif objective / lower_bound - 1 > tolerance:
        status = Status.PASS_LIMIT
    else:
        status = Status.CONVERGED if problem.has_full_rank else Status.RANK_DEFICIENT
    return Design(
        pairs=problem.pool.pair_rows(support),
        weights=weights,
        objective=objective,
        lower_bound=lower_bound,
        uniform_objective=uniform_objective,
        passes=certificate.passes,
        status=status,
        condition_number=float(np.linalg.cond(problem.base_information + information)),
        target_rank=effective_rank(problem.target),
        problem=problem,
        pair_ids=support,
        information=information,
    )
