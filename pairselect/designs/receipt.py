"""What is known about a choice of pairs, as plain numbers that a JSON column holds."""

import math
from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pairselect.core import (
    BradleyTerryFit,
    BudgetCurve,
    Selection,
    allocation,
    effective_rank,
    length_correlation,
    ridge_sweep,
)
from pairselect.designs.bridge import PoolArrays
from pairselect.designs.facts import (
    AllocationFacts,
    CurveFacts,
    Diagnostics,
    FitFacts,
    LengthFacts,
    PoolFacts,
    RidgeFacts,
)


def diagnose(selection: Selection, arrays: PoolArrays, curve: BudgetCurve) -> dict[str, Any]:
    """`Diagnostics` of a choice, without its fit and its admissible gap."""
    problem = selection.problem
    sweep = ridge_sweep(selection)
    here = int(np.argmin(np.abs(np.log(sweep.factors))))
    ridge = RidgeFacts(
        factors=sweep.factors.tolist(), objective=sweep.objective.tolist(), stable=sweep.stable
    )
    facts = Diagnostics(
        dimension=problem.pool.dimension,
        condition_number=float(sweep.condition_number[here]),
        target_rank=effective_rank(problem.target),
        admissible_gap=None,
        random_pairs=int(np.count_nonzero(selection.is_random)),
        curve=_curve(selection, curve),
        ridge=ridge,
        pool=_pool(arrays),
        length=_length(selection, arrays),
        allocation=_allocation(selection),
        fit=None,
    )
    return plain_facts(facts)


def describe_fit(
    fit: BradleyTerryFit, pairs: NDArray[np.int64], preferred: NDArray[np.float64]
) -> dict[str, Any]:
    """`FitFacts` of a reward fitted to labels on ``pairs`` (k, 2)."""
    logit = fit.rewards[pairs[:, 0]] - fit.rewards[pairs[:, 1]]
    decided = preferred != 0.5
    right = (logit > 0) == (preferred > 0.5)
    likelihood = -np.logaddexp(0, -logit) * preferred - np.logaddexp(0, logit) * (1 - preferred)
    facts = FitFacts(
        labels=len(pairs),
        pairs=len(np.unique(np.sort(pairs, axis=1), axis=0)),
        prior_sd=fit.prior_sd,
        accuracy=float(right[decided].mean()) if decided.any() else None,
        log_likelihood=float(likelihood.mean()),
        converged=fit.converged,
    )
    return plain_facts(facts)


def plain_facts(facts: Mapping[str, object]) -> dict[str, Any]:
    """As JSON's own types; numbers that it has no word for, such as inf, become None."""
    return {key: _plain(value) for key, value in facts.items()}


def _plain(value: object) -> Any:
    if isinstance(value, Mapping):
        return plain_facts(value)
    if isinstance(value, list | tuple | np.ndarray):
        return [_plain(inner) for inner in value]
    if isinstance(value, np.generic):
        return _plain(value.item())
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value


def _curve(selection: Selection, curve: BudgetCurve) -> CurveFacts:
    return CurveFacts(
        budgets=curve.budgets.tolist(),
        designed=curve.designed.tolist(),
        lower_bound=curve.lower_bound.tolist(),
        uniform=curve.uniform.tolist(),
        equivalent=curve.equivalent.tolist(),
        uniform_budgets=curve.uniform_budgets.tolist(),
        uniform_losses=curve.uniform_losses.tolist(),
        chosen=selection.objective / selection.problem.budget,
        worth=curve.worth,
        knee=curve.knee,
    )


def _pool(arrays: PoolArrays) -> PoolFacts:
    pool, near = arrays.candidates, arrays.near_duplicates
    others = np.concatenate([arrays.excluded, arrays.unusable])
    not_equal = len(np.unique(pool.pair_ids(others))) + near
    return PoolFacts(
        effective_rank=effective_rank(pool.uniform_information),
        near_duplicate_share=near / (pool.n_pairs + near),
        equal_text_share=(pool.barred.size - not_equal) / (pool.barred.size + pool.n_pairs),
    )


def _length(selection: Selection, arrays: PoolArrays) -> LengthFacts:
    problem = selection.problem
    report = length_correlation(problem.pool, arrays.token_counts, information=problem.target)
    return LengthFacts(
        correlation=report.correlation.tolist(),
        information_share=report.information_share.tolist(),
        r_squared=report.adjusted_r_squared,
    )


def _allocation(selection: Selection) -> AllocationFacts:
    spread = allocation(selection.problem.pool, selection.pairs)
    return AllocationFacts(
        prompts=len(spread.counts),
        without=spread.without,
        median=spread.median,
        maximum=spread.maximum,
        top_share=spread.top_share,
        effective_prompts=spread.effective_prompts,
    )
