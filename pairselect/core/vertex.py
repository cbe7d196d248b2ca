"""The design of Han, Goyal and Ma as they solve it, as a baseline."""

from __future__ import annotations

import time
from dataclasses import replace

import numpy as np

from pairselect.core.arrays import IntArray
from pairselect.core.design import (
    SMALLEST_FAST_TOLERANCE,
    TOLERANCE,
    Certificate,
    Design,
    check_limits,
    describe_design,
)
from pairselect.core.problem import TraceProblem


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
    check_limits(tolerance, max_passes)
    free = replace(problem, budget=1, max_per_prompt=None)
    started = time.monotonic()
    certificate = Certificate(free, fast=tolerance >= SMALLEST_FAST_TOLERANCE and max_passes > 1)
    uniform = 1.0  # the weight left on the uniform design
    weight: dict[int, float] = {}
    information = free.pool.uniform_information
    point = free.at(information)
    uniform_objective = point.objective
    while True:
        ids = certificate.look(point)
        converged = point.objective / certificate.promised - 1 <= tolerance
        late = time.monotonic() - started > time_limit
        if converged or late or certificate.passes >= max_passes - certificate.fast:
            break
        vertex = free.selection_information(ids)
        step = free.step(information, vertex - information, 1.0)
        information = (1 - step) * information + step * vertex
        uniform *= 1 - step
        weight = {e: (1 - step) * w for e, w in weight.items()}
        weight[int(ids[0])] = weight.get(int(ids[0]), 0.0) + step
        point = free.at(information)
    certificate.prove()
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
        certificate=certificate,
        uniform_objective=uniform_objective,
        tolerance=tolerance,
    )
