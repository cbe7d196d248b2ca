"""What more labels would bring: the predicted loss of a design as the budget grows."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from operator import index

import numpy as np

from pairselect.core.arrays import DesignError, FloatArray, IntArray
from pairselect.core.problem import TraceProblem
from pairselect.core.random_pairs import random_objectives
from pairselect.core.selection import LEAST_PRIOR
from pairselect.core.solver import Mixture

# Doubling the labels halves the loss while every label is as good as the last; where a prior
# settles what no label does, it doubles what is learnt. Half of either is where more labels stop
# to help.
KNEE_SHARE = 0.25
KNEE_LEARNT = 0.5
MAX_PASSES = 20


@dataclass(frozen=True, eq=False)
class BudgetCurve:
    """Predicted loss Φ(n)/n against the number of labels n.

    The expected gap in the RLHF objective is proportional to it, to first order about θ₀ and the
    bias of the fit left out: (1/2β) tr(W H⁻¹)/n with H = σ′(0) (λI + Σ_D), so 2Φ/(βn).

    Attributes
    ----------
    budgets : (k,) integers
        n, rising; the problem's own is among them.
    designed : (k,) array
        Φ/n of the capped trace design. A choice of n whole pairs lies above this relaxation: on
        1,225,000 pairs with d = 128 by about 25% at n = 2d, 2% at 8d and 0.4% at 40d.
    lower_bound : (k,) array
        No choice of n pairs has a smaller Φ/n.
    uniform : (k,) array
        Φ/n of random pairs.
    equivalent : (k,) array
        How many random pairs bring the loss of `designed`; inf if all that the caps allow do not.
    worth : float
        The same for the problem's budget, of the pairs chosen if their Φ was given.
    knee : int or None
        From this budget on, doubling the labels brings less than half of what it could: it lowers
        `designed` by less than `KNEE_SHARE` or, with a prior in every direction, raises what is
        learnt, the fall of `designed` from no label at all, by less than `KNEE_LEARNT`. None if
        half of all pairs are not enough to get there.
    """

    budgets: IntArray
    designed: FloatArray
    lower_bound: FloatArray
    uniform: FloatArray
    equivalent: FloatArray
    worth: float
    knee: int | None
    uniform_budgets: IntArray = field(repr=False)  # a finer grid, from 1 to all pairs
    uniform_losses: FloatArray = field(repr=False)

    def random_labels(self, loss: float) -> float:
        """How many random pairs bring this loss Φ/n, between points in log-log.

        1 if one pair does; inf if all that the caps allow do not.
        """
        return float(_random_labels(self.uniform_budgets, self.uniform_losses, np.array(loss)))


def budget_curve(
    problem: TraceProblem,
    budgets: Sequence[int] | None = None,
    *,
    rng: np.random.Generator,
    chosen_objective: float | None = None,
    tolerance: float = 0.005,
    draws: int = 10,
) -> BudgetCurve:
    """The predicted loss Φ(n)/n of the capped trace design and of random pairs, over n.

    The ridge λ keeps its value over the budgets, as it is relative to the pool and not to n. What
    the prior holds in labels keeps its number, so its share of an average over n labels is scaled:
    base(n′) = λI + (base − λI) n/n′. The loss of the best design then falls with n.

    Parameters
    ----------
    problem : TraceProblem
    budgets : integers, optional
        1 to what the caps allow. Default: nine, in geometric steps, from two labels a dimension
        (half the problem's budget, if that is less) to all. The problem's own is always added.
    rng : numpy.random.Generator
        For the random pairs.
    chosen_objective : float, optional
        Φ of the pairs chosen for the problem's budget, for `worth`. Without it the relaxation
        stands in, which flatters a budget of few labels a dimension.
    tolerance : float
        Certified fraction above the optimum at which a design will do; above 0. It is not reached
        if `MAX_PASSES` passes of the oracle are not enough; `lower_bound` says how far it got.
    draws : int
        Sets of random pairs to average over, where the budget is at most 100 a dimension;
        at least 1.

    Raises
    ------
    DesignError
        For budgets out of range, or if with ridge 0 random pairs leave a direction unidentified.

    Notes
    -----
    Σ_D of a design for n′ > n is one for n as well (the caps 1/n are looser), so the budgets are
    solved from the largest down, each from where the last one ended.
    """
    if not tolerance > 0:
        raise DesignError(f"tolerance must be above 0; got {tolerance}.")
    if draws < 1:
        raise DesignError(f"draws must be at least 1; got {draws}.")
    most = problem.pool.reachable(problem.max_per_prompt)
    n = _budgets(problem, most, budgets)
    grid = np.union1d(n, _geometric(int(n[0]), most, 2 * n.size))
    if problem.ridge > 0:  # without a ridge, few pairs leave a direction unidentified
        grid = np.union1d(grid, _geometric(1, int(n[0]), n.size))
    random = random_objectives([_at_budget(problem, int(k)) for k in grid], draws=draws, rng=rng)
    # Random pairs teach more the more they are; that a mean of few draws rises is chance.
    random = np.minimum.accumulate(random / grid)
    objective, bound = _designed_objectives(problem, n, tolerance)
    # More labels only add information: a design for fewer is as good for more, a bound the reverse.
    designed = np.minimum.accumulate(objective / n)
    bound = np.maximum.accumulate((bound / n)[::-1])[::-1]
    own = designed[n == problem.budget][0]
    if chosen_objective is not None:
        own = chosen_objective / problem.budget
    return BudgetCurve(
        budgets=n,
        designed=designed,
        lower_bound=bound,
        uniform=random[np.searchsorted(grid, n)],
        equivalent=_random_labels(grid, random, designed),
        worth=float(_random_labels(grid, random, np.array(own))),
        knee=_knee(n, designed, _loss_without_labels(problem)),
        uniform_budgets=grid,
        uniform_losses=random,
    )


def _at_budget(problem: TraceProblem, budget: int) -> TraceProblem:
    ridge = problem.ridge * np.eye(problem.pool.dimension)
    prior = problem.base_information - ridge
    return replace(
        problem, budget=budget, base_information=ridge + prior * (problem.budget / budget)
    )


def _budgets(problem: TraceProblem, most: int, asked: Sequence[int] | None) -> IntArray:
    if asked is None:
        smallest = max(1, min(2 * problem.pool.dimension, problem.budget // 2))
        numbers = _geometric(smallest, most, 9)
    else:
        numbers = np.array([index(number) for number in asked], dtype=np.int64)
        if numbers.size and not 1 <= numbers.min() <= numbers.max() <= most:
            raise DesignError(f"Budgets must lie between 1 and {most}, all that can be chosen.")
    return np.union1d(numbers, [problem.budget]).astype(np.int64)


def _geometric(first: int, last: int, count: int) -> IntArray:
    return np.unique(np.rint(np.geomspace(first, last, count)).astype(np.int64))


# --- the design -----------------------------------------------------------------------------


def _designed_objectives(
    problem: TraceProblem, budgets: IntArray, tolerance: float
) -> tuple[FloatArray, FloatArray]:
    """Φ of the capped design and the bound on it, for each budget."""
    objectives, bounds = np.empty(budgets.size), np.empty(budgets.size)
    mixture: Mixture | None = None
    for k in reversed(range(budgets.size)):
        here = _at_budget(problem, int(budgets[k]))
        if here.budget == problem.pool.n_pairs:
            objectives[k] = bounds[k] = here.uniform_objective  # every pair, so no choice
            continue
        if mixture is None:
            mixture = Mixture(here)
        else:
            mixture.problem = here
            mixture.correct(stop=tolerance / 2)
        bounds[k] = mixture.improve(tolerance=tolerance, max_passes=MAX_PASSES).lower_bound
        objectives[k] = here.at(mixture.information).objective
    return objectives, bounds


# --- readings -------------------------------------------------------------------------------


def _random_labels(grid: IntArray, losses: FloatArray, asked: FloatArray) -> FloatArray:
    """n at which random pairs bring the losses asked for, straight between points in log-log."""
    fall, reached = -np.log(losses), -np.log(asked)
    number = np.exp(np.interp(reached, fall, np.log(grid)))
    # The slack is rounding: all pairs bring what all pairs bring.
    return np.asarray(np.where(reached > fall[-1] + 1e-9, np.inf, number))


def _loss_without_labels(problem: TraceProblem) -> float:
    """Φ(n)/n at n = 0; inf where the prior leaves a direction open."""
    if not problem.informs_every_direction(0, least=LEAST_PRIOR):
        return np.inf
    return problem.at(np.zeros_like(problem.base_information)).objective / problem.budget


def _knee(budgets: IntArray, losses: FloatArray, unlabelled: float) -> int | None:
    """The smallest n from which on doubling it brings less than half of what it could."""
    if 2 * budgets[0] > budgets[-1]:
        return None
    x, y = np.log(budgets), np.log(losses)
    n = np.linspace(x[0], x[-1] - np.log(2), 200)
    once, twice = np.exp(np.interp(n, x, y)), np.exp(np.interp(n + np.log(2), x, y))
    if np.isfinite(unlabelled):
        helpful = np.flatnonzero(once - twice >= KNEE_LEARNT * (unlabelled - once))
    else:
        helpful = np.flatnonzero(once - twice >= KNEE_SHARE * once)
    if helpful.size == 0:
        return int(budgets[0])
    if helpful[-1] == n.size - 1:
        return None
    return round(float(np.exp(n[helpful[-1] + 1])))
