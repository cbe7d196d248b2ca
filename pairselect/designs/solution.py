"""One request to the core: which pairs, in which order, and what is known about them."""

import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pairselect.core import (
    BudgetCurve,
    Selection,
    budget_curve,
    choose_pairs,
    next_round,
    order_selection,
    random_objectives,
)
from pairselect.core.novelty import novelty
from pairselect.designs.bridge import Label, PoolArrays, known_arrays, pool_arrays
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
    curve: BudgetCurve
    seconds: float  # of the choice alone
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

    n pairs say nothing of d > n directions: without a prior Φ is then the ridge's alone, and no
    choice of pairs is near the bound. Two labels a direction leave the design something to choose.
    With a prior 128 throughout do as well (docs/proof), but for the fewest labels.
    """
    return min(max(labels // 2, 4), MOST_DIMENSIONS)


def solve(
    design: Design,
    features: FeatureSet,
    labels: Sequence[Label],
    progress: JobProgress,
    *,
    steps: int = STEPS,
) -> Solution:
    """Choose the pairs as the design asks, and find out what there is to know about them.

    The design may be one that is not stored, of a plan. ``steps`` is what the progress counts to.

    Raises
    ------
    DesignError, FeaturesLost
    """
    progress.report(0, steps, "reading the pool")
    rng = np.random.default_rng(design.seed)
    dimension = design.dimension or dimension_for(design.budget + len(labels))
    arrays = pool_arrays(
        features, dimension=dimension, after=design.after, score_set=design.score_set
    )
    progress.report(1, steps, "choosing pairs")
    began = time.monotonic()
    selection, fit = choose(design, arrays, labels, rng)
    seconds = time.monotonic() - began
    progress.report(2, steps, "ordering the queue")
    order = order_selection(selection, rng)
    progress.report(3, steps, "comparing with random pairs")
    random = random_objectives([selection.problem], draws=RANDOM_DRAWS, rng=rng)
    progress.report(4, steps, "predicting what more labels bring")
    curve = budget_curve(selection.problem, rng=rng, chosen_objective=selection.objective)
    return Solution(
        arrays,
        selection,
        order,
        curve,
        seconds,
        random_objective=float(random[0]),
        diagnostics=diagnose(selection, arrays, curve) | {"fit": fit},
    )


def choose(
    design: Design,
    arrays: PoolArrays,
    labels: Sequence[Label],
    rng: np.random.Generator,
    *,
    strategy: str = "",
) -> tuple[Selection, dict[str, Any] | None]:
    """The pairs that the design's strategy, or another one, chooses; and of labels, the fit.

    Raises
    ------
    DesignError
    """
    settings: dict[str, Any] = {
        "strategy": strategy or design.strategy,
        "budget": design.budget,
        "ridge": design.ridge,
        "prior_sd": design.prior_sd,
        "max_per_prompt": design.max_per_prompt,
        "tolerance": design.tolerance,
        "target": design.target,
        "method": design.method,
        "rng": rng,
        "keep": design.keep,
        "agreement": design.agreement,
        "random_share": design.random_share,
    }
    if not labels:
        return choose_pairs(arrays.candidates, **settings), None
    pairs, preferred = known_arrays(labels, arrays)
    found = next_round(arrays.candidates, pairs, preferred, **settings)
    return found.selection, describe_fit(found.fit, pairs, preferred)


def rationales(
    selection: Selection, order: NDArray[np.intp], rng: np.random.Generator
) -> list[dict[str, float | int]]:
    """The numbers that tell why each pair stands where it stands, in queue order.

    ``alone``, ``left`` and ``then`` as `core.novelty.Novelty` has them; ``of_prompt``, how many
    pairs its prompt has; and where the strategy saw scores, their ``gap``, and the share of
    the candidates with a smaller one, ``gap_above``.
    """
    pool = selection.problem.pool
    ids = pool.pair_ids(selection.pairs[order])
    told = novelty(selection.problem, ids, rng)
    prompts = pool.pair_prompts(ids)
    share = np.bincount(prompts)[prompts]
    rows: list[dict[str, float | int]] = [
        {
            "alone": round(float(told.alone[k]), 4),
            "left": float(f"{told.left[k]:.4g}"),
            "of_prompt": int(share[k]),
        }
        for k in range(ids.size)
    ]
    for row, then in zip(rows, told.then, strict=True):
        if np.isfinite(then):
            row["then"] = round(float(then), 4)
    if pool.scores is not None:
        gap, every = pool.score_gaps(ids), np.sort(pool.score_gaps(pool.candidate_ids()))
        above = np.searchsorted(every, gap) / every.size
        for k, row in enumerate(rows):
            row |= {"gap": float(f"{gap[k]:.4g}"), "gap_above": round(float(above[k]), 4)}
    return rows
