"""A share of the budget drawn at random, and the rest chosen in the knowledge of it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np

from pairselect.core.arrays import FloatArray, IntArray
from pairselect.core.design import Design, Status
from pairselect.core.problem import TraceProblem
from pairselect.core.random_pairs import uniform_sample
from pairselect.core.selection import Selection, describe_selection


def beside_random(
    problem: TraceProblem,
    n_random: int,
    rng: np.random.Generator,
    choose: Callable[[TraceProblem], Selection],
) -> Selection:
    """`n_random` random pairs, and a choice of the rest of the budget given those.

    With k of n pairs drawn, M = λI + prior + Σ_random/n + Σ_rest/n. In the unit of the rest, whose
    weights are 1/(n − k), that is n/(n − k) times as much, and Φ is (n − k)/n of what it was.
    """
    n = problem.budget
    pool = problem.pool
    drawn, chance = uniform_sample(replace(problem, budget=n_random), rng)
    counts = np.bincount(pool.pair_prompts(drawn), minlength=pool.n_prompts)
    scale = n / (n - n_random)
    held = pool.information(drawn, np.full(n_random, 1 / n))
    rest = replace(
        problem,
        pool=pool.without(drawn),
        budget=n - n_random,
        max_per_prompt=None if problem.max_per_prompt is None else problem.most_per_prompt - counts,
        ridge=problem.ridge * scale,
        base_information=scale * (problem.base_information + held),
    )
    designed = choose(rest)
    ids = np.concatenate([drawn, pool.pair_ids(designed.pairs)])
    probability = np.concatenate([chance, designed.inclusion_probability])
    mixed = describe_selection(problem, ids, probability)
    chosen_ids = pool.pair_ids(mixed.pairs)
    status = designed.status
    if mixed.status is Status.FEW_PAIRS:
        status = mixed.status
    elif status is Status.FEW_PAIRS:  # the rest alone is few
        status = Status.RULE if designed.design is None else designed.design.status
    mixed = replace(
        mixed,
        admissible_bound=max(mixed.lower_bound, designed.admissible_bound * scale),
        is_random=np.isin(chosen_ids, drawn),
        status=status,
    )
    if designed.design is None:
        return mixed
    design = _with_drawn(designed.design, problem, drawn, held)
    projection = problem.at(design.information).projection
    return replace(
        mixed,
        design=design,
        sensitivity=np.sum((pool.information_vectors(chosen_ids) @ projection) ** 2, axis=1),
    )


def _with_drawn(design: Design, problem: TraceProblem, drawn: IntArray, held: FloatArray) -> Design:
    """A design of the rest as one of all n pairs, in their unit: the drawn ones have 1/n each."""
    scale = problem.budget / (problem.budget - drawn.size)
    ids = np.concatenate([drawn, design.pair_ids])
    weights = np.concatenate([np.full(drawn.size, 1 / problem.budget), design.weights / scale])
    order = np.argsort(ids)
    return replace(
        design,
        pairs=problem.pool.pair_rows(ids[order]),
        weights=weights[order],
        objective=design.objective * scale,
        lower_bound=design.lower_bound * scale,
        uniform_objective=design.uniform_objective * scale,
        problem=problem,
        pair_ids=ids[order],
        information=held + design.information / scale,
    )
