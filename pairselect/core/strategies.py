"""Strategies by name: the same request in, a `Selection` out.

To add one, write a function of a `Request` that ends in `describe_selection`, and register it
with ``@strategy("name", summary="…")``. The strategies that solve a design are here, the rules
that they are compared with in `baselines`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from pairselect.core.arrays import Cap, DesignError, FloatArray, IntArray
from pairselect.core.design import TOLERANCE, Design, Status
from pairselect.core.gap_weights import gap_weights
from pairselect.core.log_det import LogDetProblem
from pairselect.core.pool import CandidatePool
from pairselect.core.problem import TraceProblem, trace_problem
from pairselect.core.random_share import beside_random
from pairselect.core.sampling import proportional_probabilities, systematic_sample
from pairselect.core.selection import (
    Selection,
    best_within_caps,
    describe_selection,
    select_ids,
    select_pairs,
)
from pairselect.core.solver import solve
from pairselect.core.vertex import solve_vertex_design

# Share of the pairs, those with the largest score gap, that trace_gap chooses among. Other shares
# do as well (docs/proof), and trace_weighted, which cuts nothing off, better.
KEEP = 0.3
# Share of the labels that follow the scores, as trace_weighted takes it. In docs/proof 0.6 has most
# of what good scores bring and loses little with most poor ones; 0.75 believed those too.
AGREEMENT = 0.6


@dataclass(frozen=True)
class Request:
    """What a strategy is given; it uses what it needs."""

    problem: TraceProblem
    tolerance: float = TOLERANCE
    method: str = "exact"
    rng: np.random.Generator | None = None
    keep: float = KEEP
    agreement: float = AGREEMENT

    def generator(self) -> np.random.Generator:
        """The generator, or an error if there is none."""
        if self.rng is None:
            raise DesignError("This strategy is random: pass rng, a numpy.random.Generator.")
        return self.rng


@dataclass(frozen=True)
class Strategy:
    """A way to choose n pairs.

    Attributes
    ----------
    name, summary : str
        The summary is a line of prose for people who choose among strategies.
    needs : tuple of str
        What the pool must have: ``"scores"``, ``"log_probs"``.
    outside : bool
        Whether its scores must come from elsewhere than the labels: see `next_round`.
    choose : callable
        From a `Request` to a `Selection`.
    """

    name: str
    summary: str
    needs: tuple[str, ...]
    choose: Callable[[Request], Selection]
    outside: bool = False

    def missing(self, pool: CandidatePool) -> tuple[str, ...]:
        """Those of its needs that the pool lacks."""
        return tuple(need for need in self.needs if getattr(pool, need) is None)


STRATEGIES: dict[str, Strategy] = {}


def strategy(
    name: str, *, summary: str, needs: tuple[str, ...] = (), outside: bool = False
) -> Callable[[Callable[[Request], Selection]], Callable[[Request], Selection]]:
    """Register a function as the strategy of this name."""

    def register(function: Callable[[Request], Selection]) -> Callable[[Request], Selection]:
        STRATEGIES[name] = Strategy(name, summary, needs, function, outside)
        return function

    return register


def choose_pairs(
    pool: CandidatePool,
    *,
    strategy: str = "trace",
    budget: int,
    ridge: float = 1e-3,
    max_per_prompt: Cap = None,
    tolerance: float = TOLERANCE,
    target: str | npt.ArrayLike = "samples",
    method: str = "exact",
    rng: np.random.Generator | None = None,
    prior_information: npt.ArrayLike | None = None,
    prior_sd: float | None = None,
    keep: float = KEEP,
    agreement: float = AGREEMENT,
    random_share: float = 0.0,
) -> Selection:
    """Choose `budget` pairs of the pool by the named strategy.

    Every selection carries Φ and a lower bound of the same problem, so strategies can be compared.

    Parameters
    ----------
    pool : CandidatePool
    strategy : str
        A key of `STRATEGIES`.
    budget, ridge, max_per_prompt, tolerance, target, prior_information, prior_sd
        As in `solve_trace_design`. `tolerance` is for the strategies that solve a design.
    method, rng
        As in `select_pairs`; a random strategy needs `rng` with either method.
    keep : float
        For ``"trace_gap"``: the share, in (0, 1], of the candidate pairs that it chooses among.
    agreement : float
        For ``"trace_weighted"``: the share, ½ to 1, of labels that prefer the higher score.
    random_share : float
        The share of the budget, in [0, 1], that is drawn from all pairs at random before the
        strategy chooses the rest in the knowledge of it: a control sample, and a guard against
        features that mislead. Needs `rng`.

    Raises
    ------
    DesignError
        For an unknown strategy, one that needs what the pool lacks, or if the request cannot be
        met.
    """
    chosen = strategy_for(pool, strategy)
    if not 0 < keep <= 1:
        raise DesignError(f"keep must be above 0 and at most 1; got {keep}.")
    if not 0.5 <= agreement <= 1:
        raise DesignError(f"agreement must be from 0.5 to 1; got {agreement}.")
    if not 0 <= random_share <= 1:
        raise DesignError(f"random_share must be from 0 to 1; got {random_share}.")
    problem = trace_problem(
        pool,
        budget=budget,
        ridge=ridge,
        max_per_prompt=max_per_prompt,
        target=target,
        prior_information=prior_information,
        prior_sd=prior_sd,
    )
    request = Request(problem, tolerance, method, rng, keep, agreement)
    n_random = round(random_share * budget)
    if n_random == 0 or chosen.name == "uniform":
        return chosen.choose(request)
    if n_random == budget:
        return STRATEGIES["uniform"].choose(request)
    return beside_random(
        problem,
        n_random,
        request.generator(),
        lambda rest: chosen.choose(replace(request, problem=rest)),
    )


def strategy_for(pool: CandidatePool, name: str) -> Strategy:
    """The strategy of this name, if there is one and the pool has what it needs."""
    found = STRATEGIES.get(name)
    if found is None:
        raise DesignError(
            f'There is no strategy "{name}"; choose from {", ".join(sorted(STRATEGIES))}.'
        )
    missing = found.missing(pool)
    if missing:
        raise DesignError(
            f'The strategy "{name}" needs {" and ".join(missing)}, one for each completion, and '
            "the pool has none; add them or choose another strategy."
        )
    return found


# --- the designs ----------------------------------------------------------------------------


@strategy("trace", summary="The pairs whose labels tell most about the policy: the trace design.")
def trace(request: Request) -> Selection:
    """The capped trace design, rounded or sampled."""
    design = solve(request.problem, tolerance=request.tolerance)
    return select_pairs(design, method=request.method, rng=request.rng)


@strategy(
    "trace_gap",
    summary="The trace design among the pairs whose scores differ most.",
    needs=("scores",),
)
def trace_gap(request: Request) -> Selection:
    """The capped trace design among the share `keep` of the pairs with the largest score gap.

    A label on a pair of equal quality is close to a coin toss; one on a pair that differs is
    not. The bound of the selection is that of all pairs, its `admissible_bound` that of the pairs
    kept.
    """
    problem = request.problem
    kept = replace(problem, pool=problem.pool.restricted_to(widest_gaps(problem, request.keep)))
    design = solve(kept, tolerance=request.tolerance)
    ids, probability = select_ids(design, method=request.method, rng=request.rng)
    return describe_selection(problem, ids, probability, design)


@strategy(
    "trace_weighted",
    summary="The trace design with each pair weighed by how far its scores differ.",
    needs=("scores",),
    outside=True,
)
def trace_weighted(request: Request) -> Selection:
    """The capped trace design of Σ_e w_e a(γ_e)² g_e g_eᵀ, γ the score gap: see `gap_weights`.

    Φ and the bound of the selection are without the weights, so that strategies can be compared.
    """
    problem = request.problem
    gap = problem.pool.score_gaps(problem.pool.candidate_ids())
    pool = problem.pool.weighted(gap_weights(gap, request.agreement))
    design = solve(replace(problem, pool=pool), tolerance=request.tolerance)
    ids, probability = select_ids(design, method=request.method, rng=request.rng)
    return _with_status(describe_selection(problem, ids, probability), design)


@strategy("trace_vertex", summary="The paper's design: uncapped, then sampled.")
def trace_vertex(request: Request) -> Selection:
    """The design of arXiv:2606.19607 by vertex Frank-Wolfe, then a sample without replacement.

    The sample has inclusion probabilities min(1, c·w_e); drawing one pair after the other with
    probabilities ∝ w, as in the paper, does not have any that are known. Pairs that the design
    leaves without weight share a floor, see `SMALLEST_WEIGHT`.
    """
    design = solve_vertex_design(request.problem, tolerance=request.tolerance)
    weights = np.zeros(request.problem.pool.n_pairs)
    weights[np.searchsorted(request.problem.pool.candidate_ids(), design.pair_ids)] = design.weights
    return _with_status(sample_proportional(request, weights), design)


@strategy("d_optimal", summary="The pairs that tell most about the parameters: log det.")
def d_optimal(request: Request) -> Selection:
    """The capped D-optimal design, rounded or sampled; exchange is by log det too."""
    problem = request.problem
    design = solve(LogDetProblem.of(problem), tolerance=request.tolerance)
    ids, probability = select_ids(design, method=request.method, rng=request.rng)
    return _with_status(describe_selection(problem, ids, probability), design)


def _with_status(selection: Selection, design: Design) -> Selection:
    """A choice by another criterion than Φ says so, unless its solver stopped early."""
    return (
        replace(selection, status=design.status)
        if design.status is Status.PASS_LIMIT
        else selection
    )


# --- what strategies share ------------------------------------------------------------------


def widest_gaps(problem: TraceProblem, keep: float) -> IntArray:
    """Ids of the share `keep` of the candidate pairs with the largest score gap.

    Pairs tied with the last are kept, pairs of equal score are not. Where the budget and the caps
    ask for more, the widest pairs that they allow are kept too, and what is tied with those.
    """
    pool = problem.pool
    ids = pool.candidate_ids()
    gap = pool.score_gaps(ids)
    if keep == 1:
        return ids
    rank = max(ids.size - int(np.ceil(keep * ids.size)), 0)
    kept = (gap >= np.partition(gap, rank)[rank]) & (gap > 0)
    needed = best_within_caps(problem, ids[np.argsort(-gap, kind="stable")])
    prompts, its_gap = pool.pair_prompts(needed), pool.score_gaps(needed)
    least = np.full(pool.n_prompts, np.inf)  # the narrowest gap that a prompt at its cap gives
    np.minimum.at(least, prompts, its_gap)
    filled = np.bincount(prompts, minlength=pool.n_prompts) >= problem.most_per_prompt
    least[~filled] = its_gap.min()
    found: IntArray = ids[kept | (gap >= least[pool.pair_prompts(ids)])]
    return found


# No weight is below this share of the largest, so that any budget can be met.
SMALLEST_WEIGHT = 1e-12


def sample_proportional(request: Request, weights: FloatArray) -> Selection:
    """A sample of n candidate pairs, pair e with min(1, c·w_e), for weights (n_pairs,) ≥ 0."""
    problem = request.problem
    weights = np.maximum(weights, SMALLEST_WEIGHT * weights.max())
    ids = problem.pool.candidate_ids()
    prompts = problem.pool.pair_prompts(ids)
    probability = proportional_probabilities(
        weights, prompts, problem.budget, problem.most_per_prompt
    )
    place = systematic_sample(
        probability,
        prompts,
        problem.budget,
        request.generator(),
        max_per_group=problem.max_per_prompt,
    )
    return describe_selection(problem, ids[place], probability[place])
