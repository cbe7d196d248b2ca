"""What a design keeps as ``diagnostics``: plain numbers, None where one is not finite."""

from typing import TypedDict


class CurveFacts(TypedDict):
    """Predicted loss Φ(n)/n over the number of labels n; see `core.BudgetCurve`."""

    budgets: list[int]
    designed: list[float]
    lower_bound: list[float]
    uniform: list[float]
    equivalent: list[float | None]  # None: more than all random pairs
    uniform_budgets: list[int]  # a finer grid, the last of it all pairs
    uniform_losses: list[float]
    chosen: float  # of the pairs chosen
    worth: float | None  # how many random labels bring that loss; None: more than all
    knee: int | None


class RidgeFacts(TypedDict):
    factors: list[float]
    objective: list[float]  # Φ of the choice when λ is so many times as large
    stable: bool


class PoolFacts(TypedDict):
    effective_rank: float  # directions in which the candidate pairs differ
    near_duplicate_share: float  # of the pairs with two texts; they are no candidates
    equal_text_share: float  # of all pairs within prompts


class LengthFacts(TypedDict):
    correlation: list[float]  # of the leading directions of W with length in tokens
    information_share: list[float]
    r_squared: float | None  # adjusted, of length on all dimensions


class AllocationFacts(TypedDict):
    prompts: int
    without: int
    median: float
    maximum: int
    top_share: float  # of the pairs, in the tenth of the prompts that has most
    effective_prompts: float


class FitFacts(TypedDict):
    """Held in: of the labels that the reward was fitted to."""

    labels: int
    pairs: int
    prior_sd: float
    accuracy: float | None  # over the labels that are no ties
    log_likelihood: float  # nats a label; of a coin −0.693
    converged: bool


class Diagnostics(TypedDict):
    dimension: int
    condition_number: float | None  # of M at the choice
    target_rank: float  # effective rank of W
    admissible_gap: float | None  # to the best that the strategy admits; None without a design
    random_pairs: int
    curve: CurveFacts
    ridge: RidgeFacts
    pool: PoolFacts
    length: LengthFacts
    allocation: AllocationFacts
    fit: FitFacts | None
