"""Strategies by name: the same request in, a `Selection` out.

To add one, write a function of a `Request` that ends in `describe_selection`, and register it
with ``@strategy("name")``.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from pairselect.core.arrays import DesignError
from pairselect.core.pool import CandidatePool
from pairselect.core.problem import TraceProblem, trace_problem
from pairselect.core.sampling import systematic_sample
from pairselect.core.selection import Selection, describe_selection, select_pairs
from pairselect.core.solver import solve


@dataclass(frozen=True)
class Request:
    """What a strategy is given; it uses what it needs."""

    problem: TraceProblem
    tolerance: float
    method: str
    rng: np.random.Generator | None

    def generator(self) -> np.random.Generator:
        """The generator, or an error if there is none."""
        if self.rng is None:
            raise DesignError("This strategy is random: pass rng, a numpy.random.Generator.")
        return self.rng


Strategy = Callable[[Request], Selection]
STRATEGIES: dict[str, Strategy] = {}


def strategy(name: str) -> Callable[[Strategy], Strategy]:
    """Register a function as the strategy of this name."""

    def register(function: Strategy) -> Strategy:
        STRATEGIES[name] = function
        return function

    return register


def choose_pairs(
    pool: CandidatePool,
    *,
    strategy: str = "trace",
    budget: int,
    ridge: float = 1e-3,
    max_per_prompt: int | None = None,
    tolerance: float = 0.01,
    target: str | npt.ArrayLike = "samples",
    method: str = "exact",
    rng: np.random.Generator | None = None,
    prior_information: npt.ArrayLike | None = None,
) -> Selection:
    """Choose `budget` pairs of the pool by the named strategy.

    Every selection carries Φ and a lower bound of the same problem, so strategies can be compared.

    Parameters
    ----------
    pool : CandidatePool
    strategy : str
        A key of `STRATEGIES`: ``"trace"`` or ``"uniform"``.
    budget, ridge, max_per_prompt, tolerance, target, prior_information
        As in `solve_trace_design`. `tolerance` is used by ``"trace"`` alone.
    method, rng
        As in `select_pairs`; a random strategy needs `rng` with either method.

    Raises
    ------
    DesignError
        For an unknown strategy, or if the request cannot be met.
    """
    if strategy not in STRATEGIES:
        raise DesignError(
            f'There is no strategy "{strategy}"; choose from {", ".join(sorted(STRATEGIES))}.'
        )
    problem = trace_problem(
        pool,
        budget=budget,
        ridge=ridge,
        max_per_prompt=max_per_prompt,
        target=target,
        prior_information=prior_information,
    )
    return STRATEGIES[strategy](Request(problem, tolerance, method, rng))


@strategy("trace")
def trace(request: Request) -> Selection:
    """The capped trace design, rounded or sampled."""
    design = solve(request.problem, tolerance=request.tolerance)
    return select_pairs(design, method=request.method, rng=request.rng)


@strategy("uniform")
def uniform(request: Request) -> Selection:
    """Random pairs.

    Without a cap, a simple random sample of the candidate pairs: each with n / n_pairs. With a
    cap, a sample with the probabilities of `TraceProblem.uniform_rate`, spread evenly over prompts.
    """
    return _uniform_sample(request.problem, request.generator())


def random_selections(
    problem: TraceProblem, rng: np.random.Generator, *, draws: int
) -> list[Selection]:
    """What as many random pairs would have been: the honest comparison for a choice of n.

    `TraceProblem.uniform_objective` is their limit for many pairs, and flatters them for few.
    """
    return [_uniform_sample(problem, rng) for _ in range(draws)]


def _uniform_sample(problem: TraceProblem, rng: np.random.Generator) -> Selection:
    pool, n = problem.pool, problem.budget
    if problem.max_per_prompt is None:
        ranks = np.sort(rng.choice(pool.n_pairs, n, replace=False))
        return describe_selection(problem, pool.candidate_ids(ranks), np.full(n, n / pool.n_pairs))
    ids = pool.candidate_ids()
    prompts = pool.pair_prompts(ids)
    rate = problem.uniform_rate()[prompts]
    place = systematic_sample(rate, prompts, n, rng, max_per_group=problem.max_per_prompt)
    return describe_selection(problem, ids[place], rate[place])
