"""The trace design on a synthetic pool, each figure as a ratio within the run.

python -m benchmarks.design                                   1,225,000 pairs
python -m benchmarks.design --prompts 10000 --skip-vertex     12,250,000 pairs
python -m benchmarks.design --device cuda --prompts 81633     100 million pairs
"""

import argparse
import os
import resource
import time
from argparse import RawTextHelpFormatter
from collections.abc import Callable
from functools import partial
from typing import TypeVar

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

import numpy as np

from pairselect.core import (
    CandidatePool,
    TraceProblem,
    random_objectives,
    select_pairs,
    solve,
    solve_trace_design,
    solve_vertex_design,
    trace_problem,
)
from pairselect.core.design import TOLERANCE
from pairselect.core.oracle import largest_pairs

VERTEX_GAP = 0.05
VERTEX_RATIO = 50  # the vertex method is stopped when it has had this many times the time


def make_pool(
    prompts: int, completions: int, dimension: int, seed: int, device: str | None = None
) -> CandidatePool:
    """Power-law spectrum, four clusters a prompt, a tenth of the rows nearly equal to another."""
    rng = np.random.default_rng(seed)
    scale = (np.arange(1, dimension + 1) ** -0.5).astype(np.float32)
    features = np.empty((prompts, completions, dimension), dtype=np.float32)
    step = 1000
    for start in range(0, prompts, step):  # in parts: the draws are in float64
        part = features[start : start + step]
        centres = rng.normal(size=(len(part), 4, dimension))
        which = rng.integers(0, 4, size=part.shape[:2])
        part[:] = centres[np.arange(len(part))[:, None], which]
        part += rng.standard_t(4, size=part.shape)
        twins = rng.random(part.shape[:2]) < 0.1
        part[twins] = np.roll(part, 1, axis=1)[twins] + 1e-3 * rng.normal(
            size=(int(twins.sum()), dimension)
        )
    features *= scale
    index = np.repeat(np.arange(prompts), completions)
    return CandidatePool(features.reshape(-1, dimension), index, device=device)


T = TypeVar("T")


def timed(work: Callable[[], T]) -> tuple[T, float]:
    started = time.perf_counter()
    result = work()
    return result, time.perf_counter() - started


def oracle_figures(problem: TraceProblem) -> float:
    """Print what one pass takes, and what the matrix products in it alone take; seconds a pass."""
    pool = problem.pool
    projection = problem.at(pool.uniform_information).projection
    run = {
        exact: min(
            timed(lambda e=exact: largest_pairs(pool, projection, problem.budget, exact=e))[1]
            for _ in range(5)
        )
        for exact in (False, True)
    }
    rank = projection.shape[1]
    flops = sum(2.0 * b.n_prompts * b.size * rank * (pool.dimension + b.size) for b in pool.blocks)
    rate = matrix_rate(pool.device)
    print(f"one pass    {1e3 * run[False]:8.1f} ms in float32, {1e3 * run[True]:.1f} ms in float64")
    print(f"            {flops / 1e9:8.2f} GFlop in matrix products: "
          f"{flops / run[False] / rate:.0%} of the device's {rate / 1e9:.0f} GFlop/s")  # fmt: skip
    return run[False]


def matrix_rate(device: str | None, size: int = 2048) -> float:
    """Flop/s of a large float32 matrix product on the same device and threads."""
    if device is None:
        a = np.ones((size, size), dtype=np.float32)
        seconds = min(timed(lambda: a @ a)[1] for _ in range(5))
        return 2 * size**3 / seconds
    import torch

    size *= 8
    b = torch.ones((size, size), device=device)

    def product() -> None:
        b @ b
        torch.cuda.synchronize()

    return 2 * size**3 / min(timed(product)[1] for _ in range(5))


def vertex_figures(problem: TraceProblem, seconds: float) -> None:
    """The paper's method to the same gap, stopped after `VERTEX_RATIO` times the seconds."""
    limit = VERTEX_RATIO * seconds
    vertex, took = timed(
        lambda: solve_vertex_design(
            problem, tolerance=VERTEX_GAP, max_passes=10**6, time_limit=limit
        )
    )
    # Its own bound is weak; the optimum of the uncapped problem is known better from ours at n = 1.
    free = solve_trace_design(problem.pool, 1, tolerance=0.005, max_passes=400)
    truth = vertex.objective / free.lower_bound - 1
    reached = vertex.gap <= VERTEX_GAP
    print(f"vertex      Φ {vertex.objective:9.3f}  gap {vertex.gap:7.2%}  {took:6.2f} s  "
          f"{vertex.passes} passes, {truth:.1%} above the bound of its own problem, "
          f"{free.lower_bound:.3f}")  # fmt: skip
    print(f"            {'at' if reached else 'not at'} a gap of {VERTEX_GAP:.0%} after "
          f"{took / seconds:.0f} times the seconds of the capped design")  # fmt: skip


def report(problem: TraceProblem, pass_seconds: float, rng: np.random.Generator) -> float:
    """Print how the problem is solved and what a choice loses; seconds to the vertex gap."""
    designs = []
    for tolerance in (TOLERANCE, 0.01, VERTEX_GAP):
        design, seconds = timed(partial(solve, problem, tolerance=tolerance, max_passes=400))
        designs.append(design)
        print(f"relaxation  Φ {design.objective:9.3f}  gap {design.gap:7.2%}  {seconds:6.2f} s  "
              f"{design.passes} passes, {seconds / pass_seconds:.0f} times one")  # fmt: skip
    for method in ("exact", "randomized"):
        chosen, took = timed(partial(select_pairs, designs[0], method=method, rng=rng))
        print(f"{method:<10}  Φ {chosen.objective:9.3f}  gap {chosen.gap:7.2%}  {took:6.2f} s")
    random = random_objectives([problem], draws=5, rng=rng)[0]
    print(f"random      Φ {random:9.3f}  as many pairs, the mean of 5 draws")
    return seconds


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=RawTextHelpFormatter)
    parser.add_argument("--prompts", type=int, default=1000)
    parser.add_argument("--completions", type=int, default=50)
    parser.add_argument("--dimension", type=int, default=128)
    parser.add_argument("--budget", type=int, action="append", help="default: 5000 and 1000")
    parser.add_argument("--max-per-prompt", type=int)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--device", help="cuda: rank the pairs there")
    parser.add_argument("--skip-vertex", action="store_true")
    o = parser.parse_args()
    if o.device is None:
        print("CUDA        not run: no --device cuda")
    pool, seconds = timed(
        lambda: make_pool(o.prompts, o.completions, o.dimension, o.seed, o.device)
    )
    print(f"pool made in {seconds:.1f} s, memory {peak_memory():.2f} GB at most")
    rng = np.random.default_rng(o.seed)
    pass_seconds = None
    for budget in o.budget or [5000, 1000]:
        print(f"\n{pool.n_pairs:,} pairs, d = {o.dimension}, n = {budget:,}, "
              f"cap {o.max_per_prompt}")  # fmt: skip
        problem = trace_problem(pool, budget=budget, max_per_prompt=o.max_per_prompt)
        pass_seconds = pass_seconds or oracle_figures(problem)
        to_vertex_gap = report(problem, pass_seconds, rng)
        if not o.skip_vertex and budget == 5000:
            vertex_figures(problem, to_vertex_gap)
    print(f"\npeak memory {peak_memory():9.2f} GB")


def peak_memory() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20


if __name__ == "__main__":
    main()
