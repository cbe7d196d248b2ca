"""From weights to n pairs, and what is known about any choice of n pairs."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from pairselect.core.arrays import BoolArray, DesignError, FloatArray, IntArray
from pairselect.core.design import Design, Status
from pairselect.core.exchange import exchange_pairs
from pairselect.core.problem import UNIDENTIFIED, TraceProblem
from pairselect.core.sampling import systematic_sample


@dataclass(frozen=True, eq=False)
class Selection:
    """n chosen pairs, with the certificate of the choice itself.

    Attributes
    ----------
    pairs : (n, 2) integers
        Rows of `features`, the first below the second; by prompt, see `order_pairs` for a queue.
    inclusion_probability : (n,) array
        Chance of each pair to be chosen; 1 where nothing was random. Beside a random share, that
        of the others is given the pairs drawn.
    objective : float
        Φ with weight 1/n on each pair.
    lower_bound : float
        No choice of n pairs under the same caps has a smaller Φ. Valid for every strategy.
    gap : float
        objective / lower_bound − 1: at most so far from the best choice.
    admissible_bound, admissible_gap : float
        The same for the choices that the strategy admits: trace_gap looks at the pairs that it
        kept alone, and a random share is taken as drawn.
    sensitivity : (n,) array
        d_e at the design's M; at the selection's own M when there is no design.
    feature_distance : (n,) array
        ‖g_e‖, in the unit of the features.
    is_random : (n,) booleans
        Drawn at random from all candidate pairs, as a control.
    status : Status
        Its message says what the certificate means and what to do next.
    problem : TraceProblem
    design : Design or None
        None for a strategy that does not solve a trace design. With a random share, that of all
        n pairs, the drawn ones at weight 1/n.
    """

    pairs: IntArray = field(repr=False)
    inclusion_probability: FloatArray = field(repr=False)
    objective: float
    lower_bound: float
    admissible_bound: float
    sensitivity: FloatArray = field(repr=False)
    feature_distance: FloatArray = field(repr=False)
    is_random: BoolArray = field(repr=False)
    status: Status
    problem: TraceProblem = field(repr=False)
    design: Design | None = field(repr=False)

    @property
    def gap(self) -> float:
        return max(self.objective / self.lower_bound - 1, 0.0)

    @property
    def admissible_gap(self) -> float:
        return max(self.objective / self.admissible_bound - 1, 0.0)


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
    ids, probability = select_ids(design, method=method, rng=rng)
    return describe_selection(design.problem, ids, probability, design)


def select_ids(
    design: Design,
    *,
    method: str,
    rng: np.random.Generator | None,
) -> tuple[IntArray, FloatArray]:
    """Ids (n,) and inclusion probabilities (n,); see `select_pairs`."""
    problem = design.problem
    if problem.ridge == 0 and not problem.informs_every_direction(problem.budget):
        raise DesignError(UNIDENTIFIED)
    if method == "exact":
        ids = _best_exchange(design)
        return ids, np.ones(ids.size)
    if method == "randomized":
        if rng is None:
            raise DesignError('method="randomized" needs rng, a numpy.random.Generator.')
        return _draw(design, rng)
    raise DesignError(f'method must be "exact" or "randomized"; got "{method}".')


# Exchange ends in a local optimum, which on a small pool can be a poor one: under one pair a prompt
# at n = 36 of 1,008 pairs, 71% above the bound from the largest weights and 63% from the best of
# nine starts. With many pairs all starts end within 0.1% of each other, and cost seconds.
STARTS = 8
SMALL_POOL = 20_000
SMALL_BUDGET = 500


def _best_exchange(design: Design) -> IntArray:
    """Exchange from the largest weights and, on a small pool, from some draws; always the same."""
    problem = design.problem
    starts = [largest_weights(design)]
    if problem.pool.n_pairs <= SMALL_POOL and problem.budget <= SMALL_BUDGET:
        rng = np.random.default_rng(0)
        starts += [np.sort(_draw(design, rng)[0]) for _ in range(STARTS)]
    ends: list[tuple[float, IntArray]] = []
    for start in starts:
        try:
            ids = exchange_pairs(problem, start)
            ends.append((problem.at(problem.selection_information(ids)).objective, ids))
        except DesignError as error:  # without a ridge, a start may leave a direction open
            failure = error
    if not ends:
        raise failure
    return min(ends, key=lambda end: end[0])[1]


def _draw(design: Design, rng: np.random.Generator) -> tuple[IntArray, FloatArray]:
    """A sample of n pairs and their inclusion probabilities n·w_e."""
    problem = design.problem
    probability = np.minimum(problem.budget * design.weights, 1.0)
    place = systematic_sample(
        probability,
        problem.pool.pair_prompts(design.pair_ids),
        problem.budget,
        rng,
        max_per_group=problem.max_per_prompt,
    )
    return design.pair_ids[place], probability[place]


# A prior that holds less than a tenth of a label on a direction does not settle it.
LEAST_PRIOR = 0.1


def describe_selection(
    problem: TraceProblem,
    ids: IntArray,
    inclusion_probability: FloatArray,
    design: Design | None = None,
) -> Selection:
    """Evaluate a choice of n pairs, given by id, and certify it with one pass of the oracle.

    The pairs come back sorted by id, and with them what is known of each.
    """
    order = np.argsort(ids)
    ids, inclusion_probability = ids[order], inclusion_probability[order]
    point = problem.at(problem.selection_information(ids))
    lower_bound = problem.best_pairs(point)[1]
    admissible, projection, status = lower_bound, point.projection, Status.RULE
    if design is not None:
        projection, status = problem.at(design.information).projection, design.status
        admissible = max(lower_bound, design.lower_bound)
        if design.problem.pool.n_pairs == problem.pool.n_pairs:  # all pairs were admitted
            lower_bound = admissible
    if not problem.informs_every_direction(ids.size, least=LEAST_PRIOR):
        status = Status.FEW_PAIRS
    g = problem.pool.differences(ids)
    return Selection(
        pairs=problem.pool.pair_rows(ids),
        inclusion_probability=inclusion_probability,
        objective=point.objective,
        lower_bound=lower_bound,
        admissible_bound=admissible,
        sensitivity=np.sum((problem.pool.information_vectors(ids) @ projection) ** 2, axis=1),
        feature_distance=np.linalg.norm(g, axis=1),
        is_random=np.zeros(ids.size, dtype=np.bool_),
        status=status,
        problem=problem,
        design=design,
    )


def largest_weights(design: Design) -> IntArray:
    """Ids (n,) of the n largest weights that the cap allows; ties by id."""
    ranked = design.pair_ids[np.argsort(-design.weights, kind="stable")]
    return best_within_caps(design.problem, ranked)


def best_within_caps(problem: TraceProblem, ids: IntArray) -> IntArray:
    """The first n of these ids, best first, that the caps allow."""
    if problem.max_per_prompt is not None:
        prompts = problem.pool.pair_prompts(ids)
        by_prompt = np.argsort(prompts, kind="stable")
        grouped = prompts[by_prompt]
        rank = np.empty_like(grouped)
        rank[by_prompt] = np.arange(ids.size) - np.searchsorted(grouped, grouped)
        ids = ids[rank < problem.most_per_prompt[prompts]]
    return ids[: problem.budget]
