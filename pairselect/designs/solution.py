"""One request to the core: which pairs, in which order, and what is known about them."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pairselect.core import (
    Selection,
    choose_pairs,
    next_round,
    order_selection,
    random_objectives,
)
from pairselect.designs.bridge import PoolArrays, known_arrays, pool_arrays
from pairselect.designs.models import Design
from pairselect.designs.receipt import describe_fit, diagnose
from pairselect.jobs.progress import JobProgress
from pairselect.pools.models import FeatureSet

MOST_DIMENSIONS = 128  # arXiv:2606.19607 reduces to 128
RANDOM_DRAWS = 10
STEPS = 5


@dataclass(frozen=True)
class Solution:
    """What the core has to say, before any row is written."""

    arrays: PoolArrays
    selection: Selection
    order: NDArray[np.intp]
    random_objective: float
    diagnostics: dict[str, Any]

    @property
    def lower_bound(self) -> float:
        """Φ of no choice is below: by the selection, or by the curve, which solves the design."""
        curve, budget = self.diagnostics["curve"], self.selection.problem.budget
        of_curve: float = budget * curve["lower_bound"][curve["budgets"].index(budget)]
        return max(self.selection.lower_bound, of_curve)

    @property
    def admissible_gap(self) -> float | None:
        """At most so far from the best that the strategy admits; None without a trace design."""
        if self.selection.design is None:
            return None
        best = max(self.selection.admissible_bound, self.lower_bound)
        return max(self.selection.objective / best - 1, 0.0)


def dimension_for(labels: int) -> int:
    """Half the labels, 4 to 128.

    n pairs say nothing of d > n directions: Φ is then the ridge's alone, and no choice of pairs
    is near the bound. Two labels a direction leave the design something to choose.
    """
    return min(max(labels // 2, 4), MOST_DIMENSIONS)


def solve(design: Design, features: FeatureSet, progress: JobProgress) -> Solution:
    """Choose the pairs as the design asks, and find out what there is to know about them.

    Raises
    ------
    DesignError, FeaturesLost
    """
    progress.report(0, STEPS, "reading the pool")
    rng = np.random.default_rng(design.seed)
    known = design.known_labels.count()
    dimension = design.dimension or dimension_for(design.budget + known)
    arrays = pool_arrays(
        features, dimension=dimension, after=design.after, score_set=design.score_set
    )
    progress.report(1, STEPS, "choosing pairs")
    settings: dict[str, Any] = {
        "strategy": design.strategy,
        "budget": design.budget,
        "ridge": design.ridge,
        "prior_sd": design.prior_sd,
        "max_per_prompt": design.max_per_prompt,
        "tolerance": design.tolerance,
        "target": design.target,
        "method": design.method,
        "rng": rng,
        "keep": design.keep,
        "random_share": design.random_share,
    }
    fit = None
    if known:
        pairs, preferred = known_arrays(design, arrays)
        found = next_round(
            arrays.candidates,
            pairs,
            preferred,
            design_prior=design.prior_sd is not None,
            **settings,
        )
        selection, fit = found.selection, describe_fit(found.fit, pairs, preferred)
    else:
        selection = choose_pairs(arrays.candidates, **settings)
    progress.report(2, STEPS, "ordering the queue")
    order = order_selection(selection, rng)
    progress.report(3, STEPS, "comparing with random pairs")
    random = random_objectives([selection.problem], draws=RANDOM_DRAWS, rng=rng)
    progress.report(4, STEPS, "predicting what more labels bring")
    return Solution(
        arrays,
        selection,
        order,
        random_objective=float(random[0]),
        diagnostics=diagnose(selection, arrays, rng) | {"fit": fit},
    )
