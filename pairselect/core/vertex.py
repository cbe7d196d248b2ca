"""The design of Han, Goyal and Ma as they solve it, as a baseline."""

from __future__ import annotations

import time
from dataclasses import replace

import numpy as np

from pairselect.core.arrays import IntArray
from pairselect.core.problem import TraceProblem
from pairselect.core.solver import TOLERANCE, Design, describe_design


def solve_vertex_design(
    problem: TraceProblem,
    *,
    tolerance: float = TOLERANCE,
    max_passes: int = 200,
    time_limit: float = float("inf"),
) -> Design:
    """Minimise Φ over all designs, w_e ≥ 0 and Σ w = 1, by Frank-Wolfe with exact line search.

    From the uniform design, each step moves weight to the one pair with the largest d_e. No weight
    is capped, so a converged design sits on few pairs and cannot be spent on n distinct ones.

    Parameters
    ----------
    problem : TraceProblem
        Its budget and its caps play no part.
    tolerance, max_passes
        As in `solve_trace_design`.
    time_limit : float
        Seconds after which no further pass starts; the status is then ``pass_limit``.

    Returns
    -------
    Design
        Its problem is the uncapped one, whose budget is 1. Support: all candidate pairs, unless a
        step took all weight from the uniform design.

    Notes
    -----
    arXiv:2606.19607. A step costs one pass over all pairs and one d × d eigenproblem.
    """
    free = replace(problem, budget=1, max_per_prompt=None)
    started = time.monotonic()
    uniform, steps = 1.0, 0  # the weight left on the uniform design
    weight: dict[int, float] = {}
    information = free.pool.uniform_information
    point = free.at(information)
    uniform_objective, promised, promising = point.objective, 0.0, point
    while True:
        ids, bound = free.best_pairs(point, exact=False)
        steps += 1
        if bound > promised:
            promised, promising = bound, point
        converged = point.objective / promised - 1 <= tolerance
        late = time.monotonic() - started > time_limit
        if converged or late or steps >= max_passes - 1:
            break
        vertex = free.selection_information(ids)
        step = free.step(information, vertex - information, 1.0)
        information = (1 - step) * information + step * vertex
        uniform *= 1 - step
        weight = {e: (1 - step) * w for e, w in weight.items()}
        weight[int(ids[0])] = weight.get(int(ids[0]), 0.0) + step
        point = free.at(information)
    lower_bound = free.best_pairs(promising)[1]  # in float64
    support = np.array(sorted(weight), dtype=np.int64)
    weights = np.array([weight[int(e)] for e in support])
    if uniform > 0:
        everything: IntArray = free.pool.candidate_ids()
        total = np.full(everything.size, uniform / everything.size)
        total[np.searchsorted(everything, support)] += weights
        support, weights = everything, total
    return describe_design(
        free,
        (support, weights),
        information=information,
        lower_bound=lower_bound,
        uniform_objective=uniform_objective,
        passes=steps + 1,
        converged=point.objective / lower_bound - 1 <= tolerance,
    )
