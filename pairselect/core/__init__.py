"""The mathematics of pairselect: arrays and frozen dataclasses in and out.

NumPy and SciPy only. Never Django, and never torch on import.
"""

import pairselect.core.baselines  # noqa: F401 (registers its strategies)
from pairselect.core.arrays import DesignError
from pairselect.core.bradley_terry import BradleyTerryFit, fit_bradley_terry
from pairselect.core.choice import Allocation, RidgeSweep, allocation, ridge_sweep
from pairselect.core.curve import BudgetCurve, budget_curve
from pairselect.core.design import Design, Status
from pairselect.core.diagnostics import (
    LengthReport,
    NearDuplicates,
    PoolDiversity,
    length_correlation,
    near_duplicates,
    pool_diversity,
)
from pairselect.core.ordering import order_pairs, order_selection
from pairselect.core.pool import CandidatePool
from pairselect.core.problem import TraceProblem, one_pair_per_prompt, trace_problem
from pairselect.core.random_pairs import random_objectives
from pairselect.core.reduction import Reduction, ReductionSettings, reduce_features
from pairselect.core.rounds import Round, next_round
from pairselect.core.selection import Selection, describe_selection, select_pairs
from pairselect.core.solver import solve, solve_trace_design
from pairselect.core.strategies import (
    STRATEGIES,
    Request,
    Strategy,
    choose_pairs,
    strategy,
)
from pairselect.core.targets import effective_rank, target_information
from pairselect.core.variety import (
    CompletionsCurve,
    PromptVariety,
    completions_curve,
    prompt_variety,
    source_spread,
)
from pairselect.core.vertex import solve_vertex_design

__all__ = [
    "STRATEGIES",
    "Allocation",
    "BradleyTerryFit",
    "BudgetCurve",
    "CandidatePool",
    "CompletionsCurve",
    "Design",
    "DesignError",
    "LengthReport",
    "NearDuplicates",
    "PoolDiversity",
    "PromptVariety",
    "Reduction",
    "ReductionSettings",
    "Request",
    "RidgeSweep",
    "Round",
    "Selection",
    "Status",
    "Strategy",
    "TraceProblem",
    "allocation",
    "budget_curve",
    "choose_pairs",
    "completions_curve",
    "describe_selection",
    "effective_rank",
    "fit_bradley_terry",
    "length_correlation",
    "near_duplicates",
    "next_round",
    "one_pair_per_prompt",
    "order_pairs",
    "order_selection",
    "pool_diversity",
    "prompt_variety",
    "random_objectives",
    "reduce_features",
    "ridge_sweep",
    "select_pairs",
    "solve",
    "solve_trace_design",
    "solve_vertex_design",
    "source_spread",
    "strategy",
    "target_information",
    "trace_problem",
]
