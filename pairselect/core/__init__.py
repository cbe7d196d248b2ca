"""The mathematics of pairselect: arrays and frozen dataclasses in and out.

NumPy and SciPy only. Never Django, and never torch on import.
"""

from pairselect.core.arrays import DesignError
from pairselect.core.ordering import order_pairs
from pairselect.core.pool import CandidatePool
from pairselect.core.problem import TraceProblem, trace_problem
from pairselect.core.reduction import Reduction, ReductionSettings, reduce_features
from pairselect.core.selection import METHODS, Selection, describe_selection, select_pairs
from pairselect.core.solver import Design, Status, solve_trace_design
from pairselect.core.strategies import (
    STRATEGIES,
    Request,
    choose_pairs,
    random_selections,
    strategy,
)
from pairselect.core.targets import TARGETS, effective_rank, target_information

__all__ = [
    "METHODS",
    "STRATEGIES",
    "TARGETS",
    "CandidatePool",
    "Design",
    "DesignError",
    "Reduction",
    "ReductionSettings",
    "Request",
    "Selection",
    "Status",
    "TraceProblem",
    "choose_pairs",
    "describe_selection",
    "effective_rank",
    "order_pairs",
    "random_selections",
    "reduce_features",
    "select_pairs",
    "solve_trace_design",
    "strategy",
    "target_information",
    "trace_problem",
]
