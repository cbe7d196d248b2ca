"""Designs and their pairs as the API and the commands' ``--json`` tell of them."""

from datetime import datetime
from typing import Any

from typing_extensions import TypedDict

from pairselect.designs.models import Design, SelectedPair
from pairselect.designs.words import verdict
from pairselect.pools.summaries import Reference, reference


class DesignSummary(TypedDict):
    id: int
    name: str
    pool: Reference
    after: Reference | None  # the design whose next round it is
    budget: int
    strategy: str
    method: str
    features: str
    target: str
    max_per_prompt: int | None
    dimension: int | None
    ridge: float
    prior_sd: float | None
    random_share: float  # of the budget
    keep: float  # share of the pairs that a gap lets through
    agreement: float  # share of the labels that follow the scores, where they weigh pairs
    scores: str  # their name; empty where the strategy looks at none
    seed: int
    objective: float | None  # Φ of the chosen pairs; smaller is better
    lower_bound: float | None  # no choice is below
    gap: float | None  # objective / lower_bound - 1
    random_objective: float | None  # Φ of as many random pairs
    worth: float | None  # in random labels; None: it cannot be told, or more than all
    status: str
    verdict: str  # in words
    created_at: datetime
    solved_at: datetime | None
    archived_at: datetime | None


class Receipt(DesignSummary):
    """A design with all that is known of it."""

    candidate_count: int | None
    relaxed_objective: float | None
    uniform_objective: float | None
    passes: int | None
    seconds: float | None
    message: str
    reduction: dict[str, Any]  # how the features were reduced
    diagnostics: dict[str, Any]  # the curve over budgets, what the ridge decides, lengths, …


class PairCompletion(TypedDict):
    id: int
    index: int  # 0-based among the prompt's
    text: str
    log_prob: float  # nats, under the reference model


class PairSummary(TypedDict):
    """One pair, and why it was chosen."""

    position: int  # 0-based: the first n are a good design too
    prompt_id: str  # as the file gave it
    messages: list[dict[str, str]]
    first: PairCompletion
    second: PairCompletion
    inclusion_probability: float
    sensitivity: float  # how fast Φ falls with this pair's weight
    feature_distance: float
    is_random: bool  # drawn as a control
    rationale: dict[str, Any]  # the numbers that its reasons are told by


def design_reference(design: Design) -> Reference:
    return Reference(id=design.pk, name=design.name)


def design_summary(design: Design) -> DesignSummary:
    return DesignSummary(
        id=design.pk,
        name=design.name,
        pool=reference(design.pool),
        after=design_reference(design.after) if design.after else None,
        budget=design.budget,
        strategy=design.strategy,
        method=design.method,
        features=design.feature_kind,
        target=design.target,
        max_per_prompt=design.max_per_prompt,
        dimension=design.dimension,
        ridge=design.ridge,
        prior_sd=design.prior_sd,
        random_share=design.random_share,
        keep=design.keep,
        agreement=design.agreement,
        scores=design.score_set.name if design.score_set else "",
        seed=design.seed,
        objective=design.objective,
        lower_bound=design.lower_bound,
        gap=design.gap,
        random_objective=design.random_objective,
        worth=design.worth,
        status=design.status,
        verdict=verdict(design),
        created_at=design.created_at,
        solved_at=design.solved_at,
        archived_at=design.archived_at,
    )


def receipt(design: Design) -> Receipt:
    return Receipt(
        **design_summary(design),
        candidate_count=design.candidate_count,
        relaxed_objective=design.relaxed_objective,
        uniform_objective=design.uniform_objective,
        passes=design.passes,
        seconds=design.seconds,
        message=design.message,
        reduction=design.reduction,
        diagnostics=design.diagnostics,
    )


def pair_summary(pair: SelectedPair) -> PairSummary:
    return PairSummary(
        position=pair.position,
        prompt_id=pair.prompt.external_id,
        messages=pair.prompt.messages,
        first=PairCompletion(
            id=pair.first_id,
            index=pair.first.index,
            text=pair.first.text,
            log_prob=pair.first_log_prob,
        ),
        second=PairCompletion(
            id=pair.second_id,
            index=pair.second.index,
            text=pair.second.text,
            log_prob=pair.second_log_prob,
        ),
        inclusion_probability=pair.inclusion_probability,
        sensitivity=pair.sensitivity,
        feature_distance=pair.feature_distance,
        is_random=pair.is_random,
        rationale=pair.rationale,
    )
