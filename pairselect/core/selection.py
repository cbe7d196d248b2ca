"""From weights to n pairs, and what is known about any choice of n pairs."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from pairselect.core.arrays import DesignError, FloatArray, IntArray
from pairselect.core.exchange import exchange_pairs
from pairselect.core.problem import TraceProblem
from pairselect.core.sampling import systematic_sample
from pairselect.core.solver import Design

METHODS = ("exact", "randomized")


@dataclass(frozen=True, eq=False)
class Selection:
    """n chosen pairs, with the certificate of the choice itself.

    Attributes
    ----------
    pairs : (n, 2) integers
        Rows of `features`, the first below the second; by prompt, see `order_pairs` for a queue.
    inclusion_probability : (n,) array
        Chance of each pair to be chosen; 1 where nothing was random.
    objective : float
        Φ with weight 1/n on each pair.
    lower_bound : float
        No choice of n pairs under the same caps has a smaller Φ. Valid for every strategy.
    gap : float
        objective / lower_bound − 1: at most so far from the best choice.
    sensitivity : (n,) array
        d_e at the design's M; at the selection's own M when there is no design.
    feature_distance : (n,) array
        ‖g_e‖, in the unit of the features.
    problem : TraceProblem
    design : Design or None
        None for a strategy that does not solve one.
    """

    pairs: IntArray = field(repr=False)
    inclusion_probability: FloatArray = field(repr=False)
    objective: float
    lower_bound: float
    sensitivity: FloatArray = field(repr=False)
    feature_distance: FloatArray = field(repr=False)
    problem: TraceProblem = field(repr=False)
    design: Design | None = field(repr=False)

    @property
    def gap(self) -> float:
        return max(self.objective / self.lower_bound - 1, 0.0)


def select_pairs(
    design: Design, *, method: str = "exact", rng: np.random.Generator | None = None
) -> Selection:
    """Choose n pairs by the weights of a design.

    Parameters
    ----------
    design : Design
    method : {"exact", "randomized"}
        ``"exact"`` takes the n largest weights and then exchanges pairs while Φ falls;
        deterministic, every inclusion probability is reported as 1. ``"randomized"`` draws n
        pairs, pair e with probability exactly n·w_e. Both respect the cap per prompt exactly.
    rng : numpy.random.Generator, optional
        Needed for ``"randomized"``.

    Raises
    ------
    DesignError
        For another method, without a generator where one is needed, or when with ridge 0 the
        chosen pairs do not identify every direction.
    """
    problem = design.problem
    if method == "exact":
        ids = exchange_pairs(problem, largest_weights(design))
        return describe_selection(problem, ids, np.ones(ids.size), design)
    if method == "randomized":
        if rng is None:
            raise DesignError('method="randomized" needs rng, a numpy.random.Generator.')
        probability = np.minimum(problem.budget * design.weights, 1.0)
        place = systematic_sample(
            probability,
            problem.pool.pair_prompts(design.pair_ids),
            problem.budget,
            rng,
            max_per_group=problem.max_per_prompt,
        )
        return describe_selection(problem, design.pair_ids[place], probability[place], design)
    raise DesignError(f'method must be "exact" or "randomized"; got "{method}".')


def describe_selection(
    problem: TraceProblem,
    ids: IntArray,
    inclusion_probability: FloatArray,
    design: Design | None = None,
) -> Selection:
    """Evaluate a choice of n pairs, given by id, and certify it with one pass of the oracle."""
    point = problem.at(problem.selection_information(ids))
    _, lower_bound = problem.best_pairs(point)
    projection = point.projection
    if design is not None:
        lower_bound = max(lower_bound, design.lower_bound)
        projection = problem.at(design.information).projection
    g = problem.pool.differences(ids)
    return Selection(
        pairs=problem.pool.pair_rows(ids),
        inclusion_probability=inclusion_probability,
        objective=point.objective,
        lower_bound=lower_bound,
        sensitivity=np.sum((g @ projection) ** 2, axis=1),
        feature_distance=np.linalg.norm(g, axis=1),
        problem=problem,
        design=design,
    )


def largest_weights(design: Design) -> IntArray:
    """Ids (n,) of the n largest weights that the cap allows; ties by id."""
    problem = design.problem
    ids = design.pair_ids[np.argsort(-design.weights, kind="stable")]
    if problem.max_per_prompt is not None:
        prompts = problem.pool.pair_prompts(ids)
        by_prompt = np.argsort(prompts, kind="stable")
        grouped = prompts[by_prompt]
        rank = np.empty_like(grouped)
        rank[by_prompt] = np.arange(ids.size) - np.searchsorted(grouped, grouped)
        ids = ids[rank < np.broadcast_to(problem.max_per_prompt, problem.pool.n_prompts)[prompts]]
    return ids[: problem.budget]
